//! One function: what it holds from its start to its end, and how it answers an event.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::authorizer;
use super::client::client;
use super::environment::Environment;
use super::events::{self, EventError, Reply};
use super::log::{self, Invocation, Level};
use super::usage::Flushes;
use crate::api::{Api, Authorized, Function, Handled, Record};
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use crate::service::{Service, Verdict};
use crate::table::{Counted, Table, TableError};

/// How long the reads before the first poll may take; a function that starts without them reads later.
const WARM: Duration = Duration::from_secs(1);
/// How long a request is tried again: whoever waits behind a gateway would rather know.
const RETRY_FOR: Duration = Duration::from_secs(3);

/// One function.
pub(super) struct Front {
    pub(super) function: Function,
    table: Table,
    api: OnceCell<Api>,
    cold: Cell<bool>,
    flushes: Flushes,
}

/// What the runtime is given.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Reply(Reply),
    Verdict(Value),
}

/// Why an invocation failed, in the words that the gateway gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The word that API Gateway turns into a 401.
    #[error("Unauthorized")]
    Unauthorized,
    #[error("the table does not answer")]
    Unavailable,
    #[error("the event is not one that this function reads")]
    Event,
}

/// An answer, and what the log says about it.
struct Done {
    answer: Result<Answer, Failure>,
    record: Record,
    request_id: String,
    status: Option<u16>,
    outcome: &'static str,
}

impl Front {
    pub(super) fn new(function: Function, environment: &Environment) -> Self {
        let table = Table::new(client(environment), &environment.table).retrying_for(RETRY_FOR);
        Self { function, table, api: OnceCell::new(), cold: Cell::new(true), flushes: Flushes::default() }
    }

    /// Connects and reads ahead. What fails here is done again by the first invocation.
    pub(super) async fn warm(&self) {
        let reads = async {
            let api = self.api().await?;
            api.service().warm().await
        };
        match timeout(WARM, reads).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.note(Level::Warn, "the table did not answer before the first request", &error),
            Err(late) => self.note(Level::Warn, "the table did not answer before the first request", &late),
        }
    }

    /// The API, opened if it is not yet.
    async fn api(&self) -> Result<&Api, TableError> {
        let open = || async {
            let service = Service::open(self.table.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
            Ok(Api::new(Arc::new(service)).noting_after_reply())
        };
        self.api.get_or_try_init(open).await
    }

    /// Answers an event.
    pub(super) async fn answer(&self, event: &str, lambda_id: &str) -> Result<Answer, Failure> {
        let (started, before) = (Instant::now(), self.table.counted());
        let done = match self.function {
            Function::Authorize => self.authorize(event).await,
            function => self.handle(function, event).await,
        };
        let trouble = done.record.internal.is_some() || done.status.is_some_and(|status| status >= 500);
        let line = Invocation {
            at: SystemClock.now(),
            function: self.function,
            request_id: &done.request_id,
            lambda_id,
            record: &done.record,
            status: done.status,
            level: if trouble { Level::Error } else { Level::Info },
            outcome: done.outcome,
            latency: started.elapsed(),
            cold: self.cold.replace(false),
            table: since(before, self.table.counted()),
        };
        log::write(line.line());
        done.answer
    }

    async fn handle(&self, function: Function, event: &str) -> Done {
        let request = match events::request(event) {
            Ok(request) => request,
            Err(error) => return Done::unreadable(&error),
        };
        let request_id = request.id.clone();
        let Handled { response, record } = match self.api().await {
            Ok(api) => api.handle(Some(function), request).await,
            Err(error) => Handled::without_service(error, &request_id),
        };
        let status = Some(response.status);
        Done { answer: Ok(Answer::Reply(response.into())), record, request_id, status, outcome: "ok" }
    }

    async fn authorize(&self, event: &str) -> Done {
        let question = match authorizer::question(event) {
            Ok(question) => question,
            Err(error) => return Done::unreadable(&error),
        };
        let Authorized { verdict, record } = match self.api().await {
            Ok(api) => api.authorize(&question.presented, question.source).await,
            Err(error) => {
                let record = Record { internal: Some(error.to_string()), check: Some("failed"), ..Record::default() };
                Authorized { verdict: Err(error), record }
            }
        };
        let (answer, outcome) = match &verdict {
            Ok(Verdict::Valid(valid)) => (authorizer::answer(&question, Some(valid)), "allowed"),
            Ok(Verdict::Invalid(_)) => (authorizer::answer(&question, None), "refused"),
            Err(_) => {
                let answer = Err(Failure::Unavailable);
                return Done { answer, record, request_id: question.id, status: None, outcome: "unavailable" };
            }
        };
        let answer = answer.map(Answer::Verdict).ok_or(Failure::Unauthorized);
        Done { answer, record, request_id: question.id, status: None, outcome }
    }

    /// What is left to do once the reply is out, and before the process may be frozen.
    pub(super) async fn afterwards(&self) {
        let Some(api) = self.api.get() else { return };
        if let Err(error) = self.flushes.after_reply(api.service()).await {
            self.note(Level::Error, "uses could not be written, and stay counted", &error);
        }
    }

    /// Writes what is counted, as the process is about to end.
    pub(super) async fn end(&self) {
        let Some(api) = self.api.get() else { return };
        if let Err(error) = self.flushes.at_the_end(api.service()).await {
            self.note(Level::Error, "uses could not be written, and are lost", &error);
        }
    }

    fn note(&self, level: Level, message: &str, internal: &dyn std::fmt::Display) {
        log::write(log::note(SystemClock.now(), level, self.function, message, &internal.to_string()));
    }
}

impl Done {
    fn unreadable(error: &EventError) -> Self {
        let record = Record { internal: Some(error.to_string()), ..Record::default() };
        let answer = Err(Failure::Event);
        Self { answer, record, request_id: String::new(), status: None, outcome: "unreadable" }
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
