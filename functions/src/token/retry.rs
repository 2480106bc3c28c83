//! What is due and could not be done: when it is looked at again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::Seconds;

/// The first pause.
const PAUSE: Seconds = Seconds::minutes(15);
/// The longest pause.
const PAUSE_MAX: Seconds = Seconds::days(1);

/// When the scheduled job looks at a token again of which something is due that it could not do. Whatever the job does
/// with success forgets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often in a row it could not.
    pub times: u32,
    /// When it looks again.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Whether it waits for that instant, its window for instance, rather than for a better day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

impl Retry {
    /// The one after `before`: pauses double, from 15 minutes to a day.
    pub fn after(before: Option<Self>, now: Timestamp) -> Self {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let pause = PAUSE.0.saturating_mul(1 << (times - 1).min(20)).min(PAUSE_MAX.0);
        Self { times, at: Seconds(pause).after(now), waits: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_a_day() {
        let (mut retry, mut now, mut pauses) = (None, Timestamp::UNIX_EPOCH, Vec::new());
        for _ in 0..10 {
            let next = Retry::after(retry, now);
            pauses.push(next.at.duration_since(now).as_mins());
            (retry, now) = (Some(next), next.at);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440]);
        assert_eq!(Retry::after(Some(Retry { times: u32::MAX, at: now, waits: true }), now).times, u32::MAX);
    }
}
