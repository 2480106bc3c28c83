//! Lifetimes: how long a version lasts, when it is rotated, and for how long an older one stays valid.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A length of time in whole seconds, written `90d`, `24h`, `30m`, `45s` or a sum such as `1d12h`.
///
/// ```
/// use latchkey::lifetime::{Seconds, SecondsError};
///
/// assert_eq!("1d12h".parse::<Seconds>()?, Seconds::hours(36));
/// assert_eq!(Seconds::hours(36).to_string(), "1d12h");
/// assert_eq!("1h1d".parse::<Seconds>(), Err(SecondsError));
/// # Ok::<(), SecondsError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    /// A number of minutes.
    pub const fn minutes(count: u64) -> Self {
        Self(count * 60)
    }

    /// A number of hours.
    pub const fn hours(count: u64) -> Self {
        Self(count * 3600)
    }

    /// A number of days of 24 hours.
    pub const fn days(count: u64) -> Self {
        Self(count * 86_400)
    }

    /// `start` and this much later; the end of time when that is out of range.
    pub fn after(self, start: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        start.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
    }

    /// `end` and this much earlier; the beginning of time when that is out of range.
    pub fn before(self, end: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        end.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
    }
}

/// A text that is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number with `d`, `h`, `m` or `s`, for instance `90d` or `1d12h`, and at most 3660d")]
pub struct SecondsError;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
const SECONDS_MAX: u64 = 3660 * 86_400;

impl FromStr for Seconds {
    type Err = SecondsError;

    fn from_str(text: &str) -> Result<Self, SecondsError> {
        let mut total = 0_u64;
        let mut smallest = u64::MAX;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| SecondsError)?;
            let letter = rest[digits..].chars().next().ok_or(SecondsError)?;
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == letter).ok_or(SecondsError)?;
            // Larger units first, each once: `1h1d` and `1h1h` are slips more often than meant.
            if *unit >= smallest {
                return Err(SecondsError);
            }
            smallest = *unit;
            total = number.checked_mul(*unit).and_then(|part| total.checked_add(part)).ok_or(SecondsError)?;
            rest = &rest[digits + letter.len_utf8()..];
        }
        if text.is_empty() || total > SECONDS_MAX { Err(SecondsError) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.0;
        for (letter, unit) in UNITS {
            if rest >= unit {
                write!(formatter, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

/// The durations of a managed token: each version expires `expires_in` after its promotion, is due for rotation
/// `rotate_every` after it, and stays valid for `overlap` after a newer one was promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// From promotion to expiry.
    pub expires_in: Seconds,
    /// From promotion to the next rotation.
    pub rotate_every: Seconds,
    /// How long an older version stays valid after a promotion.
    pub overlap: Seconds,
}

impl Terms {
    /// The instant at which rotation is due: the earlier of `promoted + rotate_every` and
    /// `expiry - max(overlap, expires_in / 3)`.
    pub fn due(&self, promoted: Timestamp, expiry: Timestamp) -> Timestamp {
        let margin = Seconds(self.overlap.0.max(self.expires_in.0 / 3));
        self.rotate_every.after(promoted).min(margin.before(expiry))
    }

    /// What is wrong with the three together, if anything.
    pub fn contradiction(&self, has_places: bool) -> Option<Contradiction> {
        if self.overlap > self.rotate_every {
            return Some(Contradiction::OverlapExceedsRotation);
        }
        if self.rotate_every.0.saturating_add(self.overlap.0) >= self.expires_in.0 {
            return Some(Contradiction::ExpiresBeforeOverlapEnds);
        }
        if has_places && self.overlap < OVERLAP_MIN {
            return Some(Contradiction::OverlapTooShort);
        }
        None
    }
}

/// The shortest overlap of a token that is pushed anywhere.
pub const OVERLAP_MIN: Seconds = Seconds::hours(1);

/// Durations that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Three versions would be valid at once, then four, and so on.
    #[error("`overlap` is longer than `rotate_every`")]
    OverlapExceedsRotation,
    /// A version could expire while it should still be valid.
    #[error("`rotate_every` and `overlap` together must be shorter than `expires_in`")]
    ExpiresBeforeOverlapEnds,
    /// Consumers would have no time to take up the new secret.
    #[error("`overlap` must be at least 1h for a token that is pushed somewhere")]
    OverlapTooShort,
}

/// The life of a token that nobody manages, unless its creator or policy sets another.
pub const EXPIRY_DEFAULT: Seconds = Seconds::days(31);
/// The longest life of a token, unless policy allows more.
pub const EXPIRY_MAX: Seconds = Seconds::days(365);

/// A text that is not an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an expiry is a date such as `2026-12-31` (the end of that day, UTC) or an instant such as `2026-12-31T12:00:00Z`"
)]
pub struct ExpiryError;

/// Reads an expiry: a date means the end of that day, UTC.
///
/// ```
/// use latchkey::lifetime::{ExpiryError, parse_expiry};
///
/// assert_eq!(parse_expiry("2026-12-31")?.to_string(), "2027-01-01T00:00:00Z");
/// assert_eq!(parse_expiry("tomorrow"), Err(ExpiryError));
/// # Ok::<(), ExpiryError>(())
/// ```
///
/// # Errors
/// When the text is neither a date nor an RFC 3339 instant.
pub fn parse_expiry(text: &str) -> Result<Timestamp, ExpiryError> {
    if text.len() == 10 {
        let date: civil::Date = text.parse().map_err(|_| ExpiryError)?;
        let next = date.tomorrow().map_err(|_| ExpiryError)?;
        return Ok(next.to_zoned(TimeZone::UTC).map_err(|_| ExpiryError)?.timestamp());
    }
    text.parse().map_err(|_| ExpiryError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_reads_as_it_was(seconds in 0..=SECONDS_MAX) {
            prop_assert_eq!(Seconds(seconds).to_string().parse(), Ok(Seconds(seconds)));
        }

        #[test]
        fn what_is_read_is_the_sum_of_its_parts(days in 0..3000_u64, hours in 0..99_u64, minutes in 0..99_u64, seconds in 0..99_u64) {
            let text = format!("{days}d{hours}h{minutes}m{seconds}s");
            let sum = days * 86_400 + hours * 3600 + minutes * 60 + seconds;
            prop_assert_eq!(text.parse(), Ok(Seconds(sum)));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,12}|[0-9dhms]{0,30}") {
            let _ = text.parse::<Seconds>();
            let _ = parse_expiry(&text);
        }

        #[test]
        fn rotation_is_due_at_the_earlier_of_its_time_and_the_margin_before_expiry(
            expires_in in 1..10_000_u64, rotate_every in 1..10_000_u64, overlap in 0..10_000_u64, late in -5000..5000_i64,
        ) {
            let terms = Terms { expires_in: Seconds(expires_in), rotate_every: Seconds(rotate_every), overlap: Seconds(overlap) };
            let promoted = Timestamp::from_second(1_000_000).unwrap();
            let expiry = Timestamp::from_second(1_000_000 + i64::try_from(expires_in).unwrap() + late).unwrap();
            let margin = i64::try_from(overlap.max(expires_in / 3)).unwrap();
            let wanted = (1_000_000 + i64::try_from(rotate_every).unwrap()).min(expiry.as_second() - margin);
            prop_assert_eq!(terms.due(promoted, expiry).as_second(), wanted);
        }

        #[test]
        fn durations_without_contradiction_let_every_version_outlive_its_overlap(
            expires_in in 0..400_u64, rotate_every in 0..400_u64, overlap in 0..400_u64, has_places: bool,
        ) {
            let minutes = Seconds::minutes;
            let terms = Terms { expires_in: minutes(expires_in), rotate_every: minutes(rotate_every), overlap: minutes(overlap) };
            let good = overlap <= rotate_every && rotate_every + overlap < expires_in && (!has_places || overlap >= 60);
            prop_assert_eq!(terms.contradiction(has_places).is_none(), good);
        }

        #[test]
        fn a_date_means_the_end_of_that_day(year in 2000..2100_i16, month in 1..=12_i8, day in 1..=28_i8) {
            let end = parse_expiry(&format!("{year:04}-{month:02}-{day:02}")).unwrap();
            let last: Timestamp = format!("{year:04}-{month:02}-{day:02}T23:59:59Z").parse().unwrap();
            prop_assert_eq!(end.as_second(), last.as_second() + 1);
        }
    }

    #[test]
    fn durations_that_are_slips_are_refused() {
        for bad in ["", "90", "d", "90x", "1h1d", "1h1h", "-1d", "1.5d", " 1d", "1d ", "3661d", "99999999999999999999d"]
        {
            assert_eq!(bad.parse::<Seconds>(), Err(SecondsError), "{bad:?}");
        }
        assert_eq!("3660d".parse(), Ok(Seconds::days(3660)));
        assert_eq!("1d12h".parse(), Ok(Seconds::hours(36)));
    }

    #[test]
    fn each_contradiction_is_named() {
        let terms = |expires_in: u64, rotate_every: u64, overlap: u64| Terms {
            expires_in: Seconds::hours(expires_in),
            rotate_every: Seconds::hours(rotate_every),
            overlap: Seconds::hours(overlap),
        };
        let cases = [
            (terms(90, 30, 24), true, None),
            (terms(90, 24, 25), true, Some(Contradiction::OverlapExceedsRotation)),
            (terms(54, 30, 24), true, Some(Contradiction::ExpiresBeforeOverlapEnds)),
            (terms(55, 30, 24), true, None),
            (terms(90, 30, 0), true, Some(Contradiction::OverlapTooShort)),
            (terms(90, 30, 0), false, None),
        ];
        for (terms, has_places, wanted) in cases {
            assert_eq!(terms.contradiction(has_places), wanted, "{terms:?}");
        }
        let endless =
            Terms { expires_in: Seconds(u64::MAX), rotate_every: Seconds(u64::MAX), overlap: Seconds(u64::MAX) };
        assert!(endless.contradiction(true).is_some(), "without an overflow");
    }

    #[test]
    fn an_expiry_is_a_date_or_an_instant() {
        assert_eq!(parse_expiry("2026-12-31").unwrap().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(parse_expiry("2024-02-29").unwrap().to_string(), "2024-03-01T00:00:00Z");
        assert_eq!(parse_expiry("2026-12-31T12:00:00+01:00").unwrap().to_string(), "2026-12-31T11:00:00Z");
        for bad in ["", "2026-02-30", "tomorrow", "2026-12-31T12:00:00", "9999-12-31", "31.12.2026"] {
            assert_eq!(parse_expiry(bad), Err(ExpiryError), "{bad}");
        }
    }
}
