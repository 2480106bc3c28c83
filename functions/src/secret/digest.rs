//! What is kept of a secret: its digest, and the fingerprint that everybody may see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::SecretError;

/// SHA-256 of a secret.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of any value, for instance of what a place contains.
    pub fn of(value: &[u8]) -> Self {
        Self(Sha256::digest(value).into())
    }

    /// Takes stored bytes; `None` unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes that are stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hex digits, of either case; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
        Self::from_bytes(&bytes?)
    }

    /// 64 hex digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Whether both are equal, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The public fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(hex(&self.0[..Fingerprint::LENGTH / 2]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({}..)", self.fingerprint())
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

/// The first 12 hex digits of a digest. Public: it tells versions apart and gives nothing away.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "api", schemars(with = "String"))]
pub struct Fingerprint(String);

impl Fingerprint {
    /// How many hex digits a fingerprint has.
    pub const LENGTH: usize = 12;

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        if text.len() != Self::LENGTH {
            return Err(SecretError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(SecretError::Form);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = SecretError;
    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

/// What a record knows of a version's digest. The service's own records have all of it; no reply holds a digest, so a
/// record that came over HTTP has the fingerprint alone.
#[derive(Debug, Clone, PartialEq)]
pub enum KnownDigest {
    /// All of it.
    Whole(Digest),
    /// Its beginning: enough to tell versions apart, and not to recognise a secret.
    Fingerprint(Fingerprint),
}

impl KnownDigest {
    /// The digest, where all of it is known.
    pub fn whole(&self) -> Option<&Digest> {
        match self {
            Self::Whole(digest) => Some(digest),
            Self::Fingerprint(_) => None,
        }
    }

    /// Whether it is this digest, in constant time. Of one that is not wholly known that cannot be said, so it is not.
    pub fn matches(&self, other: &Digest) -> bool {
        self.whole().is_some_and(|digest| digest.matches(other))
    }

    /// The public fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Whole(digest) => digest.fingerprint(),
            Self::Fingerprint(fingerprint) => fingerprint.clone(),
        }
    }
}

impl From<Digest> for KnownDigest {
    fn from(digest: Digest) -> Self {
        Self::Whole(digest)
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A digest as the table has it: 32 bytes. A record that knows a fingerprint only did not come from the table and does
/// not go there.
pub(crate) mod stored {
    use serde::ser::Error as _;
    use serde::{Deserializer, Serializer};

    use super::{Digest, KnownDigest};

    pub(crate) fn serialize<S: Serializer>(digest: &KnownDigest, serializer: S) -> Result<S::Ok, S::Error> {
        let digest = digest.whole().ok_or_else(|| S::Error::custom("a version without its digest cannot be stored"))?;
        serializer.serialize_bytes(digest.as_bytes())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KnownDigest, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Digest;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("32 bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                Digest::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Digest, E> {
                self.visit_bytes(&bytes)
            }
        }
        deserializer.deserialize_bytes(Bytes).map(KnownDigest::Whole)
    }
}
