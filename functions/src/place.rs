//! Places: where a push lands, spelled out.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Digest;

/// The id of a place: 16 hex digits of a hash of its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PlaceId(String);

impl PlaceId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a stored id.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where a push lands, spelled out so far that another run can find it again: what kind of sink, which machine or
/// account, which file, project or secret, and which entry in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The sink's type, for instance `dotenv`.
    pub kind: String,
    /// What tells the place from every other of its type, in a fixed order: `(part, value)`.
    pub parts: Vec<(String, String)>,
    /// Whether a value can be read back from it.
    pub readable: bool,
}

impl Place {
    /// A place of a type of sink.
    #[must_use]
    pub fn new(kind: &str, parts: &[(&str, &str)], readable: bool) -> Self {
        let parts = parts.iter().map(|(part, value)| ((*part).to_owned(), (*value).to_owned())).collect();
        Self { kind: kind.to_owned(), parts, readable }
    }

    /// Its id: a hash of type and parts.
    #[must_use]
    pub fn id(&self) -> PlaceId {
        let mut text = String::new();
        let parts = self.parts.iter().flat_map(|(part, value)| [part, value]);
        for word in [&self.kind].into_iter().chain(parts) {
            // Lengths keep two lists of parts from spelling one text.
            text.push_str(&word.len().to_string());
            text.push(':');
            text.push_str(word);
        }
        let digest = Digest::of(text.as_bytes());
        let start: [u8; 8] = std::array::from_fn(|index| digest.as_bytes()[index]);
        PlaceId(format!("{:016x}", u64::from_be_bytes(start)))
    }

    /// The value of one part, if it has it.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(part, _)| part == name).map(|(_, value)| value.as_str())
    }
}
