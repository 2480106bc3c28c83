//! One function: what it holds from its start to its end, what it answers, and what it does around an answer.
//!
//! Routes and the authorizer are types of their own, so that the binary of one holds nothing of the other.

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
use super::events::{self, EventError, GatewayReply};
use super::log::{self, Invocation, Level};
use super::usage::Flushes;
use crate::api::{Api, Authorized, Function, Record, Reply};
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use crate::service::{Service, Verdict};
use crate::table::{Table, TableError};

/// How long the reads before the first poll may take; a function that starts without them reads later.
const WARM: Duration = Duration::from_secs(1);
/// How long a request is tried again: whoever waits behind a gateway would rather know.
const RETRY_FOR: Duration = Duration::from_secs(3);

/// What answers the events of a function.
pub(super) trait EventHandler {
    /// Which function it is.
    fn function(&self) -> Function;

    /// Answers an event.
    async fn answer(&self, api: &LazyApi, event: &str) -> Outcome;
}

/// The routes of a function.
pub(super) struct Routes(pub(super) Function);

/// The authorizer.
pub(super) struct Authorizer;

/// What the runtime is given.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Output {
    Reply(GatewayReply),
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
    #[error("the event has a form that this function does not support")]
    Event,
}

/// What came of an event, and what the log says about it.
pub(super) struct Outcome {
    output: Result<Output, Failure>,
    record: Record,
    request_id: String,
    status: Option<u16>,
    word: &'static str,
}

impl EventHandler for Routes {
    fn function(&self) -> Function {
        self.0
    }

    async fn answer(&self, api: &LazyApi, event: &str) -> Outcome {
        let request = match events::request(event) {
            Ok(request) => request,
            Err(error) => return Outcome::unreadable(&error),
        };
        let request_id = request.id.clone();
        let Reply { response, record } = match api.opened().await {
            Ok(api) => api.handle(request).await,
            Err(trouble) => Reply::without_service(trouble, &request_id),
        };
        let status = Some(response.status);
        Outcome { output: Ok(Output::Reply(response.into())), record, request_id, status, word: "ok" }
    }
}

impl EventHandler for Authorizer {
    fn function(&self) -> Function {
        Function::AUTHORIZE
    }

    async fn answer(&self, api: &LazyApi, event: &str) -> Outcome {
        let question = match authorizer::question(event) {
            Ok(question) => question,
            Err(error) => return Outcome::unreadable(&error),
        };
        let Authorized { verdict, record } = match api.opened().await {
            Ok(api) => api.authorize(&question.presented, question.source).await,
            Err(trouble) => Authorized::without_service(trouble),
        };
        let (answer, word) = match &verdict {
            Ok(Verdict::Valid(valid)) => (authorizer::answer(&question, Some(valid)), "allowed"),
            Ok(Verdict::Invalid(_)) => (authorizer::answer(&question, None), "refused"),
            Err(_) => {
                let output = Err(Failure::Unavailable);
                return Outcome { output, record, request_id: question.id, status: None, word: "unavailable" };
            }
        };
        let output = answer.map(Output::Verdict).ok_or(Failure::Unauthorized);
        Outcome { output, record, request_id: question.id, status: None, word }
    }
}

impl Outcome {
    fn unreadable(error: &EventError) -> Self {
        let record = Record { internal: Some(error.to_string()), ..Record::default() };
        let output = Err(Failure::Event);
        Self { output, record, request_id: String::new(), status: None, word: "unreadable" }
    }
}

/// A function that runs.
pub(super) struct Running<H> {
    handler: H,
    api: LazyApi,
    cold: Cell<bool>,
    flushes: Flushes,
}

/// The table, and the API on it once the settings are read.
pub(super) struct LazyApi {
    table: Table,
    function: Function,
    api: OnceCell<Api>,
}

impl LazyApi {
    /// The API, opened if it is not yet.
    async fn opened(&self) -> Result<&Api, TableError> {
        let open = || async {
            let service = Service::open(self.table.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
            Ok(Api::with(Arc::new(service), self.function).noting_after_reply())
        };
        self.api.get_or_try_init(open).await
    }
}

impl<H: EventHandler> Running<H> {
    pub(super) fn new(handler: H, environment: &Environment) -> Self {
        let table = Table::new(client(environment), &environment.table).retrying_for(RETRY_FOR);
        let api = LazyApi { table, function: handler.function(), api: OnceCell::new() };
        Self { handler, api, cold: Cell::new(true), flushes: Flushes::default() }
    }

    /// Connects, and reads the settings. What fails here is done again by the first invocation.
    pub(super) async fn warm(&self) {
        let reads = async { self.api.opened().await.map(drop) };
        let late = |late: tokio::time::error::Elapsed| Err(TableError::Unreachable(late.to_string()));
        if let Err(error) = timeout(WARM, reads).await.unwrap_or_else(late) {
            self.note(Level::Warn, "the table did not answer before the first request", &error);
        }
    }

    /// Answers an event, and writes its line of the log.
    pub(super) async fn answer(&self, event: &str, lambda_id: &str) -> Result<Output, Failure> {
        let (started, before) = (Instant::now(), self.api.table.counted());
        let outcome = self.handler.answer(&self.api, event).await;
        let trouble = outcome.record.internal.is_some() || outcome.status.is_some_and(|status| status >= 500);
        let line = Invocation {
            at: SystemClock.now(),
            function: self.handler.function(),
            request_id: &outcome.request_id,
            lambda_id,
            record: &outcome.record,
            status: outcome.status,
            level: if trouble { Level::Error } else { Level::Info },
            outcome: outcome.word,
            latency: started.elapsed(),
            cold: self.cold.replace(false),
            table: self.api.table.counted().since(before),
        };
        log::write(line.line());
        outcome.output
    }

    /// What is left to do once the reply is out, and before the process may be frozen.
    pub(super) async fn afterwards(&self) {
        let Some(api) = self.api.api.get() else { return };
        if let Err(error) = self.flushes.after_reply(api.service()).await {
            self.note(Level::Error, "uses could not be written, and stay counted", &error);
        }
    }

    /// Writes what is counted, as the process is about to end.
    pub(super) async fn end(&self) {
        let Some(api) = self.api.api.get() else { return };
        if let Err(error) = self.flushes.at_the_end(api.service()).await {
            self.note(Level::Error, "uses could not be written, and are lost", &error);
        }
    }

    fn note(&self, level: Level, message: &str, error: &TableError) {
        log::write(log::note(SystemClock.now(), level, self.handler.function(), message, &error.to_string()));
    }
}
