//! What is done to one declared token. Pure.

mod case;
mod ending;
mod record;
mod timing;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use latchkey::name::{RoleName, TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::VERSIONS_MAX;
use latchkey::token::{Token, Version, VersionState};

use case::{Case, Whose, case};
pub(super) use ending::left_behind;
use ending::{is_forceable, leave, repairs, retire};
use record::{about, update};

use super::merging::merge;
use super::unwritable::{keep_records, undeclares};
use super::{Blocked, Change, Note, Options, Reason, Rotate, TokenPlan, Tracked, ahead, expiry, moving, unknown};
use crate::manifest::{Manifest, TokenDeclaration};
use crate::observe::finding::{Finding, Known};
use crate::observe::{Observation, Observed};
use crate::safeguard::{Safeguard, stands};
use latchkey_sinks::SinkError;

/// Decides what is done to a declared token.
pub(super) fn decide(
    manifest: &Manifest,
    observation: &Observation,
    known: &Known<'_>,
    (options, claimed): (&Options, &BTreeSet<PlaceId>),
    index: usize,
    observed: &Observed,
) -> TokenPlan {
    let declaration = &manifest.tokens[index];
    let mut plan = TokenPlan {
        user: declaration.user.clone(),
        name: declaration.name.clone(),
        declaration: Some(index),
        record: observed.record.clone(),
        about: Vec::new(),
        places: Vec::new(),
        roles: roles(manifest, observation, declaration),
        changes: Vec::new(),
        blocked: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
    };
    for (push, place) in declaration.pushes.iter().zip(&observed.places) {
        match place {
            Ok(place) => plan.places.push(place.clone()),
            Err(error) => {
                plan.blocked.push(Blocked::no_place(format!("{} {}", push.sink, push.name), error));
            }
        }
    }
    if !moving::begin(&mut plan, &manifest.name, observed, declaration) {
        return plan;
    }
    if observed.moving.is_none() {
        rename(&mut plan, observation, options, declaration);
    }
    let case = case(&mut plan, (manifest, observation), known, (options, claimed), declaration);
    if !plan.blocked.is_empty() {
        if let Some(record) = plan.record.clone() {
            warn(&mut plan, observation, &record);
        }
        return plan;
    }
    if let Some(record) = plan.record.clone() {
        let first = plan.changes.len();
        let wanted = deliver(&mut plan, &case, &record);
        // What this run brings to places decides what may be retired in it, and what is retired makes room.
        let brought = plan.changes.split_off(first);
        retire(&mut plan, &case, &record, &brought);
        plan.changes.extend(brought);
        if let Some(reason) = wanted.filter(|_| room(&mut plan, &case, &record)) {
            plan.changes.push(Change::NewVersion(reason));
        }
        hold_back(&mut plan, &record);
        let rest = plan.changes.split_off(first);
        update(&mut plan, &case, &record);
        plan.changes.extend(rest);
        leave(&mut plan, &case, &record);
        merge(&mut plan, &case.twins, &record, observation);
        settle(&mut plan);
        count_changes(&mut plan, &record, observation.at);
        warn(&mut plan, observation, &record);
    } else {
        if check_places(&mut plan, &case) {
            plan.about = about(declaration);
            plan.changes.push(Change::Create);
        }
        unknown::warn_of_strangers(&mut plan, observation);
    }
    plan
}

/// What a reader is to be warned of.
fn warn(plan: &mut TokenPlan, observation: &Observation, record: &Token) {
    expiry::warn(plan, observation, record);
    ahead::warn(plan, observation, record);
    unknown::warn(plan, observation, record);
}

/// The roles that a declared token gets: those it names, or all that its user will have.
fn roles(manifest: &Manifest, observation: &Observation, declaration: &TokenDeclaration) -> Vec<RoleName> {
    let users = || {
        let declared = manifest.users.get(&declaration.user).map(|user| user.roles.clone());
        let found = || observation.users.get(&declaration.user).map(|user| user.roles.clone());
        declared.or_else(found).unwrap_or_default()
    };
    let roles = declaration.roles.clone().unwrap_or_else(users);
    roles.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A declared token that does not exist, while one that is no longer declared goes to the same place, is most likely
/// the same token under another name: never silently a second one.
fn rename(plan: &mut TokenPlan, observation: &Observation, options: &Options, declaration: &TokenDeclaration) {
    if plan.record.is_some() {
        return;
    }
    let undeclared = |key: &(UserName, TokenName)| {
        observation.undeclared.iter().any(|token| token.user == key.0 && token.name == key.1)
    };
    // What was taken from another manifest may get another name here later.
    let taken = declaration.taken_from.as_ref().map(|former| (former.user.clone(), former.name.clone()));
    let taken = taken.filter(undeclared);
    if let Some((user, name)) = declaration.moved_from.as_ref().or(taken.as_ref()) {
        let moved = observation.undeclared.iter().find(|token| token.user == *user && token.name == *name);
        match moved {
            Some(token) if *user != plan.user => plan.blocked.push(Blocked::OtherUser(token.user.clone())),
            Some(token) => {
                plan.record = Some(Arc::new(token.clone()));
                plan.changes.push(Change::Rename { from: name.clone() });
            }
            // Moved long ago, or never created.
            None => {}
        }
        return;
    }
    let ids: BTreeSet<PlaceId> = plan.places.iter().map(Place::id).collect();
    let former = observation.undeclared.iter().find(|token| token.places.keys().any(|id| ids.contains(id)));
    if let Some(former) = former.filter(|_| !options.prune) {
        plan.blocked.push(Blocked::Renamed { from: former.name.clone(), user: former.user.clone() });
    }
}

/// Nothing is staged unless every place is reachable and none is foreign. Adoption counts only before the first
/// delivery, which is what makes a place foreign rather than edited.
fn check_places(plan: &mut TokenPlan, case: &Case<'_>) -> bool {
    let before = plan.blocked.len();
    for ((id, find), push) in case.declared.iter().zip(&case.declaration.pushes) {
        let safeguard =
            if matches!(find, Finding::Unknown(_)) { Safeguard::StageUnknown } else { Safeguard::StageForeign };
        plan.blocked.extend(case.refusal(id, find, push).filter(|_| stands(safeguard)));
    }
    for (id, find, _) in &case.others {
        if let Finding::Unknown(error) = find
            && !matches!(error, SinkError::BeingDeleted { .. })
            && stands(Safeguard::StageUnknown)
            && !case.options.forget.contains(id.as_str())
        {
            plan.blocked.push(Blocked::unreachable(id, error, Tracked::recorded(error)));
        }
    }
    plan.blocked.len() == before
}

/// What was decided apart, brought together.
fn settle(plan: &mut TokenPlan) {
    timing::settle(plan);
    // Once is enough to tell that a place cannot be reached.
    let told = |id: &PlaceId| {
        plan.blocked.iter().any(|blocked| matches!(blocked, Blocked::Unreachable { place, .. } if place == id))
    };
    plan.notes.retain(|note| !matches!(note, Note::OutOfSight { place, .. } if told(place)));
    let delivers = plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. } | Change::Mend { .. }));
    if plan.blocked.is_empty() || delivers {
        return;
    }
    let undeclares = undeclares(plan);
    keep_records(plan, undeclares);
}

/// Tells of places that are changed again and again, as each repair keeps older versions valid.
fn count_changes(plan: &mut TokenPlan, record: &Token, now: Timestamp) {
    let again = plan.findings.iter().filter_map(|(place, find)| {
        let id = place.id();
        let repairs = record.places.get(&id)?.repairs.filter(|repairs| find.is_changed() && repairs.are_recent(now))?;
        Some(Note::ChangedAgain { place: id, times: repairs.times.saturating_add(1), since: repairs.since })
    });
    plan.notes.extend(again);
}

/// Brings the right version to every declared place: resumes a staged one, repairs, or returns why it takes a new
/// one.
fn deliver(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) -> Option<Reason> {
    let current = record.current().map(|current| current.number);
    let staged = record.staged().filter(|staged| record.deadline(staged) > case.now);
    let holds = |find: &Finding, number: u32| find.is_version(number, current);
    let mut reason = reason(plan, case, record);
    let lost = case.declared.iter().any(|(_, find)| !matches!(find, Finding::Current | Finding::Unknown(_)));
    if let Some(staged) = staged {
        let lacking: Vec<PlaceId> =
            case.declared.iter().filter(|(_, find)| !holds(find, staged.number)).map(|(id, _)| id.clone()).collect();
        let somewhere = lacking.len() < case.declared.len();
        let source = case.observation.available.get(&(record.id.clone(), staged.number)).cloned();
        // While it is staged the current version may not be announced any more, so it is what repairs a place.
        let wanted = reason.is_some() || somewhere || lost || is_gone_on_with(plan, case.options);
        if wanted && (lacking.is_empty() || source.is_some()) {
            if check_places(plan, case) {
                plan.changes.push(Change::Resume { number: staged.number, from: source, to: lacking });
            }
            return None;
        }
        if somewhere || lost {
            reason.get_or_insert(Reason::LostStaged(staged.number));
        }
    }
    let lacking: Vec<&(PlaceId, Finding)> =
        case.declared.iter().filter(|(_, find)| !matches!(find, Finding::Current)).collect();
    if reason.is_none()
        && let Some((id, find)) = lacking.first()
    {
        // While a newer version is staged, the current one may not be announced any more.
        let newest = current == Some(record.highest);
        let source = current.and_then(|number| case.observation.available.get(&(record.id.clone(), number)));
        match (current, source.filter(|_| newest)) {
            (Some(number), Some(source)) => {
                mend(plan, case, number, source);
                return None;
            }
            _ if matches!(find, Finding::Unknown(_)) => {}
            // One was staged and is no longer valid.
            (Some(_), None) if source.is_some() => reason = Some(Reason::LostStaged(record.highest)),
            _ => reason = Some(Reason::NoSource(id.clone(), find.words())),
        }
    }
    let Some(reason) = reason else {
        for (id, find) in &case.declared {
            if let Finding::Unknown(error) = find {
                plan.blocked.push(case.unreachable(id, error));
            }
        }
        return None;
    };
    check_places(plan, case).then_some(reason)
}

/// Whether what is staged is gone on with although nothing is due.
fn is_gone_on_with(plan: &TokenPlan, options: &Options) -> bool {
    matches!(&options.rotate, Rotate::Staged(names) if names.contains(&(plan.user.clone(), plan.name.clone())))
}

/// A new place that this run cannot write to is not recorded yet: it would be in the way of machines that cannot see
/// it, though nothing of the token was ever there.
fn hold_back(plan: &mut TokenPlan, record: &Token) {
    if plan.blocked.is_empty() {
        return;
    }
    let mended: Vec<&PlaceId> = plan
        .changes
        .iter()
        .filter_map(|change| if let Change::Mend { to, .. } = change { Some(to) } else { None })
        .collect();
    plan.places.retain(|place| {
        let id = place.id();
        record.places.contains_key(&id) || mended.contains(&&id)
    });
}

/// Why the token needs a new version, apart from what its places lack.
fn reason(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) -> Option<Reason> {
    let asked = match &case.options.rotate {
        Rotate::Due | Rotate::Staged(_) => false,
        Rotate::All => true,
        Rotate::Named(names) => names.contains(&(plan.user.clone(), plan.name.clone())),
    };
    if asked {
        return Some(Reason::Asked);
    }
    if record.managed_by.is_none() {
        return Some(Reason::TakenOver);
    }
    if let Some(latest) = record.ahead(case.now) {
        return Some(Reason::Ahead(latest));
    }
    let Some(current) = record.current() else {
        return Some(if record.has_been_current() { Reason::Expired } else { Reason::NeverDelivered });
    };
    if record.deadline(current) <= case.now {
        return Some(Reason::Expired);
    }
    let reason = due(current, case)?;
    timing::waits(plan, case, current, &reason).is_none().then_some(reason)
}

/// Why a token is due, if it is.
fn due(current: &Version, case: &Case<'_>) -> Option<Reason> {
    if current.terms != Some(case.declaration.terms) {
        return Some(Reason::Durations);
    }
    let due = case.declaration.terms.due(current.promoted?, current.expiry?);
    (due <= case.now).then_some(Reason::Due(due))
}

fn mend(plan: &mut TokenPlan, case: &Case<'_>, number: u32, source: &PlaceId) {
    for ((id, find), push) in case.declared.iter().zip(&case.declaration.pushes) {
        match (case.refusal(id, find, push), find) {
            (Some(refusal), _) => plan.blocked.push(refusal),
            (None, Finding::Current) => {}
            (None, found) => {
                plan.changes.push(Change::Mend { number, from: source.clone(), to: id.clone(), found: found.clone() });
            }
        }
    }
}

/// Whether one more version may be valid; versions that this plan retires make room.
fn room(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) -> bool {
    let now = case.now;
    let retired: Vec<u32> = plan
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Retire { number } => Some(*number),
            _ => None,
        })
        .collect();
    let staying: Vec<&Version> = record.lasting(now).filter(|version| !retired.contains(&version.number)).collect();
    // Places that this run adds cannot lower the limit, so what the record says is enough.
    let repairs = repairs(case, record);
    let most = if repairs { record.versions_max_to_repair(now) } else { record.versions_max() };
    if staying.len() < most {
        return true;
    }
    let free = |version: &&Version| {
        let idle = record.idle_from(version.number).map(|(_, until)| until);
        let retirable = record.retirable_from(version).max(idle).filter(|_| version.state != VersionState::Current);
        retirable
            .filter(|from| *from > now)
            .map_or_else(|| record.deadline(version), |from| from.min(record.deadline(version)))
    };
    let more = record.repair_from().filter(|_| repairs && staying.len() < VERSIONS_MAX);
    let until = staying.iter().map(free).chain(more).filter(|until| *until > now).min();
    let forceable = !case.options.force_retire && is_forceable(case, record);
    plan.blocked.push(Blocked::TooManyVersions { live: staying.len(), until, forceable });
    false
}
