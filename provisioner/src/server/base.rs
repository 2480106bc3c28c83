//! The part of addresses that a proxy keeps: with `/tokens` the API is at `/tokens/v1`, and the page at `/tokens/`.

use std::str::FromStr;

use latchkey::api::METADATA;

/// A base path: nothing, or segments with a `/` before each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BasePath(String);

/// A text that is not a base path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a base path is `/` and words of letters, digits, `.`, `_`, `~` and `-` between more of them, for instance `/tokens`"
)]
pub(crate) struct BasePathError;

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inside<'a> {
    /// This one, as seen from inside.
    Path(&'a str),
    /// The base itself, whose last `/` is missing.
    Base,
    /// Something else.
    Nothing,
}

impl BasePath {
    /// What a path is from inside.
    pub(super) fn inside<'a>(&self, path: &'a str) -> Inside<'a> {
        // Metadata of an issuer with a path stand before that path (RFC 8414, section 3.1).
        if !self.0.is_empty() && path.strip_prefix(METADATA) == Some(self.0.as_str()) {
            return Inside::Path(METADATA);
        }
        match path.strip_prefix(self.0.as_str()) {
            Some("") if !self.0.is_empty() => Inside::Base,
            Some(rest) if rest.starts_with('/') => Inside::Path(rest),
            _ => Inside::Nothing,
        }
    }

    /// The path as text; empty where there is none.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, BasePathError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let is_word = |word: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-');
            !word.is_empty() && word.bytes().all(plain) && word.bytes().any(|byte| byte != b'.')
        };
        let good = text.is_empty() || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_word));
        if good { Ok(Self(text.to_owned())) } else { Err(BasePathError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_inside_its_base() {
        let base: BasePath = "/a/tokens/".parse().unwrap();
        assert_eq!(base.as_str(), "/a/tokens");
        assert_eq!(base.inside("/a/tokens/v1/me"), Inside::Path("/v1/me"));
        assert_eq!(base.inside("/a/tokens/"), Inside::Path("/"));
        assert_eq!(base.inside("/a/tokens"), Inside::Base);
        for other in ["/", "/v1/me", "/a/tokensv1", "/a", ""] {
            assert_eq!(base.inside(other), Inside::Nothing, "{other}");
        }
        assert_eq!(base.inside("/.well-known/oauth-authorization-server/a/tokens"), Inside::Path(METADATA));
        assert_eq!(base.inside("/.well-known/oauth-authorization-server"), Inside::Nothing);
        let none = BasePath::default();
        assert_eq!((none.inside("/v1/me"), none.inside("/")), (Inside::Path("/v1/me"), Inside::Path("/")));
        assert_eq!("/".parse(), Ok(none));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_base_path() {
        for bad in ["tokens", "//", "/a//b", "/..", "/a/../b", "/a b", "/a?b", "/a%2fb", "/\u{e4}"] {
            assert_eq!(bad.parse::<BasePath>(), Err(BasePathError), "{bad}");
        }
    }
}
