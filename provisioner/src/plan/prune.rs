//! What happens to tokens that the manifest no longer declares, and the guards on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use latchkey::clock::ClockBehind;
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::token::{Token, Use};

use super::token::left_behind;
use super::{Blocked, Change, Note, Options, Reason, TokenPlan, Tracked, ahead, expiry, unknown};
use crate::observe::Observation;
use crate::observe::finding::{Finding, Known};
use latchkey_sinks::SinkError;
use latchkey_sinks::plural::count;

/// A token that was used so lately is not pruned.
const USED_LATELY: Seconds = Seconds::days(7);
/// How many tokens a run may begin to delete without a flag, and which share of the manifest's.
const DELETES: usize = 5;
const SHARE: usize = 3;

/// How many tokens a run may rotate that are neither due nor named, and which share of the manifest's: as many as a
/// changed default takes with it are mostly a slip, and every one of their consumers would have to take up a new secret.
const ROTATIONS: usize = 10;

/// What stops a whole run before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The clock is far behind what the table has seen.
    Clock(ClockBehind),
    /// Tokens that would be deleted or begin to leave.
    Deletes {
        deletes: usize,
        /// Of how many.
        of: usize,
    },
    /// Tokens that would be rotated though neither due nor named.
    Rotations {
        rotations: usize,
        /// Of how many.
        of: usize,
    },
    /// The manifest's grant does not cover a role or user that the run would change.
    NotGranted { manifest: ManifestName, missing: Vec<String>, cure: String },
}

impl std::fmt::Display for Stop {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clock(behind) => behind.fmt(formatter),
            Self::Deletes { deletes, of } => {
                write!(formatter, "this would delete {deletes} of {}", count(*of, "token"))
            }
            Self::Rotations { rotations, of } => {
                let of = count(*of, "token");
                write!(formatter, "this would rotate {rotations} of {of}, none of them due or named")
            }
            Self::NotGranted { manifest, missing, .. } => {
                write!(formatter, "the manifest `{manifest}` is not allowed to grant {}", missing.join(", "))
            }
        }
    }
}

impl Stop {
    /// What to do about it: the flag that lets this one run pass.
    pub fn hint(&self) -> String {
        match self {
            Self::Clock(behind) if behind.is_possible() => {
                "set the clock of the table's machine, for example by NTP; if it is right, pass `--clock-is-right`"
                    .to_owned()
            }
            Self::Clock(_) => "set the clock of the table's machine, for example by NTP".to_owned(),
            Self::Deletes { deletes, .. } => format!("if this is intended, pass `--allow-deletes {deletes}`"),
            Self::Rotations { rotations, .. } => format!("if this is intended, pass `--allow-rotations {rotations}`"),
            Self::NotGranted { cure, .. } => cure.clone(),
        }
    }
}

/// Decides what is done to a token that is no longer declared.
pub(super) fn decide(
    token: &Token,
    observation: &Observation,
    known: &Known<'_>,
    options: &Options,
    claimed: &BTreeSet<PlaceId>,
) -> TokenPlan {
    let mut plan = TokenPlan {
        user: token.user.clone(),
        name: token.name.clone(),
        declaration: None,
        record: Some(Arc::new(token.clone())),
        about: Vec::new(),
        places: Vec::new(),
        roles: token.roles.clone(),
        changes: Vec::new(),
        blocked: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
    };
    let unseen = Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
    for (id, record) in &token.places {
        let find = known.classify(Some(token), id, observation.looks.get(id).unwrap_or(&unseen));
        plan.findings.push((record.place.clone(), find));
    }
    // By type and name, as a reader expects it: ids are hashes.
    plan.findings.sort_by(|(one, _), (other, _)| one.cmp(other));
    forget(&mut plan, token, observation, options);
    let current = token.current().map(|current| (current.number, token.deadline(current)));
    let valid = current.filter(|(_, until)| *until > observation.at);
    if let Some(to) = &token.moved_to {
        plan.notes.push(Note::MovesTo { to: to.clone(), valid });
    } else if options.prune {
        prune(&mut plan, token, observation, (options, claimed));
    } else {
        plan.notes.push(Note::NotDeclared { valid });
    }
    expiry::warn(&mut plan, observation, token);
    ahead::warn(&mut plan, observation, token);
    unknown::warn(&mut plan, observation, token);
    plan
}

/// Drops the places that the user gave up, whatever they contain.
fn forget(plan: &mut TokenPlan, token: &Token, observation: &Observation, options: &Options) {
    for (place, find) in plan.findings.iter().filter(|(place, _)| options.forget.contains(place.id().as_str())) {
        let id = place.id();
        // The service would refuse it.
        if let Some((_, until)) = token.quiet_from(&id).filter(|(_, until)| *until > observation.at) {
            plan.blocked.push(Blocked::NotQuiet { place: id, until });
        } else {
            plan.notes.extend(left_behind(token, &id, find, observation.at));
            plan.changes.push(Change::Forget { place: id });
        }
    }
}

/// When a token that is leaving may be deleted.
fn ends_after(token: &Token) -> Option<Note> {
    let overlap = token.terms.map_or(Seconds(0), |terms| terms.overlap);
    token.leaving.map(|since| Note::EndsAfter(overlap.after(since)))
}

/// Removes its entries, and deletes it once its overlap has ended.
fn prune(
    plan: &mut TokenPlan,
    token: &Token,
    observation: &Observation,
    (options, claimed): (&Options, &BTreeSet<PlaceId>),
) {
    let now = observation.at;
    let within = options.prune_used_within.unwrap_or(USED_LATELY);
    if let Some((number, used)) = last_use(token).filter(|(_, used)| within.after(used.last) > now)
        && !options.prune_used
    {
        plan.blocked.push(Blocked::UsedLately { number, last: used.last, ip: used.ip.clone(), within });
        return;
    }
    let mut held = false;
    for (place, find) in plan.findings.iter().filter(|(place, _)| !options.forget.contains(place.id().as_str())) {
        let id = place.id();
        if let Some(reason) = observation.lagging(&id).map(str::to_owned) {
            held = true;
            plan.notes.push(Note::StaysWhileLagging { place: id, reason });
            continue;
        }
        match find {
            Finding::Unknown(SinkError::BeingDeleted { .. }) => {}
            Finding::Unknown(error) => {
                plan.blocked.push(Blocked::unreachable(&id, error, Tracked::recorded(error)));
            }
            Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. } if claimed.contains(&id) => {
                held = true;
            }
            Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. } => {
                held = true;
                plan.changes.push(Change::Remove { place: id });
            }
            _ => {}
        }
    }
    if !plan.blocked.is_empty() {
        plan.changes.retain(|change| matches!(change, Change::Forget { .. }));
        return;
    }
    let overlap = token.terms.map_or(Seconds(0), |terms| terms.overlap);
    match token.leaving {
        // One that began in the future begins now.
        Some(_) if token.ahead(now).is_some() => plan.changes.push(Change::Leave),
        None => plan.changes.push(Change::Leave),
        Some(since) if !held && overlap.after(since) <= now => plan.changes.push(Change::Delete),
        Some(_) => plan.notes.extend(ends_after(token)),
    }
}

/// The last noted use of any version of a token.
fn last_use(token: &Token) -> Option<(u32, &Use)> {
    let uses = token.versions.iter().filter_map(|version| {
        let used = token.uses.get(&version.number.to_string())?;
        Some((version.number, used))
    });
    uses.max_by_key(|(_, used)| used.last)
}

/// The guards that a plan meets.
pub(super) fn guards(tokens: &[TokenPlan], declared: usize, options: &Options) -> Vec<Stop> {
    let begins = |token: &&TokenPlan| token.changes.iter().any(|change| matches!(change, Change::Leave));
    let deletes = tokens.iter().filter(begins).count();
    let undeclared = tokens.len() - declared;
    let of = declared + undeclared;
    let allowed = options.allow_deletes.unwrap_or(if declared == 0 { 0 } else { DELETES.min(of / SHARE).max(1) });
    let mut guards = Vec::new();
    if deletes > allowed {
        guards.push(Stop::Deletes { deletes, of });
    }
    let rotations = tokens.iter().filter(|token| token.changes.iter().any(is_sudden)).count();
    // Both limits have to be passed: a share alone would stop small manifests, a number alone large ones.
    let allowed = options.allow_rotations.unwrap_or(ROTATIONS.max(of / SHARE));
    if rotations > allowed {
        guards.push(Stop::Rotations { rotations, of });
    }
    guards
}

/// Whether a change is a rotation that no calendar foretold and nobody named.
fn is_sudden(change: &Change) -> bool {
    let Change::NewVersion(reason) = change else { return false };
    matches!(reason, Reason::Durations | Reason::TakenOver | Reason::NoSource(..) | Reason::LostStaged(_))
}
