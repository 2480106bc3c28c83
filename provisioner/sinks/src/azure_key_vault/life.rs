//! Until when a version is valid for Azure (`exp`), where a sink says so: policies of an organisation may demand a time.

use jiff::Timestamp;
use latchkey::lifetime::{Seconds, parse_expiry};

use crate::SinkError;
use crate::reading::{Fault, Reading, Text, shown};

/// The shortest time: less would be over before the next rotation.
const LEAST: Seconds = Seconds::days(1);

/// When a version that is written ends for Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// So long after it was written.
    After(Seconds),
    /// At that time.
    At(Timestamp),
}

impl Expires {
    /// Reads a duration, a date (the end of that day, UTC) or an instant.
    pub(super) fn read(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let hint = "`expires` is a duration of at least a day, such as `90d`, or a date, such as `2027-06-30`";
        let length = found.text.parse::<Seconds>().ok();
        let read = match length {
            Some(length) => (length >= LEAST).then_some(Self::After(length)),
            None => parse_expiry(found.text).ok().map(Self::At),
        };
        if read.is_none() {
            let message = format!("`{}` cannot be when a secret in Key Vault expires", shown(found.text));
            reading.add(Fault::error("bad-expires", found.span.clone(), message).hint(hint));
        }
        read
    }

    /// The time, in seconds since 1970, for what is written at `now`.
    ///
    /// # Errors
    /// When it has passed, or the vault does not tell the time that it counts from.
    pub(super) fn from(self, now: Option<i64>) -> Result<i64, SinkError> {
        let now = now.ok_or_else(|| SinkError::Unreachable {
            reason: "the vault does not tell its time, which `expires` counts from".to_owned(),
        })?;
        match self {
            Self::After(length) => Ok(now.saturating_add(i64::try_from(length.0).unwrap_or(i64::MAX))),
            Self::At(at) if at.as_second() > now => Ok(at.as_second()),
            Self::At(at) => Err(SinkError::Refused {
                reason: format!("the date in `expires` of the sink has passed (`{at}`)"),
                hint: "set a later date, or a duration such as `90d`, which counts from each write".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_from_the_write_and_a_date_is_the_end_of_its_day() {
        assert_eq!(Expires::After(Seconds::days(90)).from(Some(1000)).unwrap(), 1000 + 90 * 86_400);
        let date = Expires::At(parse_expiry("2027-06-30").unwrap());
        let end = 1_814_400_000;
        assert_eq!(date.from(Some(end - 1)).unwrap(), end);
        assert!(matches!(date.from(Some(end)), Err(SinkError::Refused { .. })));
        assert!(matches!(date.from(None), Err(SinkError::Unreachable { .. })));
    }
}
