//! The comment of a row: which version of which token its value is, written in the same request as the value.

use latchkey::secret::TokenId;

use crate::sinks::{Marker, Write};

/// What every comment of ours starts with; a person reads it in the dashboard.
const HEAD: &str = "Managed by Latchkey, do not edit:";
/// The longest comment that Vercel takes.
#[cfg(test)]
const COMMENT_MAX: usize = 500;

/// A row's `updatedAt` may lie this much before the time that its comment names: two of the vendor's clocks.
const BEFORE: i64 = 5;
/// And this much after it: a write starts at most two minutes after it was asked for, and is waited for half a minute.
const AFTER: i64 = 180;

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    manifest: String,
    token: String,
    pub(super) marker: Marker,
    /// When it was written, in seconds since 1970 by Vercel's own clock. A later change of the row moves the row's
    /// `updatedAt` and leaves this behind: that is how an edit is told although the value cannot be read.
    at: i64,
}

impl Comment {
    /// The comment for a write at `at`.
    pub(super) fn for_write(write: &Write<'_>, at: i64) -> Self {
        let (manifest, token) = (write.manifest.to_owned(), write.token_name.to_owned());
        Self { manifest, token, marker: write.marker.clone(), at }
    }

    /// As it stands in the row.
    pub(super) fn text(&self) -> String {
        let Self { manifest, token, marker: Marker { token_id, version, fingerprint }, at } = self;
        format!(
            "{HEAD} manifest={manifest} token={token} id={token_id} version={version} fingerprint={fingerprint} at={at}"
        )
    }

    /// Reads a comment; `None` when it is not exactly as we write it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(HEAD)?.strip_prefix(' ')?.split(' ');
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
        let comment = Self {
            manifest: part("manifest")?.to_owned(),
            token: part("token")?.to_owned(),
            marker: Marker {
                token_id: part("id")?.parse().ok()?,
                version: part("version")?.parse().ok()?,
                fingerprint: part("fingerprint")?.parse().ok()?,
            },
            at: part("at")?.parse().ok()?,
        };
        // Only the one spelling: `007` or a further part is somebody else's.
        (comment.text() == text).then_some(comment)
    }

    /// Whether a row that was last changed then, in milliseconds, is as the write of this comment left it.
    pub(super) fn is_true_of(&self, updated: i64) -> bool {
        let (first, last) = (self.at.saturating_sub(BEFORE), self.at.saturating_add(AFTER));
        (first.saturating_mul(1000)..=last.saturating_mul(1000)).contains(&updated)
    }
}

/// The token that a comment names, even one that somebody's edit has made untrue: a claim.
pub(super) fn claimed(text: &str) -> Option<TokenId> {
    Comment::parse(text).map(|comment| comment.marker.token_id)
}

#[cfg(test)]
mod tests {
    use latchkey::secret::Digest;
    use proptest::prelude::*;

    use super::*;

    fn comment() -> impl Strategy<Value = Comment> {
        let names = ("[a-z][a-z0-9-]{0,63}", "[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?");
        (names, "[0-9a-hjkmnp-tv-z]{16}", any::<u32>(), any::<u64>(), any::<i64>()).prop_map(
            |((manifest, token), id, version, value, at)| {
                let fingerprint = Digest::of(&value.to_le_bytes()).fingerprint();
                Comment { manifest, token, marker: Marker { token_id: id.parse().unwrap(), version, fingerprint }, at }
            },
        )
    }

    proptest! {
        #[test]
        fn a_comment_reads_back_fits_and_has_one_spelling(comment in comment(), at in any::<prop::sample::Index>(), put in any::<char>()) {
            let text = comment.text();
            prop_assert!(text.len() <= COMMENT_MAX);
            prop_assert_eq!(Comment::parse(&text), Some(comment.clone()));
            let mut other: Vec<char> = text.chars().collect();
            let at = at.index(other.len());
            other.insert(at, put);
            let other: String = other.into_iter().collect();
            let read = Comment::parse(&other);
            prop_assert!(read.is_none_or(|read| read != comment && read.text() == other));
        }

        #[test]
        fn no_text_is_a_comment_by_chance(text in any::<String>()) {
            prop_assert_eq!(Comment::parse(&text), None);
        }
    }

    #[test]
    fn a_row_that_was_changed_later_makes_its_comment_untrue() {
        let text =
            format!("{HEAD} manifest=acme token=api id=0123456789abcdef version=3 fingerprint=0123456789ab at=1000");
        let comment = Comment::parse(&text).unwrap();
        for (updated, is_true) in
            [(994_999, false), (995_000, true), (1_000_500, true), (1_180_000, true), (1_180_001, false)]
        {
            assert_eq!(comment.is_true_of(updated), is_true, "{updated}");
        }
        assert_eq!(Comment::parse(&text.replace("version=3", "version=03")), None);
        assert_eq!(Comment::parse(&format!("{text} ")), None);
    }
}
