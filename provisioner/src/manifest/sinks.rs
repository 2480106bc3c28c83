//! The tables `[sinks.NAME]`: what all have in common here, and a file for each type.

mod aws_secrets_manager;
mod azure_key_vault;
mod dotenv;
mod heroku;
mod keyring;
mod login;
mod vercel;

use std::collections::BTreeMap;

use super::SinkConfig;
use crate::reading::{Fault, Fields, Reading, Section, Span, Text, listed, nearest, sections, shown};

const RULE: &str = "a sink's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter";

/// The types that can be pushed to.
pub(super) const TYPES: &[&str] = &["aws-secrets-manager", "azure-key-vault", "dotenv", "heroku", "keyring", "vercel"];

/// A sink of the file.
pub(super) struct ReadSink {
    /// Its settings; `None` when they could not be read or its type cannot be pushed to yet.
    pub(super) config: Option<SinkConfig>,
    pub(super) span: Span,
    /// Its type, where it is one of [`TYPES`].
    pub(super) kind: Option<&'static str>,
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
    let mut fields = Fields::of(section, "sink");
    let kind = fields.text("type", reading);
    if !fields.has("type") {
        let hint = format!("a sink's type is one of {}", listed(TYPES));
        fields.missing_fault("type", |fault| fault.hint(hint));
    }
    let known = kind.as_ref().and_then(|kind| TYPES.iter().find(|known| **known == kind.text).copied());
    let config = match (known, kind) {
        (Some("dotenv"), _) => dotenv::read(fields, reading),
        (Some("vercel"), _) => vercel::read(fields, reading),
        (Some("heroku"), _) => heroku::read(fields, reading),
        (Some("azure-key-vault"), _) => azure_key_vault::read(fields, reading),
        (Some("keyring"), _) => keyring::read(fields, reading),
        (Some(_), _) => aws_secrets_manager::read(fields, reading),
        (None, Some(kind)) => {
            // The fields of a type that is not known cannot be wrong.
            reading.add(unknown_type(&kind));
            None
        }
        (None, None) => {
            fields.finish_open(reading);
            None
        }
    };
    ReadSink { config, span: section.header.clone(), kind: known }
}

fn unknown_type(kind: &Text<'_>) -> Fault {
    let hint = nearest(kind.text, TYPES.iter().copied())
        .map_or_else(|| format!("the types are {}", listed(TYPES)), |near| format!("did you mean `{near}`?"));
    Fault::error("unknown-type", kind.span.clone(), format!("`{}` is not a type of sink", shown(kind.text))).hint(hint)
}
