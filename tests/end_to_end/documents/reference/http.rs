//! `http.md`: every route, what it takes and answers, from the document of the API; and every code of a problem.

use std::fmt::Write as _;

use latchkey::api::ProblemCode;
use serde_json::Value;

use super::super::linked::anchor;
use super::schema::{Schemas, default, named};
use super::{code, hold, sentence, table};

const PREFIX: &str = "#/components/responses/";

/// A route of the document.
struct Operation<'a> {
    method: String,
    path: &'a str,
    about: &'a Value,
}

impl Operation<'_> {
    fn text(&self, name: &str) -> &str {
        self.about[name].as_str().unwrap_or_default()
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Where its section is.
    fn anchor(&self) -> String {
        anchor(&self.line())
    }

    /// What a caller needs.
    fn needs(&self) -> String {
        match self.text("description").strip_prefix("Permission: ") {
            Some(needs) => needs.trim_end_matches('.').to_owned(),
            None => "none, and no token".to_owned(),
        }
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, about)| Operation { method: method.to_uppercase(), path, about })
    });
    all.collect()
}

/// A link to a section of a schema, or what it is in words.
fn linked(schemas: &Schemas<'_>, schema: &Value) -> String {
    match named(schema) {
        Some(name) if schemas.has_section(name) => format!("[{name}](#{})", name.to_lowercase()),
        _ => schemas.kind(schema),
    }
}

fn parameters(schemas: &Schemas<'_>, operation: &Operation<'_>) -> String {
    let all = operation.about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = all.iter().filter(|parameter| parameter["in"] != "path").map(|parameter| {
        let schema = &parameter["schema"];
        let (about, default) = default(&sentence(parameter["description"].as_str().unwrap_or_default()));
        let default = if parameter["required"] == true { "required".to_owned() } else { default.unwrap_or_default() };
        let place = parameter["in"].as_str().unwrap_or_default();
        let limits = schemas.limits(schema).join("; ");
        [code(parameter["name"].as_str().unwrap()), place.to_owned(), schemas.kind(schema), default, limits, about]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        String::new()
    } else {
        table(["parameter", "in", "type", "default", "limits", "what it is"], rows)
    }
}

fn replies(document: &Value, schemas: &Schemas<'_>, operation: &Operation<'_>) -> String {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for (status, reply) in operation.about["responses"].as_object().unwrap() {
        if let Some(name) = reply["$ref"].as_str().and_then(|found| found.strip_prefix(PREFIX)) {
            assert!(document["components"]["responses"][name].is_object(), "{name}");
            refused.push(code(status));
            continue;
        }
        let body = &reply["content"]["application/json"]["schema"];
        let body = if body.is_null() { "no body".to_owned() } else { linked(schemas, body) };
        good.push(format!("`{status}` {body}"));
    }
    format!("Replies: {}. Problems: {}.\n\n", good.join("; "), refused.join(", "))
}

fn section(document: &Value, schemas: &Schemas<'_>, operation: &Operation<'_>) -> String {
    let mut text = format!("### {}\n\n", operation.line());
    let _ = write!(text, "{}. Permission: {}.\n\n", sentence(operation.text("summary")), operation.needs());
    let parameters = parameters(schemas, operation);
    if !parameters.is_empty() {
        let _ = writeln!(text, "{parameters}");
    }
    if let Some(kinds) = operation.about["requestBody"]["content"].as_object() {
        let body = linked(schemas, kinds.values().next().map_or(&Value::Null, |kind| &kind["schema"]));
        let kinds: Vec<String> = kinds.keys().map(|kind| code(kind)).collect();
        let _ = write!(text, "Body: {body}, as {}.\n\n", kinds.join(" or "));
    }
    text.push_str(&replies(document, schemas, operation));
    text
}

fn routes(document: &Value, schemas: &Schemas<'_>) -> (String, String) {
    let operations = operations(document);
    let rows = operations.iter().map(|operation| {
        [
            format!("[`{}`](#{})", operation.line(), operation.anchor()),
            sentence(operation.text("summary")),
            operation.needs(),
        ]
    });
    let overview = table(["route", "what it does", "permission"], rows);
    let sections = operations.iter().map(|operation| section(document, schemas, operation)).collect();
    (overview, sections)
}

fn bodies(schemas: &Schemas<'_>) -> String {
    let mut text = String::new();
    for (name, schema) in schemas.definitions.as_object().unwrap() {
        if !schemas.has_section(name) {
            continue;
        }
        let about = sentence(schema["description"].as_str().unwrap_or_default());
        let _ = write!(text, "### {name}\n\n{about}.\n\n");
        if schema["properties"].is_object() {
            let _ = writeln!(text, "{}", schemas.fields(schema));
        } else {
            let _ = write!(text, "{}.\n\n", schemas.kind(schema));
        }
    }
    text
}

fn problems() -> String {
    let rows = ProblemCode::ALL.iter().map(|problem| {
        let members: Vec<String> = problem.members.iter().map(|member| code(member)).collect();
        [
            problem.status.to_string(),
            code(problem.code),
            problem.meaning.to_owned(),
            problem.fix.to_owned(),
            members.join(", "),
        ]
    });
    table(["status", "`code`", "meaning", "what to do", "more members"], rows)
}

#[test]
fn routes_are_described_as_they_answer() {
    let document = latchkey::api::document();
    let schemas = Schemas { definitions: &document["components"]["schemas"] };
    let (overview, sections) = routes(&document, &schemas);
    let parts = [("routes", overview), ("codes", problems()), ("each", sections), ("bodies", bodies(&schemas))];
    hold("http.md", &parts);
}
