//! Requests that are made up: most often of the form that a route has, and now and then of none.

use std::fmt::Write as _;

use latchkey::api::Route;
use serde_json::{Map, Value, json};
use tests::chaos::Random;

use super::super::scene::place;
use super::words::{HEADERS, METHODS, TYPES, WORDS};

/// One request, as it is shown when it finds something.
#[derive(Debug, Clone)]
pub(super) struct Fuzzed {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Makes requests up.
pub(super) struct Maker<'a> {
    pub(super) random: Random,
    pub(super) document: Value,
    pub(super) routes: Vec<&'static Route>,
    /// Secrets, ids and cursors that are real.
    pub(super) known: Vec<String>,
    pub(super) templates: &'a [&'a str],
}

impl Maker<'_> {
    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.random.below(count) == 0
    }

    fn pick<'b>(&mut self, from: &[&'b str]) -> &'b str {
        from[self.random.below(from.len())]
    }

    fn word(&mut self) -> String {
        match self.random.below(12) {
            0 => "x".repeat(self.random.below(600)),
            1 => {
                (0..self.random.below(12)).map(|_| char::from(u8::try_from(self.random.below(128)).unwrap())).collect()
            }
            2 | 3 if !self.known.is_empty() => self.known[self.random.below(self.known.len())].clone(),
            4 => self.random.number().to_string(),
            _ => self.pick(WORDS).to_owned(),
        }
    }

    /// A name in a path, most often one that is there.
    fn placeholder(&mut self, name: &str) -> String {
        if self.one_in(4) {
            return self.word();
        }
        let likely: &[&str] = match name {
            "user" => &["ada", "bob", "me", "new-one", "robot"],
            "name" => &["deploy", "laptop", "app", "new"],
            "role" => &["reader", "unused", "own-role", "acme-role"],
            "manifest" => &["acme", "other"],
            "version" => &["1", "2", "3"],
            "place" => return place().id().to_string(),
            _ => &[],
        };
        if likely.is_empty() { self.word() } else { self.pick(likely).to_owned() }
    }

    fn target(&mut self, route: &Route, parameters: &[String]) -> String {
        let mut words = Vec::new();
        for word in route.path.split('/') {
            words.push(match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
                Some(name) => self.placeholder(name),
                None if self.one_in(100) => self.word(),
                None => word.to_owned(),
            });
        }
        let mut target = words.join("/");
        if !self.one_in(3) {
            return target;
        }
        target.push('?');
        for _ in 0..self.random.below(5) {
            let name = if parameters.is_empty() || self.one_in(5) {
                self.word()
            } else {
                parameters[self.random.below(parameters.len())].clone()
            };
            let _ = write!(target, "{name}={}&", self.word());
        }
        target
    }

    /// A value of a schema's form, most often.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if depth > 6 || self.one_in(15) {
            return self.junk(depth);
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            let schema = self.document["components"]["schemas"][name].clone();
            return self.value(&schema, depth + 1);
        }
        for choice in ["anyOf", "oneOf", "enum"] {
            if let Some(choices) = schema[choice].as_array().filter(|choices| !choices.is_empty()) {
                let chosen = choices[self.random.below(choices.len())].clone();
                return if choice == "enum" { chosen } else { self.value(&chosen, depth + 1) };
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[self.random.below(kinds.len())].clone(),
            kind => kind.clone(),
        };
        match kind.as_str().unwrap_or_default() {
            "object" => self.object(schema, depth),
            "array" => (0..self.random.below(4)).map(|_| self.value(&schema["items"], depth + 1)).collect(),
            "string" => self.word().into(),
            "integer" | "number" => match self.random.below(4) {
                0 => self.random.number().into(),
                1 => json!(-1),
                _ => self.random.below(5).into(),
            },
            "boolean" => self.one_in(2).into(),
            "null" => Value::Null,
            _ => self.junk(depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, form) in schema["properties"].as_object().cloned().unwrap_or_default() {
            let wanted = if required.contains(&Value::from(name.as_str())) { !self.one_in(20) } else { self.one_in(2) };
            if wanted {
                let likely = if self.one_in(3) { None } else { self.likely(&name) };
                let value = likely.unwrap_or_else(|| self.value(&form, depth + 1));
                object.insert(name, value);
            }
        }
        if schema["additionalProperties"].is_object() || self.one_in(30) {
            for _ in 0..self.random.below(3) {
                let value = self.value(&schema["additionalProperties"], depth + 1);
                object.insert(self.word(), value);
            }
        }
        object.into()
    }

    /// What a field may well have.
    fn likely(&mut self, field: &str) -> Option<Value> {
        Some(match field {
            "name" => format!("app-{}", self.random.below(1000)).into(),
            "user" => self.placeholder("user").into(),
            "id" | "token" => self.known[self.random.below(self.known.len())].clone().into(),
            "roles" => json!([self.pick(&["reader", "writer", "unused"])]),
            "permissions" => json!([self.pick(&["documents:read", "documents:write", "other:read"])]),
            "manifest" => "acme".into(),
            "expires_in" => "20d".into(),
            "rotate_every" => "7d".into(),
            "overlap" => "2h".into(),
            "expires_at" => "2026-03-20".into(),
            "allowed_ips" => json!(["192.0.2.0/24"]),
            "places" => json!([place()]),
            "labels" => json!({"team": "a"}),
            _ => return None,
        })
    }

    fn junk(&mut self, depth: usize) -> Value {
        match self.random.below(8) {
            0 => Value::Null,
            1 => self.one_in(2).into(),
            2 => self.random.number().into(),
            3 => json!(-0.5e300),
            4 if depth < 6 => (0..self.random.below(4)).map(|_| self.junk(depth + 1)).collect(),
            5 if depth < 6 => {
                Value::Object((0..self.random.below(4)).map(|_| (self.word(), self.junk(depth + 1))).collect())
            }
            _ => self.word().into(),
        }
    }

    fn body(&mut self, operation: &Value) -> Vec<u8> {
        let schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
        if schema.is_null() && !self.one_in(10) {
            return Vec::new();
        }
        if self.one_in(20) {
            return (0..self.random.below(300)).map(|_| u8::try_from(self.random.below(256)).unwrap()).collect();
        }
        if self.one_in(200) {
            return vec![*b" [{\"0".get(self.random.below(5)).unwrap(); 66 * 1024];
        }
        let mut body = self.value(&schema, 0).to_string().into_bytes();
        if self.one_in(10) && !body.is_empty() {
            let at = self.random.below(body.len());
            match self.random.below(3) {
                0 => body.truncate(at),
                1 => body[at] = u8::try_from(self.random.below(256)).unwrap(),
                _ => body.insert(at, u8::try_from(self.random.below(256)).unwrap()),
            }
        }
        body
    }

    pub(super) fn request(&mut self) -> Fuzzed {
        let route = self.routes[self.random.below(self.routes.len())];
        let operation = self.document["paths"][route.path][route.method.to_ascii_lowercase()].clone();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let queries: Vec<String> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect();
        let method = if self.one_in(30) { self.pick(METHODS) } else { route.method }.to_owned();
        let target = if self.one_in(50) { self.pick(self.templates).to_owned() } else { self.target(route, &queries) };
        let body = self.body(&operation);
        let kind = if self.one_in(12) { self.pick(TYPES) } else { TYPES[0] };
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        while self.one_in(6) {
            headers.push((self.pick(HEADERS).to_owned(), self.word()));
        }
        Fuzzed { method, target, headers, body }
    }
}
