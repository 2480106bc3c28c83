//! What a manifest's roles and users change in the service.

use std::collections::BTreeSet;

use latchkey::name::{ManifestName, RoleName};
use latchkey::role::Permissions;
use latchkey::service::UserChange;
use latchkey::user::{User, UserKind};

use super::{Field, RoleChange, UserField, UserPlan};
use crate::manifest::{Manifest, RoleDeclaration, UserDeclaration};
use crate::observe::Observation;

/// The roles and users that a run creates or changes. Those of other manifests are faults, not changes.
pub(super) fn changes(manifest: &Manifest, observation: &Observation) -> (Vec<RoleChange>, Vec<UserPlan>) {
    let foreign = |owner: Option<&ManifestName>| owner.is_some_and(|owner| *owner != manifest.name);
    let roles = manifest.roles.iter().filter_map(|(name, declared)| {
        let old = observation.roles.get(name).map(|role| (&role.permissions, role.managed_by.as_ref()));
        if foreign(old.and_then(|(_, owner)| owner)) { None } else { role(name, declared, old) }
    });
    let users = manifest.users.iter().filter_map(|(name, declared)| {
        let old = observation.users.get(name);
        let foreign = foreign(old.and_then(|user| user.managed_by.as_ref()));
        if foreign { None } else { user(manifest, name, declared, old) }
    });
    (roles.collect(), users.collect())
}

fn role(
    name: &RoleName,
    declared: &RoleDeclaration,
    old: Option<(&Permissions, Option<&ManifestName>)>,
) -> Option<RoleChange> {
    let texts = |permissions: &Permissions| permissions.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let (before, after) = (old.map(|(old, _)| texts(old)).unwrap_or_default(), texts(&declared.permissions));
    let taken_over = old.is_some_and(|(_, owner)| owner.is_none());
    let change = RoleChange {
        name: name.clone(),
        permissions: declared.permissions.clone(),
        new: old.is_none(),
        gains: after.difference(&before).cloned().collect(),
        losses: before.difference(&after).cloned().collect(),
        taken_over,
    };
    let changes = change.new || taken_over || !change.gains.is_empty() || !change.losses.is_empty();
    changes.then_some(change)
}

fn user(
    manifest: &Manifest,
    name: &latchkey::name::UserName,
    declared: &UserDeclaration,
    old: Option<&User>,
) -> Option<UserPlan> {
    let kind = if declared.service { UserKind::Service } else { UserKind::Person };
    let join = |roles: &BTreeSet<&RoleName>| {
        let texts: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let after: BTreeSet<&RoleName> = declared.roles.iter().collect();
    let before: BTreeSet<&RoleName> = old.iter().flat_map(|old| &old.roles).collect();
    let mut fields = Vec::new();
    if old.is_none() {
        fields.push(Field { name: UserField::Kind, from: "none".to_owned(), to: kind.as_str().to_owned() });
    }
    if old.is_none() || before != after {
        fields.push(Field { name: UserField::Roles, from: join(&before), to: join(&after) });
    }
    if old.is_some_and(|old| old.sweeping) {
        // An earlier change of the user was cut short; writing the user again completes it.
        fields.push(Field {
            name: UserField::Tokens,
            from: "not all have its last change".to_owned(),
            to: "all have it".to_owned(),
        });
    }
    let most = |most: Option<u32>| most.map_or_else(|| "default".to_owned(), |most| most.to_string());
    let max_before = old.and_then(|old| old.max_tokens);
    if max_before != declared.max_tokens {
        fields.push(Field { name: UserField::MaxTokens, from: most(max_before), to: most(declared.max_tokens) });
    }
    let taken_over = old.is_some_and(|old| old.managed_by.is_none());
    let change = UserChange {
        kind: Some(kind),
        roles: Some(declared.roles.clone()),
        max_tokens: Some(declared.max_tokens),
        suspended: None,
        managed_by: Some(manifest.name.clone()),
    };
    let plan = UserPlan { name: name.clone(), new: old.is_none(), change, fields, taken_over };
    (plan.new || taken_over || !plan.fields.is_empty()).then_some(plan)
}
