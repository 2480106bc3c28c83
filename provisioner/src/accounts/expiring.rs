//! Which token's end somebody was warned of today. It may be lost: then they are warned once more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::folders;
use latchkey_sinks::files::{read_plain, write_atomic};

/// How long before its end somebody is warned.
pub(crate) const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const FILE: &str = "expiry-warnings.json";
const SIZE_MAX: usize = 64 * 1024;

/// Whether nobody was warned of this within a day, and remembers that they were now.
pub(crate) fn is_first_today(what: &str, now: Timestamp) -> bool {
    let Some(folder) = folders::state() else { return true };
    let path = folder.join(FILE);
    let read = read_plain(&path, SIZE_MAX).ok().flatten();
    let warned: BTreeMap<String, Timestamp> =
        read.and_then(|contents| serde_json::from_slice(&contents.bytes).ok()).unwrap_or_default();
    let (is_first, warned) = noted(warned, what, now);
    if is_first {
        // Whoever cannot be remembered is warned again.
        let _ = folders::create(&folder);
        let _ = serde_json::to_vec(&warned).map(|text| write_atomic(&path, &text, 0o600));
    }
    is_first
}

/// What is remembered afterwards. A server's time is known to the second only, so a warning may seem to be still to come; one
/// that is days ahead is of a wrong clock.
fn noted(mut warned: BTreeMap<String, Timestamp>, what: &str, now: Timestamp) -> (bool, BTreeMap<String, Timestamp>) {
    warned.retain(|_, at| now.duration_since(*at).abs() < DAY);
    let is_first = !warned.contains_key(what);
    if is_first {
        warned.insert(what.to_owned(), now);
    }
    (is_first, warned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_once_a_day_for_each_token_whatever_the_clock_did() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let (first, warned) = noted(BTreeMap::new(), "a", at(100));
        assert!(first);
        let (again, warned) = noted(warned, "a", at(123));
        assert!(!again);
        let (other, warned) = noted(warned, "b", at(123));
        assert!(other);
        let (next_day, warned) = noted(warned, "a", at(124));
        assert!(next_day && warned.len() == 2);
        let (back, warned) = noted(warned, "a", at(10));
        assert!(back);
        assert_eq!(warned.into_iter().collect::<Vec<_>>(), [("a".to_owned(), at(10))]);
    }
}
