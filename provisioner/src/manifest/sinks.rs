//! The tables `[sinks.NAME]`: what all types have in common; the rest is the type's own.

use std::collections::BTreeMap;

use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Span, Text, listed, sections, shown};
use latchkey_sinks::{Kind, SinkSettings};

const RULE: &str = "a sink's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter";

/// A sink of the file.
pub(super) struct ReadSink {
    /// Its type, where there is such a type.
    pub(super) kind: Option<Kind>,
    /// Its settings; `None` when they could not be read or its type is not known.
    pub(super) settings: Option<SinkSettings>,
    pub(super) span: Span,
}

/// Reads all declared sinks.
pub(super) fn sinks(section: &Section<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, ReadSink> {
    let mut sinks = BTreeMap::new();
    for section in sections(section, reading) {
        check_name(&section.key, reading);
        let sink = sink(&section, reading);
        sinks.insert(section.key.text.to_owned(), sink);
    }
    sinks
}

fn check_name(found: &Text<'_>, reading: &mut Reading<'_>) {
    let bytes = found.text.as_bytes();
    let good = (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    if !good {
        let message = format!("`{}` cannot be a sink's name", shown(found.text));
        reading.add(Fault::error("bad-name", found.span.clone(), message).hint(RULE));
    }
}

fn sink(section: &Section<'_>, reading: &mut Reading<'_>) -> ReadSink {
    let mut fields = Fields::of_section(section, "sink");
    let name = fields.text("type", reading);
    if !fields.has("type") {
        let hint = format!("a sink's type is one of {}", listed(&types()));
        fields.missing_fault("type", |fault| fault.hint(hint));
    }
    let kind = name.as_ref().and_then(|name| Kind::named(name.text));
    let settings = match (kind, name) {
        (Some(kind), _) => kind.read(fields, reading),
        (None, Some(name)) => {
            // The fields of a type that is not known cannot be wrong.
            let fault = unknown_type(&name, reading);
            reading.add(fault);
            None
        }
        (None, None) => {
            if fields.is_part_of_a_name(reading.text) {
                fields.finish(reading);
            } else {
                fields.finish_open(reading);
            }
            None
        }
    };
    ReadSink { kind, settings, span: section.header.clone() }
}

/// The names of all types.
fn types() -> Vec<&'static str> {
    let mut types = Kind::ALL.map(|kind| kind.facts().name());
    types.sort_unstable();
    types.into()
}

fn unknown_type(name: &Text<'_>, reading: &mut Reading<'_>) -> Fault {
    let types = types();
    let hint = reading
        .nearest(name.text, types.iter().copied())
        .map_or_else(|| format!("known types: {}", listed(&types)), |near| format!("did you mean `{near}`?"));
    Fault::error("unknown-type", name.span.clone(), format!("`{}` is not a type of sink", shown(name.text))).hint(hint)
}
