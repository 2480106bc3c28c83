//! The service as the job's engine sees it: some tokens of a manifest and no others, and no change of what is declared.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::clock::ClockBehind;
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, Look};
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Edit, Issued, NewToken, Origin, Role, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;
use latchkey_sinks::deadline::Deadline;

use crate::service::{Breadth, Granted, Managed, Protocol, Records, ServiceError};

/// The service as the job's engine sees it: some tokens of a manifest and no others, and no change of what is declared.
pub struct Restricted<'a> {
    protocol: &'a dyn Protocol,
    pub(super) tokens: Vec<TokenKey>,
}

impl std::fmt::Debug for Restricted<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Restricted").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl<'a> Restricted<'a> {
    /// Of the service, these tokens.
    pub fn new(protocol: &'a dyn Protocol, tokens: Vec<TokenKey>) -> Self {
        Self { protocol, tokens }
    }
}

/// What no job does: its publication says where secrets go, and nothing else.
fn never(what: &str) -> ServiceError {
    ServiceError::refused("not_by_job", format!("the scheduled job {what}"))
}

#[async_trait]
impl Records for Restricted<'_> {
    fn now(&self) -> Timestamp {
        self.protocol.now()
    }

    async fn clock_behind(&self) -> Result<Option<ClockBehind>, ServiceError> {
        self.protocol.clock_behind().await
    }

    /// Those and no others: whatever else the manifest has is not the run's to judge.
    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        let mut tokens = self.protocol.holders(manifest, &self.tokens).await?;
        tokens.retain(|token| token.managed_by.as_ref() == Some(manifest) && token.ended.is_none());
        Ok(Managed { tokens, max_tokens: u32::MAX })
    }

    async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        self.protocol.holders(manifest, wanted).await
    }

    async fn reread(&self, manifest: &ManifestName, token: &Token) -> Result<Token, ServiceError> {
        self.protocol.reread(manifest, token).await
    }

    async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        self.protocol.origins(manifest, ids).await
    }

    async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError> {
        self.protocol.expired_tokens(manifest, user).await
    }

    async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        self.protocol.users(manifest, names).await
    }

    async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        self.protocol.roles(manifest).await
    }

    async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError> {
        self.protocol.confirm(manifest, token, secret).await
    }
}

#[async_trait]
impl Protocol for Restricted<'_> {
    fn breadth(&self) -> Breadth {
        self.protocol.breadth()
    }

    fn deadline(&self, length: Duration) -> Deadline {
        self.protocol.deadline(length)
    }

    async fn put_role(
        &self,
        _: &RoleName,
        _: &Permissions,
        _: (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError> {
        Err(never("changes no role"))
    }

    async fn put_user(&self, _: &UserName, _: &UserChange) -> Result<User, ServiceError> {
        Err(never("changes no user"))
    }

    async fn create(&self, _: NewToken) -> Result<Issued, ServiceError> {
        Err(never("creates no token"))
    }

    async fn edit(&self, _: &Token, _: &Edit) -> Result<Token, ServiceError> {
        Err(never("changes no declaration"))
    }

    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        self.protocol.stage(token).await
    }

    async fn grant_write(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Granted, ServiceError> {
        self.protocol.grant_write(token, number, places).await
    }

    async fn withdraw(&self, token: &Token, number: u32, place: &PlaceId, id: u64) -> Result<(), ServiceError> {
        self.protocol.withdraw(token, number, place, id).await
    }

    async fn deliver(&self, token: &Token, number: u32, arrival: &Arrival<'_>) -> Result<Token, ServiceError> {
        self.protocol.deliver(token, number, arrival).await
    }

    async fn promote(&self, token: &Token, number: u32, arrivals: &[Arrival<'_>]) -> Result<Token, ServiceError> {
        self.protocol.promote(token, number, arrivals).await
    }

    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        self.protocol.retire(token, number, look, force).await
    }

    async fn end_leaving(&self, _: &Token, _: Look) -> Result<Token, ServiceError> {
        Err(never("deletes no token"))
    }

    /// A place that its manifest has left, and that a look found empty.
    async fn forget(
        &self,
        token: &Token,
        place: &PlaceId,
        looked_at: Option<Timestamp>,
    ) -> Result<Token, ServiceError> {
        match looked_at {
            Some(_) => self.protocol.forget(token, place, looked_at).await,
            None => Err(never("forgets no place that nobody looked at")),
        }
    }
}
