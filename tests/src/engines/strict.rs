//! AWS Secrets Manager for tests: moto behind a layer that is as strict as AWS, counts, and fails on order.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::faults::{Fault, Ledger};
use super::http::{Answer, Call, send};
use super::moto::Moto;
use super::rotations::Rotations;
use super::rules::{Upstream, serve};

const JSON: &str = "application/x-amz-json-1.1";

/// A Secrets Manager (and STS) on loopback, over a [`Moto`] of its own.
#[derive(Debug)]
pub struct StrictSecretsManager {
    inner: Arc<Inner>,
    address: SocketAddr,
    listening: JoinHandle<()>,
    _moto: Moto,
}

#[derive(Debug)]
struct Inner {
    moto: SocketAddr,
    ledger: Ledger,
    refuses_logins: AtomicBool,
    turn: Mutex<()>,
    versions: AtomicUsize,
    /// Looks at secrets that do not exist are denied, as to a login whose rights are for existing ones by their ARNs.
    denies_missing: AtomicBool,
    /// The replicas of secrets, as `DescribeSecret` shows them.
    replicas: latchkey::mutex::Mutex<BTreeMap<String, Value>>,
    /// What AWS knows of rotations, which moto would run itself.
    rotations: Rotations,
}

/// Somebody at the console: their calls follow the same rules, are not counted and meet no faults.
#[derive(Debug, Clone)]
pub struct Person {
    inner: Arc<Inner>,
    region: String,
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

/// An `Authorization` header as far as moto reads it.
pub(super) fn authorization(region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=person/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

impl StrictSecretsManager {
    /// Starts moto and the layer in front of it.
    pub async fn start() -> Self {
        let moto = Moto::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let inner = Arc::new(Inner {
            moto: moto.address(),
            ledger: Ledger::default(),
            refuses_logins: AtomicBool::new(false),
            turn: Mutex::default(),
            versions: AtomicUsize::new(0),
            denies_missing: AtomicBool::new(false),
            replicas: latchkey::mutex::Mutex::default(),
            rotations: Rotations::default(),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&inner)));
        Self { inner, address, listening, _moto: moto }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Somebody at the console of a region.
    pub fn person(&self, region: &str) -> Person {
        Person { inner: Arc::clone(&self.inner), region: region.to_owned() }
    }

    /// Lets the `nth` request from now on (1 is the next) with `target`, for instance `PutSecretValue`, go wrong.
    /// What happens meanwhile comes before what else befalls the same request.
    pub fn fail(&self, target: &str, nth: usize, fault: Fault) {
        self.inner.ledger.plan(target, nth, fault);
    }

    /// How many faults requests with `target` are still to meet.
    pub fn pending(&self, target: &str) -> usize {
        self.inner.ledger.pending(target)
    }

    /// Takes back what is still to go wrong.
    pub fn forgive(&self) {
        self.inner.ledger.forgive();
    }

    /// From now on no login is accepted, or every one again.
    pub fn refuse_logins(&self, refuse: bool) {
        self.inner.refuses_logins.store(refuse, Ordering::SeqCst);
    }

    /// From now on a look at a secret that does not exist is denied: its name fits no pattern of an ARN.
    pub fn deny_missing(&self, deny: bool) {
        self.inner.denies_missing.store(deny, Ordering::SeqCst);
    }

    /// A secret has these replicas: region, status and AWS's words for it.
    pub fn replicate(&self, name: &str, replicas: &[(&str, &str, &str)]) {
        let one = |(region, status, message): &(&str, &str, &str)| json!({ "Region": region, "Status": status, "StatusMessage": message });
        let replicas = replicas.iter().map(one).collect();
        self.inner.replicas.lock().insert(name.to_owned(), replicas);
    }

    /// Every operation that was asked for, STS's among them, in the order of the alphabet.
    pub fn operations(&self) -> Vec<String> {
        self.inner.ledger.targets()
    }

    /// How many requests with `target` came, those that failed included.
    pub fn count(&self, target: &str) -> usize {
        self.inner.ledger.count(target)
    }
}

impl Drop for StrictSecretsManager {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Person {
    /// Calls an operation of Secrets Manager.
    pub async fn call(&self, operation: &str, body: Value) -> Answer {
        let call = Call {
            target: Some(format!("secretsmanager.{operation}")),
            content_type: JSON.to_owned(),
            authorization: authorization(&self.region, "secretsmanager"),
            body: Bytes::from(body.to_string()),
        };
        self.inner.answer(operation, &call).await.expect("moto answers")
    }
}

impl Inner {
    /// What the service answers, faults apart.
    async fn answer(&self, operation: &str, call: &Call) -> io::Result<Answer> {
        if call.target.is_none() {
            return send(self.moto, call).await;
        }
        let mut body: Value = serde_json::from_slice(&call.body)?;
        if matches!(operation, "CreateSecret" | "PutSecretValue" | "UpdateSecret" | "RotateSecret")
            && body["ClientRequestToken"].is_null()
        {
            // AWS's own tools make one up.
            let number = self.versions.fetch_add(1, Ordering::SeqCst);
            body["ClientRequestToken"] = json!(format!("00000000-0000-0000-0000-{number:012}"));
        }
        let _turn = self.turn.lock().await;
        let upstream = Upstream { moto: self.moto, call };
        if let Some(answer) = self.rotations.answer(&upstream, operation, &body).await? {
            return Ok(answer);
        }
        let answer = serve(&upstream, operation, body.clone()).await?;
        Ok(self.rotations.shown(operation, &body, self.with_replicas(operation, answer)))
    }

    /// moto's replicas are always in sync.
    fn with_replicas(&self, operation: &str, answer: Answer) -> Answer {
        if !matches!(operation, "DescribeSecret" | "ListSecrets") || answer.status != StatusCode::OK {
            return answer;
        }
        let replicas = self.replicas.lock();
        let mut value = answer.value();
        let replicas_of = |secret: &Value| replicas.get(secret["Name"].as_str().unwrap_or_default()).cloned();
        if let Some(secrets) = value["SecretList"].as_array_mut() {
            let replicated = secrets.iter_mut().filter(|secret| replicas_of(secret).is_some());
            replicated.for_each(|secret| secret["PrimaryRegion"] = json!("eu-west-1"));
        } else if let Some(of_it) = replicas_of(&value) {
            (value["ReplicationStatus"], value["PrimaryRegion"]) = (of_it, json!("eu-west-1"));
        }
        Answer::json(answer.status, &value)
    }

    async fn handle(&self, call: Call) -> Result<Answer, Dropped> {
        let operation = operation(&call);
        let faults = self.ledger.note(&operation);
        if self.refuses_logins.load(Ordering::SeqCst) {
            let message = "The security token included in the request is invalid.";
            return Ok(Answer::error(StatusCode::BAD_REQUEST, "UnrecognizedClientException", message));
        }
        let answer = faults.iter().find_map(Fault::answer);
        let loses_request = faults.iter().any(|fault| matches!(fault, Fault::LoseRequest));
        let loses_reply = faults.iter().any(|fault| matches!(fault, Fault::LoseReply));
        for fault in faults {
            if let Fault::Meanwhile(deed) = fault {
                deed().await;
            }
        }
        if loses_request {
            return Err(Dropped);
        }
        if let Some(answer) = answer {
            return Ok(answer);
        }
        let mut answer = self.answer(&operation, &call).await.map_err(|_| Dropped)?;
        let looks = matches!(operation.as_str(), "DescribeSecret" | "GetSecretValue");
        if looks && self.denies_missing.load(Ordering::SeqCst) && answer.is_error("ResourceNotFoundException") {
            let message = "User: tests is not authorized to perform that because no identity-based policy allows it";
            answer = Answer::error(StatusCode::BAD_REQUEST, "AccessDeniedException", message);
        }
        if loses_reply { Err(Dropped) } else { Ok(answer) }
    }
}

/// The operation's name: in a header, or a form's field for the query protocol.
fn operation(call: &Call) -> String {
    if let Some(target) = &call.target {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let form = String::from_utf8_lossy(&call.body);
    form.split('&').find_map(|field| field.strip_prefix("Action=")).unwrap_or_default().to_owned()
}

async fn listen(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        let inner = Arc::clone(&inner);
        let service = service_fn(move |request| {
            let inner = Arc::clone(&inner);
            async move { respond(&inner, request).await }
        });
        // An error here is a dropped connection, on order or by the client.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond(inner: &Inner, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let call = Call {
        target: header("x-amz-target"),
        content_type: header(CONTENT_TYPE.as_str()).unwrap_or_default(),
        authorization: header(AUTHORIZATION.as_str()).unwrap_or_default(),
        body: body.collect().await.map_err(|_| Dropped)?.to_bytes(),
    };
    let content_type = if call.target.is_some() { JSON } else { "text/xml" };
    let answer = inner.handle(call).await?;
    let response = Response::builder().status(answer.status).header(CONTENT_TYPE, content_type);
    response.body(Full::new(answer.body)).map_err(|_| Dropped)
}
