//! The delivery protocol as functions on a record: what each state of a version allows at an instant, and the rules by
//! which a version is staged, announced, delivered, promoted and retired. All pure: the service loads a record, applies
//! one rule and saves the record guarded by its revision.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::lifetime::Seconds;
use crate::place::{Place, PlaceId};
use crate::secret::Digest;
use crate::token::{
    Delivery, PLACES_MAX, PlaceRecord, RECEIPT_MAX, RETIRED_KEPT, Retired, Token, Version, VersionState,
};

/// How long a writer may start writing after an announcement.
pub const WRITE_BEFORE: Seconds = Seconds::minutes(2);
/// How long after its last announcement a version may be retired: every write that the announcement allowed has ended.
pub const QUIET: Seconds = Seconds::minutes(15);
/// How long a staged version works that nobody announced.
pub const STAGED_LIFE: Seconds = Seconds::days(1);
/// The oldest look that a retirement may rest on.
pub const LOOK_MAX: Seconds = Seconds::minutes(5);
/// The shortest time without use before an older version may be retired.
pub const UNUSED_MIN: Seconds = Seconds::hours(1);

/// How far the last use that is noted may lag behind the real one: it is noted hourly, by processes that look every
/// 15 minutes.
pub const USE_LAG: Seconds = Seconds::minutes(75);
/// Why a rule of versions refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// A newer version was staged since.
    #[error("version {number} was superseded by version {highest}")]
    Superseded {
        /// What was asked for.
        number: u32,
        /// The highest ever staged.
        highest: u32,
    },
    /// It is not, or no longer, a live version.
    #[error("version {0} is not live")]
    NotLive(u32),
    /// The place is not recorded with the token.
    #[error("the token has no place {0}")]
    NoSuchPlace(PlaceId),
    /// The version was not announced there.
    #[error("version {0} was not announced for this place")]
    NotAnnounced(u32),
    /// A receipt is too long.
    #[error("a receipt has at most 200 bytes")]
    ReceiptTooLong,
    /// Too many places.
    #[error("a token has at most {PLACES_MAX} places")]
    TooManyPlaces,
    /// A declared place still waits for the version.
    #[error("version {number} has not arrived at {missing} of its places")]
    NotDelivered {
        /// The version.
        number: u32,
        /// How many places wait.
        missing: usize,
    },
    /// As many versions as may work at once do.
    #[error("{live} versions of the token work already, and no more may")]
    TooManyVersions {
        /// How many.
        live: usize,
    },
    /// It is what consumers should have.
    #[error("version {0} is current")]
    IsCurrent(u32),
    /// The newest staged version goes on, it is not retired.
    #[error("version {0} is the newest, and nothing has superseded it")]
    NotSuperseded(u32),
    /// Consumers may still be taking up the newer one.
    #[error("the overlap of version {number} ends at {until}")]
    OverlapNotOver {
        /// The version.
        number: u32,
        /// When it is over.
        until: Timestamp,
    },
    /// A write that was announced may still arrive.
    #[error("version {number} was announced lately and may still arrive somewhere until {until}")]
    Announced {
        /// The version.
        number: u32,
        /// When the look may begin.
        until: Timestamp,
    },
    /// Somebody used it lately.
    #[error("version {number} was used at {last_used}; it may be retired at {until}")]
    RecentlyUsed {
        /// The version.
        number: u32,
        /// The last noted use.
        last_used: Timestamp,
        /// When it may be retired if nobody uses it.
        until: Timestamp,
    },
    /// The record changed since the look began, or the look is too old.
    #[error("the look is out of date")]
    StaleLook,
    /// The place is still declared.
    #[error("the place is still declared")]
    StillDeclared,
}

/// A look at every recorded place, on which a retirement rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it began.
    pub at: Timestamp,
    /// The record's revision that was read before it began.
    pub revision: u64,
}

impl Token {
    /// When a version stops working by itself.
    pub fn deadline(&self, version: &Version) -> Timestamp {
        let life = self.terms.map_or(Seconds::days(3660), |terms| terms.expires_in);
        let own = match (version.state, version.announced) {
            (VersionState::Staged, None) => STAGED_LIFE.after(version.created),
            // Once announced it may be in a place, and what is in a place must work as long as any other version.
            (VersionState::Staged, Some(announced)) => {
                version.expiry.unwrap_or_else(|| Seconds(life.0.max(STAGED_LIFE.0)).after(announced))
            }
            (VersionState::Current, _) => version.expiry.unwrap_or(Timestamp::MAX),
            (VersionState::Retiring, _) => {
                let expiry = version.expiry.unwrap_or(Timestamp::MAX);
                // Where no place can be looked at, time alone decides.
                if self.places.is_empty() { version.overlap_ends.map_or(expiry, |end| end.min(expiry)) } else { expiry }
            }
        };
        self.expires_at.map_or(own, |end| end.min(own))
    }

    /// How many versions may work at once.
    pub fn versions_max(&self) -> usize {
        let unreadable = self.places.values().filter(|record| !record.place.readable).count();
        (unreadable + 2).max(4)
    }

    /// The versions that work at `now`.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(move |version| self.deadline(version) > now)
    }

    /// Records the places that the manifest declares now; others stay recorded as leaving.
    ///
    /// # Errors
    /// [`VersionError::TooManyPlaces`].
    pub fn declare_places(&mut self, places: &[Place]) -> Result<(), VersionError> {
        for record in self.places.values_mut() {
            record.declared = false;
        }
        for place in places {
            let fresh = PlaceRecord { place: place.clone(), declared: true, receipt: None, version: None };
            let record = self.places.entry(place.id()).or_insert(fresh);
            record.place = place.clone();
            record.declared = true;
        }
        if self.places.len() > PLACES_MAX { Err(VersionError::TooManyPlaces) } else { Ok(()) }
    }

    /// Drops a place that is no longer declared from the record: nothing of the token is there any more.
    ///
    /// # Errors
    /// [`VersionError::NoSuchPlace`], [`VersionError::StillDeclared`]; [`VersionError::Announced`] while a write that
    /// was announced may still arrive there.
    pub fn forget_place(&mut self, place: &PlaceId, now: Timestamp) -> Result<(), VersionError> {
        let record = self.places.get(place).ok_or_else(|| VersionError::NoSuchPlace(place.clone()))?;
        if record.declared {
            return Err(VersionError::StillDeclared);
        }
        if let Some((number, until)) = self.quiet_from(place).filter(|(_, until)| now < *until) {
            return Err(VersionError::Announced { number, until });
        }
        self.places.remove(place);
        for version in &mut self.versions {
            version.deliveries.remove(place);
        }
        Ok(())
    }

    /// Adds a version that already works but is not yet current, and answers its number. A staged version that was
    /// neither announced nor used is replaced.
    ///
    /// # Errors
    /// [`VersionError::TooManyVersions`].
    pub fn stage(&mut self, digest: Digest, now: Timestamp) -> Result<u32, VersionError> {
        self.drop_dead(now);
        let unused = |version: &Version| {
            version.state == VersionState::Staged
                && version.announced.is_none()
                && !self.uses.contains_key(&version.number.to_string())
        };
        let replaced: Vec<u32> = self.versions.iter().filter(|version| unused(version)).map(|v| v.number).collect();
        for number in replaced {
            self.drop_version(number);
        }
        // A current version is recorded until a newer one is, but once it has expired it takes nobody's place.
        let live = self.live(now).count();
        if live >= self.versions_max() {
            return Err(VersionError::TooManyVersions { live });
        }
        self.highest += 1;
        self.versions.push(Version {
            number: self.highest,
            digest: digest.into(),
            state: VersionState::Staged,
            created: now,
            promoted: None,
            expiry: None,
            overlap_ends: None,
            announced: None,
            terms: None,
            deliveries: BTreeMap::new(),
        });
        Ok(self.highest)
    }

    /// Notes that a push of a version to a place is about to start, and answers until when the write may start.
    ///
    /// # Errors
    /// [`VersionError::Superseded`] unless it is the highest version ever staged: this is where a slow job stops.
    pub fn announce(&mut self, number: u32, place: &PlaceId, now: Timestamp) -> Result<Timestamp, VersionError> {
        if number != self.highest {
            return Err(VersionError::Superseded { number, highest: self.highest });
        }
        if !self.places.contains_key(place) {
            return Err(VersionError::NoSuchPlace(place.clone()));
        }
        let life = self.terms.map_or(STAGED_LIFE, |terms| terms.expires_in.max(STAGED_LIFE));
        let version = self.live_mut(number, now)?;
        version.announced = Some(now);
        if version.state == VersionState::Staged {
            // Fixed here: shorter durations that come later must not end what a place may hold by then.
            version.expiry = version.expiry.max(Some(life.after(now)));
        }
        version
            .deliveries
            .entry(place.clone())
            .and_modify(|delivery| delivery.announced = now)
            .or_insert(Delivery { announced: now, delivered: None });
        Ok(WRITE_BEFORE.after(now))
    }

    /// Notes that a version arrived at a place.
    ///
    /// # Errors
    /// [`VersionError::NotLive`] when the version has died meanwhile: the place must be mended at once.
    pub fn deliver(&mut self, number: u32, place: &PlaceId, receipt: &str, now: Timestamp) -> Result<(), VersionError> {
        if receipt.len() > RECEIPT_MAX {
            return Err(VersionError::ReceiptTooLong);
        }
        let version = self.live_mut(number, now)?;
        let delivery = version.deliveries.get_mut(place).ok_or(VersionError::NotAnnounced(number))?;
        delivery.delivered = Some(now);
        let record = self.places.get_mut(place).ok_or_else(|| VersionError::NoSuchPlace(place.clone()))?;
        record.receipt = Some(receipt.to_owned());
        record.version = Some(number);
        Ok(())
    }

    /// Makes a staged version current; the older ones become retiring, each with its overlap.
    ///
    /// # Errors
    /// [`VersionError::Superseded`] when a newer one is current, [`VersionError::NotDelivered`] unless it arrived at
    /// every place that is declared now.
    pub fn promote(&mut self, number: u32, now: Timestamp) -> Result<(), VersionError> {
        if let Some(newer) = self.current().filter(|current| current.number > number) {
            return Err(VersionError::Superseded { number, highest: newer.number });
        }
        let terms = self.terms;
        let declared = self.places.iter().filter(|(_, record)| record.declared);
        let version = self.version(number).ok_or(VersionError::NotLive(number))?;
        // A newer one was current, and ended as compromised.
        if version.overlap_ends.is_some() {
            return Err(VersionError::Superseded { number, highest: self.highest });
        }
        let missing = declared.filter(|(place, _)| !version.delivered_to(place)).count();
        if missing > 0 {
            return Err(VersionError::NotDelivered { number, missing });
        }
        let version = self.live_mut(number, now)?;
        if version.state == VersionState::Current {
            return Ok(());
        }
        version.state = VersionState::Current;
        version.promoted = Some(now);
        version.expiry = terms.map(|terms| terms.expires_in.after(now));
        version.terms = terms;
        let overlap_ends = terms.map_or(now, |terms| terms.overlap.after(now));
        for older in self.versions.iter_mut().filter(|older| older.number < number) {
            if older.state == VersionState::Current {
                older.state = VersionState::Retiring;
            }
            older.overlap_ends.get_or_insert(overlap_ends);
        }
        Ok(())
    }

    /// Ends an older version. The caller has looked at every recorded place since `look.at` and found none that holds
    /// it; what the service can check of that, it checks here.
    ///
    /// # Errors
    /// What is not yet over, see [`VersionError`].
    pub fn retire(&mut self, number: u32, look: Look, force: bool, now: Timestamp) -> Result<(), VersionError> {
        let fresh = look.revision == self.revision && look.at <= now && LOOK_MAX.after(look.at) >= now;
        if !fresh {
            return Err(VersionError::StaleLook);
        }
        let version = self.version(number).ok_or(VersionError::NotLive(number))?;
        if version.state == VersionState::Current {
            return Err(VersionError::IsCurrent(number));
        }
        // The newest one goes on, unless it has been nowhere for so long that whoever staged it is gone.
        let forsaken = |version: &Version| STAGED_LIFE.after(version.announced.unwrap_or(version.created)) <= look.at;
        if number == self.highest && !forsaken(version) {
            return Err(VersionError::NotSuperseded(number));
        }
        if let Some(until) = self.retirable_from(version).filter(|until| look.at < *until) {
            let announced = version.announced.map(|announced| QUIET.after(announced));
            return Err(if announced == Some(until) {
                VersionError::Announced { number, until }
            } else {
                VersionError::OverlapNotOver { number, until }
            });
        }
        if let Some((last_used, until)) = self.idle_from(number).filter(|(_, until)| !force && now < *until) {
            return Err(VersionError::RecentlyUsed { number, last_used, until });
        }
        self.drop_version(number);
        Ok(())
    }

    /// Ends a version that has leaked, at once: nothing is waited for, no overlap, no write under way, no look and no
    /// use, so places may go on holding it and consumers fail. A person decides that, as with a deletion; the next run
    /// brings the newer version to the places that still hold it. With `anyway` the current version ends before a newer
    /// one is current.
    ///
    /// # Errors
    /// [`VersionError::NotSuperseded`] for the newest version, as one that takes over must be staged first;
    /// [`VersionError::IsCurrent`] for the current one, unless `anyway`.
    pub fn end_compromised(&mut self, number: u32, anyway: bool, now: Timestamp) -> Result<(), VersionError> {
        let version = self.version(number).ok_or(VersionError::NotLive(number))?;
        // The highest ever staged may be dead by now: what takes over has to work.
        if !self.live(now).any(|other| other.number > number) {
            return Err(VersionError::NotSuperseded(number));
        }
        if version.state == VersionState::Current && !anyway {
            return Err(VersionError::IsCurrent(number));
        }
        self.drop_version(number);
        Ok(())
    }

    /// From when on no announced write can arrive anywhere any more; `None` when none was announced.
    pub fn quiet_everywhere_from(&self) -> Option<Timestamp> {
        self.versions.iter().filter_map(|version| version.announced).max().map(|announced| QUIET.after(announced))
    }

    /// When a look on which a version's retirement rests may begin at the earliest, as far as overlap and
    /// announcements say; `None` when nothing stands against it.
    pub fn retirable_from(&self, version: &Version) -> Option<Timestamp> {
        let quiet = version.announced.map(|announced| QUIET.after(announced));
        version.overlap_ends.max(quiet)
    }

    /// The last noted use of a version, and from when on it counts as used no more if it is not used again.
    pub fn idle_from(&self, number: u32) -> Option<(Timestamp, Timestamp)> {
        let unused = self.terms.map_or(UNUSED_MIN, |terms| terms.overlap.max(UNUSED_MIN));
        self.version_last_used(number).map(|last| (last, USE_LAG.after(unused.after(last))))
    }

    /// From when on no announced write can arrive at a place any more, and of which version the last one was; `None`
    /// when none was announced there.
    pub fn quiet_from(&self, place: &PlaceId) -> Option<(u32, Timestamp)> {
        let announced =
            |version: &Version| Some((version.number, QUIET.after(version.deliveries.get(place)?.announced)));
        self.versions.iter().filter_map(announced).max_by_key(|(_, until)| *until)
    }

    /// Forgets versions whose deadline has passed: they no longer work and free their place in the limit.
    pub fn drop_dead(&mut self, now: Timestamp) {
        let dead: Vec<u32> = self
            .versions
            .iter()
            .filter(|version| version.state != VersionState::Current && self.deadline(version) <= now)
            .map(|version| version.number)
            .collect();
        for number in dead {
            self.drop_version(number);
        }
    }

    fn drop_version(&mut self, number: u32) {
        let Some(index) = self.versions.iter().position(|version| version.number == number) else { return };
        let version = self.versions.remove(index);
        self.retired.push(Retired { number, fingerprint: version.fingerprint() });
        let excess = self.retired.len().saturating_sub(RETIRED_KEPT);
        self.retired.drain(..excess);
        self.uses.remove(&number.to_string());
    }

    fn live_mut(&mut self, number: u32, now: Timestamp) -> Result<&mut Version, VersionError> {
        let live = self.version(number).is_some_and(|version| self.deadline(version) > now);
        self.versions.iter_mut().find(|version| live && version.number == number).ok_or(VersionError::NotLive(number))
    }
}

#[cfg(test)]
mod tests;
