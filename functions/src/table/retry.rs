//! When a request is tried again, and the pauses between.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::Failure;
use super::{Table, TableError};
use crate::entropy::jitter;

/// How long a request is tried again at the most, unless the table is told otherwise.
pub(super) const RETRY_FOR: Duration = Duration::from_secs(8);
const RETRY_BASE: Duration = Duration::from_millis(20);
const RETRY_CAP: Duration = Duration::from_millis(800);
/// The first and the longest pause after a lost race: whoever won it is done by then.
const RACE_PAUSE_BASE: Duration = Duration::from_millis(2);
const RACE_PAUSE_CAP: Duration = Duration::from_millis(200);

impl Table {
    /// Runs a request until it succeeds, fails for good, or has been tried for long enough. Every request
    /// that comes here may be repeated.
    pub(super) async fn retry<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.retry_for;
        let mut attempt = 0;
        loop {
            let failure = match request().await {
                Ok(output) => return Ok(output),
                Err(failure) => failure,
            };
            if !failure.is_passing() {
                return Err(failure);
            }
            tracing::debug!(attempt, error = %failure, "the table's answer asks for another try");
            if self.pause(attempt, deadline, "").await.is_err() {
                return Err(failure);
            }
            attempt += 1;
        }
    }

    /// Waits before the next try: exponential, with full jitter.
    pub(super) async fn pause(&self, attempt: u32, deadline: Instant, why: &str) -> Result<(), TableError> {
        let most = RETRY_BASE.saturating_mul(1 << attempt.min(10)).min(RETRY_CAP);
        let wait = jitter(&*self.entropy, most);
        if Instant::now() + wait >= deadline {
            return Err(TableError::Busy(why.to_owned()));
        }
        self.engine.counters().note_retry();
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Waits after a lost race, so that not everybody meets again at once.
    pub(crate) async fn pause_after_race(&self, race: usize) {
        let most = RACE_PAUSE_BASE.saturating_mul(1 << race.min(10)).min(RACE_PAUSE_CAP);
        tokio::time::sleep(jitter(&*self.entropy, most)).await;
    }
}
