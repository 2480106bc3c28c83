//! Role definitions.

use serde::{Deserialize, Serialize};

use super::allowed::refuse_for_manifests;
use super::audit::{Owned, moved};
use super::bootstrap::ADMIN_ROLE;
use super::created::{New, foreign};
use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::bounds::PERMISSIONS_MAX;
use crate::event::EventKind;
use crate::moving::{MoveError, Moving, Owner};
use crate::name::{ManifestName, RoleName};
use crate::role::Permissions;
use crate::table::{
    Condition, Range, TableError, TransactError, Transaction, Value, Write, decode, encode, keys, with_key,
};

/// A named set of permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The name.
    pub name: RoleName,
    /// What it allows.
    pub permissions: Permissions,
    /// How many users have it.
    #[serde(default)]
    pub holders: u32,
    /// The manifest that declared it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take it: the one that declares it has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
    /// Counts changes.
    pub revision: u64,
}

impl Role {
    fn owner(&self) -> Owned<'_> {
        (self.managed_by.as_ref(), self.moved_to.as_ref())
    }
}

/// Why a role was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// There is no such role.
    #[error("there is no role `{0}`")]
    NoSuchRole(RoleName),
    /// Users have it.
    #[error("the role `{role}` is assigned to {holders} user{}", if *holders == 1 { "" } else { "s" })]
    InUse {
        /// Which.
        role: RoleName,
        /// How many users.
        holders: u32,
    },
    /// It has changed since it was looked at.
    #[error("the role `{role}` is at revision {found}, not {wanted}")]
    Revision {
        /// Which.
        role: RoleName,
        /// The revision that was asked for.
        wanted: u64,
        /// The revision that it is at.
        found: u64,
    },
    /// Another manifest declared it first.
    #[error("the role `{role}` belongs to the manifest `{manifest}`")]
    OtherManifest {
        /// Which.
        role: RoleName,
        /// Whose.
        manifest: ManifestName,
    },
    /// It does not move.
    #[error("the role `{role}` does not move: {error}")]
    Moving {
        /// Which.
        role: RoleName,
        /// Why.
        error: MoveError,
    },
    /// The first admin's role: no manifest declares it, and no token changes it.
    #[error(
        "the role `{ADMIN_ROLE}` is reserved: no manifest declares it, and only an operator of the table changes it"
    )]
    Reserved,
    /// Too many permissions.
    #[error("a role has at most {PERMISSIONS_MAX} permissions")]
    TooMany,
    /// What no manifest may grant.
    #[error("no manifest may grant `{0}`")]
    NotByManifest(String),
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// One role.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn role(&self, name: &RoleName) -> Result<Option<Role>, TableError> {
        self.table.get(&keys::role(name)).await?.map(decode).transpose()
    }

    /// All roles by name.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_roles(&self) -> Result<Vec<Role>, TableError> {
        let items = self.table.query_all(Range::of(keys::ROLES.to_owned(), None)).await?;
        items.into_iter().map(decode).collect()
    }

    /// Creates a role or changes what it allows. Declared by a manifest, it belongs to the first that declared it.
    ///
    /// # Errors
    /// See [`RoleError`].
    pub async fn put_role(
        &self,
        caller: &Caller,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Result<Role, RoleError> {
        self.declare_role(caller, name, None, permissions, (manifest, &Moving::default())).await
    }

    /// The same for a role that may move from one manifest to another; `revision` is the one that it must have.
    ///
    /// # Errors
    /// See [`RoleError`].
    pub async fn declare_role(
        &self,
        caller: &Caller,
        name: &RoleName,
        revision: Option<u64>,
        permissions: &Permissions,
        (manifest, moving): (Option<&ManifestName>, &Moving),
    ) -> Result<Role, RoleError> {
        if !manifest.is_some_and(|manifest| caller.runs(manifest)) {
            caller.must_have("admin:roles")?;
        }
        if name.as_str() == ADMIN_ROLE && (manifest.is_some() || !caller.is_operator()) {
            return Err(RoleError::Reserved);
        }
        if permissions.len() > PERMISSIONS_MAX {
            return Err(RoleError::TooMany);
        }
        if manifest.is_some()
            && let Err(super::CreateError::NotByManifest(permission)) = refuse_for_manifests(permissions)
        {
            return Err(RoleError::NotByManifest(permission));
        }
        for race in 0..RACE_RETRIES {
            let old = self.role(name).await?;
            if let Some(wanted) = revision {
                let found = old.as_ref().ok_or_else(|| RoleError::NoSuchRole(name.clone()))?.revision;
                if found != wanted {
                    return Err(RoleError::Revision { role: name.clone(), wanted, found });
                }
            }
            let counted = self.admit_role(caller, old.as_ref(), (name, permissions), (manifest, moving)).await?;
            let new = changed_role(old.as_ref(), name, permissions, (manifest, moving))?;
            if old.as_ref() == Some(&new) {
                return Ok(new);
            }
            let mut transaction = Transaction::default();
            let item = encode(&new)?;
            let write = match &old {
                None => Some(Write::new_item(with_key(item, &keys::role(name)))),
                Some(old) => {
                    let mut was = encode(old)?;
                    let mut will = item;
                    // The count of holders is not this operation's to write.
                    was.remove("holders");
                    will.remove("holders");
                    Write::change(keys::role(name), &was, &will, old.revision)
                }
            };
            write.map(|write| transaction.add(write));
            counted.map(|write| transaction.add(write));
            let text: Vec<String> = new.permissions.iter().map(ToString::to_string).collect();
            let detail = format!("{name}: {}{}", text.join(" "), moved(old.as_ref().map(Role::owner), new.owner()));
            let event = Event::on_role(caller, EventKind::RolePut, &detail, self.now());
            transaction.add(self.event(&event)?);
            match self.table.transact(transaction).await {
                Ok(()) => {
                    self.forget_role(name);
                    return Ok(new);
                }
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
                Err(TransactError::Table(error)) => return Err(error.into()),
            }
        }
        Err(TableError::Busy("other requests are changing the same role".to_owned()).into())
    }

    /// Whoever widens a role grants what it allows more; a manifest grants what its grant holds. What comes back counts
    /// a role that a grant lets it create.
    async fn admit_role(
        &self,
        caller: &Caller,
        old: Option<&Role>,
        (name, permissions): (&RoleName, &Permissions),
        (manifest, moving): (Option<&ManifestName>, &Moving),
    ) -> Result<Option<Write>, RoleError> {
        if caller.is_operator() {
            return Ok(None);
        }
        caller.may_give(old.and_then(|old| old.managed_by.as_ref()), manifest)?;
        caller.may_agree(old.and_then(|old| old.managed_by.as_ref()), moving, "admin:roles")?;
        let gained: Permissions = match old {
            Some(old) => permissions.iter().filter(|permission| !old.permissions.hold(permission)).cloned().collect(),
            None => permissions.clone(),
        };
        let widens = |()| if gained.is_empty() { Ok(()) } else { caller.may_widen(self.now()) };
        let personal = caller.must_have("admin:roles").and_then(|()| caller.covers(&gained)).and_then(widens);
        let (Err(_), Some(manifest)) = (&personal, manifest.filter(|manifest| caller.runs(manifest))) else {
            return Ok(personal.map(|()| None)?);
        };
        let grant = self.grant_of(manifest).await?;
        let counted = match old {
            Some(_) => None,
            None => Some(self.admit_new::<RoleError>(manifest, &grant, New::Role(name)).await?),
        };
        if let Some(old) = old
            && old.managed_by.as_ref() != Some(manifest)
            && !moving.takes(old.owner(), manifest)
        {
            // A grant lets it name such a role, not change it: others hold it too.
            return Err(foreign(manifest, New::Role(name)).into());
        }
        grant.covers(manifest, permissions)?;
        Ok(counted)
    }

    /// Deletes a role that no user has.
    ///
    /// # Errors
    /// [`RoleError::InUse`] while users have it, [`RoleError::NoSuchRole`].
    pub async fn delete_role(&self, caller: &Caller, name: &RoleName) -> Result<(), RoleError> {
        caller.must_have("admin:roles")?;
        if name.as_str() == ADMIN_ROLE && !caller.is_operator() {
            return Err(RoleError::Reserved);
        }
        for race in 0..RACE_RETRIES {
            let role = self.role(name).await?.ok_or_else(|| RoleError::NoSuchRole(name.clone()))?;
            if role.holders > 0 {
                return Err(RoleError::InUse { role: name.clone(), holders: role.holders });
            }
            // Holders are counted under the role's revision, so that none can come between.
            let gone = self.count_gone(role.managed_by.as_ref(), New::Role(name)).await?;
            let mut transaction = Transaction::default();
            gone.map(|write| transaction.add(write));
            transaction.add(Write::Delete { key: keys::role(name), condition: Condition::at_revision(role.revision) });
            transaction.add(self.event(&Event::on_role(caller, EventKind::RoleDelete, name.as_str(), self.now()))?);
            match self.table.transact(transaction).await {
                Ok(()) => {
                    self.forget_role(name);
                    return Ok(());
                }
                Err(TransactError::Table(error)) => return Err(error.into()),
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
            }
        }
        Err(TableError::Busy("other requests are changing the same role".to_owned()).into())
    }

    /// The write that counts a user more or fewer among a role's holders; it fails when the role is gone.
    pub(super) fn count_holder(role: &RoleName, by: i64) -> Write {
        let mut update = crate::table::Update::default();
        update.add("holders", by);
        update.add("revision", 1);
        let condition = Condition::is("name", Value::S(role.to_string()));
        Write::Update { key: keys::role(role), update, condition }
    }
}

fn changed_role(
    old: Option<&Role>,
    name: &RoleName,
    permissions: &Permissions,
    (manifest, moving): (Option<&ManifestName>, &Moving),
) -> Result<Role, RoleError> {
    let mut new = old.cloned().unwrap_or_else(|| Role {
        name: name.clone(),
        permissions: permissions.clone(),
        holders: 0,
        managed_by: None,
        moved_to: None,
        revision: 0,
    });
    let role = name.clone();
    let mut owner = Owner { managed_by: &mut new.managed_by, moved_to: &mut new.moved_to };
    owner.change(manifest, moving).map_err(|error| match error {
        MoveError::OtherManifest(manifest) => RoleError::OtherManifest { role, manifest },
        error => RoleError::Moving { role, error },
    })?;
    new.permissions = permissions.clone();
    if old != Some(&new) {
        new.revision += 1;
    }
    Ok(new)
}
