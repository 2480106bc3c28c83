//! Secrets: minting, parsing, digests, fingerprints, and how they stay hidden.
//!
//! A secret reads `<prefix>_<id>_<random><crc>`: a configurable prefix, the public id of its token (16 lower-case
//! Crockford base32 digits, 80 random bits), 43 base62 digits (256 random bits) and 6 base62 digits of CRC-32 over
//! all before them. It is parsed from the right at fixed lengths, so a prefix may contain `_`.

mod digest;
mod name;

use std::fmt;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};

#[cfg(feature = "service")]
pub(crate) use digest::hex;
pub(crate) use digest::stored;
pub use digest::{Digest, Fingerprint, KnownDigest};
use name::{ID_DIGITS, ID_LENGTH, PREFIX_MAX};
pub use name::{Prefix, PrefixError, TokenId};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const TAIL_LENGTH: usize = 1 + ID_LENGTH + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH;

/// The longest text that can be a secret, in bytes.
pub const SECRET_MAX: usize = PREFIX_MAX + TAIL_LENGTH;

/// Why a text is not a secret. No variant contains any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Too short or too long.
    #[error("wrong length for a secret")]
    Length,
    /// A character or separator that cannot be where it is.
    #[error("not the form of a secret")]
    Form,
    /// Well formed, but mistyped or cut off: the checksum does not match.
    #[error("the checksum does not match: the secret was mistyped or cut off")]
    Checksum,
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
    /// When the text has not the form of a secret, or its checksum does not match.
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
        TokenId::of_secret(&self.text[self.prefix_length + 1..][..ID_LENGTH])
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

#[cfg(test)]
mod tests;
