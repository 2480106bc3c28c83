//! What is to change of a user, and what comes of it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::UserError;
use crate::bounds::{ROLES_MAX, check_email};
use crate::moving::{MoveError, Moving, Owner};
use crate::name::{ManifestName, RoleName, UserName};
use crate::service::audit::Owned;
use crate::user::{User, UserKind};

/// What is to change of a user; what is `None` stays, or has its default when the user is new.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Person (the default) or service account. Fixed once the user exists.
    pub kind: Option<UserKind>,
    /// The user's roles.
    pub roles: Option<Vec<RoleName>>,
    /// The limit of active tokens; `Some(None)` restores the policy's default.
    pub max_tokens: Option<Option<u32>>,
    /// Whether the user is suspended.
    pub suspended: Option<bool>,
    /// Where notices of the user's tokens are sent; `Some(None)` removes the address.
    pub email: Option<Option<String>>,
    /// The manifest that declares the user.
    pub managed_by: Option<ManifestName>,
    /// Whether the user moves from one manifest to another.
    pub moving: Moving,
}

/// The manifest that declares a user, and the one that may take it.
pub(super) fn owner(user: &User) -> Owned<'_> {
    (user.managed_by.as_ref(), user.moved_to.as_ref())
}

/// What an event tells of a user's address: not which, as events are kept.
pub(super) fn addressed(old: Option<&String>, new: Option<&String>) -> &'static str {
    match (old, new) {
        (Some(_), None) => "; email removed",
        (old, new) if old != new => "; email set",
        _ => "",
    }
}

/// A user as a change makes it, a new one where there is none.
pub(super) fn changed_user(
    old: Option<&User>,
    name: &UserName,
    change: &UserChange,
    (actor, now): (&str, Timestamp),
) -> Result<User, UserError> {
    let mut new = old.cloned().unwrap_or_else(|| User {
        name: name.clone(),
        kind: change.kind.unwrap_or(UserKind::Person),
        roles: Vec::new(),
        suspended: false,
        suspended_at: None,
        suspended_by: None,
        max_tokens: None,
        active: 0,
        email: None,
        managed_by: None,
        moved_to: None,
        created: now,
        former: None,
        sweeping: false,
        losing: Vec::new(),
        revision: 0,
    });
    let mut owner = Owner { managed_by: &mut new.managed_by, moved_to: &mut new.moved_to };
    owner.change(change.managed_by.as_ref(), &change.moving).map_err(|error| match error {
        MoveError::OtherManifest(manifest) => UserError::OtherManifest { user: name.clone(), manifest },
        error => UserError::Moving { user: name.clone(), error },
    })?;
    if change.kind.is_some_and(|kind| kind != new.kind) {
        return Err(UserError::Kind { user: name.clone(), kind: new.kind });
    }
    if let Some(roles) = &change.roles {
        let before = std::mem::take(&mut new.roles);
        new.roles = roles.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        new.losing.extend(before);
        new.losing.sort();
        new.losing.dedup();
        new.losing.retain(|role| !new.roles.contains(role));
    }
    if new.roles.len() > ROLES_MAX {
        return Err(UserError::TooManyRoles);
    }
    if let Some(max) = change.max_tokens {
        new.max_tokens = max;
    }
    if let Some(suspended) = change.suspended {
        let noted = if suspended && !new.suspended { Some((actor.to_owned(), now)) } else { None };
        if !suspended || noted.is_some() {
            (new.suspended_by, new.suspended_at) = noted.unzip();
        }
        new.suspended = suspended;
    }
    if let Some(email) = &change.email {
        email.as_deref().map_or(Ok(()), check_email)?;
        new.email.clone_from(email);
    }
    if old != Some(&new) {
        new.revision += 1;
    }
    Ok(new)
}
