//! Times as people type them: a date, an instant or a duration.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use latchkey::lifetime::{Seconds, parse_expiry};

use super::exit::Fault;

/// What may be typed for a time to come.
const UNTIL: &str = "pass a duration such as `7d` or `12h`, a date such as `2027-03-31` (the end of that day, UTC) or an \
                     instant such as `2027-03-31T12:00:00Z`";

/// A time to come. A duration counts from now; a date means the end of that day, UTC.
pub(super) fn until(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    if let Ok(length) = text.parse::<Seconds>() {
        return Ok(length.after(now));
    }
    parse_expiry(text).map_err(|_| Fault::new(format!("invalid time `{text}`")).hint(UNTIL))
}

/// A time that has passed. A duration counts back from now; a date means the beginning of that day, UTC.
pub(super) fn since(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    if let Ok(length) = text.parse::<Seconds>() {
        return Ok(length.before(now));
    }
    let begin = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10).and_then(begin);
    date.or_else(|| text.parse().ok()).ok_or_else(|| {
        Fault::new(format!("invalid time `{text}`")).hint(
            "pass a duration such as `60d`, a date such as `2027-03-31` or an instant such as `2027-03-31T12:00:00Z`",
        )
    })
}

/// A day. A duration means the day that was so long ago.
pub(super) fn day(text: &str, now: Timestamp) -> Result<Date, Fault> {
    Ok(date(since(text, now)?))
}

/// The day of an instant, UTC.
pub(super) fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_duration_is_taken_wherever_a_date_is() {
        let now = at("2026-11-28T10:30:00Z");
        assert_eq!(until("7d", now).unwrap(), at("2026-12-05T10:30:00Z"));
        assert_eq!(until("12h", now).unwrap(), at("2026-11-28T22:30:00Z"));
        assert_eq!(until("2027-01-01", now).unwrap(), at("2027-01-02T00:00:00Z"));
        assert_eq!(until("2027-01-01T00:00:00Z", now).unwrap(), at("2027-01-01T00:00:00Z"));
        assert_eq!(since("60d", now).unwrap(), at("2026-09-29T10:30:00Z"));
        assert_eq!(since("2026-11-01", now).unwrap(), at("2026-11-01T00:00:00Z"));
        assert_eq!(day("1d", now).unwrap().to_string(), "2026-11-27");
        for slip in ["", "7", "tomorrow", "2026-02-30", "-7d", "7d7d"] {
            assert!(until(slip, now).is_err() && since(slip, now).is_err(), "{slip}");
        }
    }
}
