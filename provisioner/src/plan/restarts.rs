//! A limit of restarts: what is due and would restart more apps than one run may is left to later runs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::causes::restarted;
use super::{Change, Note, Plan, Reason, TokenPlan, expiry};
use crate::manifest::{Manifest, Rotation};
use crate::observe::Observation;
use crate::observe::finding::Finding;

/// Leaves tokens that are due to later runs, the latest first, until this one restarts no more apps than the manifest
/// allows. Whatever cannot wait is done all the same, and counts.
pub(super) fn limit(plan: &mut Plan, manifest: &Manifest, observation: &Observation) {
    let Some(most) = manifest.rotation.max_restarts else { return };
    let allowed = usize::try_from(most).unwrap_or(usize::MAX);
    let mut restarts: BTreeSet<String> = BTreeSet::new();
    let mut waiting: Vec<(Timestamp, usize)> = Vec::new();
    for (index, token) in plan.tokens.iter().enumerate() {
        match due(token, observation.at) {
            Some(due) => waiting.push((due, index)),
            None => restarts.extend(restarted(token)),
        }
    }
    waiting.sort();
    for (_, index) in waiting {
        let token = &mut plan.tokens[index];
        let more: BTreeSet<String> = restarted(token).difference(&restarts).cloned().collect();
        // One that restarts more by itself than a run may would never have its turn.
        if more.is_empty() || restarts.is_empty() || restarts.len() + more.len() <= allowed {
            restarts.extend(more);
        } else {
            leave(token, most, observation);
        }
    }
}

/// Since when a token is due that can be left to a later run: all of its places have the version in use, which lasts.
fn due(token: &TokenPlan, now: Timestamp) -> Option<Timestamp> {
    let since = token.changes.iter().find_map(|change| match change {
        Change::NewVersion(Reason::Due(since)) => Some(*since),
        Change::NewVersion(Reason::Durations) => Some(now),
        _ => None,
    })?;
    let record = token.record.as_deref()?;
    let current = record.current()?;
    let declared = token.places.iter().map(latchkey::place::Place::id).collect::<BTreeSet<_>>();
    let mut found = token.findings.iter().filter(|(place, _)| declared.contains(&place.id()));
    let is_whole = found.all(|(_, find)| matches!(find, Finding::Current));
    (is_whole && Rotation::can_wait(now, current.expiry?, current.terms?)).then_some(since)
}

fn leave(token: &mut TokenPlan, most: u32, observation: &Observation) {
    let reason = token.changes.iter().find_map(|change| match change {
        Change::NewVersion(reason) => Some(reason.clone()),
        _ => None,
    });
    token.changes.retain(|change| !matches!(change, Change::NewVersion(_)));
    token.notes.retain(|note| !matches!(note, Note::OutsideWindow { .. }));
    token.notes.extend(reason.map(|reason| Note::WaitsForRestarts { reason, most }));
    if let Some(record) = token.record.clone() {
        expiry::warn(token, observation, &record);
    }
}
