//! What a manifest's roles and users change in the service.

use std::collections::BTreeSet;

use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName};
use latchkey::role::Permissions;
use latchkey::service::{Role, UserChange};
use latchkey::user::{User, UserKind};

use super::moving::{Standing, moves, standing};
use super::{Field, RoleChange, UserField, UserPlan};
use crate::manifest::{Manifest, Moves, RoleDeclaration, UserDeclaration};
use crate::observe::Observation;

/// The roles and users that a run creates or changes. Those of other manifests are faults, not changes.
pub(super) fn changes(manifest: &Manifest, observation: &Observation) -> (Vec<RoleChange>, Vec<UserPlan>) {
    let ours = |moves: &Moves, found: Option<(Option<&ManifestName>, Option<&ManifestName>)>| {
        matches!(standing(&manifest.name, moves, found), Standing::Own | Standing::Taken)
    };
    let roles = manifest.roles.iter().filter_map(|(name, declared)| {
        let old = observation.roles.get(name);
        let found = old.map(|role| (role.managed_by.as_ref(), role.moved_to.as_ref()));
        if ours(&declared.moves, found) { role(manifest, name, declared, old) } else { None }
    });
    let users = manifest.users.iter().filter_map(|(name, declared)| {
        let old = observation.users.get(name);
        let found = old.map(|user| (user.managed_by.as_ref(), user.moved_to.as_ref()));
        if ours(&declared.moves, found) { user(manifest, name, declared, old) } else { None }
    });
    (roles.collect(), users.collect())
}

fn role(manifest: &Manifest, name: &RoleName, declared: &RoleDeclaration, old: Option<&Role>) -> Option<RoleChange> {
    let texts = |permissions: &Permissions| permissions.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let before = old.map(|old| texts(&old.permissions)).unwrap_or_default();
    let after = texts(&declared.permissions);
    let taken_over = old.is_some_and(|old| old.managed_by.is_none());
    let found = old.map(|role| (role.managed_by.as_ref(), role.moved_to.as_ref()));
    let (moving, moved_to) = moves(&manifest.name, &declared.moves, found);
    let change = RoleChange {
        name: name.clone(),
        permissions: declared.permissions.clone(),
        new: old.is_none(),
        before: old.map(|old| old.permissions.clone()).unwrap_or_default(),
        gains: after.difference(&before).cloned().collect(),
        losses: before.difference(&after).cloned().collect(),
        taken_over,
        moving,
        moved_to,
    };
    let moves = change.moving != Moving::default();
    let changes = change.new || taken_over || moves || !change.gains.is_empty() || !change.losses.is_empty();
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
    let found = old.map(|user| (user.managed_by.as_ref(), user.moved_to.as_ref()));
    let (moving, moved_to) = moves(&manifest.name, &declared.moves, found);
    fields.extend(moved_to.map(|(from, to)| Field { name: UserField::MovedTo, from, to }));
    let taken = moving.from.is_some();
    let change = UserChange {
        kind: Some(kind),
        roles: Some(declared.roles.clone()),
        max_tokens: Some(declared.max_tokens),
        suspended: None,
        email: None,
        managed_by: Some(manifest.name.clone()),
        moving,
    };
    let plan = UserPlan { name: name.clone(), new: old.is_none(), change, fields, taken_over };
    (plan.new || taken_over || taken || !plan.fields.is_empty()).then_some(plan)
}
