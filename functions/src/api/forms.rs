//! The forms of what is asked and answered, as the document says them.

use schemars::Schema;
use serde_json::{Value, json};

/// The form of a parameter, for the document.
pub(super) struct ParameterForm {
    pub(super) from: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) required: bool,
    pub(super) schema: Schema,
}

impl ParameterForm {
    pub(super) fn to_value(&self) -> Value {
        json!({
            "name": self.name, "in": self.from, "required": self.required,
            "description": self.description.trim().trim_end_matches('.'), "schema": self.schema,
        })
    }
}

/// The form of a reply, for the document.
pub(super) struct ReplyForm {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) body: Option<Value>,
}
