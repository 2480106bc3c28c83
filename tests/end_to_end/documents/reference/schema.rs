//! JSON schemas as rows of a table: what a field may be, its limits, its default and what it is for.

use std::collections::BTreeSet;

use latchkey_sinks::plural::count;
use serde_json::Value;

use super::{code, sentence, table};

/// A document with schemas, and where they are in it.
pub(super) struct Schemas<'a> {
    pub(super) definitions: &'a Value,
}

fn text<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema[name].as_str()
}

fn array<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The definition that a schema refers to.
pub(super) fn named(schema: &Value) -> Option<&str> {
    text(schema, "$ref").and_then(|found| found.rsplit('/').next())
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

/// Whether a text is a duration, which has its own words: its pattern and least length say no more.
fn is_duration(schema: &Value) -> bool {
    text(schema, "pattern").is_some_and(|pattern| pattern.starts_with("^([0-9]") && pattern.contains("d)?([0-9]"))
}

/// The words of a choice between texts, where that is all that a schema is.
fn words(schema: &Value) -> Option<Vec<&str>> {
    let consts = || array(schema, "oneOf").iter().map(|one| text(one, "const")).collect::<Option<Vec<_>>>();
    let listed = || array(schema, "enum").iter().map(Value::as_str).collect::<Option<Vec<_>>>();
    [consts(), listed()].into_iter().flatten().find(|words| !words.is_empty())
}

impl Schemas<'_> {
    pub(super) fn definition(&self, name: &str) -> &Value {
        &self.definitions[name]
    }

    /// What a value is, in words. A definition that is no more than one kind of value is that kind; others are linked.
    pub(super) fn kind(&self, schema: &Value) -> String {
        if let Some(name) = named(schema) {
            return if self.has_section(name) {
                format!("[{name}](#{})", name.to_lowercase())
            } else {
                self.kind(self.definition(name))
            };
        }
        if let Some(words) = words(schema) {
            return words.into_iter().map(code).collect::<Vec<_>>().join(", ");
        }
        let choices: Vec<&Value> =
            array(schema, "anyOf").iter().chain(array(schema, "oneOf")).filter(|one| !is_null(one)).collect();
        if !choices.is_empty() {
            let mut kinds: Vec<String> = choices.iter().map(|one| self.kind(one)).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
            _ => vec![],
        };
        match types.as_slice() {
            ["array"] => format!("list of {}", self.kind(&schema["items"])),
            ["object"] if schema["additionalProperties"].is_object() => {
                format!("table of {}", self.kind(&schema["additionalProperties"]))
            }
            ["object"] if schema["properties"].is_object() => {
                let keys = schema["properties"].as_object().unwrap().iter();
                let keys = keys.map(|(name, of)| format!("{name} = {}", self.kind(of)));
                format!("`{{ {} }}`", keys.collect::<Vec<_>>().join(", ").replace('`', ""))
            }
            ["object"] => "object".to_owned(),
            ["integer"] => "number".to_owned(),
            ["string"] if schema["format"] == "date-time" => "instant".to_owned(),
            ["string"] if is_duration(schema) => "duration".to_owned(),
            ["string"] if schema["const"].is_string() => code(schema["const"].as_str().unwrap_or_default()),
            ["string"] => "text".to_owned(),
            ["boolean"] => "true or false".to_owned(),
            [one] => (*one).to_owned(),
            [] => "anything".to_owned(),
            many => many.join(" or "),
        }
    }

    /// Whether a definition has a section of its own: it has fields, or several forms.
    pub(super) fn has_section(&self, name: &str) -> bool {
        let schema = self.definition(name);
        let forms = array(schema, "oneOf").iter().chain(array(schema, "anyOf"));
        schema["properties"].is_object() || forms.filter(|form| form["properties"].is_object()).count() > 0
    }

    /// What bounds a value; of what a definition is no section of, its own.
    pub(super) fn limits(&self, schema: &Value) -> Vec<String> {
        let mut limits = Vec::new();
        if is_duration(schema) {
            return limits;
        }
        if let Some(name) = named(schema).filter(|name| !self.has_section(name)) {
            limits.extend(self.limits(self.definition(name)));
        }
        let number = |name: &str| schema[name].as_u64();
        let range = |least: Option<u64>, most: Option<u64>, of: &str| {
            let many = |bound: u64| if of.is_empty() { bound.to_string() } else { count(bound, of) };
            match (least.filter(|least| *least > 0), most) {
                (Some(least), Some(most)) if least == most => Some(many(least)),
                (Some(least), Some(most)) => Some(format!("{least} to {}", many(most))),
                (None, Some(most)) => Some(format!("at most {}", many(most))),
                (Some(least), None) => Some(format!("at least {}", many(least))),
                (None, None) => None,
            }
        };
        limits.extend(range(number("minLength"), number("maxLength"), "character"));
        limits.extend(range(number("minimum"), number("maximum"), ""));
        limits.extend(range(number("minItems"), number("maxItems"), "item"));
        limits.extend(range(None, number("maxProperties"), "item"));
        limits.extend(text(schema, "pattern").map(code));
        if let Some(keys) = schema.get("propertyNames") {
            limits.extend(self.limits(keys).into_iter().map(|limit| format!("keys {limit}")));
        }
        if schema["items"].is_object() {
            limits.extend(self.limits(&schema["items"]).into_iter().map(|limit| format!("each {limit}")));
        }
        limits
    }

    /// A table with a row for each field.
    pub(super) fn fields(&self, schema: &Value) -> String {
        let required: BTreeSet<&str> = array(schema, "required").iter().filter_map(Value::as_str).collect();
        let Some(fields) = schema["properties"].as_object() else { return String::new() };
        let rows = fields.iter().map(|(name, of)| {
            let told = text(of, "description").or_else(|| text(self.definition(named(of)?), "description"));
            // A list of words is in the column of types already.
            let told = told.unwrap_or_default().split("\n\n").next().unwrap_or_default();
            let (about, default) = default(&sentence(told));
            let set = match of.get("default") {
                Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
                Some(Value::Object(table)) if table.is_empty() => "none".to_owned(),
                Some(value) => code(&value.to_string()),
                None => String::new(),
            };
            let default = match (required.contains(name.as_str()), default) {
                (true, _) => "required".to_owned(),
                (false, Some(told)) => told,
                (false, None) => set,
            };
            [code(name), self.kind(of), default, self.limits(of).join("; "), about]
        });
        table(["field", "type", "default", "limits", "what it is"], rows)
    }
}

/// A description without the default that it names, and that default.
pub(super) fn default(text: &str) -> (String, Option<String>) {
    for between in ["; default: ", ". Default: ", "; by default, ", "; by default "] {
        if let Some((about, default)) = text.split_once(between) {
            let (default, more) = default.split_once(". ").map_or((default, None), |(one, more)| (one, Some(more)));
            let more = more.map(|more| format!(". {more}")).unwrap_or_default();
            return (format!("{about}{more}"), Some(default.to_owned()));
        }
    }
    let told = text.strip_suffix(" by default").and_then(|before| before.rsplit_once("; "));
    match told {
        Some((about, default)) => (about.to_owned(), Some(default.trim_end_matches(',').to_owned())),
        None => (text.to_owned(), None),
    }
}
