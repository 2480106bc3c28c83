//! Deadlines that a suspended machine cannot outlive.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A clock that shows how long something has been running, sleep included. A test passes its own.
pub type Elapsed = fn() -> Duration;

/// An instant after which no write and no retry may start, on a clock that goes on while the machine sleeps
/// (`CLOCK_BOOTTIME` on Linux).
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Duration,
    elapsed: Elapsed,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
// Apple's CLOCK_MONOTONIC goes on during sleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// How long this machine has been up, sleep included.
pub fn since_boot() -> Duration {
    let time = clock_gettime(CLOCK);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Deadline {
    /// `length` from now. Take it before the request whose answer grants the time, so that it ends no later.
    pub fn after(length: Duration) -> Self {
        Self::by(since_boot, length)
    }

    /// `length` from now, by a clock other than the machine's.
    pub fn by(elapsed: Elapsed, length: Duration) -> Self {
        Self { at: elapsed() + length, elapsed }
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        (self.elapsed)() >= self.at
    }

    /// How long is left.
    pub fn left(self) -> Duration {
        self.at.saturating_sub((self.elapsed)())
    }

    /// So much later.
    #[must_use]
    pub fn later_by(self, length: Duration) -> Self {
        Self { at: self.at + length, ..self }
    }

    /// The earlier one of two of the same clock.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }
}
