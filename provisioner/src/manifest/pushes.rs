//! The list `push` of a token: each sink's own rules, held offline.

mod environments;
mod names;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::PushDeclaration;
use super::sinks::ReadSink;
use crate::reading::{Fault, Fields, Reading, Text, is_plain, listed, nearest, shown, wrong_type};

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
    list.iter().flat_map(|entry| push(entry, sinks, reading)).collect()
}

fn push(
    entry: &Spanned<DeValue<'_>>,
    sinks: &BTreeMap<String, ReadSink>,
    reading: &mut Reading<'_>,
) -> Vec<PushDeclaration> {
    let Some(table) = entry.get_ref().as_table() else {
        let fault = wrong_type("a table", "push", entry);
        reading.add(fault.hint("a push reads `{ sink = \"dev\", name = \"API_TOKEN\" }`"));
        return Vec::new();
    };
    let mut fields = Fields::new(table, "this push".to_owned(), entry.span());
    let sink = fields.required_text("sink", reading);
    let name = fields.required_text("name", reading);
    let adopt = fields.boolean("adopt", reading).unwrap_or(false);
    let kind = sink.as_ref().and_then(|sink| sinks.get(sink.text)?.kind);
    let json_key = json_key(&mut fields, kind, reading);
    let environments = environments::read(&mut fields, kind, entry.span(), reading);
    let found = sink.as_ref().and_then(|sink| find(sink, sinks, reading));
    match found.and_then(|sink| Some((sink.kind?, sink.config.as_ref()))) {
        Some((kind, config)) => {
            if let Some(name) = &name {
                names::check(kind, config, name, reading);
            }
            fields.finish(reading);
        }
        // What a sink of an unknown type takes is not known.
        None => fields.finish_open(reading),
    }
    let (Some(sink), Some(name)) = (sink, name) else { return Vec::new() };
    let declaration = PushDeclaration {
        sink: sink.text.to_owned(),
        name_span: name.span.clone(),
        name: name.text.to_owned(),
        json_key,
        environment: None,
        sensitive: environments.sensitive,
        adopt,
        span: entry.span(),
    };
    if kind != Some("vercel") {
        return vec![declaration];
    }
    let one = |environment| PushDeclaration { environment: Some(environment), ..declaration.clone() };
    environments.all.into_iter().map(one).collect()
}

fn json_key(fields: &mut Fields<'_>, kind: Option<&str>, reading: &mut Reading<'_>) -> Option<String> {
    let key = fields.text("json_key", reading)?;
    if let Some(kind) = kind.filter(|kind| *kind != "aws-secrets-manager") {
        let message = "`json_key` is for `aws-secrets-manager` only";
        let hint = format!("an entry of `{kind}` holds a plain value");
        reading.add(Fault::error("needs-json", key.span.clone(), message).hint(hint));
    }
    check_json_key(&key, reading);
    Some(key.text.to_owned())
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

fn check_json_key(key: &Text<'_>, reading: &mut Reading<'_>) {
    if !(1..=128).contains(&key.text.chars().count()) || !is_plain(key.text) {
        let message = "a `json_key` is 1 to 128 characters, none of them a control character";
        reading.add(Fault::error("bad-json-key", key.span.clone(), message));
    }
}
