//! Faults on the way to a table: none until asked for.

use std::sync::Arc;

use latchkey::mutex::Mutex;
use tokio::sync::Notify;

/// What happens to requests on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They and all later ones never arrive: the process is gone.
    Cut,
    /// One arrives and acts, but its answer is lost.
    AnswerLost,
    /// One is refused, as it met another transaction.
    Conflict,
    /// One waits until it is released.
    Hold,
    /// It is asked to come back later.
    Throttle,
    /// No answer comes.
    Silence,
    /// Half of an answer comes.
    Partial,
    /// The table's clock and this one's differ.
    Skew,
}

/// A switch for faults: none until asked for.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Option<(u64, Fault)>>>, pub(super) Arc<Held>);

#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) arrived: Notify,
    pub(super) released: Notify,
}

impl Faults {
    /// Lets `count` more requests pass; then nothing arrives any more.
    pub fn cut_after(&self, count: u64) {
        self.plan(count, Fault::Cut);
    }

    /// Lets `count` more requests pass; the next one acts, but its answer is lost.
    pub fn lose_answer_after(&self, count: u64) {
        self.plan(count, Fault::AnswerLost);
    }

    /// Lets `count` more requests pass; the next one meets a conflict.
    pub fn conflict_after(&self, count: u64) {
        self.plan(count, Fault::Conflict);
    }

    /// Lets `count` more requests pass; all others are throttled.
    pub fn throttle_after(&self, count: u64) {
        self.plan(count, Fault::Throttle);
    }

    /// Lets `count` more requests pass; no other is answered.
    pub fn silence_after(&self, count: u64) {
        self.plan(count, Fault::Silence);
    }

    /// Lets `count` more requests pass; of all other answers half comes.
    pub fn partial_after(&self, count: u64) {
        self.plan(count, Fault::Partial);
    }

    /// Lets `count` more requests pass; all others are refused, as this machine's clock is wrong.
    pub fn skew_after(&self, count: u64) {
        self.plan(count, Fault::Skew);
    }

    /// Lets `count` more requests pass; the next one waits until it is released, and others overtake it.
    pub fn hold_after(&self, count: u64) {
        self.plan(count, Fault::Hold);
    }

    /// Waits until a request is held.
    pub async fn held(&self) {
        self.1.arrived.notified().await;
    }

    /// Lets the held request go on.
    pub fn release(&self) {
        self.1.released.notify_one();
    }

    /// No faults any more; whether one was still to come.
    pub fn mend(&self) -> bool {
        self.0.lock().take().is_some_and(|(left, _)| left > 0)
    }

    fn plan(&self, count: u64, fault: Fault) {
        *self.0.lock() = Some((count, fault));
    }

    pub(super) fn next(&self) -> Option<Fault> {
        let mut plan = self.0.lock();
        let (left, fault) = plan.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let fault = *fault;
        if !matches!(fault, Fault::Cut | Fault::Throttle | Fault::Silence | Fault::Partial | Fault::Skew) {
            *plan = None;
        }
        Some(fault)
    }
}
