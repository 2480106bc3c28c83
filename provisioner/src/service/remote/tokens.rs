//! The steps of a run.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::api::wire::{
    AnnounceVersion, CreateToken, DeclaredTerms, DeliverVersion, Delivered, DeliveryState, EditToken, IssuedRecord,
    PromoteVersion, PutRole, PutUser, ReportedDelivery, RoleRecord, StageVersion, TokenRecord, UserRecord,
};
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, Look, VersionError, WRITE_BEFORE};
use latchkey::role::Permissions;
use latchkey::service::{Edit, Forget, Issued, Life, NewToken, Role, UserChange};
use latchkey::token::{EndState, Ended, Token, TokenKey};
use latchkey::user::User;
use latchkey_sinks::deadline::Deadline;

use super::Remote;
use super::call::{BEGUN, Call, Undone};
use crate::service::{Granted, Protocol, Records as _, ServiceError, TokenAdministration as _};

/// The path of a user's tokens.
pub(in crate::service) fn tokens_of(user: &UserName) -> String {
    format!("/v1/users/{user}/tokens")
}

/// The path of a token, and of what is below it.
pub(in crate::service) fn path(user: &UserName, name: &TokenName, rest: &str) -> String {
    format!("/v1/users/{user}/tokens/{name}{rest}")
}

fn of(token: &Token, rest: &str) -> String {
    path(&token.user, &token.name, rest)
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// What a request says of a move.
#[expect(clippy::option_option, reason = "absent, null and a name are three things")]
fn moved(moving: &Moving) -> (Option<String>, Option<Option<String>>) {
    let to = moving.to.as_ref().map(|to| to.as_ref().map(ToString::to_string));
    (moving.from.as_ref().map(ToString::to_string), to)
}

/// The call that defines a role.
pub(in crate::service) fn put_role(
    name: &RoleName,
    permissions: &Permissions,
    (manifest, moving): (Option<&ManifestName>, &Moving),
) -> Call {
    let permissions = permissions.iter().map(ToString::to_string).collect();
    let (moved_from, moved_to) = moved(moving);
    let put = PutRole { permissions, manifest: declared(manifest, moving), moved_from, moved_to };
    Call::new("PUT", format!("/v1/roles/{name}")).body(&put)
}

/// What every new token has.
pub(in crate::service) fn to_be_made(new: &NewToken) -> CreateToken {
    CreateToken {
        name: new.key.name.to_string(),
        description: new.description.clone(),
        roles: new.roles.as_deref().map(texts),
        labels: new.labels.clone(),
        allowed_ips: texts(&new.allowed_ips),
        ..CreateToken::default()
    }
}

/// What was issued, from an answer. A secret that cannot be read is of no use to anybody.
pub(in crate::service) fn issued(record: IssuedRecord) -> Result<Issued, ServiceError> {
    record.into_issued().map_err(|_| ServiceError::Unavailable("the server answered with an invalid secret".to_owned()))
}

#[async_trait]
impl Protocol for Remote {
    fn deadline(&self, length: Duration) -> Deadline {
        Deadline::by(self.line.elapsed, length)
    }

    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        declared: (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError> {
        let record: RoleRecord = self.line.repeat(put_role(name, permissions, declared)).await?;
        Ok(record.into())
    }

    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError> {
        let (moved_from, moved_to) = moved(&change.moving);
        let put = PutUser {
            kind: change.kind,
            roles: change.roles.as_ref().map(|roles| roles.iter().map(ToString::to_string).collect()),
            max_tokens: change.max_tokens,
            suspended: change.suspended,
            email: change.email.clone(),
            manifest: declared(change.managed_by.as_ref(), &change.moving),
            moved_from,
            moved_to,
        };
        let record: UserRecord = self.line.repeat(Call::new("PUT", format!("/v1/users/{name}")).body(&put)).await?;
        Ok(record.into())
    }

    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError> {
        let Life::Managed { manifest, terms } = &new.life else { return self.make(new).await };
        let body = CreateToken {
            manifest: Some(manifest.to_string()),
            terms: Some(DeclaredTerms::from(*terms)),
            places: new.places.clone(),
            ..to_be_made(&new)
        };
        let mut lost = None;
        for _ in 0..BEGUN {
            let call = Call::new("POST", tokens_of(&new.key.user)).body(&body);
            let undone = match self.line.once(call).await {
                Ok(record) => return issued(record),
                Err(undone) => undone,
            };
            if let (Undone::Answered(error), None) = (&undone, &lost) {
                return Err(error.clone());
            }
            // It may have been created, now or by an earlier try. Then its secret is lost, and staging replaces that
            // version by one whose secret we have: nobody announced it yet.
            let found = self.holders(manifest, std::slice::from_ref(&new.key)).await?;
            let ours = |token: &Token| token.managed_by.as_ref() == Some(manifest) && token.current().is_none();
            if let Some(token) = found.into_iter().find(ours) {
                return self.stage(&token).await;
            }
            match undone {
                Undone::Answered(error) => return Err(error),
                Undone::Unknown(error) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("the token was not created".to_owned())))
    }

    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        self.patch(token, edit, None).await
    }

    async fn forget(
        &self,
        token: &Token,
        place: &PlaceId,
        looked_at: Option<Timestamp>,
    ) -> Result<Token, ServiceError> {
        let edit = Edit { forget: Some(Forget { place: place.clone(), looked_at }), ..Edit::default() };
        self.patch(token, &edit, Some(token.revision)).await
    }

    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        let body = StageVersion { id: token.id.to_string() };
        // A version whose secret got lost on the way was announced by nobody: the next stage replaces it.
        issued(self.line.repeat(Call::new("POST", of(token, "/versions")).body(&body)).await?)
    }

    async fn grant_write(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Granted, ServiceError> {
        let step = DeliverVersion::new(token, DeliveryState::Announced);
        let answer = match places {
            [place] => self.delivery(token, number, place, &step).await?,
            places => {
                let all = AnnounceVersion { id: token.id.to_string(), places: places.to_vec() };
                let call = Call::new("POST", of(token, &format!("/versions/{number}/announcements"))).body(&all);
                match self.line.repeat::<Delivered>(call).await {
                    Err(ServiceError::Gone(_) | ServiceError::Refused(_)) => {
                        // An older server announces one by one, each by an id of its own: none is withdrawn.
                        let mut last = None;
                        for place in places {
                            last = Some(self.delivery(token, number, place, &step).await?);
                        }
                        let within = last.and_then(|answer| answer.write_within).unwrap_or(WRITE_BEFORE.0);
                        return Ok(Granted { within: Duration::from_secs(within), announcement: None });
                    }
                    answer => answer?,
                }
            }
        };
        // Counted by the caller from before the first try, so a late answer grants less and never more. What an earlier
        // try announced, whose answer was lost, stands.
        let within = Duration::from_secs(answer.write_within.unwrap_or(WRITE_BEFORE.0));
        Ok(Granted { within, announcement: answer.announcement })
    }

    async fn withdraw(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        announcement: u64,
    ) -> Result<(), ServiceError> {
        let step =
            DeliverVersion { announcement: Some(announcement), ..DeliverVersion::new(token, DeliveryState::Withdrawn) };
        self.delivery(token, number, place, &step).await.map(|_| ())
    }

    async fn deliver(&self, token: &Token, number: u32, arrival: &Arrival<'_>) -> Result<Token, ServiceError> {
        let &Arrival { place, receipt, looked_at, repairs, identity } = arrival;
        let bare = DeliverVersion {
            receipt: Some(receipt.to_owned()),
            looked_at,
            ..DeliverVersion::new(token, DeliveryState::Delivered)
        };
        let step = DeliverVersion { repairs, identity: identity.map(str::to_owned), ..bare.clone() };
        let answer = match self.delivery(token, number, place, &step).await {
            // An older server does not know these fields.
            Err(ServiceError::Refused(_)) if identity.is_some() || repairs => {
                self.delivery(token, number, place, &bare).await?
            }
            answer => answer?,
        };
        Ok(answer.token.into_token())
    }

    async fn promote(&self, token: &Token, number: u32, arrivals: &[Arrival<'_>]) -> Result<Token, ServiceError> {
        let deliveries = arrivals.iter().map(ReportedDelivery::from).collect();
        let body = PromoteVersion { id: token.id.to_string(), overlap: None, deliveries };
        self.promoted(token, number, body).await
    }

    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        let call = || {
            let call = Call::new("DELETE", of(token, &format!("/versions/{number}")));
            let call = call.query("id", &token.id).query("looked_at", look.at).query("revision", look.revision);
            if force { call.query("force", true) } else { call }
        };
        let mut lost = None;
        for _ in 0..BEGUN {
            match self.line.once::<TokenRecord>(call()).await {
                Ok(record) => return Ok(record.into_token()),
                // An earlier try has done it: the version is gone, or the revision is no longer the one looked at.
                Err(Undone::Answered(ServiceError::Version(VersionError::NotLive(_) | VersionError::StaleLook)))
                    if lost.is_some() =>
                {
                    let found = self.found(token, token.managed_by.as_ref(), &token.name).await?;
                    let found =
                        found.ok_or_else(|| ServiceError::Gone("the token was deleted meanwhile".to_owned()))?;
                    let gone = found.version(number).is_none();
                    return if gone { Ok(found) } else { Err(VersionError::StaleLook.into()) };
                }
                Err(Undone::Answered(error)) => return Err(error),
                Err(Undone::Unknown(error)) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("the version was not retired".to_owned())))
    }

    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        let call = || {
            let call = Call::new("DELETE", of(token, "")).query("id", &token.id);
            call.query("looked_at", look.at).query("revision", look.revision)
        };
        self.end(call, token).await
    }
}

impl Remote {
    /// Promotes a version; done twice it is done once.
    pub(in crate::service) async fn promoted(
        &self,
        token: &Token,
        number: u32,
        body: PromoteVersion,
    ) -> Result<Token, ServiceError> {
        let call = Call::new("POST", of(token, &format!("/versions/{number}/promote"))).body(&body);
        Ok(self.line.repeat::<TokenRecord>(call).await?.into_token())
    }

    /// Changes a token, with `revision` only if it is still at it.
    pub(in crate::service) async fn patch(
        &self,
        token: &Token,
        edit: &Edit,
        revision: Option<u64>,
    ) -> Result<Token, ServiceError> {
        let (moved_from, moved_to) = moved(&edit.moving);
        let body = EditToken {
            id: Some(token.id.to_string()),
            name: edit.name.as_ref().map(ToString::to_string),
            description: edit.description.clone(),
            roles: edit.roles.as_deref().map(texts),
            labels: edit.labels.clone(),
            allowed_ips: edit.allowed_ips.as_deref().map(texts),
            expires_at: edit.expires_at.map(|at| at.to_string()),
            manifest: edit.managed_by.as_ref().map(ToString::to_string),
            moved_from,
            moved_to,
            terms: edit.terms.map(DeclaredTerms::from),
            places: edit.places.clone(),
            forget: edit.forget.as_ref().map(|forget| forget.place.to_string()),
            looked_at: edit.forget.as_ref().and_then(|forget| forget.looked_at),
            leaving: edit.leaving,
        };
        let call = || {
            let call = Call::new("PATCH", of(token, "")).body(&body);
            if let Some(revision) = revision { call.if_match(revision) } else { call }
        };
        if edit.name.is_none() && revision.is_none() {
            // The same values set twice are set once.
            return Ok(self.line.repeat::<TokenRecord>(call()).await?.into_token());
        }
        let undone = match self.line.once::<TokenRecord>(call()).await {
            Ok(record) => return Ok(record.into_token()),
            Err(undone) => undone,
        };
        let Undone::Unknown(error) = undone else { return Err(undone.into()) };
        // The record shows whether it was done: under its new name, or at a later revision.
        let name = edit.name.as_ref().unwrap_or(&token.name);
        // One that moved is in its new manifest by now, which is the caller's.
        let manifest = edit.managed_by.as_ref().or(token.managed_by.as_ref());
        let found = self.found(token, manifest, name).await.ok().flatten();
        match found {
            Some(found) if edit.name.is_some() || is_done(&found, edit, revision) => Ok(found),
            Some(found) if edit.forget.as_ref().is_some_and(|forget| !found.places.contains_key(&forget.place)) => {
                Ok(found)
            }
            Some(_) => Ok(self.line.repeat::<TokenRecord>(call()).await?.into_token()),
            None => Err(error),
        }
    }

    async fn delivery(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        step: &DeliverVersion,
    ) -> Result<Delivered, ServiceError> {
        let target = of(token, &format!("/versions/{number}/deliveries/{place}"));
        self.line.repeat(Call::new("PUT", target).body(step)).await
    }

    /// What there is of a token under a name, whichever way the caller may see it.
    async fn found(
        &self,
        token: &Token,
        manifest: Option<&ManifestName>,
        name: &TokenName,
    ) -> Result<Option<Token>, ServiceError> {
        let found = match manifest {
            Some(manifest) => self.holders(manifest, &[TokenKey::new(token.user.clone(), name.clone())]).await?.pop(),
            None => self.show(&token.user, name).await?,
        };
        Ok(found.filter(|found| found.id == token.id))
    }

    /// Deletes a token. If it is gone after a lost answer, an earlier try did it.
    pub(in crate::service) async fn end(&self, call: impl Fn() -> Call, token: &Token) -> Result<Token, ServiceError> {
        let mut lost = None;
        for _ in 0..BEGUN {
            match self.line.once_for_nothing(call()).await {
                Ok(()) => return Ok(self.ended_now(token)),
                Err(Undone::Answered(ServiceError::Gone(_))) if lost.is_some() => return Ok(self.ended_now(token)),
                Err(Undone::Answered(error)) => return Err(error),
                Err(Undone::Unknown(error)) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("the token was not deleted".to_owned())))
    }

    fn ended_now(&self, token: &Token) -> Token {
        let mut token = token.clone();
        token.ended = Some(Ended { state: EndState::Deleted, at: self.now(), by: None });
        token
    }
}

/// Whether a record that was read at `revision` has since become what a person wanted it to be.
fn is_done(found: &Token, edit: &Edit, revision: Option<u64>) -> bool {
    let Edit { description, labels, allowed_ips, expires_at, terms, .. } = edit;
    let text = found.description.clone().unwrap_or_default();
    edit.forget.is_none()
        && revision.is_some_and(|revision| found.revision > revision)
        && description.as_ref().is_none_or(|wanted| *wanted == text)
        && labels.as_ref().is_none_or(|wanted| *wanted == found.labels)
        && allowed_ips.as_ref().is_none_or(|wanted| *wanted == found.allowed_ips)
        && expires_at.is_none_or(|wanted| found.expires_at == Some(wanted))
        && terms.is_none_or(|wanted| found.terms == Some(wanted))
}

/// The manifest that a role or user gets, or that it is released from its own.
#[expect(clippy::option_option, reason = "`null` says something else than nothing")]
fn declared(manifest: Option<&ManifestName>, moving: &Moving) -> Option<Option<String>> {
    if moving.release { Some(None) } else { manifest.map(|manifest| Some(manifest.to_string())) }
}
