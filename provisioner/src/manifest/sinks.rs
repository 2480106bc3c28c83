//! The tables `[sinks.NAME]`.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::fields::{Fields, Section, Text, sections};
use super::hosts::SECRETS_MANAGER;
use super::masking::shown;
use super::nearest::{listed, nearest};
use super::reading::{Reading, is_plain};
use super::{SinkConfig, Span};

const RULE: &str = "a sink's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter";

/// The types that can be pushed to.
pub(super) const TYPES: &[&str] = &["aws-secrets-manager", "dotenv"];
/// Types of sinks that a later version will know.
const LATER: &[&str] = &["azure-key-vault", "heroku", "keyring", "vercel"];

/// The most tags that AWS takes.
const TAGS_MAX: usize = 50;

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
        (Some("dotenv"), _) => dotenv(fields, reading),
        (Some(_), _) => secrets_manager(fields, reading),
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
    if LATER.contains(&kind.text) {
        let message = format!("this version cannot push to `{}` yet", kind.text);
        return Fault::error("unsupported-type", kind.span.clone(), message)
            .hint(format!("it can push to {}", listed(TYPES)));
    }
    let hint = nearest(kind.text, TYPES.iter().chain(LATER).copied())
        .map_or_else(|| format!("the types are {}", listed(TYPES)), |near| format!("did you mean `{near}`?"));
    Fault::error("unknown-type", kind.span.clone(), format!("`{}` is not a type of sink", shown(kind.text))).hint(hint)
}

fn dotenv(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let found = fields.text("path", reading);
    if !fields.has("path") {
        fields.missing_fault("path", |fault| fault.hint("for instance `path = \".env\"`"));
    }
    let path = found.and_then(|found| reading.file(&found, "path"));
    fields.finish(reading);
    path.map(|path| SinkConfig::Dotenv { path })
}

fn secrets_manager(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let region = fields.text("region", reading);
    let account = fields.text("account", reading);
    let profile = fields.text("profile", reading);
    let endpoint = fields.text("endpoint", reading);
    let kms_key_id = fields.text("kms_key_id", reading);
    let tags = tags(&mut fields, reading);
    let config = SinkConfig::AwsSecretsManager {
        region: reading.region(region),
        account: account.and_then(|found| account_id(found, reading)),
        profile: profile.and_then(|found| one_line("profile", 128, found, reading)),
        endpoint: reading.endpoint(endpoint, SECRETS_MANAGER),
        kms_key_id: kms_key_id.and_then(|found| one_line("kms_key_id", 2048, found, reading)),
        tags,
    };
    fields.finish(reading);
    (reading.faults.len() == faults).then_some(config)
}

fn account_id(found: Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if found.text.len() == 12 && found.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not an AWS account", shown(found.text));
    reading.add(Fault::error("bad-account", found.span, message).hint("an account is 12 digits, as a string"));
    None
}

fn one_line(name: &str, longest: usize, found: Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let length = found.text.chars().count();
    if (1..=longest).contains(&length) && is_plain(found.text) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{name}` is 1 to {longest} characters, none of them a control character");
    reading.add(Fault::error("bad-text", found.span, message));
    None
}

fn tags(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let pairs = fields.pairs("tags", reading);
    if let Some((key, _)) = pairs.get(TAGS_MAX) {
        let message = format!("a secret has at most {TAGS_MAX} tags, not {}", pairs.len());
        reading.add(Fault::error("too-many", key.span.clone(), message));
    }
    for (key, value) in &pairs {
        let key_is_good = (1..=128).contains(&key.text.chars().count()) && is_plain(key.text);
        if !key_is_good || key.text.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("`{}` cannot be a tag", shown(key.text));
            let rule = "a tag is 1 to 128 characters and does not start with `aws:`";
            reading.add(Fault::error("bad-tag", key.span.clone(), message).hint(rule));
        }
        if value.text.chars().count() > 256 || !is_plain(value.text) {
            let message = "a tag's value is at most 256 characters, none of them a control character";
            reading.add(Fault::error("bad-tag", value.span.clone(), message));
        }
    }
    pairs.into_iter().map(|(key, value)| (key.text.to_owned(), value.text.to_owned())).collect()
}
