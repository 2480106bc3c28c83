//! Names of tokens, users, roles and manifests, and advice on names that say nothing.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be such a name. The message is the rule; the text itself is the caller's to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct NameError {
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $rule:literal, $good:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(with = "String"))]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "api", schemars(extend("pattern" = $pattern)))]
        pub struct $name(String);

        impl $name {
            /// The rule such names follow, for messages.
            pub const RULE: &str = $rule;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let good: fn(&[u8]) -> bool = $good;
                if good(text.as_bytes()) { Ok(Self(text.to_owned())) } else { Err(NameError { rule: $rule }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A token's name, unique among its user's active tokens: `^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`, 1 to 64.
    TokenName,
    "^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$",
    "a token's name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts and ends with a letter or digit",
    |bytes| {
        (1..=64).contains(&bytes.len())
            && bytes[0].is_ascii_alphanumeric()
            && bytes[bytes.len() - 1].is_ascii_alphanumeric()
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    }
);

name!(
    /// A user's name: `^[a-z0-9][a-z0-9._@+-]{0,127}$`; `me` is reserved.
    UserName,
    "^[a-z0-9][a-z0-9._@+-]{0,127}$",
    "a user's name is 1 to 128 of `a-z`, `0-9` and `._@+-`, starts with a letter or digit, and is not `me`",
    |bytes| {
        (1..=128).contains(&bytes.len())
            && (bytes[0].is_ascii_lowercase() || bytes[0].is_ascii_digit())
            && bytes.iter().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'@' | b'+' | b'-')
            })
            && bytes != b"me"
    }
);

name!(
    /// A name of a user or role, or the beginning of such names followed by `*`: what a manifest may create.
    NamePattern,
    r"^[a-z0-9][a-z0-9._@+-]{0,127}\*?$|^\*$",
    "a name or the beginning of names, such as `acme-*`, is up to 128 of `a-z`, `0-9` and `._@+-`, then perhaps `*`",
    |bytes| {
        let start = bytes.strip_suffix(b"*").unwrap_or(bytes);
        let fits = |byte: &u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'@' | b'+' | b'-')
        };
        start.len() <= 128
            && start.iter().all(fits)
            && start.first().map_or(bytes == b"*", |first| first.is_ascii_lowercase() || first.is_ascii_digit())
    }
);

impl NamePattern {
    /// Whether it is this name, or one that begins like it.
    pub fn matches(&self, name: &str) -> bool {
        self.0.strip_suffix('*').map_or(self.0 == name, |start| name.starts_with(start))
    }
}

fn is_kebab(bytes: &[u8]) -> bool {
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

name!(
    /// A role's name: `^[a-z][a-z0-9-]{0,63}$`.
    RoleName,
    "^[a-z][a-z0-9-]{0,63}$",
    "a role's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter",
    is_kebab
);

name!(
    /// A manifest's name: `^[a-z][a-z0-9-]{0,63}$`.
    ManifestName,
    "^[a-z][a-z0-9-]{0,63}$",
    "a manifest's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter",
    is_kebab
);

/// Words that do not tell one token from another.
pub(crate) const EMPTY_WORDS: &[&str] = &[
    "test", "testing", "token", "tokens", "my", "the", "new", "api", "temp", "tmp", "foo", "bar", "abc", "key",
    "secret", "default", "name",
];

/// Advice on a token's name that says nothing (`test`, `token1`, `my-token`, `abc123`); such names are accepted.
pub fn advice(name: &TokenName) -> Option<&'static str> {
    let lower = name.as_str().to_ascii_lowercase();
    let says_something = lower
        .split(['-', '_', '.'])
        .map(|word| word.trim_end_matches(|character: char| character.is_ascii_digit()))
        .any(|word| word.len() > 1 && !EMPTY_WORDS.contains(&word));
    (!says_something).then_some("name what uses the token and where, for instance `production-api-server`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn agrees<T: FromStr + fmt::Display>(grammar: &str, text: &str) -> bool {
        let good = Regex::new(grammar).unwrap().is_match(text) && !text.ends_with('\n');
        match text.parse::<T>() {
            Ok(name) => good && name.to_string() == text,
            Err(_) => !good,
        }
    }

    proptest! {
        #[test]
        fn names_follow_their_grammars(
            text in prop_oneof!["[A-Za-z0-9._@+-]{0,4}", "[a-z0-9-]{0,70}", "[a-z0-9._@+-]{120,135}", "[A-Za-z0-9._-]{60,68}", "\\PC{0,6}"],
        ) {
            let token = text.len() <= 64 && agrees::<TokenName>("^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", &text)
                || text.len() > 64 && text.parse::<TokenName>().is_err();
            prop_assert!(token, "token {:?}", text);
            let user = text != "me" && agrees::<UserName>("^[a-z0-9][a-z0-9._@+-]{0,127}$", &text)
                || text == "me" && text.parse::<UserName>().is_err();
            prop_assert!(user, "user {:?}", text);
            prop_assert!(agrees::<RoleName>("^[a-z][a-z0-9-]{0,63}$", &text), "role {:?}", text);
            prop_assert!(agrees::<ManifestName>("^[a-z][a-z0-9-]{0,63}$", &text), "manifest {:?}", text);
        }
    }

    #[test]
    fn edges_of_the_grammars() {
        for good in ["a", "0", "a-b", "A.b_C", &"x".repeat(64)] {
            assert!(good.parse::<TokenName>().is_ok(), "{good:?}");
        }
        for bad in ["", "-a", "a-", ".", "a b", "a\n", "\u{e9}", &"x".repeat(65)] {
            assert!(bad.parse::<TokenName>().is_err(), "{bad:?}");
        }
        assert!("me".parse::<UserName>().is_err());
        assert!("mel".parse::<UserName>().is_ok());
        assert!("ci@example.com".parse::<UserName>().is_ok());
        assert_eq!("Bad".parse::<RoleName>().unwrap_err().to_string(), RoleName::RULE);
    }

    #[test]
    fn names_that_say_nothing_get_advice() {
        for empty in ["test", "token1", "my-token", "abc123", "Test", "123", "a", "new.api.key", "foo_2"] {
            assert!(advice(&empty.parse().unwrap()).is_some(), "{empty}");
        }
        for telling in
            ["production-api-server", "staging-web-app", "dev-john-local", "ci-github-actions", "mobile-app-prod"]
        {
            assert_eq!(advice(&telling.parse().unwrap()), None, "{telling}");
        }
    }
}
