//! What leaves: older versions, places that are no longer declared, and what to warn of in time.

use latchkey::lifetime::Seconds;
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Evidence, Found, Keeps, PlaceLook};
use latchkey::token::{Token, Version, VersionState};

use super::{Case, Whose};
use crate::observe::finding::Finding;
use crate::observe::keeping::{keeps, place_look};
use crate::plan::{Blocked, Change, Note, Pass, TokenPlan};
use crate::safeguard::{Safeguard, stands};
use latchkey_sinks::SinkError;

/// Retires older versions that nothing keeps. `brought` is what this run brings to places.
pub(super) fn retire(plan: &mut TokenPlan, case: &Case<'_>, record: &Token, brought: &[Change]) {
    // One that nobody has makes way for the next one.
    let nobodys = |version: &&Version| version.state == VersionState::Staged && version.announced.is_none();
    let resumed = |version: &&Version| {
        brought.iter().any(|change| matches!(change, Change::Resume { number, .. } if *number == version.number))
    };
    let older = |version: &&Version| version.state != VersionState::Current && !nobodys(version) && !resumed(version);
    let older: Vec<&Version> = record.live(case.now).filter(older).collect();
    if older.is_empty() {
        return;
    }
    let places = place_looks(case, record, brought);
    let (at, force) = (case.now, case.options.force_retire);
    let evidence = Evidence { at, now: at, places: &places, force };
    for version in older {
        let number = version.number;
        match keeps(record, version, &evidence) {
            // What this very run has repaired is no reason yet for anything to end.
            None if case.options.pass == Pass::Another => {}
            None => plan.changes.push(Change::Retire { number }),
            // The newest one is on its way, and what a place contains is on its line.
            Some(Keeps::Current | Keeps::Newest | Keeps::HeldBy(_)) => {}
            Some(why) => plan.notes.push(Note::Kept { number, why }),
        }
    }
}

/// Whether a place of the token has to be repaired, or may have to be.
pub(super) fn repairs(case: &Case<'_>, record: &Token) -> bool {
    let looks = place_looks(case, record, &[]);
    record.unrepaired(&looks).is_some() || looks.iter().any(|look| look.found == Found::Unknown)
}

/// What was found at each place of the token, declared here or recorded.
fn place_looks(case: &Case<'_>, record: &Token, brought: &[Change]) -> Vec<PlaceLook> {
    let writes = |id: &PlaceId| {
        brought.iter().any(|change| match change {
            Change::Mend { to, .. } => to == id,
            Change::Resume { to, .. } => to.contains(id),
            _ => false,
        })
    };
    let look = |id: &PlaceId, find: &Finding, declared: bool| {
        let look = place_look(record, id, find, case.observation.lagging(id));
        PlaceLook { declared, written: writes(id), ..look }
    };
    let declared = case.declared.iter().map(|(id, find)| look(id, find, true));
    let others = case.others.iter().map(|(id, find, whose)| look(id, find, *whose == Whose::OtherMachine));
    declared.chain(others).collect()
}

/// What happens to places that are recorded but not declared.
pub(super) fn leave(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    for (id, find, whose) in &case.others {
        let quiet_from = record.quiet_from(id).map(|(_, until)| until).filter(|until| *until > case.now);
        if case.options.forget.contains(id.as_str()) {
            match quiet_from {
                // The service would refuse it.
                Some(until) => plan.blocked.push(Blocked::NotQuiet { place: id.clone(), until }),
                None => plan.changes.push(Change::Forget { place: id.clone() }),
            }
            continue;
        }
        // One that its vault is deleting is out of reach for every consumer.
        let absent = Finding::Absent;
        let find = if matches!(find, Finding::Unknown(SinkError::BeingDeleted { .. })) { &absent } else { find };
        if let Finding::Unknown(error) = find {
            plan.notes.push(Note::OutOfSight(id.clone(), error.to_string()));
            continue;
        }
        if *whose == Whose::OtherMachine {
            continue;
        }
        let lagging = case.observation.lagging(id).filter(|_| stands(Safeguard::RemoveLagging));
        if let Some(reason) = lagging.map(str::to_owned) {
            plan.notes.push(Note::StaysWhileLagging { place: id.clone(), reason });
            continue;
        }
        let quiet = quiet_from.is_none();
        match find {
            // It is about to get that token's secret; the entry is no longer this token's to remove.
            Finding::Current | Finding::Hidden | Finding::Other { .. } if case.claimed.contains(id) => {}
            // What is hidden is in a place of ours, under our marker; as a repair would overwrite it, it is removed.
            Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. } if case.options.prune => {
                plan.changes.push(Change::Remove { place: id.clone() });
            }
            Finding::Absent | Finding::Foreign | Finding::Edited | Finding::Other { number: None, .. } if quiet => {
                plan.changes.push(Change::Forget { place: id.clone() });
            }
            Finding::Current | Finding::Hidden | Finding::Other { .. } => {
                let number = match find {
                    Finding::Other { number, .. } => *number,
                    Finding::Hidden => None,
                    _ => record.current().map(|current| current.number),
                };
                let version = number.and_then(|number| record.version(number));
                let expires = version.map(|version| record.deadline(version));
                plan.notes.push(Note::Leaving { place: id.clone(), number, expires });
            }
            _ => {}
        }
    }
}

/// Expiry wins over everything, so it is shown in time.
pub(super) fn warn(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    let now = case.now;
    let delivers = plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. } | Change::Create));
    if delivers {
        return;
    }
    let margin = record.terms.map_or(Seconds::days(7), |terms| Seconds(terms.overlap.0.max(terms.expires_in.0 / 3)));
    let current = record.current().map(|current| current.number);
    for version in record.live(now) {
        // An unreachable place contains what was last delivered there, as far as anybody knows.
        let delivered =
            |place: &Place| record.places.get(&place.id()).is_some_and(|record| record.version == Some(version.number));
        let held = plan.findings.iter().any(|(place, find)| match find {
            Finding::Unknown(_) => delivered(place),
            find => find.is_version(version.number, current),
        });
        // Where consumers wait for a deployment, what they read is one of the older ones.
        let lags = |(place, _): &(Place, Finding)| case.observation.lagging(&place.id()).is_some();
        let held = held || (version.state == VersionState::Retiring && plan.findings.iter().any(lags));
        let at = record.deadline(version);
        if held && margin.before(at) <= now {
            plan.notes.push(Note::Expires { number: version.number, at });
        }
    }
}
