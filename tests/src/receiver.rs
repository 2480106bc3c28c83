//! Whoever is told of notices: a real HTTP server on loopback that keeps what it got, answers as it was told to, and lets
//! libraries of others say whether it is signed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use latchkey::clock::{Clock, SystemClock};
use latchkey::mutex::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// One request that came, and how it was answered.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub status: u16,
    /// The receiver's time.
    pub at: Timestamp,
}

impl Got {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a notice is JSON")
    }

    /// The id that a webhook has in its header.
    pub fn id(&self) -> String {
        self.headers["webhook-id"].clone()
    }

    /// Whether the answer said that it was taken.
    pub fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

#[derive(Debug)]
struct Inner {
    got: Mutex<Vec<Got>>,
    /// What is answered, by path; 200 where nothing is set.
    answers: Mutex<BTreeMap<String, u16>>,
    body: &'static str,
    clock: Arc<dyn Clock>,
}

/// A receiver.
#[derive(Debug)]
pub struct Receiver {
    address: String,
    inner: Arc<Inner>,
    listening: JoinHandle<()>,
}

impl Receiver {
    /// One on this machine's time.
    pub async fn start() -> Self {
        Self::with(Arc::new(SystemClock), "ok").await
    }

    /// One on another clock, which answers with this body.
    pub async fn with(clock: Arc<dyn Clock>, body: &'static str) -> Self {
        let inner = Arc::new(Inner { got: Mutex::default(), answers: Mutex::default(), body, clock });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let router = axum::Router::new().fallback(take).with_state(inner.clone());
        let listening = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { address, inner, listening }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on requests to a path are answered like this. A redirect leads to `/elsewhere`.
    pub fn answer(&self, path: &str, status: u16) {
        self.inner.answers.lock().insert(path.to_owned(), status);
    }

    /// All that came to a path, in its order.
    pub fn got(&self, path: &str) -> Vec<Got> {
        self.inner.got.lock().iter().filter(|got| got.path == path).cloned().collect()
    }

    /// All that came.
    pub fn all(&self) -> Vec<Got> {
        self.inner.got.lock().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn take(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let status = inner.answers.lock().get(&path).copied().unwrap_or(200);
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    inner.got.lock().push(Got { path, headers, body, status, at: inner.clock.now() });
    let status = StatusCode::from_u16(status).expect("a status");
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")], inner.body).into_response();
    }
    (status, inner.body).into_response()
}

/// How many webhooks are signed as Standard Webhooks wants it, by its own library; `None` where it is not installed.
///
/// # Panics
/// When one is not.
pub fn verified(got: &[Got], secret: &str) -> Option<usize> {
    if !engines().join("webhooks").is_dir() {
        crate::skip!("needs the library of Standard Webhooks: run `tests/engines.sh`");
    }
    let requests = got.iter().map(|got| json!({ "headers": got.headers, "body": got.body, "now": got.at.as_second() }));
    let asked = json!({ "secret": secret, "requests": requests.collect::<Vec<_>>() });
    Some(script("webhooks.py", &[], &asked.to_string()).trim().parse().expect("a number"))
}

/// How many requests are signed as AWS's own SDK signs them.
///
/// # Panics
/// When one is not.
pub fn signed_for_aws(got: &[Got], service: &str) -> usize {
    let url = |got: &Got| format!("http://{}{}", got.headers["host"], got.path);
    let requests = got.iter().map(|got| json!({ "url": url(got), "headers": got.headers, "body": got.body }));
    let asked = json!({ "service": service, "requests": requests.collect::<Vec<_>>() });
    script("aws.py", &["signed"], &asked.to_string()).trim().parse().expect("a number")
}

/// Prepares SES and EventBridge of an engine: an address that may send, and a bus whose events are counted.
pub fn prepare_aws(endpoint: &str) {
    script("aws.py", &["prepare", endpoint], "");
}

/// How many mails were sent there, and how many events came to the bus.
pub fn received_by_aws(endpoint: &str) -> (u64, u64) {
    let told: Value = serde_json::from_str(&script("aws.py", &["received", endpoint], "")).expect("JSON");
    (told["mails"].as_u64().expect("a number"), told["events"].as_u64().expect("a number"))
}

fn engines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines")
}

fn script(name: &str, words: &[&str], stdin: &str) -> String {
    let python = std::env::var_os("LATCHKEY_TEST_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let mut command = Command::new(python);
    command.env("PYTHONPATH", engines().join("webhooks"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers").join(name)).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("Python starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(stdin.as_bytes()).expect("the script reads its input");
    drop(pipe);
    let output = child.wait_with_output().expect("one's own child can be waited for");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the script prints text")
}
