//! A function that is invoked by a schedule or by another service, not by a gateway: nobody waits for its answer, and it
//! works until it is through or its time is.

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::client::client;
use super::environment::Environment;
use super::log::{self, Level};
use super::run::failed;
use super::warnings;
use crate::api::Function;
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use crate::service::Service;
use crate::table::{Counted, Table, TableError};

/// How long the reads before the first poll may take.
const WARM: Duration = Duration::from_secs(1);
/// How long a request is tried again: nobody waits for an answer.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// What an invocation works with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invocation<'a> {
    /// The service on the function's table.
    pub service: &'a Arc<Service>,
    /// What the function was invoked with, as JSON.
    pub event: &'a str,
    /// Lambda's id of the invocation.
    pub id: &'a str,
    /// How long the function has until Lambda ends it.
    pub left: Duration,
}

/// What came of an invocation: what it answers, and its line of the log.
#[derive(Debug, Default)]
pub struct Done {
    /// The answer; a scheduler reads none.
    pub reply: Value,
    /// A word for what came of it.
    pub outcome: &'static str,
    /// Whether nobody has to look.
    pub is_good: bool,
    /// What it did, for people: no secret.
    pub report: Value,
    /// Its metrics, each with its unit as CloudWatch writes it.
    pub metrics: Vec<(&'static str, &'static str, f64)>,
}

/// Why an invocation failed: Lambda invokes the function twice more, and keeps the event in the end.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// What went wrong: no secret.
    pub message: String,
}

impl From<TableError> for Failed {
    fn from(error: TableError) -> Self {
        Self { message: error.to_string() }
    }
}

/// What a function does when it is invoked.
pub trait Handler {
    /// Does it.
    ///
    /// # Errors
    /// Where it could not be done at all.
    fn invoked(&self, invocation: Invocation<'_>) -> impl Future<Output = Result<Done, Failed>>;
}

/// Runs a function's work at each invocation until Lambda ends it. The environment is that of [`super::serve`].
///
/// # Panics
/// When Lambda's own variables are missing.
pub async fn work<H: Handler>(function: Function, handler: H) -> ExitCode {
    warnings::pass_on(function);
    let environment = match Environment::read(|name| std::env::var(name).ok()) {
        Ok(environment) => environment,
        Err(error) => return failed(function, "the function cannot start", &error.to_string()),
    };
    let table = Table::new(client(&environment), &environment.table).retrying_for(RETRY_FOR);
    let working = Rc::new(Working { function, handler, table, service: OnceCell::new() });
    working.warm().await;
    let answer = |event: LambdaEvent<Box<RawValue>>| {
        let working = working.clone();
        async move { working.answer(event).await }
    };
    match Runtime::new(service_fn(answer)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(function, "the Runtime API failed", &error.to_string()),
    }
}

struct Working<H> {
    function: Function,
    handler: H,
    table: Table,
    service: OnceCell<Arc<Service>>,
}

impl<H: Handler> Working<H> {
    async fn opened(&self) -> Result<&Arc<Service>, TableError> {
        let open = || async {
            Service::open(self.table.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await.map(Arc::new)
        };
        self.service.get_or_try_init(open).await
    }

    /// Connects, and reads the settings. What fails here is done again by the first invocation.
    async fn warm(&self) {
        let late = |late: tokio::time::error::Elapsed| Err(TableError::Unreachable(late.to_string()));
        let opened = async { self.opened().await.map(drop) };
        if let Err(error) = timeout(WARM, opened).await.unwrap_or_else(late) {
            let message = "the table did not answer before the first invocation";
            log::write(log::note(SystemClock.now(), Level::Warn, self.function, message, &error.to_string()));
        }
    }

    async fn answer(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Diagnostic> {
        let (started, before, id) = (Instant::now(), self.table.counted(), event.context.request_id.clone());
        let left = left(event.context.deadline());
        let done = async {
            let service = self.opened().await?;
            self.handler.invoked(Invocation { service, event: event.payload.get(), id: &id, left }).await
        };
        let done = done.await;
        let line = line(self.function, &id, (started.elapsed(), self.table.counted().since(before)), &done);
        log::write(line.to_string());
        match done {
            Ok(done) => Ok(done.reply),
            Err(failed) => Err(Diagnostic { error_type: "Failed".to_owned(), error_message: failed.message }),
        }
    }
}

/// How much time there is until Lambda's deadline, which is of the machine's own clock.
#[expect(clippy::disallowed_methods, reason = "the deadline is Lambda's, not the service's")]
fn left(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}

/// The line of an invocation: its own metrics too.
fn line(function: Function, id: &str, (took, table): (Duration, Counted), done: &Result<Done, Failed>) -> Value {
    let now = SystemClock.now();
    let level = if done.as_ref().is_ok_and(|done| done.is_good) { Level::Info } else { Level::Error };
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
    set("level", json!(level));
    set("time", json!(now));
    set("function", json!(function.as_str()));
    set("lambda_id", json!(id));
    set("latency_ms", json!((took.as_secs_f64() * 1e6).round() / 1e3));
    set("table_calls", json!(table.calls));
    set("table_units", json!(table.units));
    set("table_retries", json!(table.retries));
    set("throttles", json!(table.throttles));
    let mut metrics = vec![("latency_ms", "Milliseconds"), ("throttles", "Count")];
    match done {
        Ok(done) => {
            set("outcome", json!(done.outcome));
            set("report", done.report.clone());
            for (name, unit, value) in &done.metrics {
                set(name, json!(value));
                metrics.push((name, unit));
            }
        }
        Err(failed) => {
            set("outcome", json!("failed"));
            set("internal", json!(failed.message));
        }
    }
    set("_aws", log::metrics(now, &metrics));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(done: &Result<Done, Failed>) -> Value {
        let nothing = Counted { calls: 0, retries: 0, throttles: 0, units: 0.0, index_units: 0.0 };
        line(Function::ROTATE, "id", (Duration::from_micros(1234), nothing), done)
    }

    #[test]
    fn every_metric_is_a_member_of_the_line_and_what_somebody_has_to_look_at_is_an_error() {
        let metrics = vec![("rotated", "Count", 3.0), ("late_by", "Seconds", 12.0)];
        let good = of(&Ok(Done { outcome: "done", is_good: true, metrics: metrics.clone(), ..Done::default() }));
        assert_eq!((&good["level"], &good["outcome"], &good["rotated"]), (&json!("info"), &json!("done"), &json!(3.0)));
        let told = good["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert_eq!(told.len(), 4);
        assert!(told.iter().all(|metric| good[metric["Name"].as_str().unwrap()].is_number()));
        assert_eq!(of(&Ok(Done { metrics, ..Done::default() }))["level"], "error");
        let failed = of(&Err(Failed { message: "no table".to_owned() }));
        assert_eq!((&failed["level"], &failed["internal"]), (&json!("error"), &json!("no table")));
    }
}
