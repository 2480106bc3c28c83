//! What ends: older versions, places that are no longer declared, and what to warn of in time.

use latchkey::lifetime::Seconds;
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::STAGED_LIFE;
use latchkey::token::{Token, VersionState};

use super::{Case, Whose};
use crate::observe::finding::{Finding, was_deployed};
use crate::plan::{Blocked, Change, Note, TokenPlan};
use crate::safeguard::{Safeguard, stands};
use latchkey_sinks::SinkError;

/// Ends older versions that no place holds, once their overlap and quiet time are over.
pub(super) fn retire(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    let current = record.current().map(|current| current.number);
    let findings: Vec<(&PlaceId, &Finding)> = case
        .declared
        .iter()
        .map(|(id, find)| (id, find))
        .chain(case.others.iter().map(|(id, find, _)| (id, find)))
        .collect();
    for version in record.live(case.now) {
        let number = version.number;
        if version.state == VersionState::Current {
            continue;
        }
        let mut from = record.retirable_from(version);
        if number == record.highest {
            if version.announced.is_none() {
                continue;
            }
            from = from.max(version.announced.map(|announced| STAGED_LIFE.after(announced)));
        } else if version.announced.is_none() && version.state == VersionState::Staged {
            continue;
        }
        if let Some(from) = from.filter(|from| *from > case.now && stands(Safeguard::RetireFrom)) {
            // The newest one is on its way, not on its way out.
            if number != record.highest {
                plan.notes.push(Note::RetiresFrom { number, from });
            }
            continue;
        }
        let unknown = findings.iter().find(|(_, find)| find.is_unknown() && stands(Safeguard::RetireUnknown));
        if let Some((place, _)) = unknown {
            plan.notes.push(Note::NotRetired { number, place: (*place).clone() });
            continue;
        }
        if findings.iter().any(|(_, find)| find.is_version(number, current)) {
            continue;
        }
        // What consumers of such a place read is an older version, and nobody can tell which.
        let lagging =
            findings.iter().find_map(|(id, _)| Some(((*id).clone(), case.observation.lagging(id)?.to_owned())));
        let gone = findings
            .iter()
            .find(|(id, find)| matches!(find, Finding::Absent) && record.places.get(*id).is_some_and(was_deployed));
        let gone = gone.map(|(id, _)| {
            ((*id).clone(), "its entry is gone, and what was deployed with it cannot be told".to_owned())
        });
        if let Some((place, reason)) = lagging.filter(|_| stands(Safeguard::RetireLagging)).or(gone) {
            plan.notes.push(Note::Lagging { number, place, reason });
            continue;
        }
        let used = record.idle_from(number).filter(|(_, until)| *until > case.now);
        match used.filter(|_| !case.options.force_retire) {
            Some((last, until)) => plan.notes.push(Note::StillUsed { number, last, until }),
            None => plan.changes.push(Change::Retire { number }),
        }
    }
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
        // One that its vault is deleting is out of every consumer's reach.
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
            // What is hidden stands in a place that is ours, under our marker; as mending writes over it, so it goes.
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

/// Expiry wins over everything, so it is told in time.
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
        // A place out of sight holds what was last delivered there, as far as anybody knows.
        let delivered =
            |place: &Place| record.places.get(&place.id()).is_some_and(|record| record.version == Some(version.number));
        let held = plan.findings.iter().any(|(place, find)| match find {
            Finding::Unknown(_) => delivered(place),
            find => find.is_version(version.number, current),
        });
        // Where consumers lag behind, what they read is one of the older ones.
        let lags = |(place, _): &(Place, Finding)| case.observation.lagging(&place.id()).is_some();
        let held = held || (version.state == VersionState::Retiring && plan.findings.iter().any(lags));
        let at = record.deadline(version);
        if held && margin.before(at) <= now {
            plan.notes.push(Note::Expires { number: version.number, at });
        }
    }
}
