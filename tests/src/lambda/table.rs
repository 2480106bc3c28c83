//! A table behind a socket, as functions reach it: the emulator, plain or over TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::Service;
use latchkey::table::Table;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::deployment::Asked;
use crate::engine::{Raw, Server, client_at};

/// What the table is called.
const TABLE: &str = "latchkey";

/// A table on a socket, gone when it is dropped, and the service on it in this process.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub url: String,
    /// The name of its table.
    pub table: &'static str,
    /// The service on it, which takes no socket.
    pub service: Arc<Service>,
    /// The table itself, for items that no service writes.
    pub raw: Raw,
    calls: Arc<Calls>,
    server: JoinHandle<()>,
}

/// The requests that came over the socket, and from which one on none is answered.
#[derive(Debug)]
struct Calls {
    count: AtomicU64,
    /// The last that is answered.
    last: AtomicU64,
    /// Whether the first that is not takes effect.
    takes_effect: AtomicBool,
    held: Notify,
    /// What they ask for, once somebody wants to know.
    asked: OnceLock<Asked>,
}

/// Who signs the certificate of a table over TLS.
#[derive(Debug)]
pub struct Tls {
    /// Its certificate, in PEM: what a function has to trust.
    pub root: String,
    acceptor: Config,
}

#[derive(Clone)]
struct Config(TlsAcceptor);

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Config")
    }
}

impl Tls {
    /// A new root, and a certificate for `localhost` under it.
    pub fn new() -> Self {
        let mut root = CertificateParams::new(Vec::new()).expect("no name");
        // Some clients take a certificate for self-signed if both have one name.
        root.distinguished_name.push(DnType::CommonName, "The root of a test");
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = root.self_signed(&key).expect("a root");
        let issuer = Issuer::new(root, key);
        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.use_authority_key_identifier_extension = true;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key))
            .expect("a server's configuration");
        Self { root: certificate.pem(), acceptor: Config(TlsAcceptor::from(Arc::new(config))) }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl Endpoint {
    /// A new empty table.
    pub async fn plain() -> Self {
        Self::serve(None).await
    }

    /// A new empty table over TLS.
    pub async fn over_tls(tls: &Tls) -> Self {
        Self::serve(Some(tls.acceptor.clone())).await
    }

    /// How many requests came over the socket.
    pub fn calls(&self) -> u64 {
        self.calls.count.load(Ordering::SeqCst)
    }

    /// What requests ask for from now on.
    pub fn asked(&self) -> &Asked {
        self.calls.asked.get_or_init(Asked::default)
    }

    /// Answers so many more requests and then none; the first of those that wait takes effect all the same, or does not.
    pub fn answer_only(&self, more: u64, takes_effect: bool) {
        self.calls.takes_effect.store(takes_effect, Ordering::SeqCst);
        self.calls.last.store(self.calls() + more, Ordering::SeqCst);
    }

    /// Answers again; what waits is never answered.
    pub fn answer_all(&self) {
        self.calls.last.store(u64::MAX, Ordering::SeqCst);
    }

    /// Waits until a request is not answered.
    pub async fn held(&self) {
        self.calls.held.notified().await;
    }

    async fn serve(tls: Option<Config>) -> Self {
        let engine = Arc::new(Server::emulator());
        let table = Table::new(client_at(engine.url()), TABLE);
        table.create_if_absent().await.expect("a new table");
        let raw = Raw::of(table.engine().clone());
        let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.expect("a service");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("its address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let calls = Arc::new(Calls {
            count: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
            takes_effect: AtomicBool::new(false),
            held: Notify::new(),
            asked: OnceLock::new(),
        });
        let server = tokio::spawn(accept(listener, engine, tls, calls.clone()));
        // By name, as a function resolves the name of AWS's endpoint.
        let url = format!("{scheme}://localhost:{}", address.port());
        Self { url, table: TABLE, service: Arc::new(service), raw, calls, server }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, engine: Arc<Server>, tls: Option<Config>, calls: Arc<Calls>) {
    // They end with this.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, engine.clone(), tls.clone(), calls.clone()));
    }
}

async fn connection(stream: TcpStream, engine: Arc<Server>, tls: Option<Config>, calls: Arc<Calls>) {
    // A client that goes away, or does not trust the certificate, is what some tests are about.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return requests(stream, engine, calls).await };
    if let Ok(stream) = tls.0.accept(stream).await {
        requests(stream, engine, calls).await;
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, engine: Arc<Server>, calls: Arc<Calls>) {
    let answer = |request: Request<Incoming>| {
        let (engine, calls) = (engine.clone(), calls.clone());
        let number = calls.count.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            let last = calls.last.load(Ordering::SeqCst);
            if number <= last {
                return answer(engine, calls.asked.get(), request).await;
            }
            if number == last + 1 && calls.takes_effect.load(Ordering::SeqCst) {
                answer(engine, calls.asked.get(), request).await?;
            }
            calls.held.notify_one();
            std::future::pending().await
        }
    };
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(
    engine: Arc<Server>,
    asked: Option<&Asked>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if let Some(asked) = asked {
        asked.note(target, &body);
    }
    // It blocks, but what is in memory never for long.
    let (status, body) = engine.answer(target, &body);
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    answer.body(Full::new(Bytes::from(body))).map_err(io::Error::other)
}
