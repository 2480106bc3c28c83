//! The engines that the table runs on, and faults on the way to them.
//!
//! `LATCHKEY_TEST_ENGINE` chooses: `dynoxide` (in this process; the default), `ministack`, or `dynamodb-local` (opt-in,
//! for its licence). `LATCHKEY_TEST_ENDPOINT` names a server that runs already; otherwise each process starts its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use latchkey::entropy::{Entropy, SystemEntropy};
use latchkey::mutex::Mutex;
use latchkey::table::Table;
use tokio::sync::Notify;

/// What serves the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In this process, in memory.
    Dynoxide,
    /// A server in Python.
    Ministack,
    /// The official one, in Java: `LATCHKEY_DYNAMODB_LOCAL` names its folder.
    DynamodbLocal,
}

impl Engine {
    /// The one that the environment asks for.
    pub fn chosen() -> Self {
        match std::env::var("LATCHKEY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "dynoxide") => Self::Dynoxide,
            Ok("ministack") => Self::Ministack,
            Ok("dynamodb-local") => Self::DynamodbLocal,
            Ok(other) => panic!("LATCHKEY_TEST_ENGINE is `{other}`: dynoxide, ministack or dynamodb-local"),
        }
    }
}

/// A table of its own, gone with the test.
#[derive(Debug)]
pub struct Store {
    /// What serves it.
    pub engine: Engine,
    /// The SDK client below the table, to look at raw items; no faults on this way.
    pub raw: Client,
    pub table: Table,
    /// Faults on the way from `table`.
    pub faults: Faults,
    endpoint: Option<String>,
    _server: Option<Arc<Server>>,
}

impl Store {
    /// A new empty table on the chosen engine.
    pub async fn open() -> Self {
        Self::on(Engine::chosen()).await
    }

    /// A new empty table on `engine`.
    pub async fn on(engine: Engine) -> Self {
        let faults = Faults::default();
        let mut bytes = [0_u8; 8];
        SystemEntropy.fill(&mut bytes).expect("random bytes");
        let name = format!("test-{:016x}", u64::from_be_bytes(bytes));
        let (server, http, endpoint) = match engine {
            Engine::Dynoxide => {
                let http = provisioner::embedded::engine_in_memory().expect("an engine in memory");
                (None, http, "http://embedded.invalid".to_owned())
            }
            Engine::Ministack | Engine::DynamodbLocal => {
                let (server, endpoint) = match std::env::var("LATCHKEY_TEST_ENDPOINT") {
                    Ok(endpoint) => (None, endpoint),
                    Err(_) => Server::shared(engine),
                };
                (server, loopback(), endpoint)
            }
        };
        let raw = client(http.clone(), &endpoint);
        let between = Faulty { inner: http, faults: faults.clone() };
        let table = Table::new(client(SharedHttpClient::new(between), &endpoint), &name);
        table.create_if_absent().await.expect("a new table");
        let endpoint = Some(endpoint).filter(|_| engine != Engine::Dynoxide);
        Self { engine, raw, table, faults, endpoint, _server: server }
    }

    /// Where the engine listens, if it does.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }
}

/// A client of an engine that listens at `endpoint`, without faults on the way.
pub fn client_at(endpoint: &str) -> Client {
    client(loopback(), endpoint)
}

/// Plain HTTP: the servers listen on loopback.
pub fn loopback() -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector::builder().build_http());
    http_client_fn(move |_, _| connector.clone())
}

/// A client without retries of its own, as the table wants it.
pub fn client(http: SharedHttpClient, endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// A server that ends with the last table on it.
#[derive(Debug)]
struct Server {
    child: Child,
    endpoint: String,
}

static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    fn shared(engine: Engine) -> (Option<Arc<Self>>, String) {
        let mut shared = SERVER.lock();
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start(engine)));
        *shared = Arc::downgrade(&server);
        let endpoint = server.endpoint.clone();
        (Some(server), endpoint)
    }

    fn start(engine: Engine) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut command = if engine == Engine::DynamodbLocal {
            let folder = PathBuf::from(std::env::var_os("LATCHKEY_DYNAMODB_LOCAL").expect("its folder"));
            let mut command = Command::new("java");
            command.arg(format!("-Djava.library.path={}", folder.join("DynamoDBLocal_lib").display()));
            command.arg("-jar").arg(folder.join("DynamoDBLocal.jar"));
            command.args(["-inMemory", "-sharedDb", "-disableTelemetry", "-port", &port.to_string()]);
            command
        } else {
            let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/python/bin/ministack");
            let mut command = if installed.exists() { Command::new(installed) } else { Command::new("ministack") };
            command.env("GATEWAY_PORT", port.to_string());
            command
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the engine starts");
        let server = Self { child, endpoint: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the engine does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that outlives the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What happens to requests on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// They and all later ones never arrive: the process is gone.
    Cut,
    /// One arrives and acts, but its answer is lost.
    AnswerLost,
    /// One is refused, as it met another transaction.
    Conflict,
    /// One waits until it is released.
    Hold,
    /// It is asked to come back later.
    Throttle,
    /// No answer comes.
    Silence,
    /// Half of an answer comes.
    Partial,
    /// The table's clock and this one's differ.
    Skew,
}

/// A switch for faults: none until asked for.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Option<(u64, Fault)>>>, Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    arrived: Notify,
    released: Notify,
}

impl Faults {
    /// Lets `count` more requests pass; then nothing arrives any more.
    pub fn cut_after(&self, count: u64) {
        self.plan(count, Fault::Cut);
    }

    /// Lets `count` more requests pass; the next one acts, but its answer is lost.
    pub fn lose_answer_after(&self, count: u64) {
        self.plan(count, Fault::AnswerLost);
    }

    /// Lets `count` more requests pass; the next one meets a conflict.
    pub fn conflict_after(&self, count: u64) {
        self.plan(count, Fault::Conflict);
    }

    /// Lets `count` more requests pass; all others are throttled.
    pub fn throttle_after(&self, count: u64) {
        self.plan(count, Fault::Throttle);
    }

    /// Lets `count` more requests pass; no other is answered.
    pub fn silence_after(&self, count: u64) {
        self.plan(count, Fault::Silence);
    }

    /// Lets `count` more requests pass; of all other answers half comes.
    pub fn partial_after(&self, count: u64) {
        self.plan(count, Fault::Partial);
    }

    /// Lets `count` more requests pass; all others are refused, as this machine's clock is wrong.
    pub fn skew_after(&self, count: u64) {
        self.plan(count, Fault::Skew);
    }

    /// Lets `count` more requests pass; the next one waits until it is released, and others overtake it.
    pub fn hold_after(&self, count: u64) {
        self.plan(count, Fault::Hold);
    }

    /// Waits until a request is held.
    pub async fn held(&self) {
        self.1.arrived.notified().await;
    }

    /// Lets the held request go on.
    pub fn release(&self) {
        self.1.released.notify_one();
    }

    /// No faults any more; whether one was still to come.
    pub fn mend(&self) -> bool {
        self.0.lock().take().is_some_and(|(left, _)| left > 0)
    }

    fn plan(&self, count: u64, fault: Fault) {
        *self.0.lock() = Some((count, fault));
    }

    fn next(&self) -> Option<Fault> {
        let mut plan = self.0.lock();
        let (left, fault) = plan.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let fault = *fault;
        if !matches!(fault, Fault::Cut | Fault::Throttle | Fault::Silence | Fault::Partial | Fault::Skew) {
            *plan = None;
        }
        Some(fault)
    }
}

#[derive(Debug, Clone)]
struct Faulty {
    inner: SharedHttpClient,
    faults: Faults,
}

impl HttpClient for Faulty {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, parts);
        SharedHttpConnector::new(FaultyConnector { inner, faults: self.faults.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    faults: Faults,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(fault) = self.faults.next() else { return self.inner.call(request) };
        let refusal = |body: &'static str| {
            let status = 400_u16.try_into().expect("a status");
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
        };
        match fault {
            // A refusal that is not tried again, so that the test goes on at once.
            Fault::Cut => refusal(r#"{"__type":"AccessDeniedException","message":"cut"}"#),
            Fault::Throttle => refusal(r#"{"__type":"ThrottlingException","message":"slow down"}"#),
            Fault::Silence => HttpConnectorFuture::ready(Err(ConnectorError::timeout("no answer came in time".into()))),
            Fault::Skew => {
                refusal(r#"{"__type":"InvalidSignatureException","message":"Signature expired: is now earlier than"}"#)
            }
            Fault::Partial => {
                let status = 200_u16.try_into().expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(r#"{"Item":{"PK":"#))))
            }
            Fault::Conflict => refusal(
                r#"{"__type":"TransactionCanceledException","message":"conflict","CancellationReasons":[{"Code":"TransactionConflict"}]}"#,
            ),
            Fault::Hold => {
                let (inner, held) = (self.inner.clone(), self.faults.1.clone());
                HttpConnectorFuture::new(async move {
                    held.arrived.notify_one();
                    held.released.notified().await;
                    inner.call(request).await
                })
            }
            Fault::AnswerLost => {
                let call = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    let _ = call.await;
                    Err(ConnectorError::io("the connection broke".into()))
                })
            }
        }
    }
}
