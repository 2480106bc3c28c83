//! What people ask of the service by hand, and what a command asks around a run: leases, and what was applied.

use async_trait::async_trait;
use jiff::civil::Date;
use latchkey::api::wire::{ManifestView, Me};
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::role::Permissions;
use latchkey::service::{Grant, Issued, NewToken, Role, UsageDay};
use latchkey::token::Token;
use latchkey::user::User;

use super::{History, LeaseHolder, ServiceError, Take};

/// The service as commands ask it.
#[async_trait]
pub trait Administration: Send + Sync {
    /// The highest revision of a manifest that was applied.
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError>;

    /// Records that a revision of a manifest is about to be applied.
    async fn note_applied(&self, manifest: &ManifestName, revision: Option<u64>) -> Result<(), ServiceError>;

    /// What is known of a manifest.
    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError>;

    /// Sets what a manifest is allowed to grant when it is applied with a token.
    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError>;

    /// Takes or renews the lease of a manifest for a minute, or returns who has it.
    ///
    /// # Errors
    /// For a manifest that the caller does not run and that has not agreed to move a token to it.
    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError>;

    /// Releases a lease.
    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError>;

    /// Revokes a version that has leaked, at once, wherever it is; with `anyway` the current one too. One that is no
    /// longer valid is no error.
    async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError>;

    /// Checks a secret as an application would. On one's own table it counts no use, and the reason why a secret is not
    /// valid is returned.
    async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError>;

    /// Creates a token by hand.
    async fn make(&self, new: NewToken) -> Result<Issued, ServiceError>;

    /// A user's active tokens by name, those that expired but still occupy their names included.
    async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError>;

    /// A user's last deleted and expired tokens, newest first.
    async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError>;

    /// One active token.
    async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError>;

    /// This month's changes and uses of a token.
    async fn history(&self, token: &Token) -> Result<History, ServiceError>;

    /// How often a token was used, by day, from one day to another.
    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError>;

    /// Deletes a token at once, and returns its last record.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when there is none, or another has the name.
    async fn delete(&self, token: &Token) -> Result<Token, ServiceError>;

    /// What a token's roles allow.
    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError>;

    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError>;

    /// All users by name.
    async fn all_users(&self) -> Result<Vec<User>, ServiceError>;

    /// Deletes a user without active tokens.
    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError>;

    /// All roles by name.
    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError>;

    /// Deletes a role that nobody has.
    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError>;
}
