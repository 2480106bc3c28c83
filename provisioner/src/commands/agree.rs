//! `--prune` on a terminal: whoever typed it confirms what is deleted, by its number.

use std::sync::atomic::AtomicBool;

use super::exit::Fault;
use crate::output::{Format, Printer};
use crate::plan::{Change, Plan};
use latchkey_sinks::plural::count;

/// Whether there is somebody to ask: a person who sees the plan.
pub(super) fn can(printer: Printer) -> bool {
    printer.format == Format::Text && printer.is_answered() && printer.watched()
}

/// What came of a question.
pub(super) enum Answer {
    /// Nothing is deleted, so there was none.
    Unasked,
    Yes,
    No,
}

/// Asks about what the plan deletes.
pub(super) fn agree(printer: Printer, plan: &Plan, stop: &AtomicBool) -> Result<Answer, Fault> {
    let Some(what) = deleted(plan) else { return Ok(Answer::Unasked) };
    let answer = printer.ask_until(&format!("Delete {what}? Type `yes` to confirm: "), stop)?;
    Ok(if answer == "yes" { Answer::Yes } else { Answer::No })
}

/// What a plan deletes, in words.
fn deleted(plan: &Plan) -> Option<String> {
    let number = |is: fn(&Change) -> bool| {
        plan.tokens.iter().flat_map(|token| &token.changes).filter(|change| is(change)).count()
    };
    let tokens = number(|change| matches!(change, Change::Leave | Change::Delete));
    let entries = number(|change| matches!(change, Change::Remove { .. }));
    let parts = [(tokens, "token"), (entries, "entry")];
    let words: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(*number, noun)).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}
