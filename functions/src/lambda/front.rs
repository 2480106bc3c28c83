//! One function: what it holds from its start to its end, and what it does around an answer.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::answers::{Answer, Answers, Failure};
use super::client::client;
use super::environment::Environment;
use super::log::{self, Invocation, Level};
use super::usage::Flushes;
use crate::api::{Api, Handlers};
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use crate::service::Service;
use crate::table::{Counted, Table, TableError};

/// How long the reads before the first poll may take; a function that starts without them reads later.
const WARM: Duration = Duration::from_secs(1);
/// How long a request is tried again: whoever waits behind a gateway would rather know.
const RETRY_FOR: Duration = Duration::from_secs(3);

/// One function.
pub(super) struct Front<A> {
    answers: A,
    opening: Opening,
    cold: Cell<bool>,
    flushes: Flushes,
}

/// The table, and the API on it once the settings are read.
pub(super) struct Opening {
    table: Table,
    handlers: Handlers,
    api: OnceCell<Api>,
}

impl Opening {
    /// The API, opened if it is not yet.
    pub(super) async fn api(&self) -> Result<&Api, TableError> {
        let open = || async {
            let service = Service::open(self.table.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
            Ok(Api::with(Arc::new(service), self.handlers).noting_after_reply())
        };
        self.api.get_or_try_init(open).await
    }
}

impl<A: Answers> Front<A> {
    pub(super) fn new(answers: A, environment: &Environment) -> Self {
        let table = Table::new(client(environment), &environment.table).retrying_for(RETRY_FOR);
        let opening = Opening { table, handlers: answers.handlers(), api: OnceCell::new() };
        Self { answers, opening, cold: Cell::new(true), flushes: Flushes::default() }
    }

    /// Connects and reads ahead. What fails here is done again by the first invocation.
    pub(super) async fn warm(&self) {
        let reads = async {
            let api = self.opening.api().await?;
            api.service().warm().await
        };
        let late = |late: tokio::time::error::Elapsed| Err(TableError::Unreachable(late.to_string()));
        if let Err(error) = timeout(WARM, reads).await.unwrap_or_else(late) {
            self.note(Level::Warn, "the table did not answer before the first request", &error);
        }
    }

    /// Answers an event, and writes its line of the log.
    pub(super) async fn answer(&self, event: &str, lambda_id: &str) -> Result<Answer, Failure> {
        let (started, before) = (Instant::now(), self.opening.table.counted());
        let done = self.answers.answer(&self.opening, event).await;
        let trouble = done.record.internal.is_some() || done.status.is_some_and(|status| status >= 500);
        let line = Invocation {
            at: SystemClock.now(),
            function: self.answers.function(),
            request_id: &done.request_id,
            lambda_id,
            record: &done.record,
            status: done.status,
            level: if trouble { Level::Error } else { Level::Info },
            outcome: done.outcome,
            latency: started.elapsed(),
            cold: self.cold.replace(false),
            table: since(before, self.opening.table.counted()),
        };
        log::write(line.line());
        done.answer
    }

    /// What is left to do once the reply is out, and before the process may be frozen.
    pub(super) async fn afterwards(&self) {
        let Some(api) = self.opening.api.get() else { return };
        if let Err(error) = self.flushes.after_reply(api.service()).await {
            self.note(Level::Error, "uses could not be written, and stay counted", &error);
        }
    }

    /// Writes what is counted, as the process is about to end.
    pub(super) async fn end(&self) {
        let Some(api) = self.opening.api.get() else { return };
        if let Err(error) = self.flushes.at_the_end(api.service()).await {
            self.note(Level::Error, "uses could not be written, and are lost", &error);
        }
    }

    fn note(&self, level: Level, message: &str, error: &TableError) {
        log::write(log::note(SystemClock.now(), level, self.answers.function(), message, &error.to_string()));
    }
}

fn since(before: Counted, now: Counted) -> Counted {
    Counted {
        calls: now.calls - before.calls,
        retries: now.retries - before.retries,
        throttles: now.throttles - before.throttles,
        units: now.units - before.units,
        index_units: now.index_units - before.index_units,
    }
}
