//! Grants: what a manifest may grant when it is applied with a token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::allowed::not_by_manifest;
use super::rights::{beyond, list};
use super::{Caller, Denied, Event, ManifestRecord, NEW_MAX, RACE_RETRIES, Service};
use crate::entry::EntryPattern;
use crate::event::EventKind;
use crate::name::{ManifestName, NamePattern, RoleName, UserName};
use crate::place::Place;
use crate::role::Permissions;
use crate::table::TableError;
use crate::user::User;

/// What a manifest may grant when it is applied with a token. Never `admin:*`, `manifests:*`, or `*` as a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// All permissions of its roles and tokens must lie within these.
    #[serde(default)]
    pub permissions: Permissions,
    /// Roles that it may use although it does not declare them.
    #[serde(default)]
    pub roles: BTreeSet<RoleName>,
    /// Users that it may use although it does not declare them.
    #[serde(default)]
    pub users: BTreeSet<UserName>,
    /// Users that it may create: names, or beginnings of names that end in `*`. Those in `users` too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub new_users: BTreeSet<NamePattern>,
    /// Roles that it may create: names, or beginnings of names that end in `*`. Those in `roles` too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub new_roles: BTreeSet<NamePattern>,
    /// How many users it may create; [`NEW_MAX`](super::NEW_MAX) when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_users: Option<u32>,
    /// How many roles it may create; [`NEW_MAX`](super::NEW_MAX) when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_roles: Option<u32>,
    /// Entries that the scheduled job may write for it: as [`Place::entry`] spells them, or beginnings that end in `*`.
    /// None means that the job writes nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub entries: BTreeSet<EntryPattern>,
    /// When it was set: a name in it means nobody who came to it later, after its former holder was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The most permissions, roles, users and entries that a grant may name each.
pub const GRANT_MAX: usize = 200;

/// Why a grant was not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// What no manifest may grant.
    #[error("no manifest may grant `{0}`")]
    NotByManifest(String),
    /// Too many.
    #[error("a grant names at most {GRANT_MAX} permissions, roles, users and entries each")]
    TooLarge,
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// Sets what a manifest may grant. Whoever sets it must have what it grants, and may change the tokens of the
    /// users that it names: `admin:roles` and `admin:tokens`.
    ///
    /// # Errors
    /// See [`GrantError`].
    pub async fn set_grant(
        &self,
        caller: &Caller,
        name: &ManifestName,
        grant: &Grant,
    ) -> Result<ManifestRecord, GrantError> {
        caller.must_have("admin:roles")?;
        caller.must_have("admin:tokens")?;
        let names =
            [grant.roles.len(), grant.users.len(), grant.new_roles.len(), grant.new_users.len(), grant.entries.len()];
        if names.into_iter().fold(grant.permissions.len(), usize::max) > GRANT_MAX {
            return Err(GrantError::TooLarge);
        }
        if let Some(permission) = not_by_manifest(&grant.permissions) {
            return Err(GrantError::NotByManifest(permission.to_string()));
        }
        let roles: Vec<RoleName> = grant.roles.iter().cloned().collect();
        let mut handed_out = self.permissions_of(&roles).await?;
        handed_out.extend(&grant.permissions);
        caller.covers(&handed_out)?;
        let before = self.grant_of(name).await?;
        if before.grows_to(grant) {
            caller.may_widen(self.now())?;
        }
        let words = |words: Vec<String>| words.join(" ");
        let detail = format!(
            "{name}: permissions: {}; roles: {}; users: {}; new users: {}; new roles: {}; entries: {}",
            words(grant.permissions.iter().map(ToString::to_string).collect()),
            words(grant.roles.iter().map(ToString::to_string).collect()),
            words(grant.users.iter().map(ToString::to_string).collect()),
            words(grant.new_users.iter().map(ToString::to_string).collect()),
            words(grant.new_roles.iter().map(ToString::to_string).collect()),
            words(grant.entries.iter().map(ToString::to_string).collect()),
        );
        for race in 0..RACE_RETRIES {
            let old = self.manifest(name).await?;
            let revision = old.as_ref().map_or(0, |old| old.revision) + 1;
            let grant = Some(Grant { at: Some(self.now()), ..grant.clone() });
            let new = match &old {
                Some(old) => ManifestRecord { grant, revision, ..old.clone() },
                None => ManifestRecord {
                    name: name.clone(),
                    applied: None,
                    applied_at: None,
                    applied_by: None,
                    window: None,
                    grant,
                    revision,
                },
            };
            let event = Event::on_role(caller, EventKind::ManifestGrant, &detail, self.now());
            if self.save_manifest(old.as_ref(), &new, &event).await? {
                return Ok(new);
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests are changing the same manifest".to_owned()).into())
    }

    /// What a manifest may grant; nothing where no admin has set it.
    pub(super) async fn grant_of(&self, manifest: &ManifestName) -> Result<Grant, TableError> {
        Ok(self.manifest(manifest).await?.and_then(|record| record.grant).unwrap_or_default())
    }
}

impl Grant {
    /// Whether another grant allows anything that this one does not.
    fn grows_to(&self, other: &Self) -> bool {
        !self.permissions.contain(&other.permissions)
            || !other.roles.is_subset(&self.roles)
            || !other.users.is_subset(&self.users)
            || !other.new_roles.is_subset(&self.new_roles)
            || !other.new_users.is_subset(&self.new_users)
            || !other.entries.is_subset(&self.entries)
            || other.max_roles.unwrap_or(NEW_MAX) > self.max_roles.unwrap_or(NEW_MAX)
            || other.max_users.unwrap_or(NEW_MAX) > self.max_users.unwrap_or(NEW_MAX)
    }

    /// Whether the scheduled job may write an entry for the manifest.
    pub fn allows_entry(&self, place: &Place) -> bool {
        self.entries.iter().any(|entry| entry.matches(place))
    }

    /// Demands that a manifest may name a user: its own, or a granted one. One that is not there is told no different
    /// from a foreign one.
    pub(super) fn names_user(
        &self,
        manifest: &ManifestName,
        name: &UserName,
        user: Option<&User>,
    ) -> Result<(), Denied> {
        let own = user.is_some_and(|user| user.managed_by.as_ref() == Some(manifest));
        // Whoever took a name after it was granted is somebody else.
        let later = user.and_then(|user| user.former).is_some_and(|former| self.at.is_none_or(|at| former >= at));
        if own || (self.users.contains(name) && !later) {
            return Ok(());
        }
        Err(Denied::NotGranted { manifest: manifest.clone(), what: format!("tokens of the user `{name}`") })
    }

    /// Demands that a manifest may name a role that exists: its own or a granted one.
    pub(super) fn names_role(
        &self,
        manifest: &ManifestName,
        name: &RoleName,
        owner: Option<&ManifestName>,
    ) -> Result<(), Denied> {
        if owner == Some(manifest) || self.roles.contains(name) {
            return Ok(());
        }
        Err(Denied::NotGranted { manifest: manifest.clone(), what: format!("the role `{name}`") })
    }

    /// Demands that permissions lie within the grant.
    pub(super) fn covers(&self, manifest: &ManifestName, permissions: &Permissions) -> Result<(), Denied> {
        let beyond = beyond(&self.permissions, permissions);
        if beyond.is_empty() {
            return Ok(());
        }
        Err(Denied::NotGranted { manifest: manifest.clone(), what: list(&beyond) })
    }
}
