//! ministack: AWS's services here, with the real functions behind its HTTP API.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;

const READY_WITHIN: Duration = Duration::from_mins(1);
/// The region that everything is deployed to.
const REGION: &str = "us-east-1";

/// A ministack of one's own. It ends with this value, and so do its functions.
#[derive(Debug)]
pub struct Stack {
    child: Child,
    address: SocketAddr,
    /// What it and its functions write.
    folder: tempfile::TempDir,
}

/// What an API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case and values.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; `null` when it is none.
    pub body: Value,
}

impl Stack {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with variables that its functions see too.
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        drop(listener);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("the same log");
        let child = Command::new(super::engine("ministack"))
            .env("GATEWAY_PORT", address.port().to_string())
            .env("LAMBDA_EXECUTOR", "local")
            // Where its functions find the table.
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("TMPDIR", folder.path())
            .envs(variables.iter().copied())
            .env_remove("MINISTACK_HOST")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Its functions are processes of their own, and end with the group.
            .process_group(0)
            .spawn()
            .expect("ministack starts");
        let stack = Self { child, address, folder };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < READY_WITHIN, "ministack does not answer: {}", stack.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        stack
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A command with everything around it as somebody has who is logged in.
    pub fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = Command::new(program.into());
        let mut path = vec![super::root().join("target/engines/python/bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        command
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            // Nobody's own configuration.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("TMPDIR", self.folder.path())
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::null());
        command
    }

    pub fn infra(&self, script: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(super::root().join("infra").join(script));
        command.args(arguments).output().expect("the script runs")
    }

    /// Deploys the service with the functions of this build, and tells the outputs of the stack.
    pub fn deploy(&self, stack: &str, more: &[&str]) -> BTreeMap<String, String> {
        let functions = binaries();
        let functions = functions.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["--stack", stack, "--arch", "x86_64", "--binaries", functions];
        arguments.extend(more);
        let output = self.infra("deploy", &arguments);
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        outputs(&output)
    }

    /// Runs the AWS CLI and reads its answer.
    pub fn aws(&self, arguments: &[&str]) -> Value {
        let output = self.command(super::engine("aws")).args(arguments).args(["--output", "json"]).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// What the functions have logged.
    pub fn logs(&self) -> String {
        let groups = self.aws(&["logs", "describe-log-groups"]);
        let groups = groups["logGroups"].as_array().expect("groups").iter();
        let mut all = String::new();
        for group in groups.filter_map(|group| group["logGroupName"].as_str()) {
            all.push_str(&self.logs_of(group));
        }
        all
    }

    /// What one group has of it.
    pub fn logs_of(&self, group: &str) -> String {
        let lines = self.aws(&["logs", "filter-log-events", "--log-group-name", group]);
        let lines = lines["events"].as_array().expect("lines").iter();
        lines.filter_map(|line| line["message"].as_str()).flat_map(|line| [line, "\n"]).collect()
    }

    /// A port of this machine behind which a deployed API is, for who cannot name it in a `Host` header.
    pub async fn front(&self, api: &str) -> SocketAddr {
        let (behind, host) = (self.address, self.host(api));
        let pass = move |request: axum::extract::Request| pass_on(behind, host.clone(), request);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(pass)).await });
        address
    }

    fn host(&self, api: &str) -> String {
        format!("{api}.execute-api.localhost:{}", self.address.port())
    }

    /// Sends a request to a deployed API, with a secret where there is one.
    pub async fn send(&self, api: &str, request: (&str, &str), secret: Option<&str>, body: Option<&Value>) -> Answer {
        send(self.address, &self.host(api), request, secret, body).await
    }
}

async fn pass_on(behind: SocketAddr, host: String, mut request: axum::extract::Request) -> axum::response::Response {
    request.headers_mut().insert("host", host.parse().expect("a host"));
    let connection = tokio::net::TcpStream::connect(behind).await.expect("it listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    sender.send_request(request).await.expect("an answer").map(axum::body::Body::new)
}

/// Sends a request, with a secret where there is one.
pub async fn send(
    address: SocketAddr,
    host: &str,
    (method, path): (&str, &str),
    secret: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let connection = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    if let Some(secret) = secret {
        request = request.header("authorization", format!("Bearer {secret}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let answer = sender.send_request(request.body(Full::new(bytes)).expect("a request")).await.expect("an answer");
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id())
            && let Some(group) = rustix::process::Pid::from_raw(group)
        {
            // It holds nothing that outlives the test.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// The outputs of a stack, as `infra/deploy` prints them.
fn outputs(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.split_once('\t')).map(|(name, value)| (name.into(), value.into())).collect()
}

/// The folder that the binaries of this workspace are built into.
pub fn binaries() -> PathBuf {
    let this = std::env::current_exe().expect("a test has a file");
    let folder = this.ancestors().nth(2).expect("it lies in `deps`").to_owned();
    assert!(folder.join("authorize").is_file(), "build them first: `cargo build --workspace --bins`");
    folder
}
