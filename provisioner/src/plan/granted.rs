//! What a manifest grants, held against what it may: the service refuses the rest when it is applied with a token. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::protocol::STAGED_LIFE;
use latchkey::role::{Permission, Permissions};
use latchkey::service::Grant;
use latchkey::user::UserKind;

use super::{Blocked, Change, Note, Plan, PlanNote, Stop, TokenField, TokenPlan};
use crate::manifest::{Manifest, granted};
use crate::observe::Observation;

/// What allows a run by token to grant: the manifest's grant, or what the token itself may.
#[derive(Debug, Clone)]
pub struct Granting {
    pub grant: Grant,
    /// What the token in use allows.
    pub own: Permissions,
    /// When it expires: what it creates by its own rights must not outlive it.
    pub until: Timestamp,
}

impl Granting {
    /// Those that neither the grant nor the token allows. `own` is whether the token may grant what it has.
    fn beyond<'a>(&self, permissions: impl IntoIterator<Item = &'a Permission>, own: bool) -> Vec<String> {
        let is_covered = |wanted: &&Permission| self.grant.permissions.hold(wanted) || own && self.own.hold(wanted);
        permissions.into_iter().filter(|wanted| !is_covered(wanted)).map(|wanted| format!("`{wanted}`")).collect()
    }

    fn may(&self, permission: &str) -> bool {
        permission.parse::<Permission>().is_ok_and(|permission| self.own.hold(&permission))
    }

    /// Whether the token in use could apply the manifest at all, and not only plan it.
    fn can_apply(&self, manifest: &ManifestName) -> bool {
        self.may(&format!("manifests:{manifest}"))
    }
}

/// Stops a plan, or blocks a token of it, where the service would refuse what is granted. Where the token in use can only
/// plan, it is told and stops nothing: whoever applies may be allowed more.
pub fn refuse(plan: &mut Plan, manifest: &Manifest, observation: &Observation, granting: &Granting) {
    let cure = || granted::cure(manifest, &granting.grant);
    let mut missing: BTreeSet<String> = BTreeSet::new();
    for role in plan.roles.iter().filter(|role| role.new || !role.gains.is_empty() || role.moving.from.is_some()) {
        missing.extend(granting.beyond(role.permissions.iter(), granting.may("admin:roles")));
    }
    missing.extend(owned_by_others(plan, observation, granting));
    let can_apply = granting.can_apply(&manifest.name);
    if !missing.is_empty() {
        let missing = missing.into_iter().collect();
        if !can_apply {
            plan.notes.push(PlanNote::GrantLacks { missing, cure: cure() });
            return;
        }
        plan.guards.push(Stop::NotGranted { manifest: plan.manifest.clone(), missing, cure: cure() });
        return;
    }
    for token in &mut plan.tokens {
        let Some(gives) = gives(token) else { continue };
        let terms = token.declaration.map(|index| manifest.tokens[index].terms.expires_in);
        let life = terms.unwrap_or(STAGED_LIFE).max(STAGED_LIFE);
        let own = granting.may("admin:tokens") && (!gives || life.after(observation.at) <= granting.until);
        if own && !gives {
            continue;
        }
        let permissions = token.roles.iter().flat_map(|role| {
            let declared = manifest.roles.get(role).map(|role| &role.permissions);
            let found = declared.or_else(|| observation.roles.get(role).map(|role| &role.permissions));
            found.into_iter().flat_map(Permissions::iter)
        });
        let mut missing: BTreeSet<String> = granting.beyond(permissions, own).into_iter().collect();
        if !own {
            missing.extend(foreign(token, manifest, observation, &granting.grant));
        }
        let missing: Vec<String> = missing.into_iter().collect();
        if !missing.is_empty() && !can_apply {
            token.notes.push(Note::GrantLacks { missing, cure: cure() });
        } else if !missing.is_empty() {
            // The service refuses whatever is done to its record.
            token.changes.clear();
            token.blocked.push(Blocked::NotGranted { missing, cure: cure() });
        }
    }
}

/// Roles and users that the run would change and that are not the manifest's.
fn owned_by_others(plan: &Plan, observation: &Observation, granting: &Granting) -> Vec<String> {
    let mut missing = Vec::new();
    let is_ours = |owner: Option<&ManifestName>| owner == Some(&plan.manifest);
    let roles = plan.roles.iter().filter(|role| !role.new && role.moving.from.is_none());
    for role in roles.filter(|_| !granting.may("admin:roles")) {
        let owner = observation.roles.get(&role.name).and_then(|role| role.managed_by.as_ref());
        if !is_ours(owner) {
            missing.push(format!("other permissions to the role `{}`, which it does not own", role.name));
        }
    }
    let users = plan.users.iter().filter(|user| user.change.moving.from.is_none());
    for user in users.filter(|user| !granting.may("admin:users") && !granting.grant.users.contains(&user.name)) {
        match observation.users.get(&user.name) {
            Some(found) if !is_ours(found.managed_by.as_ref()) => {
                missing.push(format!("roles to the user `{}`, which it does not own", user.name));
            }
            // A person's name says who acted: no manifest makes one up.
            None if user.change.kind != Some(UserKind::Service) => {
                missing.push(format!("an account to the person `{}`", user.name));
            }
            _ => {}
        }
    }
    missing.extend(unnamed(plan, observation, granting));
    missing
}

/// Roles and users to be created whose names the grant does not let the manifest have.
fn unnamed(plan: &Plan, observation: &Observation, granting: &Granting) -> Vec<String> {
    let role = |name: &&RoleName| !granting.may("admin:roles") && !granting.grant.creates_role(name);
    let roles = plan.roles.iter().filter(|role| role.new).map(|role| &role.name);
    let user = |name: &&UserName| !granting.may("admin:users") && !granting.grant.creates_user(name);
    let new = |name: &&UserName| !observation.users.contains_key(*name);
    let users = plan.users.iter().map(|user| &user.name).filter(new);
    let roles = roles.filter(role).map(|name| format!("a new role `{name}`"));
    roles.chain(users.filter(user).map(|name| format!("a new user `{name}`"))).collect()
}

/// Roles and users that a token needs and that are neither the manifest's nor granted to it.
fn foreign(token: &TokenPlan, manifest: &Manifest, observation: &Observation, grant: &Grant) -> Vec<String> {
    let is_ours = |owner: Option<&ManifestName>| owner == Some(&manifest.name);
    let role = |name: &&RoleName| {
        let owned = observation.roles.get(*name).is_some_and(|role| is_ours(role.managed_by.as_ref()));
        !owned && !manifest.roles.contains_key(*name) && !grant.roles.contains(*name)
    };
    let mut missing: Vec<String> = token.roles.iter().filter(role).map(|role| format!("the role `{role}`")).collect();
    let owned = observation.users.get(&token.user).is_some_and(|user| is_ours(user.managed_by.as_ref()));
    if !owned && !manifest.users.contains_key(&token.user) && !grant.users.contains(&token.user) {
        missing.push(format!("tokens of the user `{}`", token.user));
    }
    missing
}

/// Whether a plan changes a token's record, and if so, whether it gives out what the token allows.
fn gives(token: &TokenPlan) -> Option<bool> {
    let gives = |change: &Change| match change {
        Change::Create | Change::NewVersion(_) | Change::TakeOver | Change::Move { .. } => Some(true),
        Change::Update(fields) => Some(fields.iter().any(|field| field.name == TokenField::Roles)),
        Change::Rename { .. } => Some(false),
        _ => None,
    };
    token.changes.iter().filter_map(gives).reduce(|one, other| one || other)
}
