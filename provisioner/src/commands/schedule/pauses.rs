//! Tokens that failed, and when each is tried again: a place that refuses is not asked again at every turn, and never
//! keeps other tokens waiting.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use latchkey::lifetime::Seconds;

/// The longest pause, unless runs are further apart.
const PAUSE_MAX: Seconds = Seconds::days(1);

/// Which tokens pause, by `user/name`.
#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeMap<String, Pause>);

#[derive(Debug)]
struct Pause {
    /// How often in a row it failed.
    failures: u32,
    until: Timestamp,
}

impl Pauses {
    /// The tokens that are left alone at `now`.
    pub(super) fn at(&self, now: Timestamp) -> BTreeSet<String> {
        self.0.iter().filter(|(_, pause)| pause.until > now).map(|(token, _)| token.clone()).collect()
    }

    /// When the first of them is tried again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.values().map(|pause| pause.until).min()
    }

    /// Notes which tokens a run failed at that began at `now`. The pause of one doubles with each failure in a row; whatever
    /// was tried and did not fail is forgotten.
    pub(super) fn note(&mut self, failed: &BTreeSet<String>, now: Timestamp, every: Seconds) {
        self.0.retain(|token, pause| pause.until > now || failed.contains(token));
        for token in failed {
            let pause = self.0.entry(token.clone()).or_insert(Pause { failures: 0, until: now });
            let factor = 1_u64 << pause.failures.min(20);
            pause.failures += 1;
            pause.until = Seconds(every.0.saturating_mul(factor).min(PAUSE_MAX.0.max(every.0))).after(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Seconds::hours(hours).after(Timestamp::from_second(1_800_000_000).unwrap())
    }

    fn tokens(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_fails_again_and_again_is_tried_ever_more_seldom_and_at_least_once_a_day() {
        let (mut pauses, mut tried) = (Pauses::default(), Vec::new());
        for hour in 0..100 {
            if pauses.at(at(hour)).is_empty() {
                tried.push(hour);
                pauses.note(&tokens(&["ci/api"]), at(hour), Seconds::hours(1));
            } else {
                // A run without it says nothing of it.
                pauses.note(&tokens(&[]), at(hour), Seconds::hours(1));
            }
        }
        assert_eq!(tried, [0, 1, 3, 7, 15, 31, 55, 79]);
    }

    #[test]
    fn what_succeeds_starts_anew_and_others_never_wait() {
        let mut pauses = Pauses::default();
        pauses.note(&tokens(&["ci/api", "ci/web"]), at(0), Seconds::hours(1));
        pauses.note(&tokens(&["ci/api"]), at(1), Seconds::hours(1));
        assert_eq!(pauses.at(at(2)), tokens(&["ci/api"]));
        assert_eq!(pauses.next(), Some(at(3)));
        pauses.note(&tokens(&[]), at(3), Seconds::hours(1));
        pauses.note(&tokens(&["ci/api"]), at(4), Seconds::hours(1));
        assert_eq!(pauses.next(), Some(at(5)), "one failure, not a third");
    }

    #[test]
    fn runs_that_are_further_apart_than_a_day_try_each_time() {
        let mut pauses = Pauses::default();
        for week in 0..5 {
            let now = at(week * 168);
            assert!(pauses.at(now).is_empty());
            pauses.note(&tokens(&["ci/api"]), now, Seconds::days(7));
        }
    }
}
