//! The hosts that are spoken to, with the clock and the pauses of a run or of a test.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep, TokioSleep};

use crate::deadline::{Elapsed, since_boot};
use crate::sinks::host::{Host, Queues};
use crate::transport::{Address, Http};

/// How this process reaches hosts.
#[derive(Debug, Clone)]
pub struct Network {
    /// One queue a host.
    pub queues: Queues,
    /// How pauses are waited for.
    pub sleep: SharedAsyncSleep,
    /// The clock of deadlines and of tokens.
    pub elapsed: Elapsed,
}

impl Network {
    /// The real one.
    pub fn new(queues: &Queues) -> Self {
        Self { queues: queues.clone(), sleep: SharedAsyncSleep::new(TokioSleep::new()), elapsed: since_boot }
    }

    pub(super) fn host(&self, address: &Address) -> Host {
        let transport = std::sync::Arc::new(Http::new(address.clone()));
        // Key Vault says how long to wait in `Retry-After` or not at all.
        Host::new(address.clone(), &self.queues, |_| None).with_transport(transport, self.sleep.clone(), self.elapsed)
    }

    pub(super) async fn pause(&self, length: Duration) {
        self.sleep.sleep(length).await;
    }
}
