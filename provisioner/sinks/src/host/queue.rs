//! The queue of one host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use latchkey::mutex::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::deadline::Elapsed;

/// How many requests to one host are under way at once.
const SIDE_BY_SIDE: usize = 8;

/// The queues of all hosts of a run.
#[derive(Debug, Default, Clone)]
pub struct Queues(Arc<Mutex<BTreeMap<String, Arc<Queue>>>>);

impl Queues {
    /// The queue of the host at that address.
    pub(super) fn queue(&self, address: &str) -> Arc<Queue> {
        let mut queues = self.0.lock();
        queues.entry(address.to_owned()).or_default().clone()
    }
}

/// Requests to one host wait for their turn here, and for the pauses that it asked for.
#[derive(Debug)]
pub(super) struct Queue {
    places: Semaphore,
    /// Nothing is sent before then, on the clock of deadlines.
    not_before: Mutex<Duration>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { places: Semaphore::new(SIDE_BY_SIDE), not_before: Mutex::new(Duration::ZERO) }
    }
}

impl Queue {
    /// Waits for a place in it.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// How long to wait before anything is sent.
    pub(super) fn pause(&self, elapsed: Elapsed) -> Duration {
        self.not_before.lock().saturating_sub(elapsed())
    }

    /// The host asks for a pause.
    pub(super) fn hold(&self, elapsed: Elapsed, pause: Duration) {
        let mut not_before = self.not_before.lock();
        *not_before = (*not_before).max(elapsed().saturating_add(pause));
    }
}
