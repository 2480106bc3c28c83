//! How a version ends: the one rule that answers why it may not yet, and what ends it in spite of everything. Whoever
//! plans, whoever carries a plan out and the service ask the same rule, each with the looks that it has.

use jiff::Timestamp;

use super::{QUIET, STAGED_LIFE, UNUSED_MIN, USE_LAG, VersionError, is_fresh};
use crate::place::PlaceId;
use crate::token::{Token, Version, VersionState};

/// A look at every recorded place, on which a retirement rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it began.
    pub at: Timestamp,
    /// The record's revision that was read before it began.
    pub revision: u64,
}

/// What the end of a version is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// When the look began.
    pub at: Timestamp,
    /// Now, no earlier than that.
    pub now: Timestamp,
    /// What the look found, place by place. Nothing where only its time is known, as in the service.
    pub places: &'a [PlaceLook],
    /// Whether a version may end although somebody used it recently.
    pub force: bool,
}

/// What a look found at one recorded place of a token, as far as the end of a version rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceLook {
    /// Which place.
    pub place: PlaceId,
    /// What it contains.
    pub found: Found,
    /// Versions of the token that consumers may go back to without a write of this program.
    pub former: Vec<u32>,
    /// Why consumers may read an older version than its entry shows, or a version although the entry is gone; `None`
    /// where they read the entry itself.
    pub awaits: Option<String>,
    /// Whether the manifest declares it now.
    pub declared: bool,
    /// Whether this run brings it a version that is there already, which a look does not tell.
    pub written: bool,
}

/// What a place contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A version of the token.
    Version(u32),
    /// No version of the token: no entry, or something of somebody else's.
    Nothing,
    /// A value that was read whole and that contains no secret of the token, whoever put it there: nobody reads one there.
    Theirs,
    /// Something else where a version had been delivered, written by hand.
    Edited,
    /// Nobody can tell.
    Unknown,
}

impl PlaceLook {
    /// Whether a consumer of the place may read any version of the token.
    pub fn may_serve(&self) -> bool {
        matches!(self.found, Found::Version(_) | Found::Unknown) || self.awaits.is_some()
    }
}

/// Why a version may not end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeps {
    /// It is what consumers should have.
    Current,
    /// The newest goes on, unless it has been nowhere for so long that whoever staged it is gone.
    Newest,
    /// Consumers may still be taking up the newer one.
    Overlap {
        /// When the look may begin.
        until: Timestamp,
    },
    /// A write that was announced may still arrive somewhere.
    Announced {
        /// When the look may begin.
        until: Timestamp,
    },
    /// Nobody can tell what a place contains.
    Unreachable(PlaceId),
    /// A place contains it.
    HeldBy(PlaceId),
    /// Consumers of a place may read it, whatever the entry shows, and why.
    AwaitsDeployment(PlaceId, String),
    /// Somebody used it recently.
    Used {
        /// The last noted use.
        last: Timestamp,
        /// When it may be retired if nobody uses it.
        until: Timestamp,
    },
    /// A place of its token is not up to date. What it was changed to may be this version, in a form that no look
    /// tells, so nothing of the token ends in a run that repairs it.
    Unrepaired(PlaceId),
}

impl Keeps {
    /// What the service answers whoever asks for the end of that version; `None` for what only a look at places tells.
    pub fn refusal(&self, number: u32) -> Option<VersionError> {
        Some(match *self {
            Self::Current => VersionError::IsCurrent(number),
            Self::Newest => VersionError::NotSuperseded(number),
            Self::Overlap { until } => VersionError::OverlapNotOver { number, until },
            Self::Announced { until } => VersionError::Announced { number, until },
            Self::Used { last, until } => VersionError::RecentlyUsed { number, last_used: last, until },
            Self::Unreachable(_) | Self::HeldBy(_) | Self::AwaitsDeployment(..) | Self::Unrepaired(_) => return None,
        })
    }
}

impl Token {
    /// Why a version may not end yet: every reason, in the order in which they are told; none when it may.
    pub fn keeps(&self, version: &Version, evidence: &Evidence<'_>) -> Vec<Keeps> {
        let place = |wanted: &dyn Fn(&PlaceLook) -> bool| {
            evidence.places.iter().find(|look| wanted(look)).map(|look| look.place.clone())
        };
        let awaits = evidence.places.iter().find_map(|look| Some((look.place.clone(), look.awaits.clone()?)));
        let reasons = [
            (version.state == VersionState::Current).then_some(Keeps::Current),
            self.is_going_on(version, evidence.at).then_some(Keeps::Newest),
            self.not_before(version, evidence.at),
            place(&|look| look.found == Found::Unknown).map(Keeps::Unreachable),
            place(&|look| look.found == Found::Version(version.number) || look.former.contains(&version.number))
                .map(Keeps::HeldBy),
            awaits.map(|(place, reason)| Keeps::AwaitsDeployment(place, reason)),
            self.in_use(version.number, evidence),
            self.unrepaired(evidence.places).cloned().map(Keeps::Unrepaired),
        ];
        reasons.into_iter().flatten().collect()
    }

    /// Whether it is the newest, and not forsaken: it has not been nowhere for so long that whoever staged it is gone.
    fn is_going_on(&self, version: &Version, at: Timestamp) -> bool {
        version.number == self.highest && at < STAGED_LIFE.after(version.announced.unwrap_or(version.created))
    }

    fn not_before(&self, version: &Version, at: Timestamp) -> Option<Keeps> {
        let until = self.retirable_from(version).filter(|until| at < *until)?;
        let quiet = version.announced.map(|announced| QUIET.after(announced));
        Some(if quiet == Some(until) { Keeps::Announced { until } } else { Keeps::Overlap { until } })
    }

    fn in_use(&self, number: u32, evidence: &Evidence<'_>) -> Option<Keeps> {
        let (last, until) = self.idle_from(number).filter(|(_, until)| !evidence.force && evidence.now < *until)?;
        Some(Keeps::Used { last, until })
    }

    /// The first place that is not up to date, as far as a look can tell.
    pub fn unrepaired<'a>(&self, looks: &'a [PlaceLook]) -> Option<&'a PlaceId> {
        let wanted = |number| {
            let is = |version: Option<&Version>| version.is_some_and(|version| version.number == number);
            is(self.current()) || is(self.staged())
        };
        let delivered = |place: &PlaceId| self.places.get(place).is_some_and(|record| record.receipt.is_some());
        let lacks = |look: &&PlaceLook| match look.found {
            Found::Edited => true,
            Found::Version(number) => look.written || look.declared && !wanted(number),
            Found::Nothing => look.written || look.declared && delivered(&look.place),
            Found::Unknown => look.written,
            // A place that somebody changes again and again would keep a version that was stolen valid for ever.
            Found::Theirs => false,
        };
        looks.iter().find(lacks).map(|look| &look.place)
    }

    /// Ends an older version. The caller has looked at every recorded place since `look.at` and found nothing that
    /// [keeps](Self::keeps) it; what the service can check of that, it checks here.
    ///
    /// # Errors
    /// What is not yet over, see [`VersionError`].
    pub fn retire(&mut self, number: u32, look: Look, force: bool, now: Timestamp) -> Result<(), VersionError> {
        let fresh = look.revision == self.revision && is_fresh(look.at, now);
        if !fresh {
            return Err(VersionError::StaleLook);
        }
        let version = self.version(number).ok_or(VersionError::NotLive(number))?;
        let evidence = Evidence { at: look.at, now, places: &[], force };
        if let Some(refusal) = self.keeps(version, &evidence).iter().find_map(|why| why.refusal(number)) {
            return Err(refusal);
        }
        self.drop_version(number);
        self.retry = None;
        Ok(())
    }

    /// Revokes a version that has leaked, at once: nothing is waited for, no overlap, no write under way, no look and
    /// no use, so places may still contain it and consumers fail. A person decides that, as with a deletion; the next run
    /// brings the newer version to the places that still contain it. With `anyway` the current version ends before a
    /// newer one is current.
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

    /// From when on no announced write can arrive anywhere; `None` when none was announced.
    pub fn quiet_everywhere_from(&self) -> Option<Timestamp> {
        self.versions.iter().filter_map(|version| version.announced).max().map(|announced| QUIET.after(announced))
    }

    /// When a look on which a version's retirement rests may begin at the earliest, as far as overlap and
    /// announcements say; `None` when nothing prevents it.
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
}
