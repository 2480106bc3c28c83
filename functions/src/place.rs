//! Places: where a push lands, spelled out.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::secret::Digest;

/// The id of a place: 16 hex digits of a hash of its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PlaceId(String);

impl PlaceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a stored id.
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The sink's type, for instance `dotenv`.
    pub kind: String,
    /// What tells the place from every other of its type, in a fixed order: `(part, value)`. Shared, as a plan of many
    /// tokens names each place several times.
    pub parts: Arc<[(String, String)]>,
    /// Whether a value can be read back from it.
    pub readable: bool,
}

impl Place {
    /// A place of a type of sink.
    pub fn new(kind: &str, parts: &[(&str, &str)], readable: bool) -> Self {
        let parts = parts.iter().map(|(part, value)| ((*part).to_owned(), (*value).to_owned())).collect();
        Self { kind: kind.to_owned(), parts, readable }
    }

    /// Its id: a hash of type and parts.
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
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(part, _)| part == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
        // Few characters, among them those that could pass for separators.
        let word = || "[ab:=|1]{0,5}";
        (word(), proptest::collection::vec((word(), word()), 0..4))
    }

    fn id(kind: &str, parts: &[(String, String)], readable: bool) -> PlaceId {
        Place { kind: kind.to_owned(), parts: parts.into(), readable }.id()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn two_places_have_one_id_only_if_they_are_one(one in place(), other in place()) {
            prop_assert_eq!(id(&one.0, &one.1, true) == id(&other.0, &other.1, true), one == other);
        }

        #[test]
        fn the_order_of_parts_matters_and_readability_does_not((kind, parts) in place()) {
            let mut turned = parts.clone();
            turned.reverse();
            prop_assert_eq!(id(&kind, &parts, true) == id(&kind, &turned, true), parts == turned);
            prop_assert_eq!(id(&kind, &parts, true), id(&kind, &parts, false));
        }
    }

    #[test]
    fn parts_cannot_pass_for_others() {
        let one = Place::new("k", &[("a", "b"), ("c", "d")], true);
        for other in [
            Place::new("k", &[("a=1:b|c", "d")], true),
            Place::new("k", &[("a", "b|c=1:d")], true),
            Place::new("k|a=1:b", &[("c", "d")], true),
            Place::new("k", &[("a", ""), ("bc", "d")], true),
        ] {
            assert_ne!(one.id(), other.id());
        }
        assert_eq!(one.id().as_str().len(), 16);
    }

    /// Records hold ids: what one version computed, every later one must.
    #[test]
    fn an_id_is_what_it_always_was() {
        let place = Place::new("dotenv", &[("machine", "host"), ("path", "/srv/.env"), ("name", "TOKEN")], true);
        assert_eq!(place.id().as_str(), "3ccc5d7701158488");
        assert_eq!(place.part("path"), Some("/srv/.env"));
        assert_eq!(place.part("none"), None);
    }
}
