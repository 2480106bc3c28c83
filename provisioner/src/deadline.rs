//! Deadlines that a suspended machine cannot outlive.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// An instant after which no write and no retry may start, on a clock that goes on while the machine sleeps
/// (`CLOCK_BOOTTIME` on Linux).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Duration);

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
// Apple's CLOCK_MONOTONIC goes on during sleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

fn elapsed() -> Duration {
    let time = clock_gettime(CLOCK);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Deadline {
    /// `length` from now. Take it before the request whose answer grants the time, so that it ends no later.
    #[must_use]
    pub fn after(length: Duration) -> Self {
        Self(elapsed() + length)
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        elapsed() >= self.0
    }

    /// How long is left.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_sub(elapsed())
    }
}
