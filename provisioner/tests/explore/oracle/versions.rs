//! The steps of a version: the real rules, each with the mistakes that may be made in it.

use jiff::Timestamp;
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, LOOK_MAX, Look, REPAIR_ROOM, VersionError};
use latchkey::secret::{Prefix, Secret};
use latchkey::token::Token;
use provisioner::service::{Issued, ServiceError};

use super::{Mistake, Oracle};

fn deliver(
    mistake: Option<Mistake>,
    token: &mut Token,
    number: u32,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Result<(), VersionError> {
    let unannounced = mistake == Some(Mistake::NothingAnnounced);
    if let Some(version) = token.versions.iter_mut().find(|version| unannounced && version.number == number) {
        let delivery = latchkey::token::Delivery::standing(now, None);
        version.deliveries.entry(arrival.place.clone()).or_insert(delivery);
    }
    let looked_at = arrival.looked_at.filter(|_| mistake != Some(Mistake::ReportOnOldLook));
    token.deliver(number, &Arrival { looked_at, ..*arrival }, now)
}

impl Oracle {
    pub(crate) fn stage(&mut self, token: &Token, now: Timestamp) -> Result<Issued, ServiceError> {
        let secret = Secret::mint(&Prefix::default(), &token.id, &self.entropy()).unwrap();
        let digest = secret.digest();
        let (limited, cramped) = (self.wrong(Mistake::FixedLimit), self.wrong(Mistake::NoRoomToRepair));
        let stuck = self.wrong(Mistake::NoRepairADay);
        let (token, number) = self.change(token, None, |token| {
            let live = token.live(now).count();
            let most = token.versions_max();
            if (limited && live >= 4) || (cramped && live >= most) || (stuck && live >= most + REPAIR_ROOM) {
                return Err(VersionError::TooManyVersions { live }.into());
            }
            Ok(token.stage(digest, now)?)
        })?;
        Ok(Issued { token, number, secret })
    }

    pub(crate) fn announce(
        &mut self,
        token: &Token,
        number: u32,
        places: &[PlaceId],
        now: Timestamp,
    ) -> Result<(Token, Option<u64>), ServiceError> {
        if self.wrong(Mistake::NothingAnnounced) {
            return Ok((token.clone(), None));
        }
        let (any, dead) = (self.wrong(Mistake::AnnounceAnyVersion), self.wrong(Mistake::AnnounceDeadVersion));
        let brief = self.wrong(Mistake::StagedDiesInADay);
        let announced = self.change(token, None, |token| {
            let highest = token.highest;
            if any {
                token.highest = number;
            }
            let granted = token.announce_each(number, places, now);
            token.highest = highest;
            if let Some(version) = token.versions.iter_mut().find(|version| brief && version.number == number) {
                version.expiry = version.expiry.map(|_| latchkey::protocol::STAGED_LIFE.after(now));
            }
            match granted {
                Err(VersionError::NotLive(_)) if dead => Ok(None),
                other => Ok(Some(other?.id)),
            }
        })?;
        Ok(announced)
    }

    pub(crate) fn withdraw(
        &mut self,
        token: &Token,
        number: u32,
        (place, announcement): (&PlaceId, u64),
    ) -> Result<Token, ServiceError> {
        let others = self.wrong(Mistake::WithdrawOthers);
        let withdrawn = self.change(token, None, |token| {
            let version = token.versions.iter_mut().find(|version| others && version.number == number);
            if let Some(delivery) = version.and_then(|version| version.deliveries.get_mut(place)) {
                (delivery.stands, delivery.open) = (false, vec![announcement]);
            }
            Ok(token.withdraw(number, place, announcement)?)
        })?;
        Ok(withdrawn.0)
    }

    pub(crate) fn deliver(
        &mut self,
        token: &Token,
        number: u32,
        arrival: &Arrival<'_>,
        now: Timestamp,
    ) -> Result<Token, ServiceError> {
        let mistake = self.mistake;
        Ok(self.change(token, None, |token| Ok(deliver(mistake, token, number, arrival, now)?))?.0)
    }

    pub(crate) fn promote(
        &mut self,
        token: &Token,
        number: u32,
        arrivals: &[Arrival<'_>],
        now: Timestamp,
    ) -> Result<Token, ServiceError> {
        let mistake = self.mistake;
        let promoted = self.change(token, None, |token| {
            for arrival in arrivals {
                deliver(mistake, token, number, arrival, now)?;
            }
            let mut lent = Vec::new();
            if mistake == Some(Mistake::PromoteUndelivered) {
                for record in token.places.values_mut().filter(|record| record.declared) {
                    record.declared = false;
                    lent.push(record.place.id());
                }
            }
            let mut hidden = Vec::new();
            if mistake == Some(Mistake::PromoteDownwards) {
                let newer = |version: &latchkey::token::Version| version.number > number;
                hidden = token.versions.iter().filter(|version| newer(version)).cloned().collect();
                token.versions.retain(|version| !newer(version));
                // What tells of a newer one that was current goes too.
                token.versions.iter_mut().filter(|version| version.number == number).for_each(|version| {
                    version.overlap_ends = None;
                });
            }
            let promoted = token.promote(number, now);
            token.versions.extend(hidden);
            for id in lent {
                token.places.get_mut(&id).unwrap().declared = true;
            }
            promoted?;
            if mistake == Some(Mistake::RetireAtPromotion) {
                token.versions.retain(|version| version.number >= number);
            }
            if mistake == Some(Mistake::NoOverlap) {
                for version in &mut token.versions {
                    version.overlap_ends = version.overlap_ends.map(|_| now);
                }
            }
            Ok(())
        })?;
        Ok(promoted.0)
    }

    pub(crate) fn retire(
        &mut self,
        token: &Token,
        number: u32,
        (mut look, mut force): (Look, bool),
        now: Timestamp,
    ) -> Result<Token, ServiceError> {
        let mistake = self.mistake;
        let retired = self.change(token, None, |token| {
            let highest = token.highest;
            let version = token.versions.iter_mut().find(|version| version.number == number);
            match mistake {
                Some(Mistake::NoQuietTime | Mistake::NothingAnnounced) => {
                    if let Some(version) = version {
                        version.announced = None;
                    }
                }
                Some(Mistake::LookBeganEarlier) if LOOK_MAX.after(look.at) >= now => look.at = now,
                Some(Mistake::OldLook) => look.at = look.at.max(LOOK_MAX.before(now)),
                Some(Mistake::ChangedSinceLook) => look.revision = token.revision,
                Some(Mistake::EndInUse) => force = true,
                Some(Mistake::EndHighest) => token.highest = highest + 1,
                _ => {}
            }
            let retired = token.retire(number, look, force, now);
            token.highest = highest;
            Ok(retired?)
        })?;
        Ok(retired.0)
    }
}
