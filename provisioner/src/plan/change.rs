//! What a plan shows of one token: what is done to it, what cannot be done, and what a reader should know. Values,
//! shown by `plan` and carried out by `apply`.

use std::sync::Arc;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::Keeps;
use latchkey::token::Token;
use latchkey_sinks::SinkError;

use crate::observe::OtherManifest;
use crate::observe::finding::Finding;

/// One field that changes, of a token or of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<Name> {
    pub name: Name,
    /// What it is today.
    pub from: String,
    /// What it will be.
    pub to: String,
}

/// What of a token's record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenField {
    Description,
    Roles,
    Labels,
    AllowedIps,
    ExpiresIn,
    RotateEvery,
    Overlap,
    /// The places that are declared.
    Places,
    /// Whether it is leaving: pruned, and deleted after its overlap.
    Leaving,
    /// The manifest that may take it.
    MovedTo,
}

impl TokenField {
    /// A stable name, mostly the manifest's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Roles => "roles",
            Self::Labels => "labels",
            Self::AllowedIps => "allowed_ips",
            Self::ExpiresIn => "expires_in",
            Self::RotateEvery => "rotate_every",
            Self::Overlap => "overlap",
            Self::Places => "places",
            Self::Leaving => "leaving",
            Self::MovedTo => "moved_to",
        }
    }
}

/// What of a user changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserField {
    Kind,
    Roles,
    /// Whether all of its tokens have its last change.
    Tokens,
    MaxTokens,
    /// The manifest that may take the user.
    MovedTo,
}

impl UserField {
    /// A stable name, mostly the manifest's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Roles => "roles",
            Self::Tokens => "tokens",
            Self::MaxTokens => "max_tokens",
            Self::MovedTo => "moved_to",
        }
    }
}

/// What happens to one token.
#[derive(Debug, Clone)]
pub struct TokenPlan {
    pub user: UserName,
    pub name: TokenName,
    /// Its place in the manifest; `None` when it is no longer declared.
    pub declaration: Option<usize>,
    /// The token as it was observed.
    pub record: Option<Arc<Token>>,
    /// What a new token will be, in words that are shown and that its plan's id covers.
    pub about: Vec<String>,
    /// The places that will be declared: those of this machine's manifest, and those that other machines declared.
    pub places: Vec<Place>,
    /// The roles that the token will have.
    pub roles: Vec<RoleName>,
    /// What will be done, in order.
    pub changes: Vec<Change>,
    /// Why something that is needed cannot be done.
    pub blocked: Vec<Blocked>,
    /// What a reader should know.
    pub notes: Vec<Note>,
    /// What each declared or recorded place contains.
    pub findings: Vec<(Place, Finding)>,
}

/// One thing that is done to a token.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is created, and its first version goes to all its places.
    Create,
    /// It gets another name.
    Rename {
        /// The name that it has today.
        from: TokenName,
    },
    /// It is taken from another manifest, which has agreed.
    Move {
        from: ManifestName,
        /// The name that it has there.
        name: TokenName,
    },
    /// Created by hand: the manifest manages it from now on.
    TakeOver,
    /// Fields of its record change.
    Update(Vec<Field<TokenField>>),
    /// A new version is staged and goes to all its places.
    NewVersion(Reason),
    /// A version that an earlier run left staged goes to the places that lack it, and becomes current.
    Resume {
        number: u32,
        /// The place it can be read from; `None` when no place lacks it.
        from: Option<PlaceId>,
        /// The places that lack it.
        to: Vec<PlaceId>,
    },
    /// The current version is written to a place that lacks it.
    Mend {
        number: u32,
        /// The place it can be read from.
        from: PlaceId,
        /// The place that lacks it.
        to: PlaceId,
        /// What is there instead.
        found: Finding,
    },
    /// An older version is retired.
    Retire {
        number: u32,
    },
    /// Our entry is removed from a place that is no longer declared.
    Remove {
        place: PlaceId,
    },
    /// A place that is no longer declared and contains nothing of ours is dropped from the record.
    Forget {
        place: PlaceId,
    },
    /// A recorded place is the same entry as a declared one, and is dropped from the record.
    Merge {
        from: Place,
        into: PlaceId,
    },
    /// It is no longer declared: its entries are removed now, and it is deleted after its overlap.
    Leave,
    Delete,
}

/// Why a token gets a new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for.
    Asked,
    /// Its secret has leaked.
    Compromised,
    /// Rotation has been due since then.
    Due(Timestamp),
    /// Its durations changed, which acts on later versions.
    Durations,
    /// It has no valid version.
    Expired,
    /// Its record has times that are still to come, up to this one: a clock was ahead.
    Ahead(Timestamp),
    /// No version ever became current.
    NeverDelivered,
    /// It was created by hand, so its secret cannot be read back.
    TakenOver,
    /// A place lacks the current version, and no place can be read that has it.
    NoSource(PlaceId, &'static str),
    /// A newer version was staged, and its secret cannot be read back.
    LostStaged(u32),
}

impl Reason {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Compromised => "compromised",
            Self::Due(_) => "due",
            Self::Durations => "durations_changed",
            Self::Expired => "expired",
            Self::Ahead(_) => "recorded_ahead",
            Self::NeverDelivered => "never_delivered",
            Self::TakenOver => "taken_over",
            Self::NoSource(..) => "no_source",
            Self::LostStaged(_) => "lost_staged",
        }
    }
}

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
    },
    /// A declared push whose place cannot be determined.
    NoPlace(String, String, Option<String>),
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
        Self::Unreachable { place: place.clone(), reason, hint, tracked }
    }

    pub(super) fn other_manifest(place: &PlaceId, other: OtherManifest<'_>) -> Self {
        let OtherManifest::Known { origin, manifest } = other else { return Self::HiddenManifest(place.clone()) };
        let (user, name) = (origin.user.clone(), origin.name.clone());
        Self::OtherManifest { place: place.clone(), manifest: manifest.clone(), user, name }
    }

    /// The place that it is about.
    pub fn place(&self) -> Option<&PlaceId> {
        match self {
            Self::Foreign(place)
            | Self::HiddenManifest(place)
            | Self::OtherManifest { place, .. }
            | Self::Unreachable { place, .. }
            | Self::NotQuiet { place, .. } => Some(place),
            Self::NoPlace(..)
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
        /// When the token is to be rotated, which waits for the place.
        due: Option<Timestamp>,
    },
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
        )
    }
}
