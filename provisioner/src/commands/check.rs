//! `provision check` and `provision schema`: contact nothing.

use serde_json::json;

use super::arguments::Check;
use super::exit::{Code, Fault};
use super::open;
use crate::manifest::{self, LoadError};
use crate::output::{Format, Printer, markdown};
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{Severity, snippet};

/// Checks a manifest by its own rules.
pub(super) fn run(printer: Printer, check: &Check) -> Result<Code, Fault> {
    if printer.format == Format::Json {
        return as_json(printer, check);
    }
    let manifest = open::load(printer, check.file.as_deref(), &check.allow)?;
    let good = |words: &str| if printer.format == Format::Markdown { markdown::text(words) } else { words.to_owned() };
    let pushes: usize = manifest.tokens.iter().map(|token| token.pushes.len()).sum();
    let (tokens, pushes) = (count(manifest.tokens.len(), "token"), count(pushes, "push"));
    printer.result(&good(&format!("`{}` is valid: {tokens}, {pushes}", manifest.path.display())))?;
    Ok(Code::Done)
}

fn as_json(printer: Printer, check: &Check) -> Result<Code, Fault> {
    let file = open::manifest_file(check.file.as_deref());
    let (faults, text) = match manifest::load(&file, &check.allow.allowances()) {
        Ok((manifest, mut faults)) => {
            if !check.allow.allow_outside {
                faults.extend(manifest::leaving(&manifest));
                faults.sort_by_key(|fault| fault.span.start);
            }
            (faults, manifest.text)
        }
        Err(LoadError::Faults(faults)) => (faults.faults, faults.text),
        Err(error) => return Err(open::not_loaded(&error, check.file.as_deref())),
    };
    let bad = faults.iter().any(|fault| fault.severity == Severity::Error);
    let mut positions = snippet::Positions::of(&text);
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| {
            let at = positions.at(fault.span.start);
            json!({
                "severity": fault.severity,
                "code": fault.code,
                "line": at.line,
                "column": at.column,
                "message": fault.message,
                "help": fault.hint,
            })
        })
        .collect();
    printer.json(&json!({ "file": file, "good": !bad, "faults": faults }))?;
    Ok(if bad { Code::Error } else { Code::Done })
}

/// Prints the JSON Schema of manifests.
pub(super) fn schema(printer: Printer) -> Result<Code, Fault> {
    printer.json(&manifest::schema())?;
    Ok(Code::Done)
}
