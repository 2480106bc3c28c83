//! What requests to the table took.

use std::sync::atomic::{AtomicU64, Ordering};

/// Calls and capacity units since the table was opened.
#[derive(Debug, Default)]
pub struct Counters {
    calls: AtomicU64,
    retries: AtomicU64,
    throttles: AtomicU64,
    // Half units occur, so halves are counted.
    halves: AtomicU64,
    index_halves: AtomicU64,
}

/// What [`Counters`] stood at.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Counted {
    /// Requests that were answered.
    pub calls: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that the table refused because there were too many.
    pub throttles: u64,
    /// Capacity units, read and write together.
    pub units: f64,
    /// Those of `units` that writes to the indexes took.
    pub index_units: f64,
}

impl Counted {
    /// What has been added since.
    pub fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            retries: self.retries - before.retries,
            throttles: self.throttles - before.throttles,
            units: self.units - before.units,
            index_units: self.index_units - before.index_units,
        }
    }
}

impl Counters {
    /// Where they stand.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn get(&self) -> Counted {
        Counted {
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            throttles: self.throttles.load(Ordering::Relaxed),
            units: self.halves.load(Ordering::Relaxed) as f64 / 2.0,
            index_units: self.index_halves.load(Ordering::Relaxed) as f64 / 2.0,
        }
    }

    /// A request was answered, and took so many units, of which so many for indexes.
    pub fn note(&self, units: f64, index_units: f64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.halves.fetch_add(halves(units), Ordering::Relaxed);
        self.index_halves.fetch_add(halves(index_units), Ordering::Relaxed);
    }

    /// A request is sent again.
    pub(super) fn note_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because there were too many.
    pub fn note_throttle(&self) {
        self.throttles.fetch_add(1, Ordering::Relaxed);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn halves(units: f64) -> u64 {
    (units * 2.0).round() as u64
}
