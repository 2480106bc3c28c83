//! Places of one token that are one entry: settings changed, the entry did not. The former place is dropped from the
//! record, and its entry, which is the declared one, stays.

use latchkey::place::{Place, PlaceId};
use latchkey::token::Token;

use super::{Change, TokenPlan};
use crate::observe::Observation;

/// A former place, and the declared one that it is.
pub(super) type Twin = (Place, PlaceId);

/// The recorded places of a token that are one entry with one that it declares.
pub(super) fn twins(record: Option<&Token>, declared: &[Place], observation: &Observation) -> Vec<Twin> {
    let Some(record) = record else { return Vec::new() };
    let leaving = record.places.iter().filter(|(id, _)| !declared.iter().any(|place| place.id() == **id));
    let twin = |(_, recorded): (_, &latchkey::token::PlaceRecord)| {
        let same = observation.same_entry(recorded, declared, Some(record))?;
        Some((recorded.place.clone(), same.id()))
    };
    leaving.filter_map(twin).collect()
}

/// Drops them once no announced write can arrive there under the former name.
pub(super) fn merge(plan: &mut TokenPlan, twins: &[Twin], record: &Token, observation: &Observation) {
    for (from, into) in twins {
        let quiet = record.quiet_from(&from.id()).is_none_or(|(_, until)| until <= observation.at);
        if quiet {
            plan.changes.push(Change::Merge { from: from.clone(), into: into.clone() });
        }
    }
}
