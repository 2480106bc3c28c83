//! Versions that expire, and those that have: shown in time, and for as long as a place contains one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::place::{Place, PlaceId};
use latchkey::token::{Token, VersionState};

use super::{Change, Note, TokenPlan};
use crate::observe::Observation;
use crate::observe::finding::Finding;
use latchkey_sinks::SinkError;

/// Expiry wins over everything, so it is shown in time, and what it left dead afterwards.
pub(super) fn warn(plan: &mut TokenPlan, observation: &Observation, record: &Token) {
    let delivers = |change: &Change| {
        matches!(change, Change::NewVersion(_) | Change::Resume { .. } | Change::Create | Change::Delete)
    };
    if plan.changes.iter().any(delivers) {
        return;
    }
    soon(plan, observation, record);
    ended(plan, record, observation.at);
}

/// Versions that are in use and expire before long.
fn soon(plan: &mut TokenPlan, observation: &Observation, record: &Token) {
    let now = observation.at;
    let margin = record.terms.map_or(Seconds::days(7), |terms| Seconds(terms.overlap.0.max(terms.expires_in.0 / 3)));
    let current = record.current().map(|current| current.number);
    let waits =
        plan.notes.iter().any(|note| matches!(note, Note::WaitsForWindow { .. } | Note::WaitsForRestarts { .. }));
    for version in record.live(now) {
        // An unreachable place contains what was last delivered there, as far as anybody knows.
        let delivered =
            |place: &Place| record.places.get(&place.id()).is_some_and(|record| record.version == Some(version.number));
        let held = plan.findings.iter().any(|(place, find)| match find {
            Finding::Unknown(_) => delivered(place),
            find => find.is_version(version.number, current),
        });
        // Where consumers wait for a deployment, what they read is one of the older ones.
        let lags = |(place, _): &(Place, Finding)| observation.lagging(&place.id()).is_some();
        let held = held || (version.state == VersionState::Retiring && plan.findings.iter().any(lags));
        // Without a place its secret is wherever somebody put it.
        let held = held || record.places.is_empty();
        let at = record.deadline(version);
        // Whoever reads that its rotation waits knows that it comes in time.
        let is_told = waits && current == Some(version.number);
        if held && margin.before(at) <= now && !is_told {
            plan.notes.push(Note::Expires { number: version.number, at });
        }
    }
}

/// Versions that are no longer valid although a place contains them, or although they are what consumers should have.
fn ended(plan: &mut TokenPlan, record: &Token, now: Timestamp) {
    let valid = |number: u32| record.version(number).is_some_and(|version| record.deadline(version) > now);
    let current = record.current().map(|current| current.number);
    let mut dead: BTreeMap<u32, (Vec<PlaceId>, Vec<PlaceId>)> = BTreeMap::new();
    // A token that is leaving and is nowhere any more leaves nobody behind.
    if let Some(number) = current.filter(|number| !valid(*number) && record.leaving.is_none()) {
        dead.entry(number).or_default();
    }
    for (place, find) in &plan.findings {
        let id = place.id();
        let number = match find {
            Finding::Current => current,
            Finding::Other { number, .. } => *number,
            Finding::Unknown(error) if !matches!(error, SinkError::BeingDeleted { .. }) => {
                record.places.get(&id).and_then(|record| record.version)
            }
            _ => None,
        };
        let Some(number) = number.filter(|number| !valid(*number) && !is_told(plan, &id)) else { continue };
        let (places, unseen) = dead.entry(number).or_default();
        if matches!(find, Finding::Unknown(_)) { unseen.push(id) } else { places.push(id) }
    }
    for (number, (places, unseen)) in dead {
        let at = record.version(number).map(|version| record.deadline(version));
        plan.notes.push(Note::Expired { number, at, places, unseen });
    }
}

/// Whether the plan sees to a place, or says of it what it contains.
fn is_told(plan: &TokenPlan, id: &PlaceId) -> bool {
    let changes = plan.changes.iter().any(|change| match change {
        Change::Mend { to: place, .. } | Change::Remove { place } | Change::Forget { place } => place == id,
        _ => false,
    });
    changes || plan.notes.iter().any(|note| matches!(note, Note::Leaving { place, .. } if place == id))
}
