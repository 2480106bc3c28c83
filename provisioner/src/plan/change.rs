//! What a plan does to one token: values, shown by `plan` and carried out by `apply`.

use std::sync::Arc;

use jiff::Timestamp;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::token::{Token, TokenKey};

use super::{Blocked, Note};
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

impl TokenPlan {
    /// The token by name.
    pub fn key(&self) -> TokenKey {
        TokenKey::new(self.user.clone(), self.name.clone())
    }

    /// The places that it writes to.
    pub fn targets(&self) -> Vec<&Place> {
        let mut wanted: Vec<&PlaceId> = Vec::new();
        for change in &self.changes {
            match change {
                Change::Create | Change::NewVersion(_) => return self.places.iter().collect(),
                Change::Resume { to, .. } => wanted.extend(to),
                Change::Mend { to, .. } => wanted.push(to),
                _ => {}
            }
        }
        self.places.iter().filter(|place| wanted.contains(&&place.id())).collect()
    }
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
