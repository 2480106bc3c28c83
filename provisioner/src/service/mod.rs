//! The service as the tool sees it: the operations that plans, applies and commands need, with failures told apart by
//! what the tool does about them. It is in this process, on a table, with the rights of an operator; or it is a server,
//! asked over HTTP with a token's rights. Nothing above knows which.

mod direct;
mod error;
mod protocol;
mod records;
pub mod remote;
mod time;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use latchkey::api::wire::{ManifestView, Me};
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::Look;
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Caller, Edit, Grant, NewToken, Origin, Role, Service, UsageDay, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;

use crate::deadline::{Deadline, Elapsed, since_boot};
use direct::Direct;
use remote::Remote;

pub use error::{Refusal, ServiceError};
pub use latchkey::service::Issued;
pub use protocol::Protocol;
pub use records::{History, LeaseHolder, Managed};
pub use time::ServerTime;

/// The service, reached as somebody. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    reached: Reached,
    elapsed: Elapsed,
}

#[derive(Debug, Clone)]
enum Reached {
    Direct(Arc<Direct>),
    Remote(Arc<Remote>),
}

/// The same call on whichever it is.
macro_rules! ask {
    ($client:expr, $method:ident($($argument:expr),*)) => {
        match &$client.reached {
            Reached::Direct(direct) => direct.$method($($argument),*).await,
            Reached::Remote(remote) => remote.$method($($argument),*).await,
        }
    };
}

impl Client {
    /// The service in this process, with all rights of an operator.
    pub fn operator(service: Service, name: &str) -> Self {
        let direct = Direct { service: Arc::new(service), caller: Caller::operator(name) };
        Self { reached: Reached::Direct(Arc::new(direct)), elapsed: since_boot }
    }

    pub fn remote(remote: Remote) -> Self {
        let elapsed = remote.elapsed();
        Self { reached: Reached::Remote(Arc::new(remote)), elapsed }
    }

    /// The same, with another clock for deadlines. A server's client has been given its clock already.
    #[must_use]
    pub fn with_elapsed(self, elapsed: Elapsed) -> Self {
        Self { elapsed, ..self }
    }

    /// A deadline so long from now.
    pub fn deadline(&self, length: std::time::Duration) -> Deadline {
        Deadline::by(self.elapsed, length)
    }

    /// The service itself and who asks it, where it is in this process: for what only its operator does.
    pub fn operated(&self) -> Option<(&Arc<Service>, &Caller)> {
        match &self.reached {
            Reached::Direct(direct) => Some((&direct.service, &direct.caller)),
            Reached::Remote(_) => None,
        }
    }

    /// The user of the token in hand, where a token is; an operator is none.
    pub fn me(&self) -> Option<&UserName> {
        match &self.reached {
            Reached::Direct(_) => None,
            Reached::Remote(remote) => Some(remote.me()),
        }
    }

    /// The service's time.
    pub fn now(&self) -> Timestamp {
        match &self.reached {
            Reached::Direct(direct) => direct.now(),
            Reached::Remote(remote) => remote.now(),
        }
    }

    /// All tokens of a manifest.
    pub async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        ask!(self, managed_tokens(manifest))
    }

    /// Tokens by user and name, whoever manages them, as a manifest's plan refers to them.
    pub async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        ask!(self, holders(manifest, wanted))
    }

    /// Where token ids come from that a manifest's places show.
    pub async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        ask!(self, origins(manifest, ids))
    }

    /// How many of a user's tokens have expired and still hold their names.
    pub async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError> {
        ask!(self, expired_tokens(manifest, user))
    }

    /// The users that a manifest names, as far as they exist.
    pub async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        ask!(self, users(manifest, names))
    }

    /// All roles, as a manifest's plan needs them.
    pub async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        ask!(self, roles(manifest))
    }

    /// The highest revision of a manifest that was applied.
    pub async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        ask!(self, applied(manifest))
    }

    /// Notes that a revision of a manifest is about to be applied.
    pub async fn note_applied(&self, manifest: &ManifestName, revision: Option<u64>) -> Result<(), ServiceError> {
        ask!(self, note_applied(manifest, revision))
    }

    /// What is known of a manifest.
    pub async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        ask!(self, manifest(name))
    }

    /// Says what a manifest may hand out when it is applied with a token.
    pub async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        ask!(self, set_grant(name, grant))
    }

    /// Takes or renews the lease of a manifest for a minute; or says who has it.
    pub async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        steal: bool,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        ask!(self, take_lease(manifest, holder, steal))
    }

    /// Gives a lease back.
    pub async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError> {
        ask!(self, free_lease(manifest, holder))
    }

    /// Defines a role, of a manifest if one is named.
    pub async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Result<Role, ServiceError> {
        ask!(self, put_role(name, permissions, manifest))
    }

    /// Makes or changes a user.
    pub async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError> {
        ask!(self, put_user(name, change))
    }

    /// Makes a token of a manifest; its first version is staged.
    pub async fn create(&self, new: NewToken) -> Result<Issued, ServiceError> {
        ask!(self, create(new))
    }

    /// Changes a token.
    pub async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        ask!(self, edit(token, edit))
    }

    /// Stages a version.
    pub async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        ask!(self, stage(token))
    }

    /// Announces a push, and answers until when the write may start.
    pub async fn announce(&self, token: &Token, number: u32, place: &PlaceId) -> Result<Deadline, ServiceError> {
        // The service's two minutes begin no earlier than this call, so neither do ours.
        let begun = self.deadline(std::time::Duration::ZERO);
        let within = ask!(self, announce(token, number, place))?;
        let most = std::time::Duration::from_secs(latchkey::protocol::WRITE_BEFORE.0);
        Ok(begun.later_by(within.min(most)))
    }

    /// Reports a delivery.
    pub async fn deliver(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        receipt: &str,
    ) -> Result<Token, ServiceError> {
        ask!(self, deliver(token, number, place, receipt))
    }

    /// Makes a staged version current.
    pub async fn promote(&self, token: &Token, number: u32) -> Result<Token, ServiceError> {
        ask!(self, promote(token, number))
    }

    /// Retires an older version.
    pub async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        ask!(self, retire(token, number, look, force))
    }

    /// Ends a version that has leaked, at once, wherever it is; with `anyway` the current one too. One that has ended
    /// already is no error.
    pub async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError> {
        ask!(self, end_compromised(token, number, anyway))
    }

    /// Ends a token that leaves, after a look that found none of its versions anywhere.
    pub async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        ask!(self, end_leaving(token, look))
    }

    /// Drops a place from the record, unless anything about the token changed since it was read.
    pub async fn forget(&self, token: &Token, place: &PlaceId) -> Result<Token, ServiceError> {
        ask!(self, forget(token, place))
    }

    /// Whether a value read from a place is a valid version of this token, and which. Counts no use.
    pub async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError> {
        ask!(self, confirm(manifest, token, secret))
    }

    /// Checks a secret as an application would. On one's own table it counts no use, and whoever is not valid is told
    /// why.
    pub async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError> {
        ask!(self, verify(presented))
    }

    /// Makes a token by hand.
    pub async fn make(&self, new: NewToken) -> Result<Issued, ServiceError> {
        ask!(self, make(new))
    }

    /// A user's active tokens by name, those that expired but still hold their names included.
    pub async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError> {
        ask!(self, active(user))
    }

    /// A user's last deleted and expired tokens, newest first.
    pub async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError> {
        ask!(self, ended(user, limit))
    }

    /// One active token.
    pub async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError> {
        ask!(self, show(user, name))
    }

    /// What was done to a token this month, and with it.
    pub async fn history(&self, token: &Token) -> Result<History, ServiceError> {
        ask!(self, history(token))
    }

    /// How often a token was used, by day, from one day to another.
    pub async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError> {
        ask!(self, usage(token, from, to))
    }

    /// Ends a token at once, and answers what it was.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when there is none, or another has the name.
    pub async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        ask!(self, delete(token))
    }

    /// What a token's roles permit.
    pub async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        ask!(self, permissions_of(token))
    }

    pub async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        ask!(self, user(name))
    }

    /// All users by name.
    pub async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        ask!(self, all_users())
    }

    /// Deletes a user without active tokens.
    pub async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        ask!(self, delete_user(name))
    }

    /// All roles by name.
    pub async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        ask!(self, all_roles())
    }

    /// Deletes a role that nobody holds.
    pub async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        ask!(self, delete_role(name))
    }
}
