//! The list `push` of a token: each sink's own rules, held offline.

use std::collections::BTreeMap;

use latchkey::bounds::PLACES_MAX;
use toml::Spanned;
use toml::de::DeValue;

use super::sinks::ReadSink;
use latchkey_sinks::reading::{Fault, Fields, Reading, Text, listed_of, shown, wrong_type};
use latchkey_sinks::vercel::Environments;
use latchkey_sinks::{PushDeclaration, aws_secrets_manager};

/// Reads `push`; the secret of a token without one would be stored nowhere.
pub(super) fn pushes(
    fields: &mut Fields<'_>,
    token: &str,
    sinks: &BTreeMap<String, ReadSink>,
    reading: &mut Reading<'_>,
) -> Vec<PushDeclaration> {
    let hint = || format!("add a push, or create the token by hand with `provision token create {}`", shown(token));
    let list = fields.list("push", reading);
    if !fields.has("push") {
        fields.missing_fault("push", |fault| {
            let message = format!("{}: its secret would be stored nowhere", fault.message);
            Fault { code: "no-push", message, ..fault }.hint(hint())
        });
    }
    let Some(list) = list else { return Vec::new() };
    if list.is_empty() {
        let span = fields.key_span("push").unwrap_or_default();
        reading.add(Fault::error("no-push", span, "`push` is empty: the secret would be stored nowhere").hint(hint()));
    }
    let pushes: Vec<PushDeclaration> = list.iter().flat_map(|entry| push(entry, sinks, reading)).collect();
    if let Some(over) = pushes.get(PLACES_MAX) {
        let message = format!("a token has at most {PLACES_MAX} places, not {}", pushes.len());
        reading.add(Fault::error("too-many", over.span.clone(), message));
    }
    pushes
}

fn push(
    entry: &Spanned<DeValue<'_>>,
    sinks: &BTreeMap<String, ReadSink>,
    reading: &mut Reading<'_>,
) -> Vec<PushDeclaration> {
    let Some(table) = entry.get_ref().as_table() else {
        let fault = wrong_type("a table", "push", entry);
        reading.add(fault.hint("a push looks like `{ sink = \"dev\", name = \"API_TOKEN\" }`"));
        return Vec::new();
    };
    let mut fields = Fields::new(table, "this push".to_owned(), entry.span());
    let sink = fields.required_text("sink", reading);
    let name = fields.required_text("name", reading);
    let adopt = fields.boolean("adopt", reading).unwrap_or(false);
    let declared = sink.as_ref().and_then(|sink| sinks.get(sink.text));
    let kind = declared.and_then(|sink| sink.kind);
    let type_name = kind.map(|kind| kind.facts().name());
    let json_key = aws_secrets_manager::read_json_key(&mut fields, type_name, reading);
    let environments = Environments::read(&mut fields, type_name, entry.span(), reading);
    if let Some(sink) = &sink {
        note_use(sink, sinks, reading);
    }
    if let Some(name) = &name {
        match (declared.and_then(|sink| sink.settings.as_ref()), kind) {
            (Some(settings), _) => settings.facts().check_name(name, reading),
            (None, Some(kind)) => kind.facts().check_name(name, reading),
            (None, None) => {}
        }
    }
    match kind {
        Some(_) => fields.finish(reading),
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
        branches: environments.branches,
        sensitive: environments.sensitive,
        adopt,
        span: entry.span(),
    };
    match environments.all {
        None => vec![declaration],
        Some(all) => all
            .into_iter()
            .map(|environment| PushDeclaration { environment: Some(environment), ..declaration.clone() })
            .collect(),
    }
}

/// After how many faults none lists what is declared.
const LISTS_MAX: usize = 100;

/// Notes that a sink is used, and reports one that is not declared.
fn note_use(sink: &Text<'_>, sinks: &BTreeMap<String, ReadSink>, reading: &mut Reading<'_>) {
    reading.used.insert(sink.text.to_owned());
    if sinks.contains_key(sink.text) {
        return;
    }
    let hint = match reading.nearest(sink.text, sinks.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`?", shown(near)),
        // Nobody reads the same list a hundred times.
        None if sinks.is_empty() || reading.faults.len() > LISTS_MAX => {
            format!("declare it: `[sinks.{}]`", shown(sink.text))
        }
        None => format!("declared sinks: {}", listed_of(sinks.keys().map(|name| shown(name)), sinks.len())),
    };
    let message = format!("there is no sink `{}`", shown(sink.text));
    reading.add(Fault::error("unknown-sink", sink.span.clone(), message).hint(hint));
}
