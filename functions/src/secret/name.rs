//! The public parts of a secret: its prefix and the id of its token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SecretError;
use crate::entropy::{Entropy, EntropyError};

pub(super) const ID_DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
pub(super) const ID_LENGTH: usize = 16;
pub(super) const PREFIX_MAX: usize = 16;

/// A prefix of secrets, `[a-z][a-z0-9_]{0,15}`; `lk` by default.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("lk".to_owned())
    }
}

/// A text that cannot be a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a prefix is 1 to 16 of `a-z`, `0-9` and `_`, and starts with a letter")]
pub struct PrefixError;

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let bytes = text.as_bytes();
        let good = (1..=PREFIX_MAX).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_');
        if good { Ok(Self(text.to_owned())) } else { Err(PrefixError) }
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;
    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

/// The public id of a token: 16 lower-case Crockford base32 digits. Safe to log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "api", schemars(with = "String", extend("pattern" = "^[0-9a-hjkmnp-tv-z]{16}$")))]
pub struct TokenId(String);

impl TokenId {
    /// A new random id.
    ///
    /// # Errors
    /// When `entropy` fails.
    pub fn mint(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0_u8; ID_LENGTH];
        entropy.fill(&mut bytes)?;
        // 32 divides 256, so the low five bits of each byte are uniform.
        Ok(Self(bytes.iter().map(|byte| char::from(ID_DIGITS[usize::from(byte & 31)])).collect()))
    }

    /// What stands at the id's place in a secret that was read.
    pub(super) fn of_secret(digits: &str) -> Self {
        Self(digits.to_owned())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for TokenId {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        if text.len() != ID_LENGTH {
            return Err(SecretError::Length);
        }
        if !text.bytes().all(|byte| ID_DIGITS.contains(&byte)) {
            return Err(SecretError::Form);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for TokenId {
    type Error = SecretError;
    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}
