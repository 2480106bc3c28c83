//! What is due and can wait: for the window to open.

use jiff::Timestamp;
use latchkey::token::Version;

use super::case::Case;
use crate::plan::{Change, Note, Reason, TokenPlan};

/// Until when a rotation that is due waits for the window, which the plan then tells; it also tells of one that cannot
/// wait.
pub(super) fn waits(plan: &mut TokenPlan, case: &Case<'_>, current: &Version, reason: &Reason) -> Option<Timestamp> {
    let expiry = current.expiry?;
    let window = case.rotation.window.as_ref()?;
    let opens = window.opens_after(case.now)?;
    let until = case.rotation.waits_until(case.now, expiry, case.declaration.terms);
    plan.notes.push(match until {
        Some(opens) => Note::WaitsForWindow { reason: reason.clone(), opens },
        None => Note::OutsideWindow { number: current.number, expiry, opens },
    });
    until
}

/// Takes back what was told of a rotation that is done after all, or of one that is not.
pub(super) fn settle(plan: &mut TokenPlan) {
    let rotates = plan.changes.iter().any(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. }));
    plan.notes.retain(|note| match note {
        Note::WaitsForWindow { .. } => !rotates,
        Note::OutsideWindow { .. } => rotates,
        _ => true,
    });
}
