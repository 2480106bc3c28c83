//! Pushes on their way: announced before they are written, reported once a look has found them, and withdrawn where the
//! write was refused before it had any effect.

use jiff::Timestamp;

use super::{STAGED_LIFE, VersionError, WRITE_BEFORE, is_fresh};
use crate::bounds::{OPEN_MAX, RECEIPT_MAX};
use crate::place::PlaceId;
use crate::token::{Delivery, Repairs, Token, Version, VersionState};

/// An announcement that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// What withdraws this one and no other.
    pub id: u64,
    /// No write may start after it.
    pub write_before: Timestamp,
}

/// What arrived at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Where.
    pub place: &'a PlaceId,
    /// How the entry was left; never a value.
    pub receipt: &'a str,
    /// When the look began that found it there, at most 5 minutes ago. Callers from before looks were reported have none.
    pub looked_at: Option<Timestamp>,
    /// Whether it replaced what somebody had changed outside Latchkey.
    pub repairs: bool,
    /// The entry itself, as its sink knows it, where that is known.
    pub identity: Option<&'a str>,
}

impl<'a> Arrival<'a> {
    /// What arrived at a place, without a look.
    pub fn new(place: &'a PlaceId, receipt: &'a str) -> Self {
        Self { place, receipt, looked_at: None, repairs: false, identity: None }
    }
}

impl Token {
    /// Notes that a push of a version to a place is about to start, and answers until when the write may start.
    ///
    /// # Errors
    /// [`VersionError::Superseded`] unless it is the highest version ever staged: this is where a slow job stops.
    pub fn announce(&mut self, number: u32, place: &PlaceId, now: Timestamp) -> Result<Announcement, VersionError> {
        self.announce_each(number, std::slice::from_ref(place), now)
    }

    /// The same of pushes to several places. The announcement has one id for all of them; each is withdrawn by itself.
    ///
    /// # Errors
    /// Those of one; where a place is refused none is announced.
    pub fn announce_each(
        &mut self,
        number: u32,
        places: &[PlaceId],
        now: Timestamp,
    ) -> Result<Announcement, VersionError> {
        if number != self.highest {
            return Err(VersionError::Superseded { number, highest: self.highest });
        }
        if let Some(unknown) = places.iter().find(|place| !self.places.contains_key(place)) {
            return Err(VersionError::NoSuchPlace(unknown.clone()));
        }
        let life = self.terms.map_or(STAGED_LIFE, |terms| terms.expires_in.max(STAGED_LIFE));
        // Every change of a record has a revision of its own.
        let id = self.revision;
        let version = self.live_mut(number, now)?;
        // One that was announced for a place that is forgotten may be there.
        let stands = version.announced.is_some() && version.deliveries.is_empty();
        version.announced = Some(now);
        if version.state == VersionState::Staged {
            // Fixed here: shorter durations that come later must not end what a place may hold by then.
            version.expiry = version.expiry.max(Some(life.after(now)));
        }
        for place in places {
            let new = Delivery { announced: now, delivered: None, stands, open: Vec::new() };
            let delivery = version.deliveries.entry(place.clone()).or_insert(new);
            delivery.announced = now;
            if delivery.open.last() != Some(&id) {
                delivery.open.push(id);
            }
            if delivery.open.len() > OPEN_MAX {
                delivery.open.remove(0);
                delivery.stands = true;
            }
        }
        Ok(Announcement { id, write_before: WRITE_BEFORE.after(now) })
    }

    /// Withdraws an announcement: its write was sent at most once, and refused before it had any effect, so nothing of it
    /// can arrive. Announcements of other runs stand, and so does everything that was delivered.
    ///
    /// # Errors
    /// [`VersionError::NotLive`], [`VersionError::NotAnnounced`] where there is no such announcement, or none that can be
    /// withdrawn any more.
    pub fn withdraw(&mut self, number: u32, place: &PlaceId, announcement: u64) -> Result<(), VersionError> {
        let version = self.versions.iter_mut().find(|version| version.number == number);
        let version = version.ok_or(VersionError::NotLive(number))?;
        let delivery = version.deliveries.get_mut(place).ok_or(VersionError::NotAnnounced(number))?;
        let index = delivery.open.iter().position(|open| *open == announcement);
        delivery.open.remove(index.ok_or(VersionError::NotAnnounced(number))?);
        if delivery.stands || !delivery.open.is_empty() {
            return Ok(());
        }
        version.deliveries.remove(place);
        version.announced = version.deliveries.values().map(|delivery| delivery.announced).max();
        if version.announced.is_none() && version.state == VersionState::Staged {
            version.expiry = None;
        }
        Ok(())
    }

    /// Notes that a version arrived at a place. What a look found there proves that the place is ours: a report that
    /// comes late, after somebody else wrote there, must not. Once a higher version was reported there, no lower one is
    /// written any more, so its report is late too: what the place contained then is not noted.
    ///
    /// # Errors
    /// [`VersionError::NotLive`] when the version has died meanwhile: the place must be repaired at once;
    /// [`VersionError::StaleLook`].
    pub fn deliver(&mut self, number: u32, arrival: &Arrival<'_>, now: Timestamp) -> Result<(), VersionError> {
        let &Arrival { place, receipt, looked_at, repairs, identity } = arrival;
        if receipt.len().max(identity.map_or(0, str::len)) > RECEIPT_MAX {
            return Err(VersionError::ReceiptTooLong);
        }
        if looked_at.is_some_and(|at| !is_fresh(at, now)) {
            return Err(VersionError::StaleLook);
        }
        let version = self.live_mut(number, now)?;
        let delivery = version.deliveries.get_mut(place).ok_or(VersionError::NotAnnounced(number))?;
        delivery.delivered = Some(now);
        delivery.open.clear();
        delivery.stands = true;
        let record = self.places.get_mut(place).ok_or_else(|| VersionError::NoSuchPlace(place.clone()))?;
        if record.version.is_some_and(|known| known > number) {
            return Ok(());
        }
        record.receipt = Some(receipt.to_owned());
        record.version = Some(number);
        if let Some(identity) = identity {
            record.identity = Some(identity.to_owned());
        }
        if repairs {
            let again = record.repairs.filter(|before| before.are_recent(now));
            record.repairs = Some(again.map_or(Repairs { times: 1, since: now, last: now }, |before| Repairs {
                times: before.times.saturating_add(1),
                since: before.since,
                last: now,
            }));
        }
        Ok(())
    }
}

impl Version {
    /// Drops what is known of its way to a place. It may be there, so from now on no announcement of it is withdrawn.
    pub(super) fn forget_delivery(&mut self, place: &PlaceId) {
        if self.deliveries.remove(place).is_some() {
            self.deliveries.values_mut().for_each(|delivery| delivery.stands = true);
        }
    }
}
