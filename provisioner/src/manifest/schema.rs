//! The JSON Schema of the file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Document;

/// The JSON Schema (draft 2020-12) of a manifest. It describes the file's form; what `provision check` finds beside
/// that, such as roles that a user does not have, a schema cannot express.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value();
    drop_null(&mut schema);
    schema
}

/// Takes `null` out of all types: TOML has none, a field is simply not there.
fn drop_null(value: &mut Value) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(drop_null),
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_null);
            let is_null = |entry: &Value| entry == "null" || entry.get("type").is_some_and(|kind| kind == "null");
            for name in ["type", "anyOf"] {
                let Some(Value::Array(entries)) = fields.get_mut(name) else { continue };
                entries.retain(|entry| !is_null(entry));
                if entries.len() > 1 {
                    continue;
                }
                let Some(only) = entries.pop() else { continue };
                match (name, only) {
                    ("anyOf", Value::Object(only)) => {
                        fields.shift_remove(name);
                        fields.extend(only);
                    }
                    (_, only) => {
                        fields.insert(name.to_owned(), only);
                    }
                }
            }
            if fields.get("default").is_some_and(Value::is_null) {
                fields.shift_remove("default");
            }
        }
        _ => {}
    }
}
