//! A validator for the parts of JSON Schema that the manifest's schema uses. What it does not know is an error, so that
//! it cannot pass over a new keyword.

use regex::Regex;
use serde_json::{Map, Value};

/// What in the text of a manifest its schema does not allow, if anything.
pub(super) fn check(schema: &Value, text: &str) -> Result<(), String> {
    let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
    Validator { document: schema }.check(schema, &value, "")
}

struct Validator<'a> {
    document: &'a Value,
}

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        match schema {
            Value::Bool(true) => Ok(()),
            Value::Object(schema) => {
                schema.iter().try_for_each(|(keyword, argument)| self.keyword(schema, keyword, argument, value, at))
            }
            _ => Err(format!("{at} is not allowed")),
        }
    }

    fn keyword(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        argument: &Value,
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        let size = || usize::try_from(argument.as_u64().unwrap()).unwrap();
        let length = || value.as_str().map(|text| text.chars().count());
        let hold = |good: bool| if good { Ok(()) } else { Err(format!("{at}: {keyword} {argument}")) };
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => Ok(()),
            "$ref" => {
                let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(self.document.pointer(pointer).unwrap(), value, at)
            }
            "type" => hold(is_type(argument.as_str().unwrap(), value)),
            "const" => hold(argument == value),
            "pattern" => {
                let pattern = Regex::new(argument.as_str().unwrap()).unwrap();
                hold(value.as_str().is_none_or(|text| pattern.is_match(text)))
            }
            "minLength" => hold(length().is_none_or(|length| length >= size())),
            "maxLength" => hold(length().is_none_or(|length| length <= size())),
            "minimum" => hold(value.as_f64().is_none_or(|value| value >= argument.as_f64().unwrap())),
            "maximum" => hold(value.as_f64().is_none_or(|value| value <= argument.as_f64().unwrap())),
            "minItems" => hold(value.as_array().is_none_or(|list| list.len() >= size())),
            "maxItems" => hold(value.as_array().is_none_or(|list| list.len() <= size())),
            "maxProperties" => hold(value.as_object().is_none_or(|fields| fields.len() <= size())),
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.try_for_each(|item| self.check(argument, item, at))
            }
            "propertyNames" => {
                let mut names = value.as_object().into_iter().flat_map(Map::keys);
                names.try_for_each(|name| self.check(argument, &Value::from(name.as_str()), at))
            }
            "required" => {
                let mut names = argument.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                hold(value.as_object().is_none_or(|fields| names.all(|name| fields.contains_key(name))))
            }
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let mut known = fields.filter_map(|(name, value)| Some((name, argument.get(name)?, value)));
                known.try_for_each(|(name, schema, value)| self.check(schema, value, &format!("{at}/{name}")))
            }
            "additionalProperties" => {
                let known = |name: &str| schema.get("properties").is_some_and(|known| known.get(name).is_some());
                let mut others = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
                others.try_for_each(|(name, value)| self.check(argument, value, &format!("{at}/{name}")))
            }
            "anyOf" | "oneOf" => {
                let results: Vec<_> =
                    argument.as_array().unwrap().iter().map(|schema| self.check(schema, value, at)).collect();
                let good = results.iter().filter(|result| result.is_ok()).count();
                let why = || format!("{at}: {keyword}: {results:?}");
                if good == 1 || (good > 1 && keyword == "anyOf") { Ok(()) } else { Err(why()) }
            }
            other => Err(format!("{at}: the validator does not know `{other}`")),
        }
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_a_schema_does_not_allow_is_told() {
    let schema = super::schema();
    let push = |field: &str| {
        format!("manifest = \"acme\"\n[tokens.api]\npush = [{{ sink = \"dev\", name = \"API\", {field} }}]\n")
    };
    let sink = |fields: &str| format!("manifest = \"acme\"\n[sinks.dev]\n{fields}\n");
    assert_eq!(check(&schema, &push("adopt = true")), Ok(()));
    for good in ["type = \"dotenv\"\npath = \".env\"", "type = \"heroku\"\nlogin = { command = [\"op\"] }"] {
        assert_eq!(check(&schema, &sink(good)), Ok(()));
    }
    for bad in [
        String::new(),
        "manifest = \"Acme\"".to_owned(),
        "manifest = 1".to_owned(),
        push("adopt = 1"),
        push("unknown = 1"),
        push("json_key = \"\""),
        push("targets = [\"staging\"]"),
        push("environments = [1]"),
        sink("type = \"dotenv\""),
        sink("type = \"no-such-type\""),
        sink("type = \"dotenv\"\npath = \".env\"\nunknown = 1"),
        sink("type = \"heroku\"\nlogin = { command = [] }"),
        sink("type = \"heroku\"\nlogin = { env = \"A\", file = \"b\" }"),
        sink("type = \"heroku\"\nstage = \"production\""),
        sink("type = \"keyring\"\nservice = \"\""),
        "manifest = \"acme\"\n[roles.Reader]\npermissions = []".to_owned(),
    ] {
        assert!(check(&schema, &bad).is_err(), "{bad}");
    }
}
