//! The highest time that a table has seen, by which a clock that is wrong is noticed. Pure.
//!
//! An embedded table has no clock but its machine's. A clock that was set back would make dead versions valid again,
//! and would end what it creates too soon; one that ran ahead has written times that are still to come. Which of the two
//! happened nobody can tell from the numbers, so whoever creates or ends anything is refused until a person says that the
//! clock is right, or sets it.
//!
//! A check is never refused, and is judged by the latest time that is certain. A clock behind by up to a day is taken
//! for one that was set back: the highest time counts, so that what has expired stays so. Behind by more, the highest time
//! may be the wrong one, and to go by it could lock out every consumer. So of each leap of more than eight days the
//! time before it is remembered, and that one counts until the clock has gone on for a day after the leap.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::Seconds;

/// How far behind the highest time that was seen a clock may be.
const BEHIND_MAX: Seconds = Seconds::days(1);
/// How far time goes on at the most between two times that a table in use sees: a job each week, some hours late.
const STEP_MAX: Seconds = Seconds::days(8);

/// No clock that is right shows less: 2026-01-01, before the first table.
const FIRST: i64 = 1_767_225_600_000;

fn first() -> Timestamp {
    Timestamp::from_millisecond(FIRST).unwrap_or(Timestamp::MIN)
}

/// `at` to the minute.
fn minute(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A clock that is more than a day behind what its table has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockBehind {
    /// What the clock shows.
    pub now: Timestamp,
    /// The highest time that was seen.
    pub seen: Timestamp,
}

impl ClockBehind {
    /// A clock that shows `now` where `seen` was.
    pub fn new(now: Timestamp, seen: Timestamp) -> Self {
        Self { now, seen }
    }

    /// Whether a clock may show this at all.
    pub fn is_possible(&self) -> bool {
        self.now >= first()
    }
}

impl std::fmt::Display for ClockBehind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (now, seen) = (minute(self.now), minute(self.seen));
        if self.seen == first() {
            return write!(formatter, "the clock is at {now}, and no table is older than {seen}");
        }
        write!(formatter, "the clock is at {now}, but the table was already in use at {seen}")
    }
}

impl std::error::Error for ClockBehind {}

/// What a table has seen of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimeSeen {
    /// The highest.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub(crate) highest: Timestamp,
    /// The highest before the last leap; the same as `highest` once time has gone on for a day after it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    certain: Timestamp,
    /// Where the last leap led.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    leapt_to: Timestamp,
}

impl TimeSeen {
    /// A table whose operator says that the clock is right.
    pub(crate) fn only(now: Timestamp) -> Self {
        Self { highest: now, certain: now, leapt_to: now }
    }

    /// Nothing seen yet. The first time is a leap, too: a table that was in use before times were noted may see it by a
    /// clock that is ahead.
    pub(crate) fn nothing() -> Self {
        Self::only(first())
    }

    /// Takes note of a time.
    pub(crate) fn note(&mut self, now: Timestamp) {
        if now <= self.highest {
            return;
        }
        if STEP_MAX.after(self.highest) < now {
            self.leapt_to = now;
        } else if self.certain == self.highest || BEHIND_MAX.after(self.leapt_to) <= now {
            self.certain = now;
        }
        self.highest = now;
    }

    /// Takes note of what another process has seen.
    pub(crate) fn join(&mut self, other: Self) {
        if other.highest > self.highest {
            *self = other;
        }
    }

    /// What is wrong with a clock that shows `now`, if anything.
    pub(crate) fn behind(&self, now: Timestamp) -> Option<ClockBehind> {
        (BEHIND_MAX.after(now) < self.highest).then_some(ClockBehind { now, seen: self.highest })
    }

    /// The time that a check goes by.
    pub(crate) fn for_checks(&self, now: Timestamp) -> Timestamp {
        if self.behind(now).is_some() { now.max(self.certain) } else { now.max(self.highest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_was_set_back_by_hours_revives_nothing_and_stops_nothing() {
        let mut seen = TimeSeen::nothing();
        let now = at("2026-11-27T12:00:00Z");
        seen.note(now);
        let back = Seconds::hours(23).before(now);
        assert_eq!((seen.behind(back), seen.for_checks(back)), (None, now));
        let behind = seen.behind(Seconds::hours(25).before(now)).unwrap();
        let said = behind.to_string();
        assert!(
            said.contains("is at 2026-11-26 11:00 UTC") && said.contains("in use at 2026-11-27 12:00 UTC"),
            "{said}"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_by_days_revives_nothing_of_what_ended_before_the_last_leap() {
        let start = at("2026-11-01T00:00:00Z");
        let mut seen = TimeSeen::nothing();
        for hour in 0..=240 {
            seen.note(Seconds::hours(hour).after(start));
        }
        let highest = Seconds::days(10).after(start);
        assert_eq!(seen.for_checks(Seconds::days(400).before(highest)), highest);
    }

    #[test]
    fn one_run_of_a_clock_far_ahead_locks_no_consumer_out() {
        let now = at("2026-11-27T12:00:00Z");
        let mut seen = TimeSeen::only(now);
        let ahead = at("2069-12-31T19:42:00Z");
        seen.note(ahead);
        seen.note(Seconds::hours(2).after(ahead));
        let right = Seconds::hours(1).after(now);
        assert_eq!(seen.behind(right).map(|behind| behind.seen), Some(Seconds::hours(2).after(ahead)));
        assert_eq!(seen.for_checks(right), right);
        assert_eq!(seen.for_checks(Seconds::days(5).before(now)), now, "before the leap time was certain");
    }

    #[test]
    fn the_first_time_that_is_noted_locks_nobody_out_either() {
        let mut seen = TimeSeen::nothing();
        seen.note(at("2069-12-31T19:42:00Z"));
        let right = at("2026-11-27T12:00:00Z");
        assert!(seen.behind(right).is_some());
        assert_eq!(seen.for_checks(right), right);
    }

    #[test]
    fn a_leap_is_certain_once_the_clock_has_gone_on_for_a_day() {
        let mut seen = TimeSeen::only(at("2026-01-02T00:00:00Z"));
        let later = at("2026-11-27T00:00:00Z");
        for hour in 0..=24 {
            seen.note(Seconds::hours(hour).after(later));
        }
        let highest = Seconds::days(1).after(later);
        assert_eq!(seen.for_checks(Seconds::days(30).before(highest)), highest);
    }

    #[test]
    fn a_clock_that_was_never_set_is_behind_of_every_table() {
        for text in ["1970-01-01T00:05:00Z", "1990-06-01T00:00:00Z"] {
            let behind = TimeSeen::nothing().behind(at(text)).unwrap();
            assert!(!behind.is_possible());
            assert!(behind.to_string().contains("no table is older than 2026-01-01"), "{behind}");
        }
        assert_eq!(TimeSeen::nothing().behind(at("2026-11-27T00:00:00Z")), None);
    }

    /// What tables hold must be read by every later version.
    #[test]
    fn what_was_seen_is_stored_as_it_always_was() {
        let seen = TimeSeen { leapt_to: Timestamp::from_millisecond(3).unwrap(), ..TimeSeen::only(first()) };
        let stored = serde_json::json!({ "highest": FIRST, "certain": FIRST, "leapt_to": 3 });
        assert_eq!(serde_json::to_value(seen).unwrap(), stored);
        assert_eq!(serde_json::from_value::<TimeSeen>(stored).unwrap(), seen);
    }
}
