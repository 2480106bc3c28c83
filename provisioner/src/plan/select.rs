//! A run about a part of the manifest: what is not selected is left exactly as it is.

use std::collections::BTreeSet;

use latchkey::name::{RoleName, UserName};

use super::{Blocked, Change, LeftOut, Options, Plan, TokenField, TokenPlan};
use crate::manifest::Manifest;
use crate::observe::Observation;

/// Whether the run is about a token.
fn is_selected(token: &TokenPlan, manifest: &Manifest, options: &Options) -> bool {
    let named = options.only.is_empty() || options.only.contains(&(token.user.clone(), token.name.clone()));
    let delivered = options.sinks.is_empty()
        || token
            .declaration
            .is_some_and(|index| manifest.tokens[index].pushes.iter().any(|push| options.sinks.contains(&push.sink)));
    named && delivered
}

/// Takes all that would be done to a token that is not selected out of its plan, and all talk of it.
pub(super) fn leave_unselected(token: &mut TokenPlan, manifest: &Manifest, options: &Options) {
    if !is_selected(token, manifest, options) {
        token.changes.clear();
        token.blocked.clear();
        token.notes.clear();
    }
}

/// Leaves out roles and users that would reach beyond what is selected. New ones that the selected tokens depend
/// on are created, as nobody else has anything of them yet; existing ones stay as they are, and a token that cannot do
/// without their change is blocked.
pub(super) fn narrow(plan: &mut Plan, manifest: &Manifest, observation: &Observation, options: &Options) {
    if !options.is_narrowed() {
        return;
    }
    let held = |user: &UserName| observation.users.get(user).map(|user| &user.roles);
    for token in &mut plan.tokens {
        let gets_roles = |change: &Change| match change {
            Change::Create => true,
            Change::Update(fields) => fields.iter().any(|field| field.name == TokenField::Roles),
            _ => false,
        };
        let lacks = held(&token.user).is_some_and(|held| token.roles.iter().any(|role| !held.contains(role)));
        if lacks && token.changes.iter().any(gets_roles) {
            token.changes.clear();
            token.blocked.push(Blocked::UserLeftOut(token.user.clone()));
        }
    }
    let changing = || plan.tokens.iter().filter(|token| !token.changes.is_empty());
    let users: BTreeSet<UserName> = changing().map(|token| token.user.clone()).collect();
    let mut roles: BTreeSet<RoleName> = changing().flat_map(|token| token.roles.iter().cloned()).collect();
    for user in &users {
        roles.extend(manifest.users.get(user).into_iter().flat_map(|declared| declared.roles.iter().cloned()));
    }
    let before = plan.roles.len() + plan.users.len();
    plan.users.retain(|user| user.new && users.contains(&user.name));
    plan.roles.retain(|role| role.new && roles.contains(&role.name));
    plan.left_out = Some(LeftOut {
        tokens: plan.tokens.iter().filter(|token| !is_selected(token, manifest, options)).count(),
        others: before - plan.roles.len() - plan.users.len(),
    });
}
