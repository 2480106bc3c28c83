//! What a reader should know of a token, although it stops nothing.

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::protocol::Keeps;

use super::{Reason, Tracked};

/// What a reader should know about a token that needs no change for it.
#[derive(Debug, Clone)]
pub enum Note {
    /// An older version is not retired yet.
    Kept { number: u32, why: Keeps },
    /// An entry is not removed while consumers of its place may read an older version: without it that would be
    /// unknown.
    StaysWhileLagging {
        place: PlaceId,
        /// What they wait for.
        reason: String,
    },
    /// A place that is no longer declared still contains one of our versions.
    Leaving {
        place: PlaceId,
        /// The version there, when it is this token's.
        number: Option<u32>,
        /// When that version expires or has expired.
        expires: Option<Timestamp>,
        /// Whether it is still valid, as far as that is known.
        live: bool,
    },
    /// A recorded place is unreachable.
    OutOfSight {
        place: PlaceId,
        reason: String,
        /// What to do, as its sink has it.
        hint: Option<String>,
        tracked: Tracked,
        /// Whether it may be reachable later although nobody changes anything.
        passes: bool,
        /// When the token is to be rotated, which waits for the place.
        due: Option<Timestamp>,
    },
    /// The login of this run may not write to a place, so a run of another one has to.
    LoginMayNot {
        place: PlaceId,
        reason: String,
        /// What to do, as its sink has it.
        hint: Option<String>,
    },
    /// What a place contains is unknown: nobody looked.
    NotLookedAt {
        place: PlaceId,
        /// The version that was delivered there last.
        number: Option<u32>,
        /// Whether the manifest declares it.
        is_declared: bool,
    },
    /// The manifest's grant lacks this, which whoever applies may have or not.
    GrantLacks { missing: Vec<String>, cure: String },
    /// A version that a place contains expires soon.
    Expires { number: u32, at: Timestamp },
    /// A version that was in use is no longer valid.
    Expired {
        number: u32,
        /// When it expired; `None` when it ended otherwise.
        at: Option<Timestamp>,
        /// The places that contain it.
        places: Vec<PlaceId>,
        /// Unreachable places that it was the last to be written to.
        unseen: Vec<PlaceId>,
    },
    /// Somebody has changed a place again that was repaired lately.
    ChangedAgain {
        place: PlaceId,
        /// How often, this time included.
        times: u32,
        /// The first repair.
        since: Timestamp,
    },
    /// A place that is about to be forgotten keeps a version that nobody will replace there.
    LeftBehind { place: PlaceId, number: u32, until: Timestamp },
    /// Its record has times that are still to come: a clock was ahead.
    Ahead { latest: Timestamp },
    /// Places contain a version of it that the table does not know.
    UnknownVersion { places: Vec<PlaceId> },
    /// Places contain a secret of no valid token of this service, where it knows of no token that goes there.
    UnknownToken { places: Vec<PlaceId> },
    /// It is no longer declared.
    NotDeclared {
        /// The version that consumers should have, and when it expires; `None` when none is valid.
        valid: Option<(u32, Timestamp)>,
    },
    /// Another manifest may take it.
    MovesTo {
        to: ManifestName,
        /// Of one that is not declared any more, the version that consumers should have, and when it expires.
        valid: Option<(u32, Timestamp)>,
    },
    /// It is declared, and no longer this manifest's.
    Left {
        to: ManifestName,
        /// Whether the other manifest has it, under this name.
        taken: bool,
    },
    /// It is leaving, to be deleted then.
    EndsAfter(Timestamp),
    /// A new version is due or on its way, which a run of selected sinks does not touch.
    WaitsForAll(Option<Reason>),
    /// A new version is due, and waits for the window to open.
    WaitsForWindow { reason: Reason, opens: Timestamp },
    /// A new version is due and does not wait for the window: the version in use expires too soon after it opens.
    OutsideWindow {
        /// The version in use.
        number: u32,
        expiry: Timestamp,
        /// When the window opens.
        opens: Timestamp,
    },
    /// A new version is due, and waits for a later run: this one restarts as many apps as the manifest allows.
    WaitsForRestarts {
        reason: Reason,
        /// How many restarts a run may cause.
        most: u32,
    },
}

impl Note {
    /// Whether somebody has to act: consumers lose or have lost their access, what is repaired does not stay so, or somebody
    /// else may have got it.
    pub fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Expires { .. }
                | Self::Expired { .. }
                | Self::ChangedAgain { .. }
                | Self::Ahead { .. }
                | Self::UnknownVersion { .. }
                | Self::UnknownToken { .. }
        )
    }
}

/// What a reader should know about a plan as a whole, although it stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanNote {
    /// It rests on the records alone.
    NotLookedAt,
    /// The manifest's grant lacks this for roles and users, which whoever applies may have or not.
    GrantLacks { missing: Vec<String>, cure: String },
}
