//! Asking before something is taken away.

use serde_json::json;

use super::exit::{Code, Fault};
use crate::output::{Format, Printer};

/// Whether a person agrees. `kept` is what then stays as it is: "`ana` was not deleted".
///
/// # Errors
/// Where nobody can be asked.
pub(super) fn asked(printer: Printer, yes: bool, question: &str, kept: &str) -> Result<bool, Fault> {
    if yes {
        return Ok(true);
    }
    if !printer.is_answered() {
        return Err(Fault::new(format!("{kept}: there is no terminal to confirm on"))
            .hint("pass `--yes` to confirm")
            .code(Code::Guard));
    }
    Ok(printer.confirm(&format!("{question} [y/N] "))?)
}

/// What is told after a no, which is no error: nothing has changed.
pub(super) fn declined(printer: Printer) -> Result<Code, Fault> {
    printer.talk("Nothing was changed");
    if printer.format == Format::Json {
        printer.json(&json!({ "declined": true }))?;
    }
    Ok(Code::Guard)
}
