//! The first admin, and the way back for a lost one. Whoever can write the table is its operator.

use jiff::Timestamp;

use super::{Caller, ChangeError, CreateError, Life, NewToken, RoleError, Service, UserChange, UserError};
use crate::name::{RoleName, UserName};
use crate::role::{Permission, Permissions};
use crate::secret::{Secret, TokenId};
use crate::table::{Condition, Item, TableError, Update, Value, Write, keys, text};
use crate::token::{Token, TokenKey, TokenRef};
use crate::user::UserKind;

/// The role of the first admin: it allows everything.
pub const ADMIN_ROLE: &str = "admin";

/// What an admin may do.
pub(super) fn everything() -> Permissions {
    "*:*".parse::<Permission>().into_iter().collect()
}

/// The first admin's token.
#[derive(Debug)]
#[non_exhaustive]
pub struct Bootstrapped {
    /// The record.
    pub token: Token,
    /// Its secret, this once.
    pub secret: Secret,
    /// The token that it replaced, which is revoked unless `unended` has the reason why not.
    pub replaced: Option<TokenId>,
    /// Why the former token could not be revoked: it still allows everything.
    pub unended: Option<String>,
}

/// Why there is no new admin token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The service has been bootstrapped before.
    #[error("the service already has a first admin: token {id} of `{user}`")]
    Done {
        /// That token.
        id: TokenId,
        /// Whose it is.
        user: UserName,
    },
    /// There is another role of that name.
    #[error("the role `{ADMIN_ROLE}` exists, but does not allow everything, or belongs to a manifest")]
    RoleTaken,
    /// The user is suspended.
    #[error("the user `{0}` is suspended")]
    Suspended(UserName),
    /// Another run was faster.
    #[error("another bootstrap was faster: nothing was created here")]
    Raced,
    /// Only an operator may.
    #[error("only an operator of the table is allowed to bootstrap")]
    NotOperator,
    /// The role was not created.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The user was not created.
    #[error(transparent)]
    User(#[from] UserError),
    /// The token was not created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The former token could not be revoked, and nothing was created.
    #[error("the former token could not be revoked: {0}")]
    Former(String),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The token that was created as the first admin's.
fn first_admin(item: &Item) -> Option<TokenRef> {
    let key = TokenKey::new(text(item, "user")?.parse().ok()?, text(item, "token")?.parse().ok()?);
    Some(TokenRef::new(key, text(item, "id")?.parse().ok()?))
}

impl Service {
    /// Creates the first admin: a role that allows everything, a person who has it, and a token. It happens once,
    /// whoever races. With `replace` it happens again, and the former token is revoked once the new one exists.
    ///
    /// # Errors
    /// [`BootstrapError::Done`] when there is one already; see [`BootstrapError`].
    pub async fn bootstrap(
        &self,
        caller: &Caller,
        key: &TokenKey,
        expires_at: Option<Timestamp>,
        replace: bool,
    ) -> Result<Bootstrapped, BootstrapError> {
        if !caller.is_operator() {
            return Err(BootstrapError::NotOperator);
        }
        // Before the former token is revoked.
        self.check_clock().await?;
        let found = self.table.get(&keys::first_admin()).await?;
        let former = found.as_ref().and_then(first_admin);
        if let (Some(former), false) = (&former, replace) {
            return Err(BootstrapError::Done { id: former.id.clone(), user: former.key.user.clone() });
        }
        let role = self.ready_admin(caller, &key.user, former.is_some()).await?;
        if let Some(former) = former.as_ref().filter(|former| former.key == *key) {
            // Its name has to be free for the new one.
            self.end_former(caller, former).await?;
        }
        let new = NewToken {
            description: Some("The first admin's".to_owned()),
            roles: Some(vec![role]),
            ..NewToken::new(key.clone(), Life::Until(expires_at))
        };
        // Nothing but the token's id tells one singleton from another, so it is what the next one is guarded by.
        let id = TokenId::mint(&*self.entropy).map_err(CreateError::from)?;
        let value = |text: &str| Value::S(text.to_owned());
        let mut update = Update::default();
        for (attribute, held) in [("id", id.as_str()), ("user", key.user.as_str()), ("token", key.name.as_str())] {
            update.set(attribute, value(held));
        }
        let condition = match &former {
            None => Condition::absent(keys::PK),
            Some(former) => Condition::is("id", value(former.id.as_str())),
        };
        let singleton = Write::Update { key: keys::first_admin(), update, condition };
        let made = self.create_with(caller, new, Some(id), Some(&singleton)).await;
        let created = match made {
            Ok(created) => created,
            Err(error) => {
                let now = self.table.get(&keys::first_admin()).await?.as_ref().and_then(first_admin);
                let same = now.as_ref().map(|first| &first.id) == former.as_ref().map(|first| &first.id);
                return Err(if same { error.into() } else { BootstrapError::Raced });
            }
        };
        let mut unended = None;
        if let Some(former) = former.as_ref().filter(|former| former.key != *key) {
            // Its secret must reach somebody all the same.
            unended = self.end_former(caller, former).await.err().map(|error| error.to_string());
        }
        let replaced = former.map(|former| former.id);
        Ok(Bootstrapped { token: created.token, secret: created.secret, replaced, unended })
    }

    /// Readies the role and the user. A role that allowed everything once, and was narrowed, does so again.
    async fn ready_admin(&self, caller: &Caller, user: &UserName, again: bool) -> Result<RoleName, BootstrapError> {
        let unreadable = |error: String| BootstrapError::Table(TableError::Codec(error));
        let role: RoleName = ADMIN_ROLE.parse().map_err(|_| unreadable("the admin role's name".to_owned()))?;
        let permissions = everything();
        match self.role(&role).await? {
            None => drop(self.put_role(caller, &role, &permissions, None).await?),
            Some(found) if found.permissions == permissions && found.managed_by.is_none() => {}
            // Whoever holds it was an admin: nobody else gives it.
            Some(found) if again && found.managed_by.is_none() => {
                drop(self.put_role(caller, &role, &permissions, None).await?);
            }
            // Widening it would make admins of all who hold it.
            Some(_) => return Err(BootstrapError::RoleTaken),
        }
        let held = self.user(user).await?;
        if held.as_ref().is_some_and(|user| user.suspended) {
            return Err(BootstrapError::Suspended(user.clone()));
        }
        let mut roles = held.as_ref().map(|user| user.roles.clone()).unwrap_or_default();
        if !roles.contains(&role) {
            roles.push(role.clone());
        }
        let kind = if held.is_none() { Some(UserKind::Person) } else { None };
        let change = UserChange { kind, roles: Some(roles), ..UserChange::default() };
        self.put_user(caller, user, &change).await?;
        Ok(role)
    }

    async fn end_former(&self, caller: &Caller, former: &TokenRef) -> Result<(), BootstrapError> {
        match self.delete(caller, &former.key, Some(&former.id)).await {
            // Deleted, expired, or its name used again: it is no longer valid.
            Ok(_) | Err(ChangeError::NoSuchToken { .. } | ChangeError::Replaced { .. }) => Ok(()),
            Err(error) => Err(BootstrapError::Former(error.to_string())),
        }
    }
}
