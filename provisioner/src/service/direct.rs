//! The service in this process: whoever can write the table is its operator.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use latchkey::api::wire::{ManifestView, Me};
use latchkey::clock::ClockBehind;
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, Look, VersionError};
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{
    Caller, ChangeError, Edit, Forget, Grant, Issued, LeaseError, NewToken, Origin, Role, Service, UsageDay,
    UserChange, Verdict,
};
use latchkey::token::{Token, TokenKey, TokenState};
use latchkey::user::User;

use super::{
    Administration, Connection, Granted, History, LeaseHolder, Managed, Protocol, Records, ServiceError, Take,
};
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
    fn deadline(&self, length: Duration) -> Deadline {
        Deadline::by(self.elapsed, length)
    }

    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        declared: (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError> {
        Ok(self.service.declare_role(&self.caller, name, permissions, declared).await?)
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

    async fn grant_write(&self, token: &Token, number: u32, place: &PlaceId) -> Result<Granted, ServiceError> {
        let announced = self.service.announce(&self.caller, &token.reference(), number, place).await?;
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

    async fn promote(&self, token: &Token, number: u32) -> Result<Token, ServiceError> {
        Ok(self.service.promote(&self.caller, &token.reference(), number).await?)
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

#[async_trait]
impl Administration for Direct {
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.service.manifest(manifest).await?.and_then(|record| record.applied))
    }

    async fn note_applied(&self, manifest: &ManifestName, revision: Option<u64>) -> Result<(), ServiceError> {
        Ok(self.service.note_applied(&self.caller, manifest, revision).await?)
    }

    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        let (record, publication) = (self.service.manifest(name).await?, self.service.publication(name).await?);
        if record.is_none() && publication.is_none() {
            return Ok(None);
        }
        let lease = self.service.lease(name).await?;
        Ok(Some(ManifestView::of(name, record, lease, publication.as_ref())))
    }

    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        self.service.set_grant(&self.caller, name, grant).await?;
        Ok(())
    }

    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        let taken = match how {
            Take::Own { steal } => self.service.take_lease(&self.caller, manifest, holder, steal).await,
            Take::ToMove(token) => self.service.take_lease_to_move(&self.caller, manifest, holder, token).await,
        };
        match taken {
            Ok(_) => Ok(Ok(())),
            Err(LeaseError::Held(lease)) => Ok(Err(LeaseHolder { by: lease.by, until: Some(lease.until) })),
            Err(error) => Err(error.into()),
        }
    }

    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError> {
        match self.service.free_lease(&self.caller, manifest, holder).await {
            Ok(()) | Err(LeaseError::Held(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError> {
        match self.service.end_compromised(&self.caller, &token.reference(), number, anyway).await {
            // It is no longer valid, which is what was wanted.
            Err(ChangeError::Rule(VersionError::NotLive(_))) => Ok(token.clone()),
            answer => Ok(answer?),
        }
    }

    async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError> {
        Ok(match self.service.verify(presented, None).await? {
            Verdict::Valid(valid) => Ok(Me::from(&*valid)),
            Verdict::Invalid(invalid) => Err(invalid.to_string()),
        })
    }

    async fn make(&self, new: NewToken) -> Result<Issued, ServiceError> {
        Ok(self.service.create(&self.caller, new).await?)
    }

    async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError> {
        let (mut tokens, mut from) = (Vec::new(), None);
        loop {
            let page = self.service.list_active(user, 500, from).await?;
            tokens.extend(page.tokens);
            from = page.next;
            if from.is_none() {
                return Ok(tokens);
            }
        }
    }

    async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError> {
        Ok(self.service.list_ended(user, (limit, None), None).await?.tokens)
    }

    async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError> {
        Ok(self.service.show(&TokenKey::new(user.clone(), name.clone())).await?)
    }

    async fn history(&self, token: &Token) -> Result<History, ServiceError> {
        let now = self.now();
        let mut events = self.service.events(token.user.as_str(), now, 50).await?;
        events.retain(|event| event.id.as_ref() == Some(&token.id));
        Ok(History { events, usage: self.service.usage(&token.id, now).await? })
    }

    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError> {
        let (mut days, mut month) = (Vec::new(), from.first_of_month());
        while month <= to {
            let Ok(start) = month.to_zoned(TimeZone::UTC) else { break };
            let read = self.service.usage(&token.id, start.timestamp()).await?;
            days.extend(read.into_iter().filter(|day| (from..=to).contains(&day.day)));
            let Ok(next) = month.checked_add(1.month()) else { break };
            month = next;
        }
        Ok(days)
    }

    async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        Ok(self.service.delete(&self.caller, &token.key(), Some(&token.id)).await?)
    }

    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        Ok(self.service.permissions_of(&token.roles).await?)
    }

    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        Ok(self.service.user(name).await?)
    }

    async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        Ok(self.service.list_users().await?)
    }

    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        Ok(self.service.delete_user(&self.caller, name).await?)
    }

    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        Ok(self.service.list_roles().await?)
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        Ok(self.service.delete_role(&self.caller, name).await?)
    }
}

impl Connection for Direct {
    fn operated(&self) -> Option<(&Arc<Service>, &Caller)> {
        Some((&self.service, &self.caller))
    }
}
