//! Servers and what stands between: the command `provision serve`, a DynamoDB behind a socket, and a proxy that breaks
//! connections.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use latchkey::mutex::{Mutex, MutexGuard};

use crate::engine::Server;
use crate::provision::World;

/// `provision serve` on an embedded table of a world. It is told to end when this goes.
#[derive(Debug)]
pub struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Starts it on `table`, and waits until it listens.
    pub fn start(world: &World, table: &str) -> Self {
        Self::run(world.command(["serve", "--port", "0", "--service", &format!("embedded:{table}")]))
    }

    /// The same with so many open files at the most.
    pub fn start_with_files(world: &World, table: &str, files: u32) -> Self {
        let plain = world.command(["serve", "--port", "0", "--service", &format!("embedded:{table}")]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
        command.arg(plain.get_program()).args(plain.get_args());
        world.prepare(&mut command);
        Self::run(command)
    }

    /// Starts a command that serves and prints its address first.
    pub fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().expect("`provision` starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:") || url.starts_with("https://127.0.0.1:"), "`{url}` is no address");
        Self { child, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as a power cut or the kernel does.
    pub fn kill(&mut self) {
        self.child.kill().expect("one's own child can be killed");
        self.child.wait().expect("one's own child can be waited for");
    }

    /// Ends it as a system does, and answers its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        // An error means that it ended by itself.
        let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM));
        self.child.wait().expect("one's own child can be waited for").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// One HTTP request as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// All headers, as they were written.
    pub head: String,
    body: Vec<u8>,
}

impl Sent {
    /// What it asks of a table, as IAM sees it: actions, and the index where it is one's.
    pub fn table_actions(&self) -> Vec<(String, Option<String>)> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-amz-target:"));
        let operation = line.and_then(|line| line.rsplit('.').next()).expect("an operation").trim();
        let body = serde_json::from_slice(&self.body).expect("JSON");
        let accesses = crate::deployment::accesses(operation, &body).into_iter();
        accesses.map(|(action, index, _)| (action, index)).collect()
    }
}

/// What a proxy does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It never arrives.
    RequestLost,
    /// It arrives and acts; its answer does not.
    AnswerLost,
    /// It is refused on the way with a status, and perhaps with `Retry-After`.
    Refused(u16, Option<u32>),
    /// It is refused as an older server refuses what it does not know.
    Unknown,
    /// The sender is sent elsewhere.
    Redirected,
}

#[derive(Debug, Default)]
struct Plan {
    troubles: Vec<(String, String, Trouble, usize)>,
    sent: Vec<Sent>,
}

/// Stands before a server and makes trouble. Each connection carries one request.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    /// A proxy before `url`; before nothing when it is empty.
    pub fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let (shared, upstream) = (plan.clone(), url.trim_start_matches("http://").to_owned());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (shared, upstream) = (shared.clone(), upstream.clone());
                std::thread::spawn(move || serve(&connection, &shared, &upstream));
            }
        });
        Self { address, plan }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` requests with this method whose target ends so are met by trouble.
    pub fn trouble(&self, method: &str, ending: &str, trouble: Trouble, times: usize) {
        self.plan().troubles.push((method.to_owned(), ending.to_owned(), trouble, times));
    }

    /// What was sent so far, and forgets it.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.plan().sent)
    }

    /// Whether trouble is still to come.
    pub fn is_waiting(&self) -> bool {
        self.plan().troubles.iter().any(|(.., times)| *times > 0)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock()
    }
}

impl Plan {
    fn next(&mut self, sent: &Sent) -> Option<Trouble> {
        self.sent.push(sent.clone());
        let path = sent.target.split('?').next().unwrap_or_default();
        let found = self
            .troubles
            .iter_mut()
            .find(|(method, ending, _, times)| *times > 0 && *method == sent.method && path.ends_with(ending.as_str()));
        let (.., trouble, times) = found?;
        *times -= 1;
        Some(*trouble)
    }
}

fn serve(mut near: &TcpStream, plan: &Mutex<Plan>, upstream: &str) {
    let Some(sent) = read(near) else { return };
    let trouble = plan.lock().next(&sent);
    let answer = match trouble {
        Some(Trouble::RequestLost) => None,
        Some(Trouble::Refused(status, after)) => {
            let after = after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
            Some(
                format!("HTTP/1.1 {status} No\r\n{after}content-length: 2\r\nconnection: close\r\n\r\n{{}}")
                    .into_bytes(),
            )
        }
        Some(Trouble::Unknown) => {
            let problem = r#"{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"there is no such path","request_id":"r"}"#;
            Some(
                format!(
                    "HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{problem}",
                    problem.len()
                )
                .into_bytes(),
            )
        }
        Some(Trouble::Redirected) => Some(
            b"HTTP/1.1 307 No\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_vec(),
        ),
        Some(Trouble::AnswerLost) => {
            let _ = forward(&sent, upstream);
            None
        }
        None => forward(&sent, upstream),
    };
    if let Some(answer) = answer {
        let _ = near.write_all(&answer);
    }
    let _ = near.shutdown(Shutdown::Both);
}

/// Reads one request with a `Content-Length`, or none.
fn read(near: &TcpStream) -> Option<Sent> {
    let mut reader = BufReader::new(near);
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Sent { method, target, head, body })
}

/// Sends a request on and answers what came back, whole.
fn forward(sent: &Sent, upstream: &str) -> Option<Vec<u8>> {
    let mut far = TcpStream::connect(upstream).ok()?;
    let head = sent.head.trim_end();
    far.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    far.write_all(&sent.body).ok()?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// A DynamoDB behind a socket on this machine: the emulator.
#[derive(Debug)]
pub struct DynamoDb {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl DynamoDb {
    /// Starts one. It lives as long as the test's process.
    pub fn start() -> Self {
        let engine = Arc::new(Server::emulator());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let noted = sent.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (engine, noted) = (engine.clone(), noted.clone());
                std::thread::spawn(move || while answer(&connection, &engine, &noted) {});
            }
        });
        Self { address, sent }
    }

    /// What it was asked for since the last time.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What AWS's tools need to find it, and nobody's login.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.url())
    }
}

/// What AWS's tools need to find a DynamoDB at `url`, and nobody's login.
pub fn environment(url: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL_DYNAMODB", url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn answer(mut near: &TcpStream, engine: &Server, noted: &Mutex<Vec<Sent>>) -> bool {
    let Some(sent) = read(near) else { return false };
    noted.lock().push(sent.clone());
    let target = sent.head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target").then(|| value.trim().to_owned())
    });
    let (status, body) = engine.answer(&target.unwrap_or_default(), &sent.body);
    let date = provisioner::service::remote::http_date(latchkey::clock::Clock::now(&latchkey::clock::SystemClock));
    let head = format!(
        "HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    near.write_all(head.as_bytes()).and_then(|()| near.write_all(body.as_bytes())).is_ok()
}
