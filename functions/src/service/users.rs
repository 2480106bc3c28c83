//! Users: creating, changing, suspending and deleting them.

mod change;
mod sweep;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::allowed::not_by_manifest;
use super::audit::moved;
use super::bootstrap::{ADMIN_ROLE, everything};
use super::created::{New, foreign};
use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::bounds::{BoundsError, ROLES_MAX};
use crate::event::EventKind;
use crate::moving::MoveError;
use crate::name::{ManifestName, RoleName, UserName};
use crate::role::Permissions;
use crate::table::{
    Condition, Item, Range, TableError, TransactError, Transaction, Write, count, decode, decode_token, encode, keys,
    number, with_key,
};
use crate::user::{User, UserKind};
use change::{addressed, changed_user, owner};

pub use change::UserChange;

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// There is no such user.
    #[error("there is no user `{0}`")]
    NoSuchUser(UserName),
    /// There is no such role.
    #[error("there is no role `{0}`")]
    NoSuchRole(RoleName),
    /// The user has active tokens.
    #[error("`{user}` has {active} active token{}", if *active == 1 { "" } else { "s" })]
    InUse {
        /// Who.
        user: UserName,
        /// How many.
        active: u32,
    },
    /// Another manifest declared the user first.
    #[error("the user `{user}` belongs to the manifest `{manifest}`")]
    OtherManifest {
        /// Who.
        user: UserName,
        /// Whose.
        manifest: ManifestName,
    },
    /// The user does not move.
    #[error("the user `{user}` does not move: {error}")]
    Moving {
        /// Who.
        user: UserName,
        /// Why.
        error: MoveError,
    },
    /// A person does not become a service account, nor the other way round.
    #[error("`{user}` is a {}; the type of a user cannot be changed", kind.as_str())]
    Kind {
        /// Who.
        user: UserName,
        /// What it is.
        kind: UserKind,
    },
    /// What no manifest may grant.
    #[error("no manifest may grant `{0}`")]
    NotByManifest(String),
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Too many roles.
    #[error("a user has at most {ROLES_MAX} roles")]
    TooManyRoles,
    /// Not an address.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// One user.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn user(&self, name: &UserName) -> Result<Option<User>, TableError> {
        self.table.get(&keys::user(name)).await?.map(decode).transpose()
    }

    /// Many users, in no particular order; those that do not exist are missing.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn users(&self, names: &[UserName]) -> Result<Vec<User>, TableError> {
        let keys: Vec<_> = names.iter().map(keys::user).collect();
        self.table.get_each(&keys, decode).await
    }

    /// All users by name.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_users(&self) -> Result<Vec<User>, TableError> {
        let items = self.table.query_all(Range::of(keys::LISTS.to_owned(), Some(keys::LISTED_USER))).await?;
        let names: Vec<UserName> = items.iter().filter_map(|item| keys::listed_user(&keys::Key::of(item)?)).collect();
        let mut users = self.users(&names).await?;
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(users)
    }

    /// Creates a user or changes one. By the time this returns, a role that was removed has left the user's tokens
    /// too, and a suspension holds for all of them. If it is cut short, the same call, or any other change of the
    /// user, continues it.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn put_user(&self, caller: &Caller, name: &UserName, change: &UserChange) -> Result<User, UserError> {
        for race in 0..RACE_RETRIES {
            let old = self.user(name).await?;
            let counted = self.admit_user(caller, old.as_ref(), name, change).await?;
            let mut new = changed_user(old.as_ref(), name, change, (&caller.actor, self.now()))?;
            if old.is_none() {
                new.former = self.former(name).await?;
            }
            if old.as_ref() != Some(&new) {
                let mut lost = false;
                if let Some(old) = &old {
                    lost = old.roles.iter().any(|role| !new.roles.contains(role));
                    new.sweeping = old.sweeping || lost || old.suspended != new.suspended;
                }
                if change.managed_by.is_some() {
                    let held = old.as_ref().map(|old| old.roles.as_slice()).unwrap_or_default();
                    let gained: Vec<RoleName> = new.roles.iter().filter(|role| !held.contains(role)).cloned().collect();
                    if let Some(permission) = not_by_manifest(&self.given(&gained).await?) {
                        return Err(UserError::NotByManifest(permission.to_string()));
                    }
                }
                match self.write_user(caller, old.as_ref(), &new, counted).await {
                    Ok(()) => {}
                    Err(TransactError::Table(error)) => return Err(error.into()),
                    Err(TransactError::Cancelled(_)) => {
                        self.check_roles_exist(&new.roles).await?;
                        self.table.pause_after_race(race).await;
                        continue;
                    }
                }
                tracing::debug!(user = %name, lost, "user written");
            }
            if new.sweeping {
                return Ok(self.sweep(caller, new).await?);
            }
            return Ok(new);
        }
        Err(TableError::Busy("other requests are changing the same user".to_owned()).into())
    }

    /// The user `name`, created as a person without roles if there is none yet.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn ensure_person(&self, caller: &Caller, name: &UserName) -> Result<User, UserError> {
        match self.user(name).await? {
            Some(user) => Ok(user),
            None => self.put_user(caller, name, &UserChange::default()).await,
        }
    }

    async fn check_roles_exist(&self, roles: &[RoleName]) -> Result<(), UserError> {
        for role in roles {
            if self.role(role).await?.is_none() {
                return Err(UserError::NoSuchRole(role.clone()));
            }
        }
        Ok(())
    }

    /// What whoever gives these roles gives.
    async fn given(&self, roles: &[RoleName]) -> Result<Permissions, TableError> {
        let mut permissions = self.permissions_of(roles).await?;
        if roles.iter().any(|role| role.as_str() == ADMIN_ROLE) {
            // Whatever it was narrowed to: `bootstrap --replace` makes it everything again.
            permissions.extend(&everything());
        }
        Ok(permissions)
    }

    /// When the last user of that name was deleted.
    async fn former(&self, name: &UserName) -> Result<Option<Timestamp>, TableError> {
        let item = self.table.get(&keys::former_user(name)).await?;
        let deleted = item.and_then(|item| number(&item, "deleted"));
        Ok(deleted.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }

    async fn write_user(
        &self,
        caller: &Caller,
        old: Option<&User>,
        new: &User,
        counted: Option<Write>,
    ) -> Result<(), TransactError> {
        let mut transaction = Transaction::default();
        counted.map(|write| transaction.add(write));
        let mut will = encode(new)?;
        let key = keys::user(&new.name);
        match old {
            None => {
                transaction.add(Write::new_item(with_key(will, &key)));
                let key = keys::user_in_list(&new.name);
                transaction.add(Write::item(key.item()));
            }
            Some(old) => {
                let mut was = encode(old)?;
                // Creates and deletes count active tokens; this operation must not write the count back.
                was.remove("active");
                will.remove("active");
                Write::change(key, &was, &will, old.revision).map(|write| transaction.add(write));
            }
        }
        let before: BTreeSet<&RoleName> = old.iter().flat_map(|old| old.roles.iter().chain(&old.losing)).collect();
        for gained in new.roles.iter().filter(|role| !before.contains(role)) {
            transaction.add(Self::count_holder(gained, 1));
        }
        let kind = if old.is_some() { EventKind::UserChange } else { EventKind::UserCreate };
        let roles: Vec<&str> = new.roles.iter().map(RoleName::as_str).collect();
        let moved = moved(old.map(owner), owner(new));
        let email = addressed(old.and_then(|old| old.email.as_ref()), new.email.as_ref());
        let detail = format!("roles: {}; suspended: {}{email}{moved}", roles.join(" "), new.suspended);
        transaction.add(self.event(&Event::on_user(caller, kind, &new.name, self.now()).with(detail))?);
        self.table.transact(transaction).await
    }

    /// Whoever gives a role must have what it allows; a manifest gives what its grant holds, to users of its own. What
    /// comes back counts a user whom a grant lets it create.
    async fn admit_user(
        &self,
        caller: &Caller,
        old: Option<&User>,
        name: &UserName,
        change: &UserChange,
    ) -> Result<Option<Write>, UserError> {
        if caller.is_operator() {
            return Ok(None);
        }
        let owner_now = old.and_then(|old| old.managed_by.as_ref());
        caller.may_give(owner_now, change.managed_by.as_ref())?;
        caller.may_agree(old.and_then(|old| old.managed_by.as_ref()), &change.moving, "admin:users")?;
        let held = old.map(|old| old.roles.as_slice()).unwrap_or_default();
        let wanted = change.roles.as_deref().unwrap_or_default();
        let gained: Vec<RoleName> = wanted.iter().filter(|role| !held.contains(role)).cloned().collect();
        let permissions = self.given(&gained).await?;
        let personal = caller.must_have("admin:users").and_then(|()| caller.covers(&permissions));
        let manifest = change.managed_by.as_ref().filter(|manifest| caller.runs(manifest));
        let (Err(_), Some(manifest)) = (&personal, manifest) else { return Ok(personal.map(|()| None)?) };
        let grant = self.grant_of(manifest).await?;
        // Whoever is taken from another manifest is admitted like somebody new: with all roles.
        let taken = old.filter(|old| change.moving.takes(owner(old), manifest));
        let (gained, permissions) = match taken {
            Some(old) => {
                let all = change.roles.clone().unwrap_or_else(|| old.roles.clone());
                let permissions = self.permissions_of(&all).await?;
                (all, permissions)
            }
            None => (gained, permissions),
        };
        let other = match old {
            Some(old) if taken.is_some() => old.kind != UserKind::Service && !grant.users.contains(name),
            Some(old) => old.managed_by.as_ref() != Some(manifest),
            // A person's name says who acted: no manifest makes one up.
            None => change.kind != Some(UserKind::Service) && !grant.users.contains(name),
        };
        if other {
            return Err(foreign(manifest, New::User(name)).into());
        }
        let counted = match old {
            Some(_) => None,
            None => Some(self.admit_new::<UserError>(manifest, &grant, New::User(name)).await?),
        };
        for role in &gained {
            let defined = self.role(role).await?;
            grant.names_role(manifest, role, defined.as_ref().and_then(|role| role.managed_by.as_ref()))?;
        }
        grant.covers(manifest, &permissions)?;
        if change.suspended.is_some() || change.email.is_some() {
            // No manifest suspends or restores anybody, or decides who is told.
            caller.must_have("admin:users")?;
        }
        Ok(counted)
    }

    /// Deletes a user without active tokens. What the user's ended tokens were stays listed in the table.
    ///
    /// # Errors
    /// [`UserError::InUse`] while there are active tokens, [`UserError::NoSuchUser`].
    pub async fn delete_user(&self, caller: &Caller, name: &UserName) -> Result<(), UserError> {
        caller.must_have("admin:users")?;
        let user = self.user(name).await?.ok_or_else(|| UserError::NoSuchUser(name.clone()))?;
        let items = self.table.query_all(Range::of(keys::user_partition(name), Some(keys::ACTIVE))).await?;
        let now = self.now();
        for item in items {
            let token = decode_token(item)?;
            if token.state(now) == crate::token::TokenState::Active {
                return Err(UserError::InUse { user: name.clone(), active: user.active });
            }
            self.move_expired(&token).await?;
        }
        let gone = self.count_gone(user.managed_by.as_ref(), New::User(name)).await?;
        let mut transaction = Transaction::default();
        gone.map(|write| transaction.add(write));
        let mut former = with_key(Item::new(), &keys::former_user(name));
        former.insert("deleted".to_owned(), count(now.as_millisecond()));
        transaction.add(Write::item(former));
        let idle = Condition::at_revision(user.revision).and(Condition::is("active", count(0)));
        transaction.add(Write::Delete { key: keys::user(name), condition: idle });
        transaction.add(Write::Delete { key: keys::user_in_list(name), condition: Condition::Always });
        for role in user.roles.iter().chain(&user.losing) {
            transaction.add(Self::count_holder(role, -1));
        }
        transaction.add(self.event(&Event::on_user(caller, EventKind::UserDelete, name, now))?);
        match self.table.transact(transaction).await {
            Ok(()) => Ok(()),
            Err(TransactError::Table(error)) => Err(error.into()),
            Err(TransactError::Cancelled(_)) => {
                Err(TableError::Busy("another request changed the user".to_owned()).into())
            }
        }
    }
}
