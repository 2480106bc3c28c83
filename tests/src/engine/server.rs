//! Engines that are programs of their own, each on a free port of this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use latchkey::mutex::Mutex;

use super::Engine;

/// A server that ends with the last table on it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    endpoint: String,
}

static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// Where what the tests run against is installed.
fn installed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines").join(path)
}

impl Server {
    /// The one of this process.
    pub(super) fn shared(engine: Engine) -> (Option<Arc<Self>>, String) {
        let mut shared = SERVER.lock();
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start(engine)));
        *shared = Arc::downgrade(&server);
        let endpoint = server.endpoint.clone();
        (Some(server), endpoint)
    }

    /// The emulator of DynamoDB, with nothing in it.
    pub fn emulator() -> Self {
        Self::start(Engine::Dynoxide)
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.endpoint
    }

    fn start(engine: Engine) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut command = match engine {
            Engine::Sqlite => unreachable!("it is in this process"),
            Engine::Dynoxide => {
                let mut command = Command::new(installed("dynoxide/bin/dynoxide"));
                command.args(["--log", "quiet", "--port", &port.to_string()]);
                command
            }
            Engine::DynamodbLocal => {
                let folder = PathBuf::from(std::env::var_os("LATCHKEY_DYNAMODB_LOCAL").expect("its folder"));
                let mut command = Command::new("java");
                command.arg(format!("-Djava.library.path={}", folder.join("DynamoDBLocal_lib").display()));
                command.arg("-jar").arg(folder.join("DynamoDBLocal.jar"));
                command.args(["-inMemory", "-sharedDb", "-disableTelemetry", "-port", &port.to_string()]);
                command
            }
            Engine::Ministack => {
                let program = Some(installed("python/bin/ministack")).filter(|program| program.exists());
                let mut command = Command::new(program.unwrap_or_else(|| "ministack".into()));
                command.env("GATEWAY_PORT", port.to_string());
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the engine starts, see `tests/engines.sh`");
        let server = Self { child, endpoint: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the engine does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Sends a request of AWS's protocol, and waits for the answer: its status and its body.
    pub fn answer(&self, target: &str, body: &[u8]) -> (u16, String) {
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the engine listens");
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, \
             Signature=00\r\nx-amz-date: 20260101T000000Z\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("the engine reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the engine answers");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that outlives the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
