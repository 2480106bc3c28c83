//! What cannot be done to a token, and what a reader can do about it.

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::{ManifestName, TokenName, UserName};
use latchkey::place::PlaceId;
use latchkey_sinks::SinkError;

use super::Reason;
use crate::observe::OtherManifest;

/// Why something that is needed is not done.
#[derive(Debug, Clone)]
pub enum Blocked {
    /// A place contains a value that Latchkey did not write.
    Foreign(PlaceId),
    /// A place contains the secret of another manifest's token, which is still valid.
    OtherManifest { place: PlaceId, manifest: ManifestName, user: UserName, name: TokenName },
    /// The same, and the manifest may not see whose it is.
    HiddenManifest(PlaceId),
    /// It belongs to another manifest, which has not agreed to move it here.
    NotAgreed {
        /// This one.
        here: ManifestName,
        manifest: ManifestName,
        user: UserName,
        /// Its name there.
        name: TokenName,
        /// The manifest that may take it instead.
        to: Option<ManifestName>,
    },
    /// It moves here from another manifest, with all its places, not only those that were selected.
    MovesWhole(ManifestName),
    /// A place is unreachable, so what it contains is unknown.
    Unreachable {
        place: PlaceId,
        reason: String,
        /// What to do, as its sink has it.
        hint: Option<String>,
        tracked: Tracked,
        /// Whether it may be reachable later although nobody changes anything.
        passes: bool,
    },
    /// A place could be read and not be written to.
    Unwritable {
        place: PlaceId,
        reason: String,
        /// What to do, as its sink has it.
        hint: Option<String>,
        /// Whether that may pass by itself.
        passes: bool,
    },
    /// The manifest's grant does not cover it.
    NotGranted { missing: Vec<String>, cure: String },
    /// A declared push whose place cannot be determined.
    NoPlace {
        push: String,
        reason: String,
        /// What to do, as its sink has it.
        hint: Option<String>,
        /// Whether that may pass by itself.
        passes: bool,
    },
    /// It looks as if another token had been renamed.
    Renamed {
        /// The token that is no longer declared and is delivered to the same place.
        from: TokenName,
        user: UserName,
    },
    /// `moved_from` names a token of another user.
    OtherUser(UserName),
    /// As many versions as allowed are valid.
    TooManyVersions {
        live: usize,
        /// When one may be retired or expires at the earliest.
        until: Option<Timestamp>,
        /// Whether one of them is kept by its use alone, which a flag overrides.
        forceable: bool,
    },
    /// A place is to be forgotten, and an announced write may still arrive there.
    NotQuiet { place: PlaceId, until: Timestamp },
    /// It was used lately, so it is not pruned.
    UsedLately {
        /// The version that was used last.
        number: u32,
        /// When, to the hour.
        last: Timestamp,
        /// From where, when that was noted.
        ip: Option<String>,
        /// What counts as lately.
        within: Seconds,
    },
    /// It needs a new version, and that goes to all its places, not only to those that were selected.
    Everywhere {
        /// Why; `None` when it does not exist yet.
        reason: Option<Reason>,
        /// The sinks that were not selected.
        sinks: Vec<String>,
    },
    /// It needs a change of its user, on whom tokens depend that were not selected.
    UserLeftOut(UserName),
}

impl Blocked {
    pub(super) fn unreachable(place: &PlaceId, error: &SinkError, tracked: Tracked) -> Self {
        let (reason, hint) = (error.to_string(), error.hint().map(str::to_owned));
        Self::Unreachable { place: place.clone(), reason, hint, tracked, passes: error.passes() }
    }

    pub(super) fn no_place(push: String, error: &SinkError) -> Self {
        let (reason, hint) = (error.to_string(), error.hint().map(str::to_owned));
        Self::NoPlace { push, reason, hint, passes: error.passes() }
    }

    pub(super) fn unwritable(place: &PlaceId, error: &SinkError) -> Self {
        let (reason, hint) = (error.to_string(), error.hint().map(str::to_owned));
        Self::Unwritable { place: place.clone(), reason, hint, passes: error.passes() }
    }

    /// Whether running again can help although nobody changes anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable { passes, .. } | Self::Unwritable { passes, .. } | Self::NoPlace { passes, .. } => {
                *passes
            }
            Self::TooManyVersions { until, .. } => until.is_some(),
            Self::NotQuiet { .. } | Self::UsedLately { .. } => true,
            Self::Foreign(_)
            | Self::OtherManifest { .. }
            | Self::HiddenManifest(_)
            | Self::NotAgreed { .. }
            | Self::MovesWhole(_)
            | Self::NotGranted { .. }
            | Self::Renamed { .. }
            | Self::OtherUser(_)
            | Self::Everywhere { .. }
            | Self::UserLeftOut(_) => false,
        }
    }

    pub(super) fn other_manifest(place: &PlaceId, other: OtherManifest<'_>) -> Self {
        let OtherManifest::Known { origin, manifest } = other else { return Self::HiddenManifest(place.clone()) };
        let (user, name) = (origin.user.clone(), origin.name.clone());
        Self::OtherManifest { place: place.clone(), manifest: manifest.clone(), user, name }
    }

    /// What its sink said, where one did.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unreachable { reason, .. } | Self::Unwritable { reason, .. } | Self::NoPlace { reason, .. } => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// The place that it is about.
    pub fn place(&self) -> Option<&PlaceId> {
        match self {
            Self::Foreign(place)
            | Self::HiddenManifest(place)
            | Self::OtherManifest { place, .. }
            | Self::Unreachable { place, .. }
            | Self::Unwritable { place, .. }
            | Self::NotQuiet { place, .. } => Some(place),
            Self::NoPlace { .. }
            | Self::NotGranted { .. }
            | Self::Renamed { .. }
            | Self::OtherUser(_)
            | Self::NotAgreed { .. }
            | Self::MovesWhole(_)
            | Self::TooManyVersions { .. }
            | Self::UsedLately { .. }
            | Self::Everywhere { .. }
            | Self::UserLeftOut(_) => None,
        }
    }
}

/// Who still counts on a place that cannot be read, which decides how it can be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// A push that was never delivered: nothing is recorded of it.
    New,
    /// A push: it has to go before the place can be forgotten.
    Declared,
    /// The record alone.
    Recorded,
    /// The record, for another machine.
    Elsewhere { machine: String },
}

impl Tracked {
    /// Of a place that is recorded and not declared here.
    pub(super) fn recorded(error: &SinkError) -> Self {
        match error {
            SinkError::OtherMachine { machine } => Self::Elsewhere { machine: machine.clone() },
            _ => Self::Recorded,
        }
    }
}
