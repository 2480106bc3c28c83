//! From the first instruction to the first answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latchkey::api::Function as Which;
use serde_json::{Value, json};
use tests::lambda::{Quota, events};
use tests::meter;

use super::Stage;

/// How often each is started.
const ROUNDS: usize = 15;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Noop,
    GetItem,
    Function(Which),
    Python,
}

impl Subject {
    /// Python, where boto3 is installed.
    pub(super) fn python() -> Option<Self> {
        interpreter().exists().then_some(Self::Python)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Noop => "no-op",
            Self::GetItem => "one GetItem",
            Self::Function(which) => which.as_str(),
            Self::Python => "Python, boto3",
        }
    }

    pub(super) fn program(self, binaries: &Path) -> (PathBuf, Vec<String>) {
        match self {
            Self::Noop => (binaries.join("noop"), Vec::new()),
            Self::GetItem => (binaries.join("get_item"), Vec::new()),
            Self::Function(which) => (binaries.join(which.as_str()), Vec::new()),
            Self::Python => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cold_start/handler.py");
                (interpreter(), vec![script.to_str().expect("its path").to_owned()])
            }
        }
    }

    /// An event whose answer needs a verified caller, and whether an answer shows that it had one.
    pub(super) fn event(self, stage: &Stage, round: usize) -> (Value, fn(&Value) -> bool) {
        let secret = stage.token.secret.expose();
        let request = |method: &str, path: &str, body: Option<Value>| {
            (events::request(method, path, Some(secret), body.as_ref()), known as fn(&Value) -> bool)
        };
        let name = match self {
            Self::Noop => return (json!({}), |_| true),
            Self::GetItem => return (key(stage), |answer| answer["found"] == true),
            Self::Python => Which::AUTHORIZE.as_str(),
            Self::Function(which) => which.as_str(),
        };
        match name {
            "authorize" => (events::authorizer(&format!("Bearer {secret}")), |answer| answer["isAuthorized"] == true),
            "introspect" => (request("POST", "/v1/introspect", Some(json!({"token": secret}))).0, |answer| {
                answer["body"].as_str().is_some_and(|body| body.contains("\"active\":true"))
            }),
            "create" => request("POST", "/v1/users/ana/tokens", Some(json!({"name": format!("made-{round}")}))),
            "list" => request("GET", "/v1/me", None),
            "delete" => request("DELETE", &format!("/v1/users/ana/tokens/made-{round}"), None),
            "roles" => request("GET", "/v1/roles", None),
            "versions" => {
                let body = json!({"id": stage.token.token.id});
                request("POST", "/v1/users/ana/tokens/laptop/versions", Some(body))
            }
            "manifests" => request("GET", "/v1/manifests/acme", None),
            // A turn in which nothing is due.
            "rotate" => (json!({}), |answer| answer["due"] == 0),
            other => panic!("no event for `{other}`"),
        }
    }
}

/// The item that a check reads.
pub(super) fn key(stage: &Stage) -> Value {
    // The same event as a check's, so that reading it costs the same.
    let mut event = events::authorizer(&format!("Bearer {}", stage.token.secret.expose()));
    event["PK"] = json!(format!("K#{}", stage.token.token.id));
    event["SK"] = json!("K");
    event
}

fn known(answer: &Value) -> bool {
    answer["statusCode"].as_u64().is_some_and(|status| status < 500 && status != 401)
}

fn interpreter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/python/bin/python")
}

/// Medians of all rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cold {
    /// CPU time until all is ready but the read ahead of the first event: the client is built, and the extension waits.
    pub(super) before_read: Option<Duration>,
    /// CPU time until it asks for the first event.
    pub(super) ready: Duration,
    /// CPU time until the first answer is out.
    pub(super) answered: Duration,
    /// Wall time until then under the quota.
    pub(super) under_quota: Option<Duration>,
    pub(super) memory: f64,
    pub(super) size: f64,
}

pub(super) async fn measure(stage: &Stage, subject: Subject, quota: Option<&Arc<Quota>>) -> Cold {
    let (mut before, mut ready, mut answered, mut throttled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut memory: f64 = 0.0;
    let rounds = if subject == Subject::Python { 3 } else { ROUNDS };
    for round in 0..rounds {
        let (event, good) = subject.event(stage, round);
        let started = stage.function(subject).start().await;
        let id = started.id();
        tokio::select! {
            () = started.runtime.extension_waits() => {
                before.push(meter::cpu(id));
                started.runtime.polled(1).await;
            }
            () = started.runtime.polled(1) => {}
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it does not start: {:?}", started.lines()),
        }
        ready.push(meter::cpu(id));
        let answer = started.invoke(&event).await;
        answered.push(meter::cpu(id));
        memory = memory.max(meter::peak_memory(id));
        assert!(answer.as_ref().is_ok_and(good), "{}: {answer:?}", subject.name());
        if let Some(quota) = quota {
            let (event, good) = subject.event(stage, rounds + round);
            let started = stage.function(subject).under(quota).start().await;
            let answer = started.invoke(&event).await;
            throttled.push(started.begun.elapsed());
            assert!(answer.as_ref().is_ok_and(good), "{}: {answer:?}", subject.name());
        }
    }
    let size = match subject {
        Subject::Python => 0.0,
        _ => meter::size(&subject.program(&stage.binaries).0),
    };
    Cold {
        before_read: median(before),
        ready: median(ready).unwrap_or_default(),
        answered: median(answered).unwrap_or_default(),
        under_quota: median(throttled),
        memory,
        size,
    }
}

pub(super) fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
