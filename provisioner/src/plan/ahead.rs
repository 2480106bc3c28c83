//! Records with times that are still to come: a clock ran ahead when they were written. A declared token is due, and its
//! next version sets them right; of any other they are shown.

use latchkey::protocol::Keeps;
use latchkey::token::Token;

use super::{Note, TokenPlan};
use crate::observe::Observation;

/// Shows what a clock ahead has recorded.
pub(super) fn warn(plan: &mut TokenPlan, observation: &Observation, record: &Token) {
    let Some(latest) = record.ahead(observation.at) else { return };
    // What is reckoned from such times is not so.
    plan.notes.retain(|note| {
        !matches!(note, Note::Kept { why: Keeps::Overlap { .. } | Keeps::Announced { .. }, .. } | Note::EndsAfter(_))
    });
    plan.notes.push(Note::Ahead { latest });
}
