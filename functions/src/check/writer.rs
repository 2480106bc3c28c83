//! The task that writes what was counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::service::Service;
use crate::table::TableError;

/// A handle on the task, which ends with its last handle.
#[derive(Debug, Clone)]
pub(super) struct UsageWriter {
    wake: mpsc::Sender<()>,
}

impl UsageWriter {
    pub(super) fn start(service: Arc<Service>, every: Duration) -> Self {
        let (wake, woken) = mpsc::channel(1);
        tokio::spawn(run(service, woken, every));
        Self { wake }
    }

    /// Lets the task write the first uses that wait for it.
    pub(super) fn wake(&self) {
        // When there is no room, the task is about to look anyway.
        let _ = self.wake.try_send(());
    }
}

async fn run(service: Arc<Service>, mut woken: mpsc::Receiver<()>, every: Duration) {
    let mut due = Instant::now() + every;
    loop {
        let wake = timeout_at(due, woken.recv()).await;
        let ends = wake == Ok(None);
        if wake == Ok(Some(())) {
            report(service.write_first_uses().await);
        }
        // Asked of the clock: a stream of first uses must not put the counts off.
        if ends || Instant::now() >= due {
            report(write_all(&service).await);
            due = Instant::now() + every;
        }
        if ends {
            return;
        }
    }
}

/// Writes first uses and counts, the counts even if a first use could not be written.
pub(super) async fn write_all(service: &Service) -> Result<(), TableError> {
    let first = service.write_first_uses().await;
    service.flush_usage().await.and(first)
}

/// What could not be written stays counted for the next time.
fn report(written: Result<(), TableError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "uses of tokens could not be written yet");
    }
}
