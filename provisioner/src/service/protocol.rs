//! What the engine asks of the service: the calls of observing and applying, and no others. A [`Client`](super::Client)
//! answers them; so can a test, which then controls time and every call.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::clock::ClockBehind;
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, Look, WRITE_BEFORE};
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Edit, Issued, NewToken, Origin, Role, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;

use super::{Managed, ServiceError};
use latchkey_sinks::deadline::Deadline;

/// What the service answers to an announcement.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    /// How long the write may take to start, counted from no earlier than the call.
    pub within: Duration,
    /// What withdraws this announcement and no other; `None` where the service takes none back.
    pub announcement: Option<u64>,
}

/// Announced pushes of a version.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    /// No write may start after it.
    pub write_before: Deadline,
    /// What withdraws this announcement and no other.
    pub announcement: Option<u64>,
}

/// What a run reads. Nothing here changes anything.
#[async_trait]
pub trait Records: Send + Sync {
    /// The service's time.
    fn now(&self) -> Timestamp;

    /// What is wrong with the clock of that time, where it is a machine's own.
    async fn clock_behind(&self) -> Result<Option<ClockBehind>, ServiceError> {
        Ok(None)
    }

    /// All tokens of a manifest.
    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError>;

    /// Tokens by user and name, whoever manages them, as a manifest's plan refers to them.
    async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError>;

    /// Where token ids come from that a manifest's places show.
    async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError>;

    /// Which of these ids belong to valid tokens of other manifests that this one may not see. An operator sees all.
    async fn elsewhere(&self, _manifest: &ManifestName, _ids: &[TokenId]) -> Result<Vec<TokenId>, ServiceError> {
        Ok(Vec::new())
    }

    /// How many of a user's tokens have expired and still occupy their names.
    async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError>;

    /// The users that a manifest names, as far as they exist.
    async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError>;

    /// All roles, as a manifest's plan needs them.
    async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError>;

    /// Whether a value read from a place is a valid version of this token, and which. Counts no use.
    async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError>;

    /// A token's record as it is now.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when it was deleted, or its name belongs to another token by now.
    async fn reread(&self, manifest: &ManifestName, token: &Token) -> Result<Token, ServiceError> {
        let found = self.holders(manifest, &[token.key()]).await?;
        let same = found.into_iter().find(|found| found.id == token.id);
        same.ok_or_else(|| ServiceError::Gone("the token was deleted meanwhile".to_owned()))
    }
}

/// How many requests a run has under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breadth {
    /// For as many users, or tokens.
    pub requests: usize,
    /// Those that create or stage for one user: where they meet in the user's record, more would only meet each other's
    /// conflicts.
    pub of_a_user: usize,
}

impl Breadth {
    /// For a service that is asked over a network.
    pub const FAR: Self = Self { requests: 8, of_a_user: 1 };
    /// For a table in this process that refuses nobody: what comes together is written together.
    pub const HERE: Self = Self { requests: 64, of_a_user: 64 };
}

/// What a run does, step by step.
#[async_trait]
pub trait Protocol: Records {
    /// How many requests may be under way at once.
    fn breadth(&self) -> Breadth {
        Breadth::FAR
    }

    /// A deadline so long from now.
    fn deadline(&self, length: Duration) -> Deadline;

    /// Defines a role, of a manifest if one is named, which may move from one to another.
    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        declared: (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError>;

    /// Creates or changes a user.
    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError>;

    /// Creates a token of a manifest; its first version is staged.
    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError>;

    /// Changes a token.
    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError>;

    /// Stages a version.
    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError>;

    /// Announces pushes of a version: to all of the places, or to none.
    async fn grant_write(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Granted, ServiceError>;

    /// Announces pushes, and returns until when the writes may start, and what withdraws the announcement of each.
    async fn announce(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Announced, ServiceError> {
        // The service's two minutes begin no earlier than this call, so neither do ours, and more is never believed.
        let begun = self.deadline(Duration::ZERO);
        let Granted { within, announcement } = self.grant_write(token, number, places).await?;
        let write_before = begun.later_by(within.min(Duration::from_secs(WRITE_BEFORE.0)));
        Ok(Announced { write_before, announcement })
    }

    /// Withdraws an announcement of this run, whose write was refused before it had any effect.
    async fn withdraw(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        announcement: u64,
    ) -> Result<(), ServiceError>;

    /// Reports a delivery, after a look that found it.
    async fn deliver(&self, token: &Token, number: u32, arrival: &Arrival<'_>) -> Result<Token, ServiceError>;

    /// Reports deliveries of a staged version and promotes it: all of it, or nothing where a part is refused.
    async fn promote(&self, token: &Token, number: u32, arrivals: &[Arrival<'_>]) -> Result<Token, ServiceError>;

    /// Retires an older version.
    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError>;

    /// Deletes a token that is leaving, after a look that found none of its versions anywhere.
    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError>;

    /// Drops a place from the record, unless anything about the token changed since it was read. `looked_at` is when the
    /// look began that found nothing of the token there; without one a person says so.
    async fn forget(&self, token: &Token, place: &PlaceId, looked_at: Option<Timestamp>)
    -> Result<Token, ServiceError>;
}
