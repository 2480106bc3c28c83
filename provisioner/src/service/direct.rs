//! The service in this process: whoever can write the table is its operator.

use std::sync::Arc;
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
use latchkey::service::{Caller, Edit, Forget, Issued, NewToken, Origin, Role, Service, UserChange};
use latchkey::token::{Token, TokenKey, TokenState};
use latchkey::user::User;

use super::{Breadth, Connection, Granted, Managed, Protocol, Records, ServiceError, TokenAdministration as _};
use latchkey_sinks::deadline::{Deadline, Elapsed};

/// The service, and as whom it is asked.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    /// The clock of deadlines.
    pub(super) elapsed: Elapsed,
}

#[async_trait]
impl Records for Direct {
    fn now(&self) -> Timestamp {
        self.service.now()
    }

    async fn clock_behind(&self) -> Result<Option<ClockBehind>, ServiceError> {
        Ok(self.service.clock_behind().await?)
    }

    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        let tokens = self.service.managed_tokens(manifest).await?;
        Ok(Managed { tokens, max_tokens: self.service.policy().max_tokens })
    }

    async fn holders(&self, _: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        Ok(self.service.holders(wanted).await?)
    }

    async fn origins(&self, _: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        Ok(self.service.origins(ids).await?)
    }

    async fn expired_tokens(&self, _: &ManifestName, user: &UserName) -> Result<u32, ServiceError> {
        let now = self.now();
        let held = self.active(user).await?;
        let expired = held.iter().filter(|token| token.state(now) == TokenState::Expired).count();
        Ok(u32::try_from(expired).unwrap_or(u32::MAX))
    }

    async fn users(&self, _: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        Ok(self.service.users(names).await?)
    }

    async fn roles(&self, _: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        Ok(self.service.list_roles().await?)
    }

    async fn confirm(&self, _: &ManifestName, token: &Token, secret: &Secret) -> Result<Option<u32>, ServiceError> {
        // Allowed addresses do not matter here: nobody uses the secret.
        let digest = secret.digest();
        let now = self.now();
        let record = self.service.holder(&token.key()).await?.filter(|record| record.id == token.id);
        Ok(record.and_then(|record| record.version_with(&digest, now)))
    }
}

#[async_trait]
impl Protocol for Direct {
    fn breadth(&self) -> Breadth {
        if self.service.table().has_conflicts() { Breadth::FAR } else { Breadth::HERE }
    }

    fn deadline(&self, length: Duration) -> Deadline {
        Deadline::by(self.elapsed, length)
    }

    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        declared: (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError> {
        Ok(self.service.declare_role(&self.caller, name, None, permissions, declared).await?)
    }

    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError> {
        Ok(self.service.put_user(&self.caller, name, change).await?)
    }

    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError> {
        Ok(self.service.create(&self.caller, new).await?)
    }

    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        Ok(self.service.edit(&self.caller, &token.key(), Some(&token.id), None, edit).await?)
    }

    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        Ok(self.service.stage(&self.caller, &token.reference()).await?)
    }

    async fn grant_write(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Granted, ServiceError> {
        let announced = self.service.announce_each(&self.caller, &token.reference(), number, places).await?;
        Ok(Granted { within: announced.write_within, announcement: Some(announced.announcement) })
    }

    async fn withdraw(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        announcement: u64,
    ) -> Result<(), ServiceError> {
        let announcement = (place, announcement);
        self.service.withdraw(&self.caller, &token.reference(), number, announcement).await?;
        Ok(())
    }

    async fn deliver(&self, token: &Token, number: u32, arrival: &Arrival<'_>) -> Result<Token, ServiceError> {
        Ok(self.service.deliver(&self.caller, &token.reference(), number, arrival).await?)
    }

    async fn promote(&self, token: &Token, number: u32, arrivals: &[Arrival<'_>]) -> Result<Token, ServiceError> {
        Ok(self.service.promote_arrived(&self.caller, &token.reference(), number, arrivals).await?)
    }

    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        Ok(self.service.retire(&self.caller, &token.reference(), number, look, force).await?)
    }

    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        Ok(self.service.end_leaving(&self.caller, &token.key(), Some(&token.id), look).await?)
    }

    async fn forget(
        &self,
        token: &Token,
        place: &PlaceId,
        looked_at: Option<Timestamp>,
    ) -> Result<Token, ServiceError> {
        let edit = Edit { forget: Some(Forget { place: place.clone(), looked_at }), ..Edit::default() };
        Ok(self.service.edit(&self.caller, &token.key(), Some(&token.id), Some(token.revision), &edit).await?)
    }
}

impl Connection for Direct {
    fn operated(&self) -> Option<(&Arc<Service>, &Caller)> {
        Some((&self.service, &self.caller))
    }
}
