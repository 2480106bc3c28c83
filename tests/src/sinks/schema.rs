//! A validator for the parts of JSON Schema that the vendors' contracts use: draft 4 as Heroku writes it, and OpenAPI 3.0.

use regex::Regex;
use serde_json::{Map, Value};

/// Keywords that say nothing about a value.
const WORDS: &[&str] = &[
    "description",
    "example",
    "examples",
    "title",
    "format",
    "deprecated",
    "default",
    "readOnly",
    "stability",
    "id",
    "$schema",
    "definitions",
    "links",
    "x-added",
];

/// What a value has that a schema of `document` does not allow, with where in the value it is.
///
/// # Errors
/// With the first thing that differs. Values are not repeated: they may be secrets.
pub fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Err(format!("{at}: the schema is no object")) };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        let target = target.ok_or_else(|| format!("{at}: the schema refers to nothing: {reference}"))?;
        return check(document, target, value, at);
    }
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let checker = Checker { document, schema, value, at };
    for (keyword, argument) in schema {
        checker.keyword(keyword, argument)?;
    }
    Ok(())
}

struct Checker<'a> {
    document: &'a Value,
    schema: &'a Map<String, Value>,
    value: &'a Value,
    at: &'a str,
}

impl Checker<'_> {
    fn keyword(&self, keyword: &str, argument: &Value) -> Result<(), String> {
        match keyword {
            "type" => self.types(argument),
            "enum" => {
                self.hold(argument.as_array().is_some_and(|all| all.contains(self.value)), "is none of the values")
            }
            "pattern" => self.text(|text| matches(argument, text), "does not match the pattern"),
            "minLength" => self.text(|text| text.chars().count() >= size(argument), "is too short"),
            "maxLength" => self.text(|text| text.chars().count() <= size(argument), "is too long"),
            "minimum" => self.hold(self.value.as_f64().is_none_or(|value| value >= number(argument)), "is too small"),
            "maximum" => self.hold(self.value.as_f64().is_none_or(|value| value <= number(argument)), "is too large"),
            "minItems" => self.list(|list| list.len() >= size(argument), "has too few items"),
            "maxItems" => self.list(|list| list.len() <= size(argument), "has too many items"),
            "items" => self.items(argument),
            "properties" => self.properties(argument),
            "patternProperties" | "additionalProperties" => self.rest(),
            "required" => self.required(argument),
            "strictProperties" => self.strict(argument),
            "allOf" => self.each(argument).into_iter().collect(),
            "anyOf" => self.some(argument, |passed| passed >= 1),
            "oneOf" => self.some(argument, |passed| passed == 1),
            "nullable" => Ok(()),
            known if WORDS.contains(&known) => Ok(()),
            other => Err(format!("{}: the validator does not know `{other}`", self.at)),
        }
    }

    fn hold(&self, good: bool, what: &str) -> Result<(), String> {
        if good { Ok(()) } else { Err(format!("{} {what}", self.at)) }
    }

    fn text(&self, good: impl Fn(&str) -> bool, what: &str) -> Result<(), String> {
        self.hold(self.value.as_str().is_none_or(good), what)
    }

    fn list(&self, good: impl Fn(&[Value]) -> bool, what: &str) -> Result<(), String> {
        self.hold(self.value.as_array().is_none_or(|list| good(list)), what)
    }

    fn types(&self, argument: &Value) -> Result<(), String> {
        let is = |name: &Value| match name.as_str() {
            Some("string") => self.value.is_string(),
            Some("number") => self.value.is_number(),
            Some("integer") => self.value.is_i64() || self.value.is_u64(),
            Some("boolean") => self.value.is_boolean(),
            Some("array") => self.value.is_array(),
            Some("object") => self.value.is_object(),
            Some("null") => self.value.is_null(),
            _ => false,
        };
        let good = argument.as_array().map_or_else(|| is(argument), |names| names.iter().any(is));
        self.hold(good, &format!("is not of type {argument}"))
    }

    fn items(&self, argument: &Value) -> Result<(), String> {
        let Some(list) = self.value.as_array() else { return Ok(()) };
        let check = |(index, item)| check(self.document, argument, item, &format!("{}/{index}", self.at));
        list.iter().enumerate().try_for_each(check)
    }

    fn properties(&self, argument: &Value) -> Result<(), String> {
        let (Some(object), Some(properties)) = (self.value.as_object(), argument.as_object()) else { return Ok(()) };
        for (name, schema) in properties {
            if let Some(value) = object.get(name) {
                check(self.document, schema, value, &format!("{}/{name}", self.at))?;
            }
        }
        Ok(())
    }

    /// What is not among `properties`: by `patternProperties`, else by `additionalProperties`.
    fn rest(&self) -> Result<(), String> {
        let Some(object) = self.value.as_object() else { return Ok(()) };
        let named = self.schema.get("properties").and_then(Value::as_object);
        let patterns = self.schema.get("patternProperties").and_then(Value::as_object);
        for (name, value) in object.iter().filter(|(name, _)| named.is_none_or(|named| !named.contains_key(*name))) {
            let at = format!("{}/{name}", self.at);
            let mut matched = false;
            for (pattern, schema) in patterns.into_iter().flatten() {
                if matches(&Value::String(pattern.clone()), name) {
                    matched = true;
                    check(self.document, schema, value, &at)?;
                }
            }
            match self.schema.get("additionalProperties") {
                Some(Value::Bool(false)) if !matched => return Err(format!("{at} is not known")),
                Some(schema @ Value::Object(_)) if !matched => check(self.document, schema, value, &at)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn required(&self, argument: &Value) -> Result<(), String> {
        let Some(object) = self.value.as_object() else { return Ok(()) };
        let missing = argument
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|name| !object.contains_key(*name));
        missing.map_or(Ok(()), |name| Err(format!("{} has no `{name}`", self.at)))
    }

    /// Heroku's own keyword: all properties are there, and no others.
    fn strict(&self, argument: &Value) -> Result<(), String> {
        let (Some(object), Some(properties)) =
            (self.value.as_object(), self.schema.get("properties").and_then(Value::as_object))
        else {
            return Ok(());
        };
        if argument != &Value::Bool(true) {
            return Ok(());
        }
        if let Some(missing) = properties.keys().find(|name| !object.contains_key(*name)) {
            return Err(format!("{} has no `{missing}`", self.at));
        }
        let other = object.keys().find(|name| !properties.contains_key(*name));
        other.map_or(Ok(()), |name| Err(format!("{}/{name} is not known", self.at)))
    }

    fn each(&self, argument: &Value) -> Vec<Result<(), String>> {
        let schemas = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        schemas.iter().map(|schema| check(self.document, schema, self.value, self.at)).collect()
    }

    fn some(&self, argument: &Value, enough: impl Fn(usize) -> bool) -> Result<(), String> {
        let results = self.each(argument);
        if enough(results.iter().filter(|result| result.is_ok()).count()) {
            return Ok(());
        }
        let why: Vec<String> = results.into_iter().filter_map(Result::err).collect();
        Err(format!("{} fits none of its forms, or several: {}", self.at, why.join("; ")))
    }
}

/// How many characters or items a schema names.
fn size(argument: &Value) -> usize {
    argument.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

fn number(argument: &Value) -> f64 {
    argument.as_f64().unwrap_or(f64::NAN)
}

fn matches(pattern: &Value, text: &str) -> bool {
    // As JavaScript reads it: `\w` is ASCII.
    let pattern = pattern.as_str().map(|pattern| format!("(?-u){pattern}"));
    pattern.and_then(|pattern| Regex::new(&pattern).ok()).is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(schema: Value, value: Value, why: &str) {
        let error =
            check(&json!({ "definitions": { "n": { "type": "integer" } } }), &schema, &value, "it").unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn what_a_schema_does_not_allow_is_told() {
        refused(json!({ "type": "string" }), json!(1), "not of type");
        refused(json!({ "type": ["string", "null"] }), json!(1), "not of type");
        refused(json!({ "enum": ["a"] }), json!("b"), "none of the values");
        refused(json!({ "maxLength": 2 }), json!("abc"), "too long");
        refused(json!({ "minItems": 1 }), json!([]), "too few");
        refused(json!({ "maxItems": 1 }), json!([1, 2]), "too many");
        refused(json!({ "items": { "type": "string" } }), json!(["a", 1]), "it/1");
        refused(json!({ "properties": { "a": { "$ref": "#/definitions/n" } } }), json!({ "a": "x" }), "it/a");
        refused(json!({ "required": ["a"] }), json!({}), "no `a`");
        refused(
            json!({ "properties": { "a": {} }, "additionalProperties": false }),
            json!({ "b": 1 }),
            "it/b is not known",
        );
        refused(
            json!({ "patternProperties": { "^\\w+$": {} }, "additionalProperties": false }),
            json!({ "a-b": 1 }),
            "a-b",
        );
        refused(json!({ "patternProperties": { "^\\w+$": { "type": "string" } } }), json!({ "a": 1 }), "it/a");
        refused(json!({ "properties": { "a": {} }, "strictProperties": true }), json!({}), "no `a`");
        refused(json!({ "properties": { "a": {} }, "strictProperties": true }), json!({ "a": 1, "b": 1 }), "it/b");
        refused(json!({ "oneOf": [{ "type": "string" }, { "maxLength": 3 }] }), json!("a"), "or several");
        refused(json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }), json!(1), "none of its forms");
        refused(json!({ "type": "string", "nullable": false }), json!(null), "not of type");
        refused(json!({ "surprise": 1 }), json!(null), "does not know `surprise`");
        refused(json!({ "$ref": "#/nowhere" }), json!(null), "refers to nothing");
    }

    #[test]
    fn what_a_schema_allows_passes() {
        let document = json!({});
        for (schema, value) in [
            (json!({ "type": "string", "nullable": true }), json!(null)),
            (
                json!({ "patternProperties": { "^\\w+$": { "type": ["string", "null"] } }, "additionalProperties": false }),
                json!({ "A_1": null }),
            ),
            (
                json!({ "patternProperties": { "^[\\w\\.\\:\\[\\]]+$": {} }, "additionalProperties": false }),
                json!({ "a.b:[c]": 1 }),
            ),
            (json!({ "oneOf": [{ "type": "string" }, { "type": "array" }] }), json!([])),
        ] {
            assert_eq!(check(&document, &schema, &value, "it"), Ok(()), "{schema}");
        }
    }
}
