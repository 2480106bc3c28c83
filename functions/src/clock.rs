//! Time, passed in so that every test is exact.

mod seen;

use std::fmt;

use jiff::Timestamp;

pub use seen::ClockBehind;
pub(crate) use seen::TimeSeen;

/// A source of the present instant.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present instant, UTC, cut to whole milliseconds.
    fn now(&self) -> Timestamp;
}

/// The system's clock. With the feature `test-clock` (refused in release builds) the environment variable
/// `LATCHKEY_TEST_CLOCK` names a file with a number of seconds to add to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        #[cfg(feature = "test-clock")]
        let now = now + jiff::SignedDuration::from_secs(test_offset());
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

#[cfg(feature = "test-clock")]
fn test_offset() -> i64 {
    std::env::var_os("LATCHKEY_TEST_CLOCK")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(all(feature = "test-clock", not(debug_assertions)))]
compile_error!("the feature `test-clock` is for tests and must not be in a release");
