//! Version ids: the marker of a plain secret, and fresh ones for secrets that several tokens share.

use latchkey::entropy::{Entropy, EntropyError};
use latchkey::secret::Secret;

use crate::{Marker, SinkError};

/// The label under which a new version is put before AWSCURRENT moves to it. There is one for all: putting moves it off
/// the version put before, so that it never has to be cleaned up, and the 20 labels of a secret are never used up.
pub(super) const LABEL: &str = "latchkey";

/// The version id that stands for `marker`: 34 to 43 characters, where AWS takes 32 to 64.
pub(super) fn version_id(marker: &Marker) -> String {
    format!("lk-{}-{}-{}", marker.token_id, marker.version, marker.fingerprint)
}

/// The marker that a version id stands for; `None` when it is not one of ours.
pub(super) fn marker_of(version_id: &str) -> Option<Marker> {
    let mut parts = version_id.strip_prefix("lk-")?.split('-');
    let (token_id, version, fingerprint) = (parts.next()?, parts.next()?, parts.next()?);
    let marker = Marker {
        token_id: token_id.parse().ok()?,
        version: version.parse().ok()?,
        fingerprint: fingerprint.parse().ok()?,
    };
    // Only the one spelling: `007` or a fourth part is somebody else's.
    (self::version_id(&marker) == version_id).then_some(marker)
}

/// A version id that was never used: `lk-json-` and 128 random bits.
pub(super) fn fresh_version_id(entropy: &dyn Entropy) -> Result<String, EntropyError> {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes)?;
    Ok(format!("lk-json-{:032x}", u128::from_be_bytes(bytes)))
}

/// Whether a secret is the version that a marker stands for, so far as it can tell itself.
pub(super) fn is_version(secret: &Secret, wanted: &Marker) -> bool {
    secret.fingerprint() == wanted.fingerprint && secret.token_id() == wanted.token_id
}

/// What is not ours is left to whoever put it there.
pub(super) fn not_ours(name: &str) -> SinkError {
    SinkError::Refused {
        reason: format!("`{name}` contains a value that Latchkey did not write"),
        hint: "remove it by hand if nothing needs it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use latchkey::entropy::SystemEntropy;
    use latchkey::secret::{Digest, TokenId};

    use super::*;

    fn marker(version: u32) -> Marker {
        let token_id = "0123456789abcdef".parse::<TokenId>().unwrap();
        Marker { token_id, version, fingerprint: Digest::of(b"value").fingerprint() }
    }

    #[test]
    fn a_version_id_reads_back_and_fits_what_aws_takes() {
        for version in [1, 10, u32::MAX] {
            let id = version_id(&marker(version));
            assert!((32..=64).contains(&id.len()), "{id}");
            assert_eq!(marker_of(&id), Some(marker(version)));
        }
    }

    #[test]
    fn ids_of_others_are_nobodys_marker() {
        let ours = version_id(&marker(1));
        let zero = ours.replace("-1-", "-01-");
        let longer = format!("{ours}-x");
        for id in ["", "lk-", "5f0c7a52-6c1d-4bd7-a2c4-9d9c3dbe0f66", &zero, &longer, &ours[1..]] {
            assert_eq!(marker_of(id), None, "{id}");
        }
    }

    #[test]
    fn a_fresh_id_fits_and_is_nobodys_marker() {
        let id = fresh_version_id(&SystemEntropy).unwrap();
        assert_eq!(id.len(), 40);
        assert_eq!(marker_of(&id), None);
        assert_ne!(id, fresh_version_id(&SystemEntropy).unwrap());
    }
}
