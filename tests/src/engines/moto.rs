//! moto: AWS's API in Python. Good for Secrets Manager and STS, never for DynamoDB.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;

use super::http::{Call, send};

const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);
const STARTS: usize = 3;

/// A moto server of one's own on loopback; it ends with this value.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        for _ in 0..STARTS {
            let address = free_address();
            let mut moto = Self { child: spawn(address), address };
            if moto.answers().await {
                return moto;
            }
            // It ended: another process took the port in between.
        }
        panic!("`moto_server` ended {STARTS} times before it answered");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Polls until it answers; `false` when it ended.
    async fn answers(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            if self.child.try_wait().expect("one's own child can be waited for").is_some() {
                return false;
            }
            let ready = send(self.address, &whose_login()).await;
            if ready.is_ok_and(|answer| answer.status == StatusCode::OK) {
                return true;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("`moto_server` did not answer within {READY_WITHIN:?}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // An error means that it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

fn spawn(address: SocketAddr) -> Child {
    let port = address.port().to_string();
    let program = program();
    let mut command = Command::new(&program);
    command.args(["-H", "127.0.0.1", "-p", &port]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("`{}`: {error}; run `tests/engines.sh`", program.display()))
}

fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/python/bin/moto_server");
    if installed.exists() { installed } else { PathBuf::from("moto_server") }
}

/// A question that any account may ask and that changes nothing.
fn whose_login() -> Call {
    Call {
        target: None,
        content_type: "application/x-www-form-urlencoded".to_owned(),
        authorization: super::strict::authorization("us-east-1", "sts"),
        body: Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15"),
    }
}
