//! When counted uses are written: never before the reply, and never for every one.
//!
//! The first use of a version in 15 minutes and, once in [`EVERY`], the counts are written after the reply is out and
//! before the process may be frozen, and all of them when it ends. A process that is killed without a word loses the
//! counts of its last [`EVERY`] of work, and no first use. As often, it reads the settings again.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::service::Service;
use crate::table::TableError;

/// How often the counts are written.
const EVERY: Duration = Duration::from_mins(1);
/// How long a write after a reply may hold up the next request.
const AFTER_REPLY: Duration = Duration::from_secs(2);
/// Lambda kills a function half a second after it was told to end.
const AT_THE_END: Duration = Duration::from_millis(400);

/// When the counts were written last; never, at first, so that a process that serves one request loses nothing.
#[derive(Debug, Default)]
pub(super) struct Flushes(Cell<Option<Instant>>);

impl Flushes {
    /// Writes what has to be written before the process may be frozen, and the counts if it is time.
    pub(super) async fn after_reply(&self, service: &Service) -> Result<(), TableError> {
        let due = self.0.get().is_none_or(|last| last.elapsed() >= EVERY);
        if !due && !service.has_first_uses() {
            return Ok(());
        }
        let writes = async {
            service.write_first_uses().await?;
            if due {
                service.flush_usage().await?;
                if self.0.replace(Some(Instant::now())).is_some() {
                    service.reread_settings().await?;
                }
            }
            Ok(())
        };
        within(AFTER_REPLY, writes).await
    }

    /// Writes everything.
    pub(super) async fn at_the_end(&self, service: &Service) -> Result<(), TableError> {
        let writes = async {
            service.write_first_uses().await?;
            service.flush_usage().await
        };
        within(AT_THE_END, writes).await
    }
}

async fn within(most: Duration, writes: impl Future<Output = Result<(), TableError>>) -> Result<(), TableError> {
    timeout(most, writes).await.unwrap_or_else(|late| Err(TableError::Unreachable(late.to_string())))
}
