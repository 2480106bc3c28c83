//! The file as TOML: slips in its syntax become faults, and what can be read is read.

use toml::Spanned;
use toml::de::DeTable;

use super::fault::{Fault, Span};
use super::masking::shown;
use super::snippet::floor;

/// Codes of faults that say something is not there: a slip in the syntax may be all that hides it.
const ABSENCES: &[&str] =
    &["missing-field", "no-push", "unknown-sink", "unused-sink", "undeclared-role", "undeclared-user"];

/// Whoever has more slips than this in one file reads no further; searching for each would only take time.
const SLIPS_MAX: usize = 100;

/// Reads a text as TOML, as far as it goes.
pub fn read(text: &str) -> (Spanned<DeTable<'_>>, Vec<Fault>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors.iter().take(SLIPS_MAX).map(|error| fault(text, error)).collect();
    faults.sort_by_key(|fault| fault.span.start);
    // A line that cannot be read gives one fault after another; the first tells.
    faults.dedup_by_key(|fault| (fault.code, line_start(text, fault.span.start)));
    without_echoes(text, &mut faults);
    (root, faults)
}

fn fault(text: &str, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or(0..0);
    let start = floor(text, span.start);
    let span = start..floor(text, span.end).max(start);
    if error.message().starts_with("duplicate key") {
        let key = text.get(span.clone()).unwrap_or_default();
        let fault = Fault::error("duplicate-key", span.clone(), format!("`{}` is given twice", shown(key)));
        return match first(text, &span) {
            Some(first) => fault.related(first, "first given here"),
            None => fault,
        };
    }
    Fault::error("syntax", span, error.message())
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

fn line(text: &str, start: usize) -> &str {
    text[start..].lines().next().unwrap_or_default()
}

/// Where a key that is given twice stands first: the parser does not say, so the lines above are searched, those of
/// the same table for a field and all for a header.
fn first(text: &str, second: &Span) -> Option<Span> {
    let start = line_start(text, second.start);
    let lead = line(text, start).get(..second.end - start)?;
    let is_header = lead.trim_start().starts_with('[');
    let mut end = start;
    let mut found = None;
    while end > 0 {
        let above = line_start(text, end - 1);
        let words = line(text, above);
        if !is_header && words.starts_with('[') {
            break;
        }
        let same = words.strip_prefix(lead).is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']));
        if same {
            found = Some(above + (second.start - start)..above + (second.end - start));
        }
        end = above;
    }
    found
}

/// A header that is given twice repeats its fields too: one fault is enough.
fn without_echoes(text: &str, faults: &mut Vec<Fault>) {
    let mut quiet_until = 0;
    faults.retain(|fault| {
        if fault.code != "duplicate-key" {
            return true;
        }
        if fault.span.start < quiet_until {
            return false;
        }
        let start = line_start(text, fault.span.start);
        if line(text, start).starts_with('[') {
            quiet_until = text[fault.span.end..].find("\n[").map_or(text.len(), |at| fault.span.end + at);
        }
        true
    });
}

/// Adds the faults of the syntax to those of the meaning, without those that only follow from the former.
pub fn joined(text: &str, syntax: Vec<Fault>, mut meaning: Vec<Fault>) -> Vec<Fault> {
    let slips: Vec<usize> =
        syntax.iter().filter(|fault| fault.code == "syntax").map(|fault| line_start(text, fault.span.start)).collect();
    if !slips.is_empty() {
        meaning.retain(|fault| {
            let follows = ABSENCES.contains(&fault.code) || slips.contains(&line_start(text, fault.span.start));
            fault.secret || !follows
        });
    }
    meaning.extend(syntax);
    meaning
}
