//! Plans: what a run will change and why. Pure: a plan is built from a manifest and an observation, and nothing else.
//! A change is a value, shown by `plan` and carried out by `apply`, so that the two cannot differ.

mod adopting;
mod ahead;
mod blocked;
pub mod calendar;
mod causes;
mod change;
pub mod compromised;
mod expiry;
mod faults;
pub mod granted;
mod merging;
mod moving;
mod note;
mod ownership;
mod prune;
mod recorded;
mod restarts;
mod select;
mod selected_sinks;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod unknown;
mod unwritable;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use latchkey::lifetime::Seconds;
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::PlaceId;
use latchkey::role::Permissions;
use latchkey::secret::Digest;
use latchkey::service::UserChange;

use crate::manifest::Manifest;
use crate::observe::Observation;
use latchkey_sinks::plural;

pub use adopting::Adopt;
pub use blocked::{Blocked, Tracked};
pub use change::{Change, Field, Reason, TokenField, TokenPlan, UserField};
pub use faults::faults;
pub use note::{Note, PlanNote};
pub use prune::Stop;
pub use unwritable::refuse;

/// Which tokens get a new version besides those that need one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rotate {
    /// Those that are due.
    #[default]
    Due,
    /// Those named too.
    Named(BTreeSet<(UserName, TokenName)>),
    /// Those that are due; and what is staged of those named, and can be read back, is gone on with although nothing is due.
    Staged(BTreeSet<(UserName, TokenName)>),
    All,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pass {
    #[default]
    First,
    /// Everything is checked once more, and nothing is retired.
    Another,
}

/// What a plan may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which tokens are rotated.
    pub rotate: Rotate,
    /// Whether tokens and entries that are no longer declared are deleted.
    pub prune: bool,
    /// How many tokens a run may delete or begin to delete; the default guard when `None`.
    pub allow_deletes: Option<usize>,
    /// Prune tokens that were used lately too.
    pub prune_used: bool,
    /// What counts as lately; 7 days when `None`.
    pub prune_used_within: Option<Seconds>,
    /// How many tokens a run may rotate that are neither due nor named; the default guard when `None`.
    pub allow_rotations: Option<usize>,
    /// Whose pushes take over entries that somebody else created.
    pub adopt: Adopt,
    /// Retire versions that were used lately too.
    pub force_retire: bool,
    /// Whether this is the first pass of the run.
    pub pass: Pass,
    /// Recorded places to forget, by id.
    pub forget: BTreeSet<String>,
    /// Branches whose deployments are not waited for.
    pub forget_branches: BTreeSet<String>,
    /// The tokens that the run is about, all when empty. Others are left exactly as they are.
    pub only: BTreeSet<(UserName, TokenName)>,
    /// The sinks, by their names in the manifest, that the run writes to, all when empty.
    pub sinks: BTreeSet<String>,
}

impl Options {
    /// For another pass of the same run: what was asked for is under way, so it only repairs.
    pub fn begin_another_pass(&mut self) {
        self.rotate = Rotate::Due;
        self.pass = Pass::Another;
    }

    /// Whether the run is about a part of the manifest.
    pub fn is_narrowed(&self) -> bool {
        !self.only.is_empty() || !self.sinks.is_empty()
    }
}

/// What a run will do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The manifest's name.
    pub manifest: ManifestName,
    /// Roles to create or change.
    pub roles: Vec<RoleChange>,
    /// Users to create or change.
    pub users: Vec<UserPlan>,
    /// All declared tokens in the manifest's order, then those that are no longer declared.
    pub tokens: Vec<TokenPlan>,
    /// What stops the whole run.
    pub guards: Vec<Stop>,
    /// What was not selected and is left as it is: how many tokens, roles and users; `None` when all were meant.
    pub left_out: Option<LeftOut>,
    /// Whether places were looked at; else it rests on the records alone.
    pub looked_at: bool,
    /// What a reader should know of the whole.
    pub notes: Vec<PlanNote>,
    /// The sink of each declared place, by its name in the manifest.
    pub sinks: BTreeMap<PlaceId, String>,
}

/// What a narrowed run leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Tokens that were not selected.
    pub tokens: usize,
    /// Roles and users whose change would reach beyond what was selected.
    pub others: usize,
}

/// A role to create or change.
#[derive(Debug, Clone)]
pub struct RoleChange {
    pub name: RoleName,
    /// What it will allow.
    pub permissions: Permissions,
    /// Whether it is new.
    pub new: bool,
    /// What it allows today; nothing for a new one.
    pub before: Permissions,
    /// What it will allow beyond today.
    pub gains: Vec<String>,
    /// What it will no longer allow.
    pub losses: Vec<String>,
    /// Created by hand: managed by the manifest from now on.
    pub taken_over: bool,
    /// Whether it moves from one manifest to another.
    pub moving: Moving,
    /// What it agreed to before and will agree to, where that changes.
    pub moved_to: Option<(String, String)>,
}

/// A user to create or change.
#[derive(Debug, Clone)]
pub struct UserPlan {
    pub name: UserName,
    /// Whether it is new.
    pub new: bool,
    pub change: UserChange,
    /// What differs, in words.
    pub fields: Vec<Field<UserField>>,
    /// Created by hand: managed by the manifest from now on.
    pub taken_over: bool,
}

/// The sinks that declared places are in.
fn sinks_of(manifest: &Manifest, observation: &Observation) -> BTreeMap<PlaceId, String> {
    let tokens = manifest.tokens.iter().zip(&observation.tokens);
    let pushes = tokens.flat_map(|(token, observed)| token.pushes.iter().zip(&observed.places));
    pushes.filter_map(|(push, place)| Some((place.as_ref().ok()?.id(), push.sink.clone()))).collect()
}

/// Plans a run of a manifest.
pub fn plan(manifest: &Manifest, observation: &Observation, options: &Options) -> Plan {
    let known = observation.known(manifest);
    let (roles, users) = ownership::changes(manifest, observation);
    let mut tokens: Vec<TokenPlan> = Vec::with_capacity(observation.tokens.len());
    let mut renamed = BTreeSet::new();
    let claimed = observation.claimed();
    for (index, observed) in observation.tokens.iter().enumerate() {
        let mut decided = if selected_sinks::is_part(manifest, options, index, observed) {
            selected_sinks::decide(manifest, observation, &known, (options, &claimed), index)
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
    let mut plan = Plan {
        manifest: manifest.name.clone(),
        roles,
        users,
        tokens,
        guards: Vec::new(),
        left_out: None,
        sinks: sinks_of(manifest, observation),
        looked_at: observation.looked_at,
        notes: Vec::new(),
    };
    select::narrow(&mut plan, manifest, observation, options);
    restarts::limit(&mut plan, manifest, observation);
    plan.guards = prune::guards(&plan.tokens, declared, options);
    // Before all others: by such a clock nothing else is certain.
    plan.guards.splice(..0, observation.clock.map(Stop::Clock));
    if !plan.looked_at {
        recorded::tell(&mut plan);
    }
    plan
}

impl Plan {
    /// Whether a run would change anything.
    pub fn has_changes(&self) -> bool {
        !self.roles.is_empty() || !self.users.is_empty() || self.tokens.iter().any(|token| !token.changes.is_empty())
    }

    /// Whether something that is needed cannot be done.
    pub fn is_blocked(&self) -> bool {
        self.tokens.iter().any(|token| !token.blocked.is_empty())
    }

    /// A hash of what the plan would change: the same for two plans that would do the same. 128 bits, so that nobody
    /// finds two plans with one id.
    pub fn id(&self) -> String {
        let mut text = format!("{}\n", self.manifest);
        if !self.looked_at {
            // No run has it, as a run looks.
            text.push_str("by the records alone\n");
        }
        for line in text::lines(self, &text::Labels::ids()) {
            // What is only worth knowing may change with the hour.
            if !line.is_note() {
                text.push_str(&line.plain());
                text.push('\n');
            }
        }
        let mut id = Digest::of(text.as_bytes()).hex();
        id.truncate(32);
        id
    }
}

pub use text::{
    Concern, Labels, Line, Remark, Tone, concerns, folded, kept_as, lines, named, plan_notes, remarks, replaced,
    summary,
};

/// `at` to the minute, for people. What was set as the end of a day is shown on that day.
pub fn minute(at: Timestamp) -> String {
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    let is_end = zoned.time() == jiff::civil::Time::midnight();
    if let Some(day) = zoned.date().yesterday().ok().filter(|_| is_end) {
        return format!("{day} 24:00 UTC");
    }
    zoned.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// When something expires, for people: what was set as the end of a day is that day, everything else is to the minute.
pub fn expiry(at: Timestamp) -> String {
    let text = minute(at);
    text.strip_suffix(" 24:00 UTC").map_or(text.clone(), str::to_owned)
}

/// How far away `at` is from `now`, for people: `in 3 days`, `2 hours ago`.
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
    let length_in_words = plural::count(count, unit);
    if length.is_negative() { format!("{length_in_words} ago") } else { format!("in {length_in_words}") }
}
