//! Secrets: minting, parsing, digests, fingerprints, and how they stay hidden.
//!
//! A secret reads `<prefix>_<id>_<random><crc>`: a configurable prefix, the public id of its token (16 lower-case
//! Crockford base32 digits, 80 random bits), 43 base62 digits (256 random bits) and 6 base62 digits of CRC-32 over
//! all before them. It is parsed from the right at fixed lengths, so a prefix may hold `_`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

const ID_DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH: usize = 16;
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const TAIL_LENGTH: usize = 1 + ID_LENGTH + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH;
const PREFIX_MAX: usize = 16;

/// The longest text that can be a secret, in bytes.
pub const SECRET_MAX: usize = PREFIX_MAX + TAIL_LENGTH;

/// Why a text is not a secret. No variant holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error("wrong length for a secret")]
    Length,
    /// A character or separator that cannot stand where it stands.
    #[error("not the form of a secret")]
    Form,
    /// Well formed, but mistyped or cut: the checksum does not fit.
    #[error("the checksum does not fit: the secret was mistyped or cut")]
    Checksum,
}

/// A prefix of secrets, `[a-z][a-z0-9_]{0,15}`; `lk` unless the deployment chose another.
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
#[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
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

/// The plaintext of one version. It is shown once, never stored, never cloned, never serialised; `Debug` shows only
/// its public part, and its memory is wiped when it is dropped.
pub struct Secret {
    text: Zeroizing<String>,
    prefix_length: usize,
}

impl Secret {
    /// A new secret of the token `id`.
    ///
    /// # Errors
    /// When `entropy` fails.
    pub fn mint(prefix: &Prefix, id: &TokenId, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET_MAX));
        text.push_str(prefix.as_str());
        text.push('_');
        text.push_str(id.as_str());
        text.push('_');
        let mut wanted = RANDOM_LENGTH;
        let mut bytes = Zeroizing::new([0_u8; 64]);
        while wanted > 0 {
            entropy.fill(bytes.as_mut())?;
            // 248 is the highest multiple of 62 in a byte: what lies above would favour the first digits.
            for byte in bytes.iter().filter(|byte| **byte < 248).take(wanted) {
                text.push(char::from(BASE62[usize::from(byte % 62)]));
                wanted -= 1;
            }
        }
        let checksum = checksum_digits(text.as_bytes());
        text.extend(checksum.iter().map(|digit| char::from(*digit)));
        Ok(Self { text, prefix_length: prefix.as_str().len() })
    }

    /// Reads a secret; needs no I/O, so a mistyped one costs nothing.
    ///
    /// ```
    /// use latchkey::secret::{Secret, SecretError};
    ///
    /// let text = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";
    /// let secret = Secret::parse(text)?;
    /// assert_eq!((secret.prefix(), secret.token_id().as_str()), ("lk", "amc7q7333nwjw2wt"));
    /// assert_eq!(Secret::parse(&text[1..]).unwrap_err(), SecretError::Checksum);
    /// assert_eq!(Secret::parse("let-me-in").unwrap_err(), SecretError::Length);
    /// # Ok::<(), SecretError>(())
    /// ```
    ///
    /// # Errors
    /// When the text has not the form of a secret, or its checksum does not fit.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if text.len() <= TAIL_LENGTH || text.len() > SECRET_MAX {
            return Err(SecretError::Length);
        }
        if !text.is_ascii() {
            return Err(SecretError::Form);
        }
        let prefix_length = text.len() - TAIL_LENGTH;
        let (prefix, tail) = text.split_at(prefix_length);
        prefix.parse::<Prefix>().map_err(|_| SecretError::Form)?;
        let tail = tail.as_bytes();
        let (id, random) = (&tail[1..=ID_LENGTH], &tail[ID_LENGTH + 2..]);
        let separated = tail[0] == b'_' && tail[ID_LENGTH + 1] == b'_';
        let good =
            separated && id.iter().all(|byte| ID_DIGITS.contains(byte)) && random.iter().all(u8::is_ascii_alphanumeric);
        if !good {
            return Err(SecretError::Form);
        }
        let (body, checksum) = text.as_bytes().split_at(text.len() - CHECKSUM_LENGTH);
        if checksum_digits(body) != checksum {
            return Err(SecretError::Checksum);
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), prefix_length })
    }

    /// The plaintext. Everything that calls this is a place where a secret may leave: keep them few.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The prefix it carries.
    pub fn prefix(&self) -> &str {
        &self.text[..self.prefix_length]
    }

    /// The public id of its token.
    pub fn token_id(&self) -> TokenId {
        TokenId(self.text[self.prefix_length + 1..][..ID_LENGTH].to_owned())
    }

    /// SHA-256 of the plaintext: all that is stored. A slow hash would add no safety to 256 random bits.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// The public fingerprint: the first 12 hex digits of the digest.
    pub fn fingerprint(&self) -> Fingerprint {
        self.digest().fingerprint()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({})", self.fingerprint())
    }
}

fn checksum_digits(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// SHA-256 of a secret.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of any value, for instance of what a place holds.
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

    /// A stand-in that has this fingerprint, for records that were read without digests. It matches no secret.
    pub fn standing_for(fingerprint: &Fingerprint) -> Self {
        let mut bytes = [0_u8; 32];
        for (byte, digits) in bytes.iter_mut().zip(fingerprint.as_str().as_bytes().chunks(2)) {
            let digit = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
            *byte = digits.iter().fold(0, |value, character| value << 4 | digit(*character));
        }
        Self(bytes)
    }

    /// Whether both are equal, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The public fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = String::with_capacity(Fingerprint::LENGTH);
        for byte in &self.0[..Fingerprint::LENGTH / 2] {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        Fingerprint(text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({}..)", self.fingerprint())
    }
}

/// The first 12 hex digits of a digest. Public: it tells versions apart and gives nothing away.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
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

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

/// A digest as it is stored: 32 bytes.
pub(crate) mod bytes {
    use serde::{Deserializer, Serializer};

    use super::Digest;

    pub(crate) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(digest.as_bytes())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
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
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests;
