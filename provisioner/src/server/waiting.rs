//! Who keeps the server waiting, the longest first: for a head, for a body, or for somebody to take an answer.
//!
//! A connection keeps its place until a request of its has come as a whole; a request that was refused before its body
//! was read gives it no new one. While the server works on its request it is in nobody's way, and is not closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use latchkey::mutex::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// All connections for which the server waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    line: Mutex<Line>,
    /// Somebody came to wait.
    came: Notify,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// By place; a lower one waits longer.
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    since: Instant,
    close: Arc<Notify>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    close: Arc<Notify>,
    place: Mutex<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    since: Instant,
}

impl Waiting {
    /// A new connection, which has sent nothing yet.
    pub(super) fn enter(&self) -> Connection {
        let place = Mutex::new(self.0.new_place());
        let connection = Connection { shared: self.0.clone(), close: Arc::default(), place };
        connection.waits_on();
        connection
    }

    /// Closes the connection that has waited longest, if one waits.
    pub(super) fn close_longest(&self) -> bool {
        let longest = self.0.line.lock().waiting.pop_first();
        longest.map(|(_, waiter)| waiter.close.notify_one()).is_some()
    }

    /// Closes those that have waited for so long.
    pub(super) fn close_older_than(&self, age: Duration) {
        let mut line = self.0.line.lock();
        while let Some(first) = line.waiting.first_entry() {
            if first.get().since.elapsed() < age {
                return;
            }
            first.remove().close.notify_one();
        }
    }

    /// The next time that somebody comes to wait, from now on.
    pub(super) fn came(&self) -> impl Future<Output = ()> {
        let shared = self.0.clone();
        async move { shared.came.notified().await }
    }
}

impl Shared {
    fn new_place(&self) -> Place {
        let mut line = self.line.lock();
        line.next += 1;
        Place { number: line.next, since: Instant::now() }
    }
}

impl Connection {
    /// Its turn: the server works, and the connection waits for it. `false` if it has been closed for others.
    #[must_use]
    pub(super) fn is_served(&self) -> bool {
        let number = self.place.lock().number;
        self.shared.line.lock().waiting.remove(&number).is_some()
    }

    /// The server waits for it again, at the place that it had.
    pub(super) fn waits_on(&self) {
        let Place { number, since } = *self.place.lock();
        let waiter = Waiter { since, close: self.close.clone() };
        self.shared.line.lock().waiting.insert(number, waiter);
        // One is enough: only the loop that accepts asks. What nobody hears yet is kept for it.
        self.shared.came.notify_one();
    }

    /// A request of its has come as a whole: it is the last one now.
    pub(super) fn waits_anew(&self) {
        *self.place.lock() = self.shared.new_place();
        self.waits_on();
    }

    /// When it is closed for others.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let number = self.place.lock().number;
        self.shared.line.lock().waiting.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(connection: &Connection) -> bool {
        let closed = std::pin::pin!(connection.closed());
        futures_util::FutureExt::now_or_never(closed).is_some()
    }

    #[test]
    fn who_has_waited_longest_leaves_first() {
        let waiting = Waiting::default();
        let [first, second, third, fourth] = std::array::from_fn(|_| waiting.enter());
        // A request of the first came whole, one of the second did not; the third is being served.
        assert!(first.is_served() && second.is_served() && third.is_served());
        first.waits_anew();
        second.waits_on();
        for connection in [&second, &fourth, &first] {
            assert!(waiting.close_longest());
            assert!(is_closed(connection) && !connection.is_served());
        }
        assert!(!waiting.close_longest() && !is_closed(&third), "nobody is closed whom the server works for");
        third.waits_on();
        assert!(waiting.close_longest() && is_closed(&third));
        waiting.enter();
        assert!(!waiting.close_longest(), "who left waits no more");
    }

    #[test]
    fn who_waits_too_long_leaves() {
        let waiting = Waiting::default();
        let (one, other) = (waiting.enter(), waiting.enter());
        waiting.close_older_than(Duration::from_hours(1));
        assert!(!is_closed(&one) && other.is_served());
        waiting.close_older_than(Duration::ZERO);
        assert!(is_closed(&one) && !is_closed(&other));
    }
}
