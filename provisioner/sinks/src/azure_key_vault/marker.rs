//! Tags: the marker of a version, without its value. People see them in the portal, so they say whose it is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Marker, Write};

/// Azure takes no more. <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags>
pub(super) const TAGS_MAX: usize = 15;
const TAG_LENGTH: usize = 256;

const MANAGED_BY: &str = "managed-by";
const US: &str = "latchkey";
const MANIFEST: &str = "latchkey-manifest";
const TOKEN: &str = "latchkey-token";
const ID: &str = "latchkey-id";
const VERSION: &str = "latchkey-version";
const FINGERPRINT: &str = "latchkey-fingerprint";
/// When it was written, by the vault's own clock: tags that were copied onto a later value are told by it.
const WRITTEN: &str = "latchkey-written";
/// Only on a version that was put away: it is disabled, and so stays when a person or a run recovers it.
const STATE: &str = "latchkey-state";
const REMOVED: &str = "removed";

/// A version may be older than its tags say by so many seconds: two of the vendor's clocks.
const BEFORE: i64 = 5;
/// And younger by so many: a write starts at most two minutes after it was asked for, and is waited for half a minute.
const AFTER: i64 = 180;

/// The tags of an entry.
pub(super) type Tags = BTreeMap<String, String>;

/// The tags of what is written; those that people put there stay, as far as there is room.
pub(super) fn tags_of(write: &Write<'_>, before: Option<&Tags>, at: Option<i64>) -> Tags {
    let short = |text: &str| text.chars().take(TAG_LENGTH).collect::<String>();
    let mut tags = Tags::from([
        (MANAGED_BY.to_owned(), US.to_owned()),
        (MANIFEST.to_owned(), short(write.manifest)),
        (TOKEN.to_owned(), short(write.token_name)),
        (ID.to_owned(), write.marker.token_id.to_string()),
        (VERSION.to_owned(), write.marker.version.to_string()),
        (FINGERPRINT.to_owned(), write.marker.fingerprint.to_string()),
    ]);
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    tags.extend(at.map(|at| (WRITTEN.to_owned(), at.to_string())));
    let others = before.into_iter().flatten().filter(|(name, _)| *name != MANAGED_BY && !name.starts_with("latchkey-"));
    let room = TAGS_MAX - tags.len();
    tags.extend(others.take(room).map(|(name, value)| (name.clone(), value.clone())));
    tags
}

/// The version that tags stand for; `None` when they are not ours, whole and spelled as we spell them.
pub(super) fn marker_of(tags: &Tags) -> Option<Marker> {
    let tag = |name: &str| tags.get(name).map(String::as_str);
    if tag(MANAGED_BY) != Some(US) {
        return None;
    }
    let version = tag(VERSION)?;
    let marker = Marker {
        token_id: tag(ID)?.parse().ok()?,
        version: version.parse().ok().filter(|number| *number > 0)?,
        fingerprint: tag(FINGERPRINT)?.parse().ok()?,
    };
    // Only the one spelling: `007` or ` 7` is somebody else's.
    (marker.version.to_string() == version && marker.token_id.as_str() == tag(ID)?).then_some(marker)
}

/// Whether a version that was made then, in seconds since 1970, is the one that its tags were written with.
pub(super) fn is_true_of(tags: &Tags, made: i64) -> bool {
    let written = tags.get(WRITTEN).and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_second);
    written.is_some_and(|at| (at.saturating_sub(BEFORE)..=at.saturating_add(AFTER)).contains(&made))
}

/// The same tags, put away.
pub(super) fn removed(tags: &Tags) -> Tags {
    let mut tags = tags.clone();
    while tags.len() >= TAGS_MAX && !tags.contains_key(STATE) {
        let Some(other) = tags.keys().find(|name| *name != MANAGED_BY && !name.starts_with("latchkey-")).cloned()
        else {
            break;
        };
        tags.remove(&other);
    }
    tags.insert(STATE.to_owned(), REMOVED.to_owned());
    tags
}

/// Whether they are ours and say that the version was put away.
pub(super) fn is_removed(tags: &Tags) -> bool {
    marker_of(tags).is_some() && tags.get(STATE).is_some_and(|state| state == REMOVED)
}

/// A marker as a receipt: at most 43 characters.
pub(super) fn receipt_of(marker: &Marker) -> String {
    format!("lk-{}-{}-{}", marker.token_id, marker.version, marker.fingerprint)
}

#[cfg(test)]
mod tests {
    use latchkey::place::Place;
    use latchkey::secret::{Digest, Prefix, Secret, TokenId};
    use proptest::prelude::*;

    use super::*;
    use crate::Seen;

    const AT: i64 = 1_795_000_000;

    fn token_id() -> impl Strategy<Value = TokenId> {
        "[0-9a-hjkmnp-tv-z]{16}".prop_map(|text| text.parse().unwrap())
    }

    fn written(marker: &Marker, token: &str, before: Option<&Tags>) -> Tags {
        let place = Place::new("azure-key-vault", &[("name", "x")], true);
        let secret = Secret::mint(&Prefix::default(), &marker.token_id, &latchkey::entropy::SystemEntropy).unwrap();
        let seen = Seen::Absent;
        let write = Write { place: &place, secret: &secret, marker, token_name: token, manifest: "acme", seen: &seen };
        tags_of(&write, before, Some(AT))
    }

    fn kept() -> impl Strategy<Value = Tags> {
        proptest::collection::btree_map("(cost|team|latchkey-x|managed-by|[a-z]{1,6})", ".{0,8}", 0..16)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_beside_other_peoples_tags(
            id in token_id(), version in 1_u32.., value: Vec<u8>, token in ".{0,300}", before in kept()
        ) {
            let marker = Marker { token_id: id, version, fingerprint: Digest::of(&value).fingerprint() };
            let tags = written(&marker, &token, Some(&before));
            prop_assert!(tags.len() <= TAGS_MAX);
            prop_assert!(tags.values().all(|value| value.chars().count() <= TAG_LENGTH));
            prop_assert_eq!(marker_of(&tags), Some(marker.clone()));
            prop_assert!(!is_removed(&tags));
            let away = removed(&tags);
            prop_assert!(away.len() <= TAGS_MAX && is_removed(&away));
            prop_assert_eq!(marker_of(&away), Some(marker));
        }

        #[test]
        fn anything_else_is_nobodys_marker(
            id in token_id(), at in 0_usize..4, other in "[ -~]{0,20}"
        ) {
            let marker = Marker { token_id: id, version: 7, fingerprint: Digest::of(b"value").fingerprint() };
            let mut tags = written(&marker, "token", None);
            let name = [MANAGED_BY, ID, VERSION, FINGERPRINT][at];
            tags.insert(name.to_owned(), other.clone());
            let read = marker_of(&tags);
            // Either it is not ours, or it reads exactly as it is spelled.
            let same = read.is_none_or(|read| written(&read, "token", None).get(name) == Some(&other));
            prop_assert!(same, "read otherwise than it is spelled");
            tags.remove(name);
            prop_assert_eq!(marker_of(&tags), None);
        }
    }

    #[test]
    fn tags_are_true_of_the_version_that_they_were_written_with() {
        let marker = Marker {
            token_id: "0123456789abcdef".parse().unwrap(),
            version: 7,
            fingerprint: Digest::of(b"value").fingerprint(),
        };
        let mut tags = written(&marker, "token", None);
        for (made, is_true) in [(-6, false), (-5, true), (0, true), (180, true), (181, false)] {
            assert_eq!(is_true_of(&tags, AT + made), is_true, "{made}");
        }
        tags.remove(WRITTEN);
        assert!(!is_true_of(&tags, AT), "who does not tell is looked at");
    }

    #[test]
    fn other_spellings_of_a_number_are_nobodys() {
        let marker = Marker {
            token_id: "0123456789abcdef".parse().unwrap(),
            version: 7,
            fingerprint: Digest::of(b"value").fingerprint(),
        };
        let tags = written(&marker, "token", None);
        for version in ["07", "+7", " 7", "7 ", "0", "-7", "4294967296", ""] {
            let mut tags = tags.clone();
            tags.insert(VERSION.to_owned(), version.to_owned());
            assert_eq!(marker_of(&tags), None, "{version:?}");
        }
    }
}
