//! Versions that places show and the table does not know: the table is an older copy, as of a backup that was restored.
//! What was revoked since then is valid again, which nobody else would notice.

use latchkey::token::Token;

use super::{Note, TokenPlan};
use crate::observe::Observation;
use crate::observe::finding::Finding;
use latchkey_sinks::Seen;

/// Shows the places of a token without a record that contain a secret of no valid token of this service: its table may be
/// gone, or another one. The id is a claim here too.
pub(super) fn warn_of_strangers(plan: &mut TokenPlan, observation: &Observation) {
    let shows = |place: &latchkey::place::Place| {
        let Some(Ok(Seen::Holds(held))) = observation.looks.get(&place.id()) else { return false };
        held.token_id
            .as_ref()
            .is_some_and(|id| !observation.origins.contains_key(id) && !observation.hidden.contains(id))
    };
    let foreign = plan.findings.iter().filter(|(_, find)| matches!(find, Finding::Foreign));
    let places: Vec<_> = foreign.filter(|(place, _)| shows(place)).map(|(place, _)| place.id()).collect();
    if !places.is_empty() {
        plan.notes.push(Note::UnknownToken { places });
    }
}

/// Shows the places that contain a version of the token which its record does not know. The id is a claim, on which
/// nothing rests but this warning.
pub(super) fn warn(plan: &mut TokenPlan, observation: &Observation, record: &Token) {
    let shows = |place: &latchkey::place::Place| {
        let Some(Ok(Seen::Holds(held))) = observation.looks.get(&place.id()) else { return false };
        let unknown = |fingerprint| record.number_of(fingerprint).is_none();
        held.token_id.as_ref() == Some(&record.id) && held.fingerprint.as_ref().is_some_and(unknown)
    };
    let changed = plan.findings.iter().filter(|(_, find)| matches!(find, Finding::Edited | Finding::Foreign));
    let places: Vec<_> = changed.filter(|(place, _)| shows(place)).map(|(place, _)| place.id()).collect();
    if !places.is_empty() {
        plan.notes.push(Note::UnknownVersion { places });
    }
}
