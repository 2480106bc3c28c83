//! Problems, as programs read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A problem, RFC 9457.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProblemBody {
    /// `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// The id under which the request was logged.
    pub request_id: String,
    /// Faults of fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFaultBody>,
    /// More about some codes: numbers and instants.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One fault in a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldFaultBody {
    /// A JSON pointer into the body; `?name` for the query, `{name}` for the path.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}
