//! Versions: what each state allows at an instant, and the rules by which a version is staged, announced, delivered,
//! promoted and retired. All pure: the service loads a record, applies one rule and saves the record guarded by its
//! revision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lifetime::{Seconds, Terms};
use crate::place::{Place, PlaceId};
use crate::secret::{Digest, Fingerprint};
use crate::token::{PLACES_MAX, PlaceRecord, RECEIPT_MAX, RETIRED_KEPT, Retired, Token};

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

/// The state of a live version. A retired one is no longer live: its digest is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionState {
    /// Works already, is on its way to its places.
    Staged,
    /// What consumers should have.
    Current,
    /// Works still, while consumers take up a newer one.
    Retiring,
}

impl VersionState {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Current => "current",
            Self::Retiring => "retiring",
        }
    }
}

/// One secret of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// From 1.
    pub number: u32,
    /// SHA-256 of the secret.
    #[serde(serialize_with = "digest_to_bytes", deserialize_with = "digest_from_bytes")]
    pub digest: Digest,
    /// Its state.
    pub state: VersionState,
    /// When it was staged.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created: Timestamp,
    /// When it became current.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub promoted: Option<Timestamp>,
    /// When it expires: fixed at its promotion, and before that at each announcement; `None` for one that nobody
    /// announced, and for a token with an expiry of its own.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expiry: Option<Timestamp>,
    /// When its overlap ends, fixed when a newer one was promoted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub overlap_ends: Option<Timestamp>,
    /// Its last announcement for any place.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub announced: Option<Timestamp>,
    /// The durations under which it was promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Its deliveries by place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deliveries: BTreeMap<PlaceId, Delivery>,
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

fn digest_to_bytes<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(digest.as_bytes())
}

fn digest_from_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    struct Bytes;
    impl serde::de::Visitor<'_> for Bytes {
        type Value = Digest;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("32 bytes")
        }
        fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
            Digest::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
        }
        fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Digest, E> {
            self.visit_bytes(&bytes)
        }
    }
    deserializer.deserialize_bytes(Bytes)
}

/// One version on its way to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was last announced.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub announced: Timestamp,
    /// When it was reported delivered.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub delivered: Option<Timestamp>,
}

impl Version {
    /// Its fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.digest.fingerprint()
    }

    /// Whether it was reported delivered to a place.
    #[must_use]
    pub fn delivered_to(&self, place: &PlaceId) -> bool {
        self.deliveries.get(place).is_some_and(|delivery| delivery.delivered.is_some())
    }
}

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
    #[must_use]
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
    #[must_use]
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
            digest,
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
    #[must_use]
    pub fn quiet_everywhere_from(&self) -> Option<Timestamp> {
        self.versions.iter().filter_map(|version| version.announced).max().map(|announced| QUIET.after(announced))
    }

    /// When a look on which a version's retirement rests may begin at the earliest, as far as overlap and
    /// announcements say; `None` when nothing stands against it.
    #[must_use]
    pub fn retirable_from(&self, version: &Version) -> Option<Timestamp> {
        let quiet = version.announced.map(|announced| QUIET.after(announced));
        version.overlap_ends.max(quiet)
    }

    /// The last noted use of a version, and from when on it counts as used no more if it is not used again.
    #[must_use]
    pub fn idle_from(&self, number: u32) -> Option<(Timestamp, Timestamp)> {
        let unused = self.terms.map_or(UNUSED_MIN, |terms| terms.overlap.max(UNUSED_MIN));
        self.version_last_used(number).map(|last| (last, USE_LAG.after(unused.after(last))))
    }

    /// From when on no announced write can arrive at a place any more, and of which version the last one was; `None`
    /// when none was announced there.
    #[must_use]
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
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::token::Use;

    const TERMS: Terms =
        Terms { expires_in: Seconds::days(90), rotate_every: Seconds::days(30), overlap: Seconds::hours(2) };

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn token(places: &[Place]) -> Token {
        let mut token = Token {
            id: "0123456789abcdef".parse().unwrap(),
            user: "ci".parse().unwrap(),
            name: "deploy".parse().unwrap(),
            description: None,
            roles: Vec::new(),
            labels: BTreeMap::new(),
            allowed_ips: Vec::new(),
            created: start(),
            created_by: "test".to_owned(),
            managed_by: Some("acme".parse().unwrap()),
            expires_at: None,
            terms: Some(TERMS),
            places: BTreeMap::new(),
            versions: Vec::new(),
            retired: Vec::new(),
            highest: 0,
            leaving: None,
            ended: None,
            revision: 1,
            uses: BTreeMap::new(),
        };
        token.declare_places(places).unwrap();
        token
    }

    fn places() -> Vec<Place> {
        vec![Place::new("dotenv", &[("path", "a")], true), Place::new("vercel", &[("name", "b")], false)]
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        Stage,
        Announce(u32, usize),
        Deliver(u32, usize),
        Promote(u32),
        Retire { back: u32, look_ago: u64, stale: bool, force: bool },
        Compromised { back: u32, anyway: bool },
        Use(u32),
        Declare(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let wait = prop_oneof![0..400_u64, 800..1000_u64, 3_000..9_000_u64, Just(86_400_u64), 0..8_000_000_u64];
        // Numbers count back from the highest version.
        prop_oneof![
            4 => wait.prop_map(Step::Wait),
            4 => Just(Step::Stage),
            5 => (0..2_u32, 0..2_usize).prop_map(|(back, place)| Step::Announce(back, place)),
            5 => (0..3_u32, 0..2_usize).prop_map(|(back, place)| Step::Deliver(back, place)),
            5 => (0..3_u32).prop_map(Step::Promote),
            5 => (0..5_u32, prop_oneof![3 => Just(0), 1 => 0..400_u64], prop::bool::weighted(0.1), any::<bool>())
                .prop_map(|(back, look_ago, stale, force)| Step::Retire { back, look_ago, stale, force }),
            1 => (0..4_u32, any::<bool>()).prop_map(|(back, anyway)| Step::Compromised { back, anyway }),
            2 => (0..4_u32).prop_map(Step::Use),
            1 => (0..3_usize).prop_map(Step::Declare),
        ]
    }

    /// What was promised about a version, noted beside the rules.
    #[derive(Debug, Clone, Default)]
    struct Promise {
        announced: Option<Timestamp>,
        overlap_ends: Option<Timestamp>,
        used: Option<Timestamp>,
        works_until: Option<Timestamp>,
    }

    impl Promise {
        fn works_at_least(&mut self, until: Timestamp) {
            self.works_until = self.works_until.max(Some(until));
        }
    }

    fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
        let (all, mut now) = (places(), start());
        let mut token = token(&all);
        let mut promises: BTreeMap<u32, Promise> = BTreeMap::new();
        let (mut promoted, mut ever) = (0, 0);
        for step in steps {
            let (before, highest) = (token.clone(), token.highest);
            let nth = |back: u32| highest.saturating_sub(back).max(1);
            let lives = |token: &Token, number: u32| token.live(now).any(|version| version.number == number);
            let mut retired = None;
            match step {
                Step::Wait(seconds) => now = Seconds(seconds).after(now),
                Step::Stage => {
                    let kept: Vec<u32> = before
                        .live(now)
                        .filter(|version| {
                            version.announced.is_some()
                                || version.state != VersionState::Staged
                                || before.uses.contains_key(&version.number.to_string())
                        })
                        .map(|version| version.number)
                        .collect();
                    if let Ok(number) = token.stage(Digest::of(&(highest + 1).to_be_bytes()), now) {
                        prop_assert_eq!(number, highest + 1);
                        promises.entry(number).or_default().works_at_least(STAGED_LIFE.after(now));
                    }
                    for number in kept {
                        prop_assert!(lives(&token, number), "stage dropped version {}", number);
                    }
                }
                Step::Announce(back, place) => match token.announce(nth(back), &all[place].id(), now) {
                    Ok(until) => {
                        prop_assert_eq!(nth(back), highest, "only the highest is announced");
                        prop_assert!(lives(&before, highest));
                        prop_assert_eq!(until, WRITE_BEFORE.after(now));
                        let promise = promises.get_mut(&highest).unwrap();
                        promise.announced = Some(now);
                        if token.version(highest).unwrap().state == VersionState::Staged {
                            promise.works_at_least(STAGED_LIFE.after(now));
                        }
                    }
                    Err(error) => {
                        prop_assert!(highest == 0 || nth(back) != highest || !lives(&before, highest), "{error}");
                    }
                },
                Step::Deliver(back, place) => {
                    let (number, place) = (nth(back), all[place].id());
                    let known = before.version(number).is_some_and(|version| version.deliveries.contains_key(&place));
                    let delivered = token.deliver(number, &place, "receipt", now);
                    prop_assert_eq!(delivered.is_ok(), known && lives(&before, number));
                }
                Step::Promote(back) => {
                    let number = nth(back);
                    if token.promote(number, now).is_ok() {
                        prop_assert!(number >= ever, "promotion goes up only");
                        let arrived = |place: &PlaceId| before.version(number).unwrap().delivered_to(place);
                        prop_assert!(before.places.iter().all(|(place, record)| !record.declared || arrived(place)));
                        if number > promoted {
                            for older in before.versions.iter().filter(|older| older.number < number) {
                                let promise = promises.get_mut(&older.number).unwrap();
                                promise.overlap_ends.get_or_insert(TERMS.overlap.after(now));
                            }
                            promises.get_mut(&number).unwrap().works_until = Some(TERMS.expires_in.after(now));
                        }
                        (promoted, ever) = (number, number);
                    }
                }
                Step::Retire { back, look_ago, stale, force } => {
                    let number = nth(back);
                    let look = Look { at: Seconds(look_ago).before(now), revision: token.revision + u64::from(stale) };
                    if token.retire(number, look, force, now).is_ok() {
                        let promise = &promises[&number];
                        prop_assert!(!stale && look_ago <= LOOK_MAX.0);
                        prop_assert!(promise.overlap_ends.is_none_or(|end| end <= look.at), "overlap");
                        prop_assert!(promise.announced.is_none_or(|at| QUIET.after(at) <= look.at), "quiet");
                        let unused = Seconds(TERMS.overlap.0.max(3600));
                        prop_assert!(force || promise.used.is_none_or(|at| unused.after(at) <= now), "use");
                        prop_assert!(number != promoted, "the current one stays");
                        if number == highest {
                            let last = promise.announced.unwrap_or(before.version(number).unwrap().created);
                            prop_assert!(STAGED_LIFE.after(last) <= look.at, "the newest one goes on");
                        }
                        retired = Some(number);
                    }
                }
                Step::Compromised { back, anyway } => {
                    let number = nth(back);
                    if token.end_compromised(number, anyway, now).is_ok() {
                        prop_assert!(number < highest, "what takes over is there");
                        prop_assert!(token.live(now).any(|other| other.number > number), "and works");
                        prop_assert!(anyway || number != promoted, "the current one ends on a person's word only");
                        if number == promoted {
                            promoted = 0;
                        }
                        retired = Some(number);
                    }
                }
                Step::Use(back) => {
                    if lives(&token, nth(back)) {
                        let used = Use { first: now, last: now, ip: None };
                        token.uses.insert(nth(back).to_string(), used);
                        promises.get_mut(&nth(back)).unwrap().used = Some(now);
                    }
                }
                Step::Declare(count) => token.declare_places(&all[..count]).unwrap(),
            }
            if token != before {
                token.revision += 1;
            }
            let current = token.versions.iter().filter(|version| version.state == VersionState::Current);
            prop_assert!(current.clone().count() <= 1, "at most one current");
            prop_assert_eq!(current.map(|version| version.number).next().unwrap_or(0), promoted);
            // A current version that has expired is recorded until a newer one is, and takes nobody's place.
            prop_assert!(token.live(now).count() <= token.versions_max());
            prop_assert!(token.retired.len() <= RETIRED_KEPT);
            let numbers: BTreeSet<u32> = token.versions.iter().map(|version| version.number).collect();
            prop_assert_eq!(numbers.len(), token.versions.len());
            for version in &token.versions {
                let until = promises[&version.number].works_until.unwrap();
                prop_assert!(token.deadline(version) >= until, "version {} ends before {until}", version.number);
            }
            // Nothing disappears but by retirement, death, or the replacement of what nobody had.
            for gone in before.versions.iter().filter(|version| !numbers.contains(&version.number)) {
                let dead = before.deadline(gone) <= now;
                let nobodys = gone.state == VersionState::Staged
                    && gone.announced.is_none()
                    && !before.uses.contains_key(&gone.number.to_string());
                prop_assert!(dead || nobodys || retired == Some(gone.number), "version {} is gone", gone.number);
                prop_assert_eq!(token.number_of(&gone.fingerprint()), Some(gone.number), "and still known");
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn no_sequence_of_operations_breaks_the_rules(steps in proptest::collection::vec(step(), 1..60)) {
            run(steps)?;
        }
    }

    #[test]
    fn a_token_that_never_had_a_place_retires_its_versions_by_time_alone() {
        let mut token = token(&[]);
        let first = token.stage(Digest::of(b"1"), start()).unwrap();
        token.promote(first, start()).unwrap();
        let second = token.stage(Digest::of(b"2"), start()).unwrap();
        token.promote(second, start()).unwrap();
        let end = TERMS.overlap.after(start());
        assert_eq!(token.deadline(token.version(first).unwrap()), end);
        assert_eq!(token.live(end).map(|version| version.number).collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn a_place_that_can_be_read_now_is_recorded_so() {
        let mut token = token(&places());
        let changed = Place { readable: true, ..places()[1].clone() };
        token.declare_places(std::slice::from_ref(&changed)).unwrap();
        assert!(token.places[&changed.id()].place.readable);
        assert!(!token.places[&places()[0].id()].declared);
    }

    #[test]
    fn a_version_that_was_only_staged_was_never_current() {
        let mut token = token(&[]);
        token.stage(Digest::of(b"1"), start()).unwrap();
        token.stage(Digest::of(b"2"), start()).unwrap();
        assert_eq!(token.retired.len(), 1);
        assert!(!token.has_been_current());
        token.promote(2, start()).unwrap();
        assert!(token.has_been_current());
    }

    #[test]
    fn a_compromised_version_ends_at_once_and_the_newest_never_does() {
        let mut token = token(&places());
        token.stage(Digest::of(b"1"), start()).unwrap();
        assert_eq!(token.end_compromised(1, true, start()), Err(VersionError::NotSuperseded(1)), "nothing takes over");
        for place in places() {
            token.announce(1, &place.id(), start()).unwrap();
            token.deliver(1, &place.id(), "receipt", start()).unwrap();
        }
        token.promote(1, start()).unwrap();
        token.stage(Digest::of(b"2"), start()).unwrap();
        assert_eq!(token.end_compromised(1, false, start()), Err(VersionError::IsCurrent(1)));
        assert_eq!(token.end_compromised(2, true, start()), Err(VersionError::NotSuperseded(2)));
        token.end_compromised(1, true, start()).unwrap();
        assert_eq!(token.live(start()).map(|version| version.number).collect::<Vec<_>>(), [2]);
        assert_eq!(token.number_of(&Digest::of(b"1").fingerprint()), Some(1), "a place that holds it is known as ours");
        assert_eq!(token.end_compromised(1, true, start()), Err(VersionError::NotLive(1)));
    }

    #[test]
    fn a_changed_duration_makes_the_token_due() {
        let mut token = token(&[]);
        token.stage(Digest::of(b"1"), start()).unwrap();
        assert_eq!(token.due(), None);
        token.promote(1, start()).unwrap();
        assert_eq!(token.due(), Some(TERMS.rotate_every.after(start())));
        token.terms = Some(Terms { expires_in: Seconds::days(60), ..TERMS });
        assert_eq!(token.due(), Some(start()));
        assert_eq!(token.ends_at(), Some(TERMS.expires_in.after(start())), "what was promised stays");
    }
}
