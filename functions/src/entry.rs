//! Entries as texts: what a grant names, and which places it means.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::place::Place;

/// The longest pattern, in bytes.
pub const ENTRY_PATTERN_MAX: usize = 512;

/// An entry as [`Place::entry`] spells it, or the beginning of such a text followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "api",
    schemars(extend("pattern" = r"^[a-z][a-z0-9-]*:[A-Za-z0-9._~/:@+=,%-]+\*?$", "maxLength" = 512))
)]
pub struct EntryPattern(String);

/// A text that cannot be such a pattern. The message is the rule; the text itself is the caller's to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an entry is its type, `:` and its parts, such as `vercel:team=acme,project=web,name=API_TOKEN,target=production`, \
     or the beginning of one followed by `*`, with at least one character after the `:`; other characters than letters, \
     digits and `._~/:@+=,-` are percent-encoded, and all takes at most {ENTRY_PATTERN_MAX} bytes"
)]
pub struct EntryPatternError;

impl EntryPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means a place.
    pub fn matches(&self, place: &Place) -> bool {
        let entry = place.entry();
        self.0.strip_suffix('*').map_or(self.0 == entry, |start| entry.starts_with(start))
    }
}

impl FromStr for EntryPattern {
    type Err = EntryPatternError;

    fn from_str(text: &str) -> Result<Self, EntryPatternError> {
        let (kind, rest) = text.strip_suffix('*').unwrap_or(text).split_once(':').ok_or(EntryPatternError)?;
        let in_kind = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = text.len() <= ENTRY_PATTERN_MAX
            && kind.starts_with(|first: char| first.is_ascii_lowercase())
            && kind.bytes().all(in_kind)
            && !rest.is_empty()
            && rest.bytes().all(|byte| stays(byte) || matches!(byte, b',' | b'%'));
        if good { Ok(Self(text.to_owned())) } else { Err(EntryPatternError) }
    }
}

impl TryFrom<String> for EntryPattern {
    type Error = EntryPatternError;
    fn try_from(text: String) -> Result<Self, EntryPatternError> {
        text.parse()
    }
}

impl From<EntryPattern> for String {
    fn from(pattern: EntryPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for EntryPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What stands for itself in an entry. Not `,`, which divides the parts, nor `*`, which ends a pattern.
fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~/:@+=-".contains(&byte)
}

/// Adds a text, everything percent-encoded that does not stay as it is.
fn encode(text: &str, stays: impl Fn(u8) -> bool, entry: &mut String) {
    for byte in text.bytes() {
        if stays(byte) {
            entry.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(entry, "%{byte:02X}");
        }
    }
}

impl Place {
    /// The place as a grant names it: `<kind>:<part>=<value>,<part>=<value>`, in the parts' own order. Names of parts
    /// are there because a type's parts may be absent: `acme/web/API/preview` could be a team's project or a branch.
    ///
    /// ```
    /// use latchkey::place::Place;
    ///
    /// let parts = [("account", "123456789012"), ("region", "eu-west-1"), ("name", "prod/api,1")];
    /// let place = Place::new("aws-secrets-manager", &parts, true);
    /// assert_eq!(place.entry(), "aws-secrets-manager:account=123456789012,region=eu-west-1,name=prod/api%2C1");
    /// ```
    pub fn entry(&self) -> String {
        let mut entry = format!("{}:", self.kind);
        for (number, (name, value)) in self.parts.iter().enumerate() {
            if number > 0 {
                entry.push(',');
            }
            encode(name, |byte| stays(byte) && byte != b'=', &mut entry);
            entry.push('=');
            encode(value, stays, &mut entry);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn parts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(String, String)>> {
        // Few characters, among them those that divide and end.
        let word = || "[ab,=/%:*2CDü]{0,4}";
        proptest::collection::vec((word(), word()), count)
    }

    fn place(kind: &str, parts: &[(String, String)]) -> Place {
        Place { kind: kind.to_owned(), parts: parts.into(), readable: true }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn no_place_passes_for_another(one in parts(0..4), other in parts(0..4)) {
            prop_assert_eq!(place("k", &one).entry() == place("k", &other).entry(), one == other);
            prop_assert!(place("k", &one).entry() != place("l", &one).entry());
        }

        #[test]
        fn the_beginning_of_an_entry_means_places_with_the_same_first_parts(
            first in parts(1..3), more in parts(1..3), other in parts(0..4)
        ) {
            let pattern: EntryPattern = format!("{},*", place("k", &first).entry()).parse().unwrap();
            prop_assert!(pattern.matches(&place("k", &[first.clone(), more].concat())));
            let same = other.len() > first.len() && other[..first.len()] == first;
            prop_assert_eq!(pattern.matches(&place("k", &other)), same);
            // A value that goes on as the next part would is no next part.
            let mut longer = first.clone();
            longer.last_mut().unwrap().1.push_str(",a=b");
            prop_assert!(!pattern.matches(&place("k", &longer)));
        }

        #[test]
        fn an_entry_is_a_pattern_that_means_its_own_place_only(one in parts(1..4), other in parts(0..4)) {
            let pattern: EntryPattern = place("k-9", &one).entry().parse().unwrap();
            prop_assert!(pattern.matches(&place("k-9", &one)));
            prop_assert_eq!(pattern.matches(&place("k-9", &other)), one == other);
        }

        #[test]
        fn patterns_follow_their_grammar(
            text in prop_oneof!["[a-z0-9-]{0,4}:[a-z=,%*]{0,5}", "[a-z]{1,3}:[a-z]{500,515}\\*?", "\\PC{0,6}"]
        ) {
            let grammar = Regex::new(r"^[a-z][a-z0-9-]*:[A-Za-z0-9._~/:@+=,%-]+\*?$").unwrap();
            let good = grammar.is_match(&text) && text.len() <= ENTRY_PATTERN_MAX;
            match text.parse::<EntryPattern>() {
                Ok(pattern) => prop_assert!(good && pattern.to_string() == text),
                Err(_) => prop_assert!(!good, "{text:?}"),
            }
        }
    }

    #[test]
    fn a_pattern_says_at_least_the_type_and_one_character_more() {
        for bad in
            ["", "*", "vercel", "vercel:", "vercel:*", ":a", "Vercel:a", "vercel:a*b", "vercel:a**", "vercel:a b"]
        {
            assert_eq!(bad.parse::<EntryPattern>(), Err(EntryPatternError), "{bad:?}");
        }
        let team: EntryPattern = "vercel:team=acme,*".parse().unwrap();
        let of = |parts: &[(&str, &str)]| Place::new("vercel", parts, true);
        assert!(team.matches(&of(&[("team", "acme"), ("project", "web")])));
        assert!(!team.matches(&of(&[("project", "acme"), ("name", "web")])), "a project of that name is no team");
        assert!(!team.matches(&of(&[("team", "acme,x"), ("project", "web")])));
    }
}
