//! The time of a server, taken from the `Date` of its answers.

use std::time::Duration;

use jiff::Timestamp;
use latchkey::mutex::Mutex;

use latchkey_sinks::deadline::Elapsed;

/// What is known of a server's clock. An answer's `Date` is cut to whole seconds and old by its way here, so what this
/// returns is never ahead of the server: a look is taken for a little older than it is, never for younger.
#[derive(Debug)]
pub struct ServerTime {
    elapsed: Elapsed,
    /// The server's time less this machine's running time, in milliseconds: the highest that was seen.
    ahead: Mutex<Option<i64>>,
}

impl ServerTime {
    /// Nothing known yet. `elapsed` goes on while the machine sleeps.
    pub fn new(elapsed: Elapsed) -> Self {
        Self { elapsed, ahead: Mutex::new(None) }
    }

    /// An answer came with this `Date`.
    pub fn note(&self, date: Timestamp) {
        let seen = date.as_millisecond() - millis((self.elapsed)());
        let mut ahead = self.ahead.lock();
        *ahead = Some(ahead.map_or(seen, |ahead| ahead.max(seen)));
    }

    /// The same with the header's text, as RFC 9110 has it; others are passed over.
    pub fn note_header(&self, text: &str) {
        if let Ok(date) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
            self.note(date);
        }
    }

    /// The server's time, once it has answered anything.
    pub fn now(&self) -> Option<Timestamp> {
        let ahead = (*self.ahead.lock())?;
        Timestamp::from_millisecond(ahead + millis((self.elapsed)())).ok()
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static UP: Cell<u64> = const { Cell::new(0) };
    }

    fn up() -> Duration {
        Duration::from_millis(UP.get())
    }

    #[test]
    fn a_server_s_time_goes_on_between_answers_and_never_runs_ahead() {
        let time = ServerTime::new(up);
        assert_eq!(time.now(), None);
        time.note_header("Sun, 22 Nov 2026 13:00:00 GMT");
        let first: Timestamp = "2026-11-22T13:00:00Z".parse().unwrap();
        assert_eq!(time.now(), Some(first));
        UP.set(1500);
        assert_eq!(time.now(), Some("2026-11-22T13:00:01.5Z".parse().unwrap()));
        // The same second again, as it is cut: what is known better stays.
        time.note_header("Sun, 22 Nov 2026 13:00:01 GMT");
        assert_eq!(time.now(), Some("2026-11-22T13:00:01.5Z".parse().unwrap()));
        time.note_header("Sun, 22 Nov 2026 13:00:02 GMT");
        assert_eq!(time.now(), Some("2026-11-22T13:00:02Z".parse().unwrap()));
        time.note_header("yesterday");
        assert_eq!(time.now(), Some("2026-11-22T13:00:02Z".parse().unwrap()));
    }
}
