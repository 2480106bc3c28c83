//! A vendor's contract: which requests there are, and what may stand in them and in their replies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema;

/// A contract, read from an `OpenAPI` document or from Heroku's hyper-schema.
#[derive(Debug)]
pub struct Contract {
    document: Value,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    path: Vec<Segment>,
    /// The parameters of the query; `None` where the contract says nothing of it.
    query: Option<BTreeMap<String, Parameter>>,
    body: Option<Value>,
    /// By status; those of every other success under 0.
    replies: BTreeMap<u16, Value>,
}

#[derive(Debug)]
enum Segment {
    Word(String),
    /// Anything, or what a schema allows.
    Any(Option<Value>),
}

#[derive(Debug)]
struct Parameter {
    required: bool,
    schema: Value,
}

/// A request as a contract sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub method: &'a str,
    /// The parts of its path, decoded.
    pub path: &'a [String],
    /// Its query, decoded.
    pub query: &'a [(String, String)],
    /// Its body; `null` where there is none.
    pub body: &'a Value,
}

impl Contract {
    /// Reads a contract of either form.
    pub fn load(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("a contract is JSON");
        let operations = match document.get("paths") {
            Some(paths) => open_api(paths),
            None => hyper_schema(&document),
        };
        assert!(!operations.is_empty(), "the contract has no operations");
        Self { document, operations }
    }

    fn operation(&self, method: &str, path: &[String]) -> Option<&Operation> {
        let fits = |(segment, text): (&Segment, &String)| match segment {
            Segment::Word(word) => word == text,
            Segment::Any(None) => !text.is_empty(),
            Segment::Any(Some(schema)) => {
                let number = text.parse::<u64>().ok().map(Value::from);
                let text = Value::String(text.clone());
                [Some(text), number]
                    .into_iter()
                    .flatten()
                    .any(|value| schema::check(&self.document, schema, &value, "").is_ok())
            }
        };
        self.operations.iter().find(|operation| {
            operation.method == method
                && operation.path.len() == path.len()
                && operation.path.iter().zip(path).all(fits)
        })
    }

    /// Whether there is such an operation.
    pub fn knows(&self, method: &str, path: &[String]) -> bool {
        self.operation(method, path).is_some()
    }

    /// Holds a request against it. `extra` are parameters that the contract is known to lack.
    ///
    /// # Errors
    /// With what differs.
    pub fn check_request(&self, asked: Asked<'_>, extra: &[&str]) -> Result<(), String> {
        let at = format!("{} /{}", asked.method, asked.path.join("/"));
        let operation =
            self.operation(asked.method, asked.path).ok_or_else(|| format!("{at} is not in the contract"))?;
        if let Some(query) = &operation.query {
            for (name, value) in asked.query.iter().filter(|(name, _)| !extra.contains(&name.as_str())) {
                let known = query.get(name).ok_or_else(|| format!("{at}: there is no parameter `{name}`"))?;
                schema::check(&self.document, &known.schema, &Value::String(value.clone()), &format!("{at}?{name}"))?;
            }
            let given = |name: &str| asked.query.iter().any(|(given, _)| given == name);
            if let Some((name, _)) = query.iter().find(|(name, parameter)| parameter.required && !given(name)) {
                return Err(format!("{at} lacks the parameter `{name}`"));
            }
        }
        match &operation.body {
            Some(body) => schema::check(&self.document, body, asked.body, &at),
            None if asked.body.is_null() => Ok(()),
            None => Err(format!("{at} takes no body")),
        }
    }

    /// Holds a reply to `asked` against it.
    ///
    /// # Errors
    /// With what differs.
    pub fn check_reply(&self, asked: Asked<'_>, status: u16, body: &Value) -> Result<(), String> {
        let at = format!("{status} to {} /{}", asked.method, asked.path.join("/"));
        let operation =
            self.operation(asked.method, asked.path).ok_or_else(|| format!("{at} is not in the contract"))?;
        let any = operation.replies.get(&0).filter(|_| (200..300).contains(&status));
        match operation.replies.get(&status).or(any) {
            Some(schema) => schema::check(&self.document, schema, body, &at),
            // Heroku's schema has no refusals.
            None if operation.replies.contains_key(&0) => Ok(()),
            None => Err(format!("{at} is not in the contract")),
        }
    }
}

fn open_api(paths: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in paths.as_object().into_iter().flatten() {
        let path = || {
            let part = |part: &str| {
                if part.starts_with('{') { Segment::Any(None) } else { Segment::Word(part.to_owned()) }
            };
            path.trim_start_matches('/').split('/').map(part).collect()
        };
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let query = parameters.filter(|parameter| parameter["in"] == "query").map(|parameter| {
                let required = parameter["required"] == true;
                (text(&parameter["name"]), Parameter { required, schema: parameter["schema"].clone() })
            });
            let content = |of: &Value| of.pointer("/content/application~1json/schema").cloned();
            let replies = operation["responses"].as_object().into_iter().flatten().filter_map(|(status, reply)| {
                let any = Value::Object(serde_json::Map::new());
                Some((status.parse().ok()?, content(reply).unwrap_or(any)))
            });
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path(),
                query: Some(query.collect()),
                body: content(&operation["requestBody"]),
                replies: replies.collect(),
            });
        }
    }
    operations
}

fn hyper_schema(document: &Value) -> Vec<Operation> {
    let definitions = document["definitions"].as_object().into_iter().flatten();
    let links = definitions.flat_map(|(_, definition)| definition["links"].as_array().into_iter().flatten());
    links
        .map(|link| Operation {
            method: text(&link["method"]),
            path: text(&link["href"]).trim_start_matches('/').split('/').map(segment).collect(),
            query: None,
            body: link.get("schema").cloned(),
            replies: [(0, link["targetSchema"].clone())].into(),
        })
        .collect()
}

/// A part of a path: `{(%23%2Fdefinitions%2Fapp..)}` refers to a schema.
fn segment(part: &str) -> Segment {
    let inner = part.strip_prefix("{(").and_then(|part| part.strip_suffix(")}"));
    match inner {
        None => Segment::Word(part.to_owned()),
        Some(inner) => {
            let pointer = inner.replace("%23", "#").replace("%2F", "/");
            Segment::Any(Some(serde_json::json!({ "$ref": pointer })))
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked<'a>(method: &'a str, path: &'a [String], query: &'a [(String, String)], body: &'a Value) -> Asked<'a> {
        Asked { method, path, query, body }
    }

    fn path(text: &str) -> Vec<String> {
        text.trim_start_matches('/').split('/').map(str::to_owned).collect()
    }

    #[test]
    fn vercel_s_contract_refuses_what_vercel_refuses() {
        let contract = Contract::load(include_str!("../../specs/vercel-env.openapi.json"));
        let edit = path("/v9/projects/web/env/abc");
        let check = |method: &str, path: &[String], query: &[(String, String)], body: &Value| {
            contract.check_request(asked(method, path, query, body), &["until"])
        };
        assert_eq!(check("PATCH", &edit, &[], &json!({ "value": "x", "comment": "c" })), Ok(()));
        assert!(check("PATCH", &edit, &[], &json!({ "value": "x", "upsert": true })).is_err());
        assert!(check("PATCH", &edit, &[], &json!({ "comment": "c".repeat(501) })).is_err());
        assert!(check("PATCH", &path("/v1/projects/web/env/abc"), &[], &json!({})).is_err());
        let list = path("/v10/projects/web/env");
        assert_eq!(check("GET", &list, &[("until".into(), "1".into())], &Value::Null), Ok(()));
        assert!(check("GET", &list, &[("limit".into(), "1".into())], &Value::Null).is_err());
        assert!(check("POST", &list, &[], &json!([{ "key": "A", "value": "x", "type": "sensitive" }])).is_err());
        assert!(check("DELETE", &path("/v1/projects/web/env"), &[], &json!({ "ids": [] })).is_err());
        let reply = |status, body: &Value| contract.check_reply(asked("GET", &list, &[], &Value::Null), status, body);
        assert_eq!(reply(200, &json!({ "envs": [] })), Ok(()));
        assert!(reply(200, &json!({ "envs": [{ "key": "A" }] })).is_err());
        assert!(reply(418, &json!({})).is_err());
    }

    #[test]
    fn heroku_s_contract_refuses_what_heroku_refuses() {
        let contract = Contract::load(include_str!("../../specs/heroku-config-vars.schema.json"));
        let app = path("/apps/acme-worker/config-vars");
        let check =
            |method: &str, path: &[String], body: &Value| contract.check_request(asked(method, path, &[], body), &[]);
        assert_eq!(check("PATCH", &app, &json!({ "A_B": "x", "C": null })), Ok(()));
        assert!(check("PATCH", &app, &json!({ "A-B": "x" })).is_err());
        assert!(check("PATCH", &app, &json!({ "A": 1 })).is_err());
        assert!(check("GET", &app, &json!({})).is_err());
        let pipeline = path("/pipelines/01234567-89ab-cdef-0123-456789abcdef/stage/test/config-vars");
        assert_eq!(check("PATCH", &pipeline, &json!({ "A.B:[c]": "x" })), Ok(()));
        assert!(contract.knows("GET", &path("/apps/acme-worker/releases/12/config-vars")));
        assert!(!contract.knows("GET", &path("/pipelines/acme/stage/nowhere/config-vars")));
        let reply = |body: &Value| contract.check_reply(asked("GET", &app, &[], &Value::Null), 200, body);
        assert_eq!(reply(&json!({ "A": "x" })), Ok(()));
        assert!(reply(&json!({ "A-B": "x" })).is_err());
    }
}
