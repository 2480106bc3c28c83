//! What leaves: older versions, and places that are no longer declared.

use jiff::Timestamp;
use latchkey::place::PlaceId;
use latchkey::protocol::{Evidence, Found, Keeps, PlaceLook};
use latchkey::token::{Token, Version, VersionState};

use super::{Case, Whose};
use crate::observe::finding::Finding;
use crate::observe::keeping::{keeps, place_look};
use crate::plan::{Blocked, Change, Note, Pass, TokenPlan, Tracked};
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
    let lacks = |look: &PlaceLook| match look.found {
        Found::Unknown => true,
        Found::Theirs => look.declared,
        _ => false,
    };
    record.unrepaired(&looks).is_some() || looks.iter().any(lacks)
}

/// Whether an older version is kept by its use alone.
pub(super) fn is_forceable(case: &Case<'_>, record: &Token) -> bool {
    let places = place_looks(case, record, &[]);
    let kept = |version: &Version, force| {
        keeps(record, version, &Evidence { at: case.now, now: case.now, places: &places, force })
    };
    let older = record.live(case.now).filter(|version| version.state != VersionState::Current);
    older.into_iter().any(|version| kept(version, false).is_some() && kept(version, true).is_none())
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
        let look = place_look(record, id, find, case.observation.seen(id));
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
            // The service would refuse it.
            if let Some(until) = quiet_from {
                plan.blocked.push(Blocked::NotQuiet { place: id.clone(), until });
            } else {
                plan.notes.extend(left_behind(record, id, find, case.now));
                plan.changes.push(Change::Forget { place: id.clone() });
            }
            continue;
        }
        // One that its vault is deleting is out of reach for every consumer.
        let absent = Finding::Absent;
        let find = if matches!(find, Finding::Unknown(SinkError::BeingDeleted { .. })) { &absent } else { find };
        if let Finding::Unknown(error) = find {
            plan.notes.push(Note::OutOfSight {
                place: id.clone(),
                reason: error.to_string(),
                hint: error.hint().map(str::to_owned),
                tracked: Tracked::recorded(error),
                passes: error.passes(),
                due: record.due(),
            });
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
            // Another token took the place over. Whoever puts a former value back there puts back one of this token's, so
            // it is looked at until none of those is valid.
            Finding::Other { number: None, .. } if case.claimed.contains(id) && was_here(record, id, case.now) => {}
            Finding::Absent
            | Finding::Foreign
            | Finding::Edited
            | Finding::Overwritten
            | Finding::Other { number: None, .. }
                if quiet =>
            {
                plan.changes.push(Change::Forget { place: id.clone() });
            }
            // It is about to get that token's secret; the entry is no longer this token's to remove.
            Finding::Current | Finding::Hidden | Finding::Other { .. } if case.claimed.contains(id) => {}
            // What is hidden is in a place of ours, under our marker; as a repair would overwrite it, it is removed.
            Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. } if case.options.prune => {
                plan.changes.push(Change::Remove { place: id.clone() });
            }
            Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. } => {
                let number = match find {
                    Finding::Other { number, .. } => *number,
                    Finding::Hidden => None,
                    _ => record.current().map(|current| current.number),
                };
                let version = number.and_then(|number| record.version(number));
                let expires = version.map(|version| record.deadline(version));
                let live = number.is_none() || expires.is_some_and(|at| at > case.now);
                plan.notes.push(Note::Leaving { place: id.clone(), number, expires, live });
            }
            _ => {}
        }
    }
}

/// The valid version that a place keeps which is to be forgotten.
pub(in crate::plan) fn left_behind(record: &Token, id: &PlaceId, find: &Finding, now: Timestamp) -> Option<Note> {
    let number = match find {
        Finding::Current => record.current().map(|current| current.number),
        Finding::Other { number, .. } => *number,
        Finding::Hidden | Finding::Unknown(_) => record.places.get(id).and_then(|record| record.version),
        Finding::Absent | Finding::Edited | Finding::Overwritten | Finding::Foreign => None,
    }?;
    let until = record.version(number).map(|version| record.deadline(version)).filter(|until| *until > now)?;
    Some(Note::LeftBehind { place: id.clone(), number, until })
}

/// Whether a version that is still valid was announced for a place.
fn was_here(record: &Token, place: &PlaceId, now: Timestamp) -> bool {
    record.live(now).any(|version| version.deliveries.contains_key(place))
}
