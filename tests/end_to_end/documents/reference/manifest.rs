//! `manifest.md`: every table and field of a `tokens.toml`, from the schema that `provision schema` prints.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::{Schemas, named};
use super::{hold, sentence, table};

/// A definition's forms, each with the word that stands for it: its `type`, or its first field.
fn forms(schema: &Value) -> Vec<(String, &Value)> {
    let forms = ["oneOf", "anyOf"].into_iter().flat_map(|of| schema[of].as_array().into_iter().flatten());
    forms
        .map(|form| {
            let fields = form["properties"].as_object();
            let kind = form["properties"]["type"]["const"].as_str().map(|kind| format!("type = \"{kind}\""));
            let first = fields.and_then(|fields| fields.keys().next().cloned());
            (kind.or(first).unwrap_or_default(), form)
        })
        .collect()
}

fn section(schemas: &Schemas<'_>, name: &str) -> String {
    let schema = schemas.definition(name);
    let mut text = format!("## {name}\n\n");
    let about = schema["description"].as_str().unwrap_or_default();
    let _ = write!(text, "{}.\n\n", sentence(about));
    text.push_str(&schemas.fields(schema));
    for (kind, form) in forms(schema) {
        if form["properties"].is_object() {
            let about = form["description"].as_str().unwrap_or_default();
            let _ = write!(text, "### {name}: `{kind}`\n\n{}.\n\n{}\n", sentence(about), schemas.fields(form));
        } else if form.get("const").is_none() {
            let about = form["description"].as_str().unwrap_or_default();
            let _ = write!(text, "### {name}: {}\n\n{}.\n\n", schemas.kind(form), sentence(about));
        }
    }
    text.push('\n');
    text
}

/// What a choice between words means, where it is told.
fn words(schemas: &Schemas<'_>, definitions: &Value) -> String {
    let mut rows = Vec::new();
    for (name, schema) in definitions.as_object().unwrap() {
        if schemas.has_section(name) {
            continue;
        }
        for (_, form) in forms(schema) {
            if let Some(word) = form["const"].as_str() {
                let about = sentence(form["description"].as_str().unwrap_or_default());
                rows.push([name.clone(), format!("`{word}`"), about]);
            }
        }
    }
    table(["of", "word", "what it means"], rows)
}

#[test]
fn fields_of_a_manifest_are_those_of_its_schema() {
    let schema = provisioner::manifest::schema();
    let definitions = &schema["$defs"];
    let schemas = Schemas { definitions };
    // In the order in which the top names them, then what those name.
    let mut names: Vec<String> = Vec::new();
    let mut open = vec![&schema];
    while let Some(next) = open.first().copied() {
        open.remove(0);
        let mut inside = vec![next];
        while let Some(part) = inside.pop() {
            if let Some(name) = named(part).filter(|name| !names.iter().any(|known| known == name)) {
                names.push(name.to_owned());
                open.push(&definitions[name]);
            }
            match part {
                Value::Object(fields) => inside.extend(fields.values().rev()),
                Value::Array(items) => inside.extend(items.iter().rev()),
                _ => {}
            }
        }
    }
    assert_eq!(names.len(), definitions.as_object().unwrap().len());
    let sections = names.iter().filter(|name| schemas.has_section(name)).map(|name| section(&schemas, name));
    let parts = [
        ("top", schemas.fields(&schema)),
        ("tables", sections.collect::<String>()),
        ("words", words(&schemas, definitions)),
    ];
    hold("manifest.md", &parts);
}
