//! What happens to tokens that the manifest no longer declares, and the guards on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use latchkey::lifetime::Seconds;
use latchkey::place::PlaceId;
use latchkey::token::Token;

use super::find::{Find, Known};
use super::{Blocked, Change, Note, Options, TokenPlan};
use crate::observe::Observation;
use crate::sinks::SinkError;

/// A token that was used so lately is not pruned.
const USED_LATELY: Seconds = Seconds::days(7);
/// How many tokens a run may begin to delete without being told so, and which share of the manifest's.
const DELETES: usize = 5;
const SHARE: usize = 3;

/// What stops a whole run before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// How many tokens would be deleted or begin to leave.
    pub deletes: usize,
    /// Of how many.
    pub of: usize,
}

impl std::fmt::Display for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.of == 1 { "" } else { "s" };
        write!(formatter, "this would delete {} of {} token{plural}", self.deletes, self.of)
    }
}

impl Guard {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("if that is meant, say `--allow-deletes {}`", self.deletes)
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
    let now = observation.at;
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
        finds: Vec::new(),
    };
    let unseen = Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
    for (id, record) in &token.places {
        let find = known.classify(Some(token), id, observation.looks.get(id).unwrap_or(&unseen));
        plan.finds.push((record.place.clone(), find));
    }
    if !options.prune {
        plan.notes.push(Note::NotDeclared);
        return plan;
    }
    if let Some(used) = token.last_used().filter(|used| USED_LATELY.after(*used) > now && !options.prune_used) {
        plan.blocked.push(Blocked::UsedLately(used));
        return plan;
    }
    let mut held = false;
    for (place, find) in &plan.finds {
        let id = place.id();
        if let Some(reason) = observation.lagging(&id).map(str::to_owned) {
            if options.forget.contains(id.as_str()) {
                plan.changes.push(Change::Forget { place: id });
            } else {
                held = true;
                plan.notes.push(Note::StaysWhileLagging { place: id, reason });
            }
            continue;
        }
        match find {
            Find::Unknown(SinkError::Ending { .. }) => {}
            Find::Unknown(_) if options.forget.contains(id.as_str()) => plan.changes.push(Change::Forget { place: id }),
            Find::Unknown(error) => {
                let hint = error.hint().map(str::to_owned);
                plan.blocked.push(Blocked::Unreachable(id, error.to_string(), hint));
            }
            Find::Current | Find::Hidden | Find::Other { number: Some(_), .. } if claimed.contains(&id) => held = true,
            Find::Current | Find::Hidden | Find::Other { number: Some(_), .. } => {
                held = true;
                plan.changes.push(Change::Remove { place: id });
            }
            _ => {}
        }
    }
    if !plan.blocked.is_empty() {
        plan.changes.clear();
        return plan;
    }
    let overlap = token.terms.map_or(Seconds(0), |terms| terms.overlap);
    match token.leaving {
        None => plan.changes.push(Change::Leave),
        Some(since) if !held && overlap.after(since) <= now => plan.changes.push(Change::Delete),
        Some(since) => plan.notes.push(Note::EndsAfter(overlap.after(since))),
    }
    plan
}

/// The guards that a plan meets.
pub(super) fn guards(tokens: &[TokenPlan], declared: usize, options: &Options) -> Vec<Guard> {
    let begins = |token: &&TokenPlan| token.changes.iter().any(|change| matches!(change, Change::Leave));
    let deletes = tokens.iter().filter(begins).count();
    let undeclared = tokens.len() - declared;
    let of = declared + undeclared;
    let allowed = options.allow_deletes.unwrap_or(if declared == 0 { 0 } else { DELETES.min(of / SHARE).max(1) });
    if deletes > allowed { vec![Guard { deletes, of }] } else { Vec::new() }
}
