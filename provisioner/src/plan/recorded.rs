//! A plan by the records alone: what it says of places is what was delivered there, never what they contain. Pure.

use std::collections::BTreeMap;

use latchkey::place::{Place, PlaceId};

use super::{Note, Plan, PlanNote, TokenPlan};

/// Says of the plan, and of each place, what was not looked at.
pub(super) fn tell(plan: &mut Plan) {
    plan.notes.push(PlanNote::NotLookedAt);
    plan.tokens.iter_mut().for_each(tell_of);
}

fn tell_of(token: &mut TokenPlan) {
    // Notes of what a place contains are said of a look.
    token.notes.retain(|note| !matches!(note, Note::Leaving { .. }));
    for note in &mut token.notes {
        if let Note::Expired { places, unseen, .. } = note {
            unseen.append(places);
        }
    }
    let recorded = token.record.iter().flat_map(|record| record.places.values().map(|recorded| &recorded.place));
    let all = token.places.iter().chain(token.findings.iter().map(|(place, _)| place)).chain(recorded);
    let all: BTreeMap<PlaceId, &Place> = all.map(|place| (place.id(), place)).collect();
    let declared: Vec<PlaceId> = token.places.iter().map(Place::id).collect();
    let note = |place: PlaceId| {
        let record = token.record.as_ref().and_then(|record| record.places.get(&place));
        let number = record.and_then(|recorded| recorded.version);
        let is_declared = declared.contains(&place);
        Note::NotLookedAt { place, number, is_declared }
    };
    let notes: Vec<Note> = all.into_keys().map(note).collect();
    token.notes.extend(notes);
}
