//! The delivery protocol as functions on a record: what each state of a version allows at an instant, and the rules by
//! which a version is staged, announced, delivered, promoted and retired. All pure: the service loads a record, applies
//! one rule and saves the record guarded by its revision. Pushes on their way are in
//! [`delivering`](Arrival), and when a version ends is decided in [`ending`](Keeps).

mod delivering;
mod ending;
mod future;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::bounds::{PLACES_MAX, RECEIPT_MAX};
use crate::lifetime::Seconds;
use crate::place::{Place, PlaceId};
use crate::secret::Digest;
use crate::token::{PlaceRecord, RETIRED_KEPT, Retired, Token, Version, VersionState};

/// How long a writer may start writing after an announcement.
pub const WRITE_BEFORE: Seconds = Seconds::minutes(2);
/// How long after its last announcement a version may be retired: every write that the announcement allowed has ended.
pub const QUIET: Seconds = Seconds::minutes(15);
/// How long a staged version is valid that nobody announced.
pub const STAGED_LIFE: Seconds = Seconds::days(1);
/// The oldest look that a retirement may rest on.
pub const LOOK_MAX: Seconds = Seconds::minutes(5);
/// The shortest time without use before an older version may be retired.
pub const UNUSED_MIN: Seconds = Seconds::hours(1);
/// How far the last use that is noted may lag behind the real one: it is noted hourly, by processes that look every
/// 15 minutes.
pub const USE_LAG: Seconds = Seconds::minutes(75);
/// How many versions more than otherwise may be valid while a place has to be repaired: each repair that is cut short
/// takes one.
pub const REPAIR_ROOM: usize = 4;
/// How long after the last version was staged one more may be, where a place has to be repaired and that room is full.
pub const REPAIR_PAUSE: Seconds = Seconds::days(1);
/// How many versions of a token may be valid at once, whatever happens.
pub const VERSIONS_MAX: usize = PLACES_MAX + 2 + REPAIR_ROOM;

pub use delivering::{Announcement, Arrival};
pub use ending::{Evidence, Found, Keeps, Look, PlaceLook};

/// Whether what was seen at a look that began at `at` may still be relied upon.
fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now <= LOOK_MAX.after(at)
}

/// Why a rule of versions refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    #[error("a receipt has at most {RECEIPT_MAX} bytes")]
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
    /// As many versions as may be valid at once are.
    #[error("the token already has {live} valid versions, which is the limit")]
    TooManyVersions {
        /// How many.
        live: usize,
    },
    /// It is what consumers should have.
    #[error("version {0} is current")]
    IsCurrent(u32),
    /// The newest staged version is to be delivered, not retired.
    #[error("version {0} is the newest: no other version has superseded it")]
    NotSuperseded(u32),
    /// Consumers may still be taking up the newer one.
    #[error("the overlap of version {number} ends at {until}")]
    OverlapNotOver {
        /// The version.
        number: u32,
        /// When it ends.
        until: Timestamp,
    },
    /// A write that was announced may still arrive.
    #[error("version {number} was announced recently and may still arrive at a place until {until}")]
    Announced {
        /// The version.
        number: u32,
        /// When the look may begin.
        until: Timestamp,
    },
    /// Somebody used it recently.
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
    /// An overlap for a token whose manifest sets one.
    #[error("the overlap of a token that a manifest declares is the one in its manifest")]
    OverlapDeclared,
}

impl Token {
    /// When a version expires by itself.
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

    /// How many versions may be valid at once before a rotation has to wait: each place that cannot be read may have one
    /// of its own, and there are the current one and the next.
    pub fn versions_max(&self) -> usize {
        let unreadable = self.places.values().filter(|record| !record.place.readable).count();
        (unreadable + 2).max(4)
    }

    /// How many may be valid at once, at `now`, where a place has to be repaired. Nothing is retired before the repair, so
    /// a token whose versions are as many as may be needs room for the one that the repair brings. Repairs that are cut
    /// short or outrun fill that room too; so that none of them makes the token wait until a version expires, one more may
    /// be staged a day after the last one was.
    pub fn versions_max_to_repair(&self, now: Timestamp) -> usize {
        if self.repair_from().is_some_and(|from| from <= now) {
            VERSIONS_MAX
        } else {
            self.versions_max() + REPAIR_ROOM
        }
    }

    /// From when on one more version may be valid where a place has to be repaired; `None` for a token without places.
    pub fn repair_from(&self) -> Option<Timestamp> {
        if self.places.is_empty() {
            return None;
        }
        self.versions.iter().map(|version| version.created).max().map(|last| REPAIR_PAUSE.after(last))
    }

    /// The versions that are valid at `now`.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(move |version| self.deadline(version) > now)
    }

    /// The versions that are valid at `now` and that the next stage does not replace.
    pub fn lasting(&self, now: Timestamp) -> impl Iterator<Item = &Version> {
        self.live(now).filter(|version| !self.is_replaceable(version))
    }

    /// Whether the next stage takes its place: staged, and neither announced nor used.
    fn is_replaceable(&self, version: &Version) -> bool {
        version.state == VersionState::Staged
            && version.announced.is_none()
            && self.version_last_used(version.number).is_none()
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
            let fresh = PlaceRecord::new(place.clone());
            let record = self.places.entry(place.id()).or_insert(fresh);
            record.place = place.clone();
            record.declared = true;
        }
        if self.places.len() > PLACES_MAX { Err(VersionError::TooManyPlaces) } else { Ok(()) }
    }

    /// Drops a place that is no longer declared from the record: nothing of the token is there any more. `looked_at` is
    /// when the look began that found so; without one a person says so.
    ///
    /// # Errors
    /// [`VersionError::NoSuchPlace`], [`VersionError::StillDeclared`]; [`VersionError::Announced`] while a write that
    /// was announced may still arrive there, or could when the look began; [`VersionError::StaleLook`].
    pub fn forget_place(
        &mut self,
        place: &PlaceId,
        looked_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), VersionError> {
        let record = self.places.get(place).ok_or_else(|| VersionError::NoSuchPlace(place.clone()))?;
        if record.declared {
            return Err(VersionError::StillDeclared);
        }
        let at = looked_at.unwrap_or(now);
        if !is_fresh(at, now) {
            return Err(VersionError::StaleLook);
        }
        if let Some((number, until)) = self.quiet_from(place).filter(|(_, until)| at < *until) {
            return Err(VersionError::Announced { number, until });
        }
        self.places.remove(place);
        for version in &mut self.versions {
            version.forget_delivery(place);
        }
        Ok(())
    }

    /// Adds a version that is valid already but not yet current, and answers its number. A staged version that was
    /// neither announced nor used is replaced. Whether anything is to be repaired only a look tells, so what stops a
    /// rotation at [`versions_max`](Self::versions_max) is up to the caller.
    ///
    /// # Errors
    /// [`VersionError::TooManyVersions`] at [`versions_max_to_repair`](Self::versions_max_to_repair).
    pub fn stage(&mut self, digest: Digest, now: Timestamp) -> Result<u32, VersionError> {
        self.rewrite_future(now);
        self.drop_dead(now);
        let replaced = self.versions.iter().filter(|version| self.is_replaceable(version));
        let replaced: Vec<u32> = replaced.map(|version| version.number).collect();
        for number in replaced {
            self.drop_version(number);
        }
        // A current version is recorded until a newer one is, but once it has expired it takes nobody's place.
        let live = self.live(now).count();
        if live >= self.versions_max_to_repair(now) {
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

    /// Promotes a staged version: it becomes current; the older ones become retiring, each with its overlap.
    ///
    /// # Errors
    /// [`VersionError::Superseded`] when a newer one is current, [`VersionError::NotDelivered`] unless it arrived at
    /// every place that is declared now.
    pub fn promote(&mut self, number: u32, now: Timestamp) -> Result<(), VersionError> {
        self.promote_over(number, Seconds::default(), now)
    }

    /// The same for a token that no manifest declares, whose older versions stay valid for `overlap`: time alone ends them.
    ///
    /// # Errors
    /// [`VersionError::OverlapDeclared`] for a token with durations of its own; see [`Token::promote`].
    pub fn promote_by_hand(&mut self, number: u32, overlap: Seconds, now: Timestamp) -> Result<(), VersionError> {
        if self.terms.is_some() {
            return Err(VersionError::OverlapDeclared);
        }
        self.promote_over(number, overlap, now)
    }

    /// Promotes a version of a token whose older versions have this overlap, unless it has durations.
    fn promote_over(&mut self, number: u32, overlap: Seconds, now: Timestamp) -> Result<(), VersionError> {
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
        self.rewrite_future(now);
        let version = self.live_mut(number, now)?;
        version.state = VersionState::Current;
        version.promoted = Some(now);
        version.expiry = terms.map(|terms| terms.expires_in.after(now));
        version.terms = terms;
        self.retry = None;
        let overlap_ends = terms.map_or(overlap, |terms| terms.overlap).after(now);
        for older in self.versions.iter_mut().filter(|older| older.number < number) {
            if older.state == VersionState::Current {
                older.state = VersionState::Retiring;
            }
            older.overlap_ends.get_or_insert(overlap_ends);
        }
        Ok(())
    }

    /// Forgets versions whose deadline has passed: they are no longer valid and no longer count against the limit.
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
