//! What the engine asks of the service: the calls of observing and applying, and no others. [`Client`] answers them; so
//! can a test, which then holds time and every call in its hand.

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::Look;
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Edit, Issued, NewToken, Origin, Role, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;

use super::{Client, Managed, ServiceError};
use crate::deadline::Deadline;

/// The service as a run of the engine asks it. What each call promises stands at the method of that name of
/// [`Client`].
#[async_trait]
pub trait Protocol: Send + Sync {
    /// The service's time.
    fn now(&self) -> Timestamp;

    /// A deadline so long from now.
    fn deadline(&self, length: std::time::Duration) -> Deadline;

    /// All tokens of a manifest.
    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError>;

    /// Tokens by user and name, whoever manages them.
    async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError>;

    /// Where token ids come from.
    async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError>;

    /// How many of a user's tokens have expired and still hold their names.
    async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError>;

    /// Users, as far as they exist.
    async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError>;

    async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError>;

    /// Defines a role.
    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Result<Role, ServiceError>;

    /// Makes or changes a user.
    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError>;

    /// Makes a token of a manifest; its first version is staged.
    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError>;

    /// Changes a token.
    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError>;

    /// Stages a version.
    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError>;

    /// Announces a push, and answers until when the write may start.
    async fn announce(&self, token: &Token, number: u32, place: &PlaceId) -> Result<Deadline, ServiceError>;

    /// Reports a delivery.
    async fn deliver(&self, token: &Token, number: u32, place: &PlaceId, receipt: &str) -> Result<Token, ServiceError>;

    /// Makes a staged version current.
    async fn promote(&self, token: &Token, number: u32) -> Result<Token, ServiceError>;

    /// Retires an older version.
    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError>;

    /// Ends a token that leaves.
    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError>;

    /// Drops a place from the record, unless the record changed since it was read.
    async fn forget(&self, token: &Token, place: &PlaceId) -> Result<Token, ServiceError>;

    /// Whether a value read from a place is a valid version of this token, and which.
    async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError>;

    /// A token's record as it is now.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when it has ended, or its name belongs to another token by now.
    async fn again(&self, manifest: &ManifestName, token: &Token) -> Result<Token, ServiceError> {
        let found = self.holders(manifest, &[token.key()]).await?;
        let same = found.into_iter().find(|found| found.id == token.id);
        same.ok_or_else(|| ServiceError::Gone("the token was deleted meanwhile".to_owned()))
    }
}

#[async_trait]
impl Protocol for Client {
    fn now(&self) -> Timestamp {
        Client::now(self)
    }

    fn deadline(&self, length: std::time::Duration) -> Deadline {
        Client::deadline(self, length)
    }

    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        Client::managed_tokens(self, manifest).await
    }

    async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        Client::holders(self, manifest, wanted).await
    }

    async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        Client::origins(self, manifest, ids).await
    }

    async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError> {
        Client::expired_tokens(self, manifest, user).await
    }

    async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        Client::users(self, manifest, names).await
    }

    async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        Client::roles(self, manifest).await
    }

    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Result<Role, ServiceError> {
        Client::put_role(self, name, permissions, manifest).await
    }

    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError> {
        Client::put_user(self, name, change).await
    }

    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError> {
        Client::create(self, new).await
    }

    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        Client::edit(self, token, edit).await
    }

    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        Client::stage(self, token).await
    }

    async fn announce(&self, token: &Token, number: u32, place: &PlaceId) -> Result<Deadline, ServiceError> {
        Client::announce(self, token, number, place).await
    }

    async fn deliver(&self, token: &Token, number: u32, place: &PlaceId, receipt: &str) -> Result<Token, ServiceError> {
        Client::deliver(self, token, number, place, receipt).await
    }

    async fn promote(&self, token: &Token, number: u32) -> Result<Token, ServiceError> {
        Client::promote(self, token, number).await
    }

    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        Client::retire(self, token, number, look, force).await
    }

    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        Client::end_leaving(self, token, look).await
    }

    async fn forget(&self, token: &Token, place: &PlaceId) -> Result<Token, ServiceError> {
        Client::forget(self, token, place).await
    }

    async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError> {
        Client::confirm(self, manifest, token, secret).await
    }
}
