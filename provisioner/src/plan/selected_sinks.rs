//! What is done to a token when only some of its sinks are selected: the version that is current, or the staged one, is
//! carried to those places that lack it. Nothing is staged, promoted or retired, as that needs every place.

use std::collections::BTreeSet;

use latchkey::place::{Place, PlaceId};
use latchkey::token::Token;

use super::{Blocked, Change, Field, Note, Options, Reason, TokenField, TokenPlan, Tracked, token};
use crate::manifest::Manifest;
use crate::observe::finding::{Finding, Known};
use crate::observe::moving::Moving;
use crate::observe::{Observation, Observed};
use latchkey_sinks::{PushDeclaration, SinkError};

/// Whether some, and not all, of what a token has anywhere is in the selected sinks.
pub(super) fn is_part(manifest: &Manifest, options: &Options, index: usize, observed: &Observed) -> bool {
    if options.sinks.is_empty() {
        return false;
    }
    let pushes = &manifest.tokens[index].pushes;
    let selected = pushes.iter().filter(|push| options.sinks.contains(&push.sink)).count();
    let declared: BTreeSet<PlaceId> = observed.places.iter().flatten().map(Place::id).collect();
    let recorded = observed.record.iter().flat_map(|record| record.places.keys());
    let elsewhere = recorded.filter(|id| !declared.contains(*id)).count();
    selected > 0 && (selected < pushes.len() || elsewhere > 0)
}

/// Decides what is done in the selected sinks.
pub(super) fn decide(
    manifest: &Manifest,
    observation: &Observation,
    known: &Known<'_>,
    (options, claimed): (&Options, &BTreeSet<PlaceId>),
    index: usize,
) -> TokenPlan {
    let observed = &observation.tokens[index];
    let mut plan = token::decide(manifest, observation, known, (options, claimed), index, observed);
    if let Some(moving) = &observed.moving {
        plan.changes.clear();
        if let Moving::Taken { from, .. } = moving {
            plan.blocked = vec![Blocked::MovesWhole(from.clone())];
        }
        return plan;
    }
    let declaration = &manifest.tokens[index];
    let reason = plan.changes.iter().find_map(|change| match change {
        Change::NewVersion(reason) => Some(reason.clone()),
        _ => None,
    });
    let (whole, others) = (std::mem::take(&mut plan.changes), others(options, &declaration.pushes));
    plan.blocked.clear();
    plan.notes.clear();
    let Some(record) = observed.record.clone() else {
        plan.blocked.push(Blocked::Everywhere { reason: None, sinks: others });
        return plan;
    };
    let pushes: Vec<Selected<'_>> = declaration
        .pushes
        .iter()
        .zip(&observed.places)
        .filter(|(push, _)| options.sinks.contains(&push.sink))
        .map(|(push, place)| Selected { push, place, adopts: options.adopt.covers(declaration, push) })
        .collect();
    let wanted = wanted(&record, observation);
    let lacking = carry(&mut plan, (manifest, observation), known, (&record, wanted.as_ref()), &pushes);
    let asked = matches!(reason, Some(Reason::Asked));
    match (reason, wanted) {
        (Some(reason), _) if asked => plan.blocked.push(Blocked::Everywhere { reason: Some(reason), sinks: others }),
        (reason, None) if !lacking.is_empty() => {
            let first = lacking.into_iter().next();
            let reason = reason.or_else(|| first.map(|(id, words)| Reason::NoSource(id, words)));
            plan.blocked.push(Blocked::Everywhere { reason, sinks: others });
        }
        (Some(reason), _) => plan.notes.push(Note::WaitsForAll(Some(reason))),
        (None, _) if whole.iter().any(|change| matches!(change, Change::Resume { .. })) => {
            plan.notes.push(Note::WaitsForAll(None));
        }
        (None, _) => {}
    }
    record_new(&mut plan, &record);
    plan
}

/// A push to a selected sink.
struct Selected<'a> {
    push: &'a PushDeclaration,
    place: &'a Result<Place, SinkError>,
    /// Whether it takes over an entry that somebody else created.
    adopts: bool,
}

/// The sinks of a token that are not selected.
fn others(options: &Options, pushes: &[PushDeclaration]) -> Vec<String> {
    let mut others: Vec<String> =
        pushes.iter().map(|push| push.sink.clone()).filter(|sink| !options.sinks.contains(sink)).collect();
    others.sort();
    others.dedup();
    others
}

/// The version that a place should get now, and where it can be read: the staged one while there is one, as no other
/// may be announced then.
fn wanted(record: &Token, observation: &Observation) -> Option<(u32, PlaceId)> {
    let now = observation.at;
    let staged = record.staged().filter(|staged| record.deadline(staged) > now && staged.announced.is_some());
    let current = record.current().filter(|current| record.deadline(current) > now && current.number == record.highest);
    let version = staged.or(current)?;
    let source = observation.available.get(&(record.id.clone(), version.number))?;
    Some((version.number, source.clone()))
}

/// Plans a repair for each selected place that lacks the wanted version; returns those that lack it and what they
/// contain.
fn carry(
    plan: &mut TokenPlan,
    (manifest, observation): (&Manifest, &Observation),
    known: &Known<'_>,
    (record, wanted): (&Token, Option<&(u32, PlaceId)>),
    pushes: &[Selected<'_>],
) -> Vec<(PlaceId, &'static str)> {
    let current = record.current().map(|current| current.number);
    let mut lacking = Vec::new();
    for Selected { push, place, adopts } in pushes {
        let place = match place {
            Ok(place) => place,
            Err(error) => {
                plan.blocked.push(Blocked::no_place(format!("{} {}", push.sink, push.name), error));
                continue;
            }
        };
        let id = place.id();
        let unseen = Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
        let find = known.classify(Some(record), &id, observation.looks.get(&id).unwrap_or(&unseen));
        let has = match wanted {
            Some((number, _)) => find.is_version(*number, current),
            None => matches!(find, Finding::Current),
        };
        let other = observation.other_manifest(&id, &manifest.name);
        match (&find, wanted) {
            _ if has => {}
            (Finding::Foreign | Finding::Edited | Finding::Overwritten, _) if other.is_some() => {
                plan.blocked.extend(other.map(|other| Blocked::other_manifest(&id, other)));
            }
            (Finding::Foreign, _) if !adopts => plan.blocked.push(Blocked::Foreign(id)),
            (Finding::Unknown(error), _) => {
                let tracked = if record.places.contains_key(&id) { Tracked::Declared } else { Tracked::New };
                plan.blocked.push(Blocked::unreachable(&id, error, tracked));
            }
            (_, Some((number, from))) => {
                lacking.push((id.clone(), find.words()));
                plan.changes.push(Change::Mend { number: *number, from: from.clone(), to: id, found: find });
            }
            (_, None) => lacking.push((id, find.words())),
        }
    }
    lacking
}

/// A new place that gets the version is recorded first; those recorded already stay as they are.
fn record_new(plan: &mut TokenPlan, record: &Token) {
    let mended: BTreeSet<PlaceId> = plan
        .changes
        .iter()
        .filter_map(|change| if let Change::Mend { to, .. } = change { Some(to.clone()) } else { None })
        .collect();
    let declared = |id: &PlaceId| record.places.get(id).is_some_and(|place| place.declared);
    let added: Vec<Place> =
        plan.places.iter().filter(|place| mended.contains(&place.id()) && !declared(&place.id())).cloned().collect();
    let kept: Vec<Place> =
        record.places.values().filter(|place| place.declared).map(|record| record.place.clone()).collect();
    let ids = |places: &[Place]| {
        let ids: BTreeSet<String> = places.iter().map(|place| place.id().to_string()).collect();
        ids.into_iter().collect::<Vec<_>>().join(" ")
    };
    let from = ids(&kept);
    let any = !added.is_empty();
    plan.places = kept.into_iter().chain(added).collect();
    if any {
        let field = Field { name: TokenField::Places, from, to: ids(&plan.places) };
        plan.changes.insert(0, Change::Update(vec![field]));
    }
}
