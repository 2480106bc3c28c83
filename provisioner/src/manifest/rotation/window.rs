//! Windows: the hours of the week in which what is due is rotated, in a place's own time.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use latchkey::lifetime::Seconds;
use latchkey_sinks::reading::shown;

/// The days as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// The minutes of a day.
const DAY: i32 = 24 * 60;

/// How many days ahead an opening is looked for: a weekly one may fall into the hour that a change of clocks leaves out.
const AHEAD: i32 = 15;

/// The hours of the week in which what is due is rotated, written `Mon-Fri 09:00-16:00 Europe/Berlin`. One that ends
/// before it begins ends on the next day; without days it opens every day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    text: String,
    /// Whether it opens on a day, from Monday on.
    days: [bool; 7],
    /// In minutes from midnight.
    from: i32,
    /// In minutes from the midnight before it opens.
    until: i32,
    zone: TimeZone,
}

/// Why a text is no window. What is quoted is spelled out: it may come from anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("`{0}` is not a window: it has days, hours and a time zone")]
    Form(String),
    #[error("`{0}` is not a day, or a range of days")]
    Day(String),
    #[error("`{0}` is not a range of hours")]
    Hours(String),
    #[error("`{0}` is not a time zone")]
    Zone(String),
    #[error("`{0}` never opens: it begins and ends at the same time")]
    Empty(String),
}

impl WindowError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Form(_) => "write it like `Mon-Fri 09:00-16:00 Europe/Berlin`",
            Self::Day(_) => "days are `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat` and `Sun`, as in `Mon-Thu` or `Mon,Wed`",
            Self::Hours(_) => "hours are like `09:00-16:00`, from 00:00 to 24:00",
            Self::Zone(_) => "a time zone is `UTC` or a name like `Europe/Berlin`",
            Self::Empty(_) => "for the whole day write `00:00-24:00`",
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (days, hours, zone) = match words.as_slice() {
            [hours, zone] => ([true; 7], *hours, *zone),
            [days, hours, zone] => (read_days(days)?, *hours, *zone),
            _ => return Err(WindowError::Form(shown(text))),
        };
        let wrong = || WindowError::Hours(shown(hours));
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minutes(from).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
        if from == DAY {
            return Err(wrong());
        }
        if from == until {
            return Err(WindowError::Empty(shown(text)));
        }
        let until = if until < from { until + DAY } else { until };
        // A name that a path could be is never looked up.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
        let named = Some(zone).filter(|zone| zone.bytes().all(plain));
        let found = named.and_then(|zone| if zone == "UTC" { Some(TimeZone::UTC) } else { TimeZone::get(zone).ok() });
        let zone = found.ok_or_else(|| WindowError::Zone(shown(zone)))?;
        Ok(Self { text: words.join(" "), days, from, until, zone })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Days, and ranges of days, with commas between.
fn read_days(text: &str) -> Result<[bool; 7], WindowError> {
    let mut open = [false; 7];
    for part in text.split(',') {
        let index = |name: &str| DAYS.iter().position(|(day, _)| day.eq_ignore_ascii_case(name));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (index(first), index(last)) else {
            return Err(WindowError::Day(shown(part)));
        };
        // `Sat-Mon` goes over the end of the week.
        let length = (last + 7 - first) % 7;
        for day in first..=first + length {
            open[day % 7] = true;
        }
    }
    Ok(open)
}

/// `09:30` in minutes; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<i32>().ok() } else { None }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

impl Window {
    /// When the window that is open at `at` opened, or the next one opens; the end of time when it never does.
    fn opening(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let today = at.to_zoned(self.zone.clone()).date();
        let openings = (-2..AHEAD).filter_map(|ahead| self.on(today.checked_add(ahead.days()).ok()?));
        // One that is open over midnight began the day before.
        openings.filter(|(_, closes)| *closes > at).min().unwrap_or((Timestamp::MAX, Timestamp::MAX))
    }

    /// When it opens and closes on a day. A change of clocks may leave nothing of it.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let is_open = DAYS.iter().zip(self.days).any(|((_, weekday), open)| open && *weekday == day.weekday());
        let instant = |minutes: i32| {
            let time: DateTime = day.to_datetime(jiff::civil::Time::midnight()).checked_add(minutes.minutes()).ok()?;
            Some(time.to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        let (opens, closes) = (instant(self.from)?, instant(self.until)?);
        (is_open && opens < closes).then_some((opens, closes))
    }

    /// When it opens next; `None` while it is open.
    pub fn opens_after(&self, at: Timestamp) -> Option<Timestamp> {
        let (opens, _) = self.opening(at);
        (opens > at).then_some(opens)
    }

    /// The longest time for which it stays closed in three years, changes of clocks included.
    pub fn longest_closed(&self) -> Seconds {
        let (mut longest, mut closed_since) = (SignedDuration::ZERO, None);
        let mut day = date(2026, 1, 1);
        while day.year() < 2029 {
            if let Some((opens, closes)) = self.on(day) {
                let gap = closed_since.map_or(SignedDuration::ZERO, |since: Timestamp| opens.duration_since(since));
                longest = longest.max(gap);
                closed_since = Some(closes);
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        Seconds(longest.as_secs().unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_open_in_its_own_hours_and_tells_when_it_opens() {
        let office = window("Mon-Fri 09:00-16:00 Europe/Berlin");
        // Winter and summer differ by an hour, the office does not.
        for (now, opens) in [
            ("2026-11-27T07:59:59Z", Some("2026-11-27T08:00:00Z")),
            ("2026-11-27T08:00:00Z", None),
            ("2026-11-27T14:59:59Z", None),
            ("2026-11-27T15:00:00Z", Some("2026-11-30T08:00:00Z")),
            ("2026-07-03T06:59:59Z", Some("2026-07-03T07:00:00Z")),
            ("2026-07-03T14:00:00Z", Some("2026-07-06T07:00:00Z")),
        ] {
            assert_eq!(office.opens_after(at(now)), opens.map(at), "{now}");
        }
    }

    #[test]
    fn a_window_may_go_over_midnight_and_over_the_week() {
        let night = window("Fri 22:00-04:00 UTC");
        assert_eq!(night.opens_after(at("2026-11-28T03:59:59Z")), None);
        assert_eq!(night.opens_after(at("2026-11-28T04:00:00Z")), Some(at("2026-12-04T22:00:00Z")));
        let weekend = window("Sat-Mon 00:00-24:00 UTC");
        assert_eq!(weekend.opens_after(at("2026-11-29T23:59:59Z")), None);
        assert_eq!(weekend.opens_after(at("2026-12-01T00:00:00Z")), Some(at("2026-12-05T00:00:00Z")));
        assert_eq!(window("00:00-24:00 UTC").opens_after(at("2026-11-29T23:59:59Z")), None);
    }

    #[test]
    fn an_hour_that_a_change_of_clocks_leaves_out_opens_nothing() {
        // On 2026-03-29 it is 03:00 in Berlin right after 01:59.
        let gone = window("Sun 02:00-03:00 Europe/Berlin");
        assert_eq!(gone.opens_after(at("2026-03-28T12:00:00Z")), Some(at("2026-04-05T00:00:00Z")));
    }

    #[test]
    fn the_longest_time_that_a_window_is_closed_counts_weekends_and_changes_of_clocks() {
        let closed = |text: &str| window(text).longest_closed();
        assert_eq!(closed("00:00-24:00 UTC"), Seconds(0));
        assert_eq!(closed("09:00-16:00 UTC"), Seconds::hours(17));
        assert_eq!(closed("Mon-Fri 09:00-16:00 UTC"), Seconds::hours(65));
        // The weekend on which clocks are put back is an hour longer.
        assert_eq!(closed("Mon-Fri 09:00-16:00 Europe/Berlin"), Seconds::hours(66));
        // And a Sunday's hour that does not come is waited for another week.
        assert_eq!(closed("Sun 02:00-03:00 Europe/Berlin"), Seconds::hours(14 * 24 - 2));
    }

    #[test]
    fn what_is_no_window_is_told_by_its_part() {
        let error = |text: &str| text.parse::<Window>().unwrap_err();
        assert_eq!(error(""), WindowError::Form(String::new()));
        assert_eq!(error("09:00-16:00"), WindowError::Form("09:00-16:00".to_owned()));
        assert!(matches!(error("Mon 09:00-16:00 UTC now"), WindowError::Form(_)));
        assert_eq!(error("Mo 09:00-16:00 UTC"), WindowError::Day("Mo".to_owned()));
        assert_eq!(error("Mon-Fri-Sun 09:00-16:00 UTC"), WindowError::Day("Mon-Fri-Sun".to_owned()));
        for hours in ["9-16", "09:00", "09:00-24:01", "09:60-10:00", "24:00-25:00", "24:00-01:00", "+9:00-10:00"] {
            assert_eq!(error(&format!("{hours} UTC")), WindowError::Hours(hours.to_owned()));
        }
        for zone in ["Europe/Nowhere", "../../etc/passwd", "CEST2", "+02:00", "/etc/localtime"] {
            assert_eq!(error(&format!("09:00-16:00 {zone}")), WindowError::Zone(zone.to_owned()));
        }
        assert!(matches!(error("09:00-09:00 UTC"), WindowError::Empty(_)));
    }

    fn text() -> impl Strategy<Value = String> {
        let hour = || (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
        let days = prop::sample::subsequence(DAYS.map(|(day, _)| day).to_vec(), 1..=7);
        let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]);
        (days, hour(), hour(), zone)
            .prop_filter("it opens", |(_, from, until, _)| from != until)
            .prop_map(|(days, from, until, zone)| format!("{} {from}-{until} {zone}", days.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever the window: where it is closed it opens later, within what it is said to stay closed for, and is open then.
        #[test]
        fn a_window_opens_within_the_longest_time_that_it_is_closed(text in text(), hours in 0_i64..20_000) {
            let window = window(&text);
            let now = at("2026-01-15T00:00:00Z") + SignedDuration::from_hours(hours);
            if let Some(opens) = window.opens_after(now) {
                prop_assert!(opens > now);
                let waits = opens.duration_since(now).as_secs().unsigned_abs();
                prop_assert!(waits <= window.longest_closed().0, "{text}: {now} to {opens}");
                prop_assert_eq!(window.opens_after(opens), None);
                prop_assert!(window.opens_after(opens - SignedDuration::from_secs(1)).is_some());
            }
            prop_assert_eq!(window.to_string(), text);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[MonTueFri0-9:,/ UTCa-z.-]{0,40}") {
            let _ = text.parse::<Window>();
        }
    }
}
