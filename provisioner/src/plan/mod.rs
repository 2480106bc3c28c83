//! Plans: what a run will change and why. Pure: a plan is made from a manifest and an observation, and nothing else.
//! A change is a value, shown by `plan` and carried out by `apply`, so that the two cannot drift apart.

pub mod calendar;
mod causes;
mod faults;
pub mod find;
pub mod leak;
mod ownership;
mod part;
mod prune;
mod select;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use latchkey::lifetime::Seconds;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::role::Permissions;
use latchkey::secret::Digest;
use latchkey::service::UserChange;
use latchkey::token::Token;

use crate::manifest::Manifest;
use crate::observe::Observation;
use find::Find;

pub use faults::faults;
pub use prune::Guard;

/// Which tokens get a new version besides those that need one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rotate {
    /// Those that are due.
    #[default]
    Due,
    /// Those named too.
    Named(BTreeSet<(UserName, TokenName)>),
    /// Every one.
    All,
}

/// What a plan may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which tokens are rotated.
    pub rotate: Rotate,
    /// Whether tokens and entries that are no longer declared go.
    pub prune: bool,
    /// How many tokens a run may delete or begin to; the default guard when `None`.
    pub allow_deletes: Option<usize>,
    /// Prune tokens that were used lately too.
    pub prune_used: bool,
    /// What counts as lately; 7 days when `None`.
    pub prune_used_within: Option<Seconds>,
    /// How many tokens a run may rotate that are neither due nor named; the default guard when `None`.
    pub allow_rotations: Option<usize>,
    /// Retire versions that were used lately too.
    pub force_retire: bool,
    /// Recorded places to forget, by id.
    pub forget: BTreeSet<String>,
    /// The tokens that the run is about, all when empty. Others are left exactly as they are.
    pub only: BTreeSet<(UserName, TokenName)>,
    /// The sinks, by their names in the manifest, that the run writes to, all when empty.
    pub sinks: BTreeSet<String>,
}

impl Options {
    /// Whether the run is about a part of the manifest.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.only.is_empty() || !self.sinks.is_empty()
    }
}

/// What a run will do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The manifest's name.
    pub manifest: ManifestName,
    /// Roles to make or change.
    pub roles: Vec<RoleChange>,
    /// Users to make or change.
    pub users: Vec<UserPlan>,
    /// All declared tokens in the manifest's order, then those that are no longer declared.
    pub tokens: Vec<TokenPlan>,
    /// What stops the whole run.
    pub guards: Vec<Guard>,
    /// What was not selected and is left as it is: how many tokens, roles and users; `None` when all were meant.
    pub left_out: Option<LeftOut>,
}

/// What a narrowed run leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Tokens that were not selected.
    pub tokens: usize,
    /// Roles and users whose change would reach beyond what was selected.
    pub others: usize,
}

/// A role to make or change.
#[derive(Debug, Clone)]
pub struct RoleChange {
    /// Which.
    pub name: RoleName,
    /// What it will permit.
    pub permissions: Permissions,
    /// Whether it is new.
    pub new: bool,
    /// What it will permit more than today.
    pub gains: Vec<String>,
    /// What it will no longer permit.
    pub losses: Vec<String>,
    /// Made by hand until now: belongs to the manifest from now on.
    pub taken_over: bool,
}

/// A user to make or change.
#[derive(Debug, Clone)]
pub struct UserPlan {
    /// Who.
    pub name: UserName,
    /// Whether it is new.
    pub new: bool,
    /// The change.
    pub change: UserChange,
    /// What differs, in words.
    pub fields: Vec<Field>,
    /// Made by hand until now: belongs to the manifest from now on.
    pub taken_over: bool,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is today.
    pub from: String,
    /// What it will be.
    pub to: String,
}

/// What happens to one token.
#[derive(Debug, Clone)]
pub struct TokenPlan {
    /// Whose.
    pub user: UserName,
    /// Which.
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
    /// What each declared or recorded place holds.
    pub finds: Vec<(Place, Find)>,
}

/// One thing that is done to a token.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is made, and its first version goes to all its places.
    Create,
    /// It gets another name.
    Rename {
        /// The name that it has today.
        from: TokenName,
    },
    /// Made by hand until now: the manifest manages it from now on.
    TakeOver,
    /// Fields of its record change.
    Update(Vec<Field>),
    /// A new version is staged and goes to all its places.
    NewVersion(Reason),
    /// A version that an earlier run left staged goes to the places that lack it, and becomes current.
    Resume {
        /// Its number.
        number: u32,
        /// The place it can be read from; `None` when no place lacks it.
        from: Option<PlaceId>,
        /// The places that lack it.
        to: Vec<PlaceId>,
    },
    /// The current version is written to a place that lacks it.
    Mend {
        /// Its number.
        number: u32,
        /// The place it can be read from.
        from: PlaceId,
        /// The place that lacks it.
        to: PlaceId,
        /// What is there instead.
        found: Find,
    },
    /// An older version ends.
    Retire {
        /// Its number.
        number: u32,
    },
    /// Our entry is removed from a place that is no longer declared.
    Remove {
        /// Where.
        place: PlaceId,
    },
    /// A place that is no longer declared and holds nothing of ours is dropped from the record.
    Forget {
        /// Which.
        place: PlaceId,
    },
    /// It is no longer declared: its entries go now, it ends after its overlap.
    Leave,
    /// It ends.
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
    /// It has no version that works.
    Expired,
    /// No version ever became current.
    NeverDelivered,
    /// It was made by hand, so nobody can read its secret back.
    TakenOver,
    /// A place lacks the current version, and no place can be read that has it.
    NoSource(PlaceId, &'static str),
    /// A newer version was staged, and its secret is nowhere to be had.
    LostStaged(u32),
}

impl Reason {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Compromised => "compromised",
            Self::Due(_) => "due",
            Self::Durations => "durations_changed",
            Self::Expired => "expired",
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
    /// A place holds what never was ours.
    Foreign(PlaceId),
    /// A place cannot be reached, so nobody knows what it holds.
    Unreachable(PlaceId, String, Option<String>),
    /// A declared push whose place cannot be told.
    NoPlace(String, String, Option<String>),
    /// It looks as if another token had been renamed.
    Renamed {
        /// The token that is no longer declared and is delivered to the same place.
        from: TokenName,
        /// Its user.
        user: UserName,
    },
    /// `moved_from` names a token of another user.
    OtherUser(UserName),
    /// As many versions as may work at once do.
    TooManyVersions {
        /// How many.
        live: usize,
        /// When one may be retired or expires at the earliest.
        until: Option<Timestamp>,
    },
    /// A place is to be forgotten, and a write that was announced may still arrive there.
    NotQuiet {
        /// Which.
        place: PlaceId,
        /// Until when.
        until: Timestamp,
    },
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
    /// It needs a change of its user, on whom tokens rest that were not selected.
    UserLeftOut(UserName),
}

/// What a reader should know about a token that needs no change for it.
#[derive(Debug, Clone)]
pub enum Note {
    /// An older version works until then at least.
    RetiresFrom {
        /// Its number.
        number: u32,
        /// The instant.
        from: Timestamp,
    },
    /// An older version is still used.
    StillUsed {
        /// Its number.
        number: u32,
        /// The last noted use.
        last: Timestamp,
        /// Until when it counts as in use.
        until: Timestamp,
    },
    /// An older version cannot be retired while a place is out of sight.
    NotRetired {
        /// Its number.
        number: u32,
        /// The place.
        place: PlaceId,
    },
    /// An older version cannot be retired while consumers of a place may still read it, whatever its entry shows.
    Lagging {
        /// Its number.
        number: u32,
        /// The place.
        place: PlaceId,
        /// What they wait for.
        reason: String,
    },
    /// An entry that would leave stays while consumers of its place may read an older version: without it nobody could
    /// tell any more.
    StaysWhileLagging {
        /// The place.
        place: PlaceId,
        /// What they wait for.
        reason: String,
    },
    /// A place that is no longer declared still holds one of our versions.
    Leaving {
        /// Which.
        place: PlaceId,
        /// The version there, when it is this token's.
        number: Option<u32>,
        /// When that version stops working.
        expires: Option<Timestamp>,
    },
    /// A recorded place is out of sight.
    OutOfSight(PlaceId, String),
    /// A version that a place holds stops working soon.
    Expires {
        /// Its number.
        number: u32,
        /// When.
        at: Timestamp,
    },
    /// It is no longer declared.
    NotDeclared,
    /// It is leaving and ends then.
    EndsAfter(Timestamp),
    /// A new version is due or on its way, which a run of selected sinks leaves alone.
    WaitsForAll(Option<Reason>),
}

/// Makes the plan for a manifest.
#[must_use]
pub fn plan(manifest: &Manifest, observation: &Observation, options: &Options) -> Plan {
    let known = observation.known(manifest);
    let (roles, users) = ownership::changes(manifest, observation);
    let mut tokens: Vec<TokenPlan> = Vec::with_capacity(observation.tokens.len());
    let mut renamed = BTreeSet::new();
    let declared = observation.tokens.iter().flat_map(|observed| observed.places.iter().flatten());
    let claimed: BTreeSet<PlaceId> = declared.map(Place::id).collect();
    for (index, observed) in observation.tokens.iter().enumerate() {
        let mut decided = if part::is_part(manifest, options, index, observed) {
            part::decide(manifest, observation, &known, (options, &claimed), index)
        } else {
            token::decide(manifest, observation, &known, (options, &claimed), index, observed)
        };
        if let Some(from) = decided.changes.iter().find_map(|change| match change {
            Change::Rename { from } => Some((decided.user.clone(), from.clone())),
            _ => None,
        }) {
            renamed.insert(from);
        }
        select::leave_unselected(&mut decided, manifest, options);
        tokens.push(decided);
    }
    let declared = tokens.len();
    for token in &observation.undeclared {
        if !renamed.contains(&(token.user.clone(), token.name.clone())) {
            let mut decided = prune::decide(token, observation, &known, options, &claimed);
            select::leave_unselected(&mut decided, manifest, options);
            tokens.push(decided);
        }
    }
    let mut plan = Plan { manifest: manifest.name.clone(), roles, users, tokens, guards: Vec::new(), left_out: None };
    select::narrow(&mut plan, manifest, observation, options);
    plan.guards = prune::guards(&plan.tokens, declared, options);
    plan
}

impl Plan {
    /// Whether a run would change anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.roles.is_empty() || !self.users.is_empty() || self.tokens.iter().any(|token| !token.changes.is_empty())
    }

    /// Whether something that is needed cannot be done.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.tokens.iter().any(|token| !token.blocked.is_empty())
    }

    /// A hash of what the plan would change: the same for two plans that would do the same. 128 bits, so that nobody
    /// finds two plans with one id.
    #[must_use]
    pub fn id(&self) -> String {
        let mut text = format!("{}\n", self.manifest);
        for line in text::lines(self, &text::Labels::ids()) {
            // What is only worth knowing may change with the hour.
            if line.tone != Tone::Note {
                text.push_str(&line.plain());
                text.push('\n');
            }
        }
        let digest = Digest::of(text.as_bytes());
        digest.as_bytes()[..16].iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
    }
}

pub use text::{Labels, Line, Tone, lines, remarks, summary};

fn hex_digit(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}

/// `at` to the minute, for people.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How far away `at` is from `now`, for people: `in 3 days`, `2 hours ago`.
#[must_use]
pub fn distance(now: Timestamp, at: Timestamp) -> String {
    let length: SignedDuration = at.duration_since(now);
    let seconds = length.as_secs().unsigned_abs();
    // The nearest whole number: what lasts 90 days is not shown as 89 from the first second on.
    let nearest = |unit: u64| (seconds + unit / 2) / unit;
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (nearest(60), "minute"),
        7_200..=172_799 => (nearest(3600), "hour"),
        _ => (nearest(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if length.is_negative() { format!("{count} {unit}{plural} ago") } else { format!("in {count} {unit}{plural}") }
}
