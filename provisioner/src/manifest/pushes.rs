//! The list `push` of a token: each sink's own rules, held offline.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::PushDeclaration;
use super::fault::Fault;
use super::fields::{Fields, Text, wrong_type};
use super::masking::shown;
use super::nearest::{listed, nearest};
use super::reading::{Reading, is_plain};
use super::sinks::ReadSink;

/// Reads `push`; a token without one has no place for its secret.
pub(super) fn pushes(
    fields: &mut Fields<'_>,
    token: &str,
    sinks: &BTreeMap<String, ReadSink>,
    reading: &mut Reading<'_>,
) -> Vec<PushDeclaration> {
    let hint = || format!("add a push, or make the token by hand with `provision token set {}`", shown(token));
    let list = fields.list("push", reading);
    if !fields.has("push") {
        fields.missing_fault("push", |fault| {
            let message = format!("{}: its secret would exist nowhere", fault.message);
            Fault { code: "no-push", message, ..fault }.hint(hint())
        });
    }
    let Some(list) = list else { return Vec::new() };
    if list.is_empty() {
        let span = fields.key_span("push").unwrap_or_default();
        reading.add(Fault::error("no-push", span, "an empty `push`: the secret would exist nowhere").hint(hint()));
    }
    list.iter().filter_map(|entry| push(entry, sinks, reading)).collect()
}

fn push(
    entry: &Spanned<DeValue<'_>>,
    sinks: &BTreeMap<String, ReadSink>,
    reading: &mut Reading<'_>,
) -> Option<PushDeclaration> {
    let Some(table) = entry.get_ref().as_table() else {
        let fault = wrong_type("a table", "push", entry);
        reading.add(fault.hint("a push reads `{ sink = \"dev\", name = \"API_TOKEN\" }`"));
        return None;
    };
    let mut fields = Fields::new(table, "this push".to_owned(), entry.span());
    let sink = fields.required_text("sink", reading);
    let name = fields.required_text("name", reading);
    let adopt = fields.boolean("adopt", reading).unwrap_or(false);
    let json_key = fields.text("json_key", reading);
    if let (Some(key), Some("dotenv")) = (&json_key, sink.as_ref().and_then(|sink| sinks.get(sink.text)?.kind)) {
        let message = "`json_key` is for `aws-secrets-manager` only";
        reading.add(Fault::error("needs-json", key.span.clone(), message).hint("a dotenv file holds plain values"));
    }
    if let Some(key) = &json_key {
        check_json_key(key, reading);
    }
    let found = sink.as_ref().and_then(|sink| find(sink, sinks, reading));
    match found.and_then(|sink| sink.kind) {
        Some(kind) => {
            if let Some(name) = &name {
                check_name(kind, name, reading);
            }
            fields.finish(reading);
        }
        // What a sink of a later version takes is not known.
        None => fields.finish_open(reading),
    }
    Some(PushDeclaration {
        sink: sink?.text.to_owned(),
        name_span: name.as_ref()?.span.clone(),
        name: name?.text.to_owned(),
        json_key: json_key.map(|key| key.text.to_owned()),
        adopt,
        span: entry.span(),
    })
}

fn find<'s>(sink: &Text<'_>, sinks: &'s BTreeMap<String, ReadSink>, reading: &mut Reading<'_>) -> Option<&'s ReadSink> {
    let found = sinks.get(sink.text);
    reading.used.insert(sink.text.to_owned());
    if found.is_none() {
        let names: Vec<String> = sinks.keys().map(|name| shown(name)).collect();
        let hint = match nearest(sink.text, sinks.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{}`?", shown(near)),
            None if names.is_empty() => format!("declare it: `[sinks.{}]`", shown(sink.text)),
            None => format!("the sinks here are {}", listed(&names)),
        };
        let message = format!("no sink is called `{}`", shown(sink.text));
        reading.add(Fault::error("unknown-sink", sink.span.clone(), message).hint(hint));
    }
    found
}

fn check_name(kind: &str, name: &Text<'_>, reading: &mut Reading<'_>) {
    if kind == "dotenv" {
        check_variable(name, reading);
    } else {
        check_secret_name(name, reading);
    }
}

fn check_variable(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = name.text.bytes().all(is_part) && name.text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !good {
        let message = format!("`{}` cannot be a variable in a dotenv file", shown(name.text));
        let rule = "a variable is letters, digits and `_`, and does not start with a digit";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    }
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
fn check_secret_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    if !(1..=512).contains(&name.text.len()) || !name.text.bytes().all(is_part) {
        let message = format!("`{}` cannot be a name in Secrets Manager", shown(name.text));
        let rule = "a name there is 1 to 512 letters, digits and `/_+=.@-`";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
        return;
    }
    let bytes = name.text.as_bytes();
    let looks_like_arn = bytes.len() > 7
        && bytes[bytes.len() - 7] == b'-'
        && bytes[bytes.len() - 6..].iter().all(u8::is_ascii_alphanumeric);
    if looks_like_arn {
        let message = format!("`{}` ends in a hyphen and six characters, as the ends of ARNs do", shown(name.text));
        let hint = "AWS advises against it: a look-up by a part of the ARN may find the wrong secret";
        reading.add(Fault::warning("arn-like-name", name.span.clone(), message).hint(hint));
    }
}

fn check_json_key(key: &Text<'_>, reading: &mut Reading<'_>) {
    if !(1..=128).contains(&key.text.chars().count()) || !is_plain(key.text) {
        let message = "a `json_key` is 1 to 128 characters, none of them a control character";
        reading.add(Fault::error("bad-json-key", key.span.clone(), message));
    }
}
