//! A stub of Lambda's Runtime API and Extensions API: it keeps the order that Lambda keeps, and refuses what breaks it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use latchkey::clock::{Clock, SystemClock};
use latchkey::mutex::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Whether the Extensions API answers: emulators have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extensions {
    Answer,
    /// It is not there.
    Missing,
    /// It takes connections and never answers.
    Hang,
}

/// What came of an invocation: the function's reply, or its error.
pub type Invoked = Result<Value, Value>;

/// How long an invocation may take, as the function is told.
const DEADLINE: SignedDuration = SignedDuration::from_secs(30);

/// A Runtime API that listens on loopback until it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: String,
    answer: oneshot::Sender<Invoked>,
}

#[derive(Debug)]
struct Shared {
    extensions: Extensions,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    state: Mutex<Told>,
    polled: Notify,
}

/// What the function did so far.
#[derive(Debug, Default)]
struct Told {
    polls: usize,
    outstanding: BTreeMap<String, oneshot::Sender<Invoked>>,
    extension: Option<String>,
    extension_waits: bool,
    faults: Vec<String>,
    count: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Told> {
        self.state.lock()
    }

    fn fault(&self, text: impl Into<String>) -> Response {
        let text = text.into();
        self.state().faults.push(text.clone());
        (StatusCode::FORBIDDEN, text).into_response()
    }
}

impl RuntimeApi {
    /// Starts to listen.
    pub async fn start(extensions: Extensions) -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            extensions,
            waiting: tokio::sync::Mutex::new(waiting),
            state: Mutex::default(),
            polled: Notify::new(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(extension_next))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, events, shared, server }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands an event to the function, and waits for what comes of it.
    ///
    /// # Errors
    /// The function's own.
    pub async fn invoke(&self, event: &Value) -> Invoked {
        let answered = self.send(event);
        let answered = tokio::time::timeout(Duration::from_secs(30), answered).await.expect("an answer in time");
        answered.expect("the function's answer")
    }

    /// Hands an event to the function, which may not have started yet.
    pub fn send(&self, event: &Value) -> oneshot::Receiver<Invoked> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self.shared.state();
            state.count += 1;
            format!("invocation-{}", state.count)
        };
        self.events.send(Event { id, body: event.to_string(), answer }).expect("the stub runs");
        answered
    }

    /// Waits until the function has asked for an event `times` times: it is done with everything before.
    pub async fn polled(&self, times: usize) {
        let enough = async {
            loop {
                let notified = self.shared.polled.notified();
                if self.shared.state().polls >= times {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), enough).await.expect("the function polls");
    }

    /// Waits until an internal extension is registered and waits for events. Functions that have one do so before they
    /// ask for the first event.
    pub async fn extension_waits(&self) {
        loop {
            let notified = self.shared.polled.notified();
            if self.has_extension() {
                return;
            }
            notified.await;
        }
    }

    /// Whether an internal extension is registered and waits, so that Lambda would say when the end comes.
    pub fn has_extension(&self) -> bool {
        self.shared.state().extension_waits
    }

    /// What the function did that Lambda refuses.
    pub fn faults(&self) -> Vec<String> {
        self.shared.state().faults.clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    {
        let mut state = shared.state();
        state.polls += 1;
        if !state.outstanding.is_empty() {
            state.faults.push("asked for an event before the last one was answered".to_owned());
        }
    }
    shared.polled.notify_waiters();
    let Some(event) = shared.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemClock.now() + DEADLINE;
    let headers = [
        ("lambda-runtime-aws-request-id", event.id.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:tested".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    shared.state().outstanding.insert(event.id, event.answer);
    (headers, event.body).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(&shared, &id, &body, Ok)
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(&shared, &id, &body, Err)
}

fn answered(shared: &Shared, id: &str, body: &[u8], how: fn(Value) -> Invoked) -> Response {
    let Some(answer) = shared.state().outstanding.remove(id) else {
        return shared.fault(format!("answered `{id}`, which is not outstanding"));
    };
    let Ok(value) = serde_json::from_slice(body) else {
        return shared.fault("answered what is not JSON");
    };
    // Whoever asked may have given up.
    let _ = answer.send(how(value));
    StatusCode::ACCEPTED.into_response()
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    shared.state().faults.push(format!("could not start: {}", String::from_utf8_lossy(&body)));
    StatusCode::ACCEPTED.into_response()
}

async fn register(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match shared.extensions {
        Extensions::Missing => return StatusCode::NOT_FOUND.into_response(),
        Extensions::Hang => std::future::pending::<()>().await,
        Extensions::Answer => {}
    }
    if shared.state().polls > 0 {
        return shared.fault("registered an extension after the first poll");
    }
    let Some(name) = headers.get("lambda-extension-name").and_then(|name| name.to_str().ok()) else {
        return shared.fault("registered an extension without a name");
    };
    let events = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    // An internal extension may not ask for `SHUTDOWN`.
    if events["events"].as_array().is_none_or(|events| events.iter().any(|event| event != "INVOKE")) {
        return shared.fault("registered an internal extension for events that it may not ask for");
    }
    shared.state().extension = Some(name.to_owned());
    ([("lambda-extension-identifier", "the-extension")], "{}").into_response()
}

async fn extension_next(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if shared.state().extension.is_none() || !headers.contains_key("lambda-extension-identifier") {
        return shared.fault("an extension that is not registered asked for an event");
    }
    shared.state().extension_waits = true;
    shared.polled.notify_waiters();
    // There is no event for it.
    std::future::pending().await
}
