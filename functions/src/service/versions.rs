//! Versions: stage, announce, deliver, promote, retire. The rules are [`crate::protocol`]'s; this saves what they decide.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::change::{Action, By};
use super::rights::Gain;
use super::{Caller, ChangeError, Service};
use crate::entropy::EntropyError;
use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::notice::NoticeKind;
use crate::place::PlaceId;
use crate::protocol::{Announcement, Arrival, Look, VersionError};
use crate::secret::Secret;
use crate::table::TableError;
use crate::token::{Token, TokenRef};

/// A version that was issued: the first one of a new token, or one that was staged.
#[derive(Debug)]
pub struct Issued {
    /// The record as it was then.
    pub token: Token,
    /// The version's number.
    pub number: u32,
    /// Its secret, this once.
    pub secret: Secret,
}

/// An announced push.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Announced {
    /// The record.
    pub token: Token,
    /// No write may start after it, by the service's time.
    pub write_before: Timestamp,
    /// How long that is after the service answered.
    pub write_within: std::time::Duration,
    /// What withdraws this announcement and no other.
    pub announcement: u64,
}

/// A version and places, for an event.
fn at_places<'a>(number: u32, word: &str, places: impl IntoIterator<Item = &'a PlaceId>) -> String {
    let mut detail = format!("version {number}");
    for (index, place) in places.into_iter().enumerate() {
        let _ = write!(detail, "{}{place}", if index == 0 { word } else { ", " });
    }
    detail
}

impl Service {
    /// Stages a version of a token: it is valid from now on, beside the current one.
    ///
    /// # Errors
    /// [`VersionError::TooManyVersions`]; see [`ChangeError`].
    pub async fn stage(&self, caller: &Caller, token: &TokenRef) -> Result<Issued, ChangeError<VersionError>> {
        self.check_clock().await?;
        let entropy = |error: EntropyError| ChangeError::Table(TableError::Unreachable(error.to_string()));
        let secret = Secret::mint(&self.policy().prefix, &token.id, &*self.entropy).map_err(entropy)?;
        let digest = secret.digest();
        let (token, number) = self
            .change(caller, token, (Gain::Version, By::Anybody), EventKind::VersionStage, |token| {
                let number = token.stage(digest, self.now())?;
                Ok((number, format!("version {number}")))
            })
            .await?;
        Ok(Issued { token, number, secret })
    }

    /// Announces that a push of a version to a place is about to start.
    ///
    /// # Errors
    /// [`VersionError::Superseded`] unless it is the highest ever staged; see [`ChangeError`].
    pub async fn announce(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        place: &PlaceId,
    ) -> Result<Announced, ChangeError<VersionError>> {
        self.announce_each(caller, token, number, std::slice::from_ref(place)).await
    }

    /// Announces that pushes of a version to several places are about to start, as one change; see [`Service::announce`].
    ///
    /// # Errors
    /// Those of one; where a place is refused none is announced.
    pub async fn announce_each(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        places: &[PlaceId],
    ) -> Result<Announced, ChangeError<VersionError>> {
        self.check_clock().await?;
        let (token, Announcement { id, write_before }) = self
            .change(caller, token, (Gain::Version, By::Run), EventKind::VersionAnnounce, |token| {
                let announcement = token.announce_each(number, places, self.now())?;
                Ok((announcement, at_places(number, " to ", places)))
            })
            .await?;
        let write_within = std::time::Duration::from_secs(crate::protocol::WRITE_BEFORE.0);
        Ok(Announced { token, write_before, write_within, announcement: id })
    }

    /// Withdraws an announcement whose write was refused before it had any effect; see [`Token::withdraw`].
    ///
    /// # Errors
    /// [`VersionError::NotAnnounced`] where there is no such announcement; see [`ChangeError`].
    pub async fn withdraw(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        (place, announcement): (&PlaceId, u64),
    ) -> Result<Token, ChangeError<VersionError>> {
        let withdrawn = self
            .change(caller, token, (Gain::Nothing, By::Run), EventKind::VersionWithdraw, |token| {
                token.withdraw(number, place, announcement)?;
                Ok(((), format!("version {number} to {place}, which refused it")))
            })
            .await?;
        Ok(withdrawn.0)
    }

    /// Reports that a version arrived at a place, with the sink's receipt.
    ///
    /// # Errors
    /// [`VersionError::NotLive`] when the version died meanwhile; see [`ChangeError`].
    pub async fn deliver(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        arrival: &Arrival<'_>,
    ) -> Result<Token, ChangeError<VersionError>> {
        let delivered = self
            .change(caller, token, (Gain::Nothing, By::Run), EventKind::VersionDeliver, |token| {
                token.deliver(number, arrival, self.now())?;
                Ok(((), format!("version {number} to {}", arrival.place)))
            })
            .await?;
        Ok(delivered.0)
    }

    /// Promotes a staged version.
    ///
    /// # Errors
    /// [`VersionError::NotDelivered`] unless it arrived at every place declared now; see [`ChangeError`].
    pub async fn promote(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
    ) -> Result<Token, ChangeError<VersionError>> {
        self.promote_arrived(caller, token, number, &[]).await
    }

    /// Reports where a version arrived and promotes it, as one change: where a part of it is refused nothing is done.
    ///
    /// # Errors
    /// See [`Service::deliver`] and [`Service::promote`].
    pub async fn promote_arrived(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        arrivals: &[Arrival<'_>],
    ) -> Result<Token, ChangeError<VersionError>> {
        self.check_clock().await?;
        let action = match number {
            1 => Action::from(EventKind::VersionPromote),
            _ => Action::telling(EventKind::VersionPromote, NoticeKind::Rotated, number),
        };
        let promoted = self
            .change(caller, token, (Gain::Version, By::Run), action, |token| {
                let now = self.now();
                for arrival in arrivals {
                    token.deliver(number, arrival, now)?;
                }
                token.promote(number, now)?;
                Ok(((), at_places(number, " at ", arrivals.iter().map(|arrival| arrival.place))))
            })
            .await?;
        Ok(promoted.0)
    }

    /// Promotes a staged version of a token that no manifest declares. The older ones stay valid for `overlap`, and no run
    /// retires them: their time ends by itself.
    ///
    /// # Errors
    /// [`VersionError::OverlapDeclared`]; see [`Service::promote`].
    pub async fn promote_by_hand(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        overlap: Seconds,
    ) -> Result<Token, ChangeError<VersionError>> {
        self.check_clock().await?;
        let action = Action::telling(EventKind::VersionPromote, NoticeKind::Rotated, number);
        let promoted = self
            .change(caller, token, (Gain::Version, By::Run), action, |token| {
                token.promote_by_hand(number, overlap, self.now())?;
                Ok(((), format!("version {number}; older ones stay valid for {overlap}")))
            })
            .await?;
        Ok(promoted.0)
    }

    /// Retires an older version, after a look at every recorded place that found it at none.
    ///
    /// # Errors
    /// What is not yet over; see [`VersionError`].
    pub async fn retire(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        look: Look,
        force: bool,
    ) -> Result<Token, ChangeError<VersionError>> {
        self.check_clock().await?;
        let retired = self
            .change(caller, token, (Gain::Nothing, By::Anybody), EventKind::VersionRetire, |token| {
                token.retire(number, look, force, self.now())?;
                Ok(((), format!("version {number}")))
            })
            .await?;
        Ok(retired.0)
    }

    /// Revokes a version that has leaked, at once; see [`Token::end_compromised`]. The event records that nothing was
    /// waited for.
    ///
    /// # Errors
    /// [`VersionError::NotSuperseded`], [`VersionError::IsCurrent`] unless `anyway`; see [`ChangeError`].
    pub async fn end_compromised(
        &self,
        caller: &Caller,
        token: &TokenRef,
        number: u32,
        anyway: bool,
    ) -> Result<Token, ChangeError<VersionError>> {
        let action = Action::telling(EventKind::VersionCompromised, NoticeKind::Leaked, number);
        let ended = self
            .change(caller, token, (Gain::Nothing, By::Anybody), action, |token| {
                let current = token.current().is_some_and(|current| current.number == number);
                token.end_compromised(number, anyway, self.now())?;
                let waits = if current { "; no newer version is current yet" } else { "" };
                Ok(((), format!("version {number}, revoked at once although places may contain it{waits}")))
            })
            .await?;
        Ok(ended.0)
    }
}
