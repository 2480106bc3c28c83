//! A vendor's API on loopback: a stateful fake behind HTTP, with trouble on order, counts, and every request and reply
//! held against the vendor's contract.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use latchkey::clock::Clock;
use latchkey::mutex::Mutex;
use latchkey_sinks::conformance::{On, Trouble};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::contract::{Asked, Contract};

/// A request to a vendor.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    /// The parts of its path, decoded.
    pub path: Vec<String>,
    /// Its query, decoded.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body; `null` where there is none, or none that is JSON.
    pub body: Value,
}

impl Call {
    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The path's parts, to match on.
    pub fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The bearer token.
    pub fn login(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }

    fn asked(&self) -> Asked<'_> {
        Asked { method: &self.method, path: &self.path, query: &self.query, body: &self.body }
    }
}

/// A vendor's reply.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Besides `Content-Type` and `Date`.
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Reply {
    /// A reply with a body.
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What a fake of a vendor knows and does.
pub trait Vendor: Send + Sync + 'static {
    /// Answers, and does what was asked.
    fn answer(&self, call: &Call) -> Reply;
    /// The reply to a request that meets trouble and does nothing.
    fn trouble(&self, trouble: Trouble) -> Reply;
    fn contract(&self) -> &Contract;
    /// Whether the contract is known not to cover a request.
    fn is_outside(&self, call: &Call) -> bool;
    /// Parameters that the contract is known to lack.
    fn extra(&self) -> &'static [&'static str];
    fn clock(&self) -> &dyn Clock;
}

#[derive(Debug, Default)]
struct Ledger {
    troubles: Vec<(Trouble, On)>,
    /// By method and the words of the path that are no names.
    counts: BTreeMap<String, usize>,
    requests: usize,
    /// Requests that change something and were answered with success.
    changes: usize,
    complaints: Vec<String>,
}

/// A vendor that listens.
pub struct Listening<V: Vendor> {
    vendor: Arc<V>,
    ledger: Arc<Mutex<Ledger>>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl<V: Vendor> fmt::Debug for Listening<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Listening({})", self.address)
    }
}

impl<V: Vendor> Listening<V> {
    /// Listens on loopback.
    pub async fn serve(vendor: V) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (vendor, ledger) = (Arc::new(vendor), Arc::new(Mutex::new(Ledger::default())));
        let task = tokio::spawn(listen(listener, vendor.clone(), ledger.clone()));
        Self { vendor, ledger, address, task }
    }

    /// The vendor itself, for what its own tools would do.
    pub fn vendor(&self) -> &V {
        &self.vendor
    }

    /// Where it listens, for an `endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next such request meets trouble.
    pub fn meets(&self, trouble: Trouble, on: On) {
        self.ledger.lock().troubles.push((trouble, on));
    }

    /// How many requests came, troubles included.
    pub fn requests(&self) -> usize {
        self.ledger.lock().requests
    }

    /// How many requests came whose method and path start so, for instance `PATCH /apps/acme-worker`.
    pub fn count(&self, start: &str) -> usize {
        self.ledger.lock().counts.iter().filter(|(asked, _)| asked.starts_with(start)).map(|(_, count)| count).sum()
    }

    /// How many requests changed something.
    pub fn changes(&self) -> usize {
        self.ledger.lock().changes
    }

    /// What differed from the contract so far, and forgets it: for tests that differ on purpose.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.ledger.lock().complaints)
    }
}

impl<V: Vendor> Drop for Listening<V> {
    fn drop(&mut self) {
        self.task.abort();
        let complaints = self.complaints();
        assert!(
            complaints.is_empty() || std::thread::panicking(),
            "not as the contract says:\n{}",
            complaints.join("\n")
        );
    }
}

/// The connection ends here.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is dropped on order")
    }
}

impl std::error::Error for Dropped {}

async fn listen<V: Vendor>(listener: TcpListener, vendor: Arc<V>, ledger: Arc<Mutex<Ledger>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (vendor, ledger) = (vendor.clone(), ledger.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| handle(request, &vendor, &ledger));
            let mut builder = http1::Builder::new();
            // Half a request that never ends would hold a connection for ever.
            builder.timer(TokioTimer::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle<V: Vendor>(
    request: Request<Incoming>,
    vendor: &Arc<V>,
    ledger: &Arc<Mutex<Ledger>>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let call = read(request).await?;
    let is_read = call.method == "GET";
    let trouble = {
        let mut ledger = ledger.lock();
        ledger.requests += 1;
        *ledger.counts.entry(format!("{} /{}", call.method, call.path.join("/"))).or_default() += 1;
        let on = if is_read { On::Read } else { On::Write };
        let found = ledger.troubles.iter().position(|(_, planned)| *planned == on);
        found.map(|index| ledger.troubles.remove(index).0)
    };
    let reply = match trouble {
        Some(Trouble::Unheard) => return Err(Dropped),
        Some(trouble @ (Trouble::Throttled(_) | Trouble::Broken(_) | Trouble::LoginExpired | Trouble::Forbidden)) => {
            vendor.trouble(trouble)
        }
        Some(Trouble::Unanswered) | None => answer(&call, &**vendor, ledger),
    };
    if !is_read && (200..300).contains(&reply.status) {
        ledger.lock().changes += 1;
    }
    if trouble == Some(Trouble::Unanswered) {
        return Err(Dropped);
    }
    let mut response = Response::builder().status(reply.status).header("content-type", "application/json");
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response = response.header("date", http_date(vendor.clock().now()));
    response.body(Full::new(Bytes::from(reply.body.to_string()))).map_err(|_| Dropped)
}

fn answer<V: Vendor>(call: &Call, vendor: &V, ledger: &Mutex<Ledger>) -> Reply {
    let covered = !vendor.is_outside(call);
    let complain = |complaint: Result<(), String>| {
        if let Err(complaint) = complaint {
            ledger.lock().complaints.push(complaint);
        }
    };
    if covered {
        complain(vendor.contract().check_request(call.asked(), vendor.extra()));
    }
    let reply = vendor.answer(call);
    if covered {
        complain(vendor.contract().check_reply(call.asked(), reply.status, &reply.body));
    }
    reply
}

async fn read(request: Request<Incoming>) -> Result<Call, Dropped> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()));
    let query = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    Ok(Call {
        method: head.method.to_string(),
        path: head.uri.path().trim_start_matches('/').split('/').map(decoded).collect(),
        query: query.map(pair).collect(),
        headers: headers.collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |rest: &mut std::str::Bytes<'_>| {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        };
        bytes.push(if byte == b'%' { hex(&mut rest).unwrap_or(b'%') } else { byte });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn http_date(at: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}
