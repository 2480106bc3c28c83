//! Requests and replies held against an OpenAPI document: the part of OpenAPI that such documents use.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

/// A vendor's document.
#[derive(Debug)]
pub struct Contract(Value);

/// One operation of it, whose reply is checked.
#[derive(Debug, Clone)]
pub struct Operation(Value);

impl Contract {
    /// Reads a document.
    pub fn load(json: &str) -> Self {
        Self(serde_json::from_str(json).expect("a document is JSON"))
    }

    /// Checks a request; answers the operation that it is of.
    ///
    /// # Errors
    /// What differs.
    pub fn check_request(
        &self,
        method: &str,
        path: &str,
        query: &BTreeMap<String, String>,
        body: Option<&Value>,
    ) -> Result<Operation, String> {
        let paths = self.0["paths"].as_object().ok_or("no paths")?;
        // A path without parameters comes before one with them: `/secrets/restore`.
        let mut matching: Vec<_> = paths.iter().filter(|(template, _)| fits(template, path)).collect();
        matching.sort_by_key(|(template, _)| template.matches('{').count());
        let found = matching.iter().find_map(|(_, item)| item.get(method.to_ascii_lowercase()));
        let operation = found.ok_or_else(|| format!("no operation `{method} {path}`"))?;
        let parameters: Vec<&Value> =
            operation["parameters"].as_array().into_iter().flatten().map(|one| self.resolved(one)).collect();
        let in_query = |parameter: &&&Value| parameter["in"] == "query";
        for parameter in parameters.iter().filter(in_query) {
            let name = parameter["name"].as_str().unwrap_or_default();
            match query.get(name) {
                Some(value) => self.check(&typed(value), &parameter["schema"], name, Way::Request)?,
                None if parameter["required"] == true => return Err(format!("`{name}` is missing in the query")),
                None => {}
            }
        }
        for name in query.keys().filter(|name| *name != "$skiptoken") {
            if !parameters.iter().filter(in_query).any(|parameter| parameter["name"] == name.as_str()) {
                return Err(format!("`{name}` is no parameter of `{method} {path}`"));
            }
        }
        let schema = operation.pointer("/requestBody/content/application~1json/schema");
        match (schema, body) {
            (Some(schema), Some(body)) => self.check(body, schema, "body", Way::Request)?,
            (Some(_), None) => return Err(format!("`{method} {path}` needs a body")),
            (None, Some(_)) => return Err(format!("`{method} {path}` takes no body")),
            (None, None) => {}
        }
        Ok(Operation(operation.clone()))
    }

    /// Checks a reply.
    ///
    /// # Errors
    /// What differs.
    pub fn check_reply(&self, operation: &Operation, status: u16, body: Option<&Value>) -> Result<(), String> {
        let replies = &operation.0["responses"];
        let reply = replies.get(status.to_string()).or_else(|| replies.get("default"));
        let reply = self.resolved(reply.ok_or_else(|| format!("no reply {status}"))?);
        match (reply.pointer("/content/application~1json/schema"), body) {
            (Some(schema), Some(body)) => self.check(body, schema, "reply", Way::Reply),
            (None, None) => Ok(()),
            (Some(_), None) => Err(format!("a reply {status} has a body")),
            (None, Some(_)) => Err(format!("a reply {status} has no body")),
        }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|found| found.strip_prefix('#'));
        pointer.map_or(value, |pointer| self.0.pointer(pointer).expect("a reference leads somewhere"))
    }

    /// The fields of a schema, those of its parts among them.
    fn fields<'a>(&'a self, schema: &'a Value) -> Map<String, Value> {
        let mut fields = schema["properties"].as_object().cloned().unwrap_or_default();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            fields.extend(self.fields(self.resolved(part)));
        }
        fields
    }

    fn check(&self, value: &Value, schema: &Value, at: &str, way: Way) -> Result<(), String> {
        let schema = self.resolved(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(value, part, at, way)?;
        }
        if way == Way::Request && schema["readOnly"] == true {
            return Err(format!("`{at}` is for replies only"));
        }
        if value.is_null() && schema["nullable"] == true {
            return Ok(());
        }
        match schema["type"].as_str() {
            Some("object") => self.check_object(value, schema, at, way)?,
            Some("array") => {
                let array = value.as_array().ok_or_else(|| format!("`{at}` is no list"))?;
                for (index, item) in array.iter().enumerate() {
                    self.check(item, &schema["items"], &format!("{at}[{index}]"), way)?;
                }
            }
            Some("string") => {
                let text = value.as_str().ok_or_else(|| format!("`{at}` is no string"))?;
                if text.chars().count() < usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap_or(0) {
                    return Err(format!("`{at}` is too short"));
                }
                if let Some(pattern) = schema["pattern"].as_str()
                    && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
                {
                    return Err(format!("`{at}` does not match `{pattern}`"));
                }
            }
            Some("integer") => {
                let number = value.as_i64().ok_or_else(|| format!("`{at}` is no whole number"))?;
                let below = schema["minimum"].as_i64().is_some_and(|least| number < least);
                if below || schema["maximum"].as_i64().is_some_and(|most| number > most) {
                    return Err(format!("`{at}` is out of its bounds"));
                }
            }
            Some("boolean") if !value.is_boolean() => return Err(format!("`{at}` is no boolean")),
            _ => {}
        }
        match schema["enum"].as_array() {
            Some(choices) if !choices.contains(value) => Err(format!("`{at}` is none of its choices")),
            _ => Ok(()),
        }
    }

    fn check_object(&self, value: &Value, schema: &Value, at: &str, way: Way) -> Result<(), String> {
        let object = value.as_object().ok_or_else(|| format!("`{at}` is no object"))?;
        let fields = self.fields(schema);
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(format!("`{at}` has no `{name}`"));
            }
        }
        for (name, value) in object {
            let free = Some(&schema["additionalProperties"]).filter(|free| !free.is_null());
            match fields.get(name).or(free) {
                Some(field) => self.check(value, field, &format!("{at}.{name}"), way)?,
                None => return Err(format!("`{at}` has no field `{name}`")),
            }
        }
        Ok(())
    }
}

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Reply,
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, found): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    wanted.len() == found.len()
        && wanted
            .iter()
            .zip(found)
            .all(|(wanted, found)| (wanted.starts_with('{') && !found.is_empty()) || *wanted == found)
}

/// A value of a query, as the number that it may be.
fn typed(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> Contract {
        Contract::load(include_str!("../../../specs/azure-keyvault-secrets.openapi.json"))
    }

    fn request(method: &str, path: &str, query: &[(&str, &str)], body: Option<Value>) -> Result<Operation, String> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        contract().check_request(method, path, &query, body.as_ref())
    }

    #[test]
    fn what_the_document_does_not_allow_is_told() {
        let version = ("api-version", "7.4");
        let set = json!({ "value": "x", "tags": { "a": "b" }, "attributes": { "enabled": true } });
        assert!(request("PUT", "/secrets/x", &[version], Some(set)).is_ok());
        for (method, path, query, body) in [
            ("PUT", "/secrets/x", vec![], Some(json!({ "value": "x" }))),
            ("PUT", "/secrets/x", vec![version], Some(json!({}))),
            ("PUT", "/secrets/x", vec![version], Some(json!({ "value": 1 }))),
            ("PUT", "/secrets/x", vec![version], Some(json!({ "value": "x", "comment": "y" }))),
            ("PUT", "/secrets/x", vec![version], Some(json!({ "value": "x", "attributes": { "created": 1 } }))),
            ("PUT", "/secrets/x", vec![version], Some(json!({ "value": "x", "tags": { "a": 1 } }))),
            ("PUT", "/secrets/x", vec![version], None),
            ("GET", "/secrets/x", vec![version], Some(json!({}))),
            ("GET", "/secrets", vec![version, ("maxresults", "26")], None),
            ("GET", "/secrets", vec![version, ("limit", "5")], None),
            ("POST", "/secrets/x", vec![version], None),
        ] {
            assert!(request(method, path, &query, body.clone()).is_err(), "{method} {path} {query:?} {body:?}");
        }
        let get = request("GET", "/secrets/x", &[version], None).unwrap();
        let contract = contract();
        assert!(
            contract.check_reply(&get, 200, Some(&json!({ "value": "x", "attributes": { "created": 1 } }))).is_ok()
        );
        assert!(contract.check_reply(&get, 200, Some(&json!({ "secret": "x" }))).is_err());
        assert!(contract.check_reply(&get, 403, Some(&json!({ "error": { "code": "Forbidden" } }))).is_ok());
        assert!(contract.check_reply(&get, 200, None).is_err());
    }
}
