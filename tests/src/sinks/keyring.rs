//! A keyring of one's own: GNOME's, on a D-Bus of its own, in folders of its own. A user's keyring is never touched.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey::place::Place;
use latchkey::secret::Secret;
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::keyring::{Keyring, Session, Settings};
use latchkey_sinks::{
    Capabilities, DeclaredSink, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError, SinkFacts, Write,
};
use tempfile::TempDir;

use super::ToolBench;
use crate::programs;

/// The machine that these keyrings are on.
pub const MACHINE: &str = "test-machine";
/// The service that entries stand under.
pub const SERVICE: &str = "acme";
/// What has to be installed.
const PROGRAMS: [&str; 4] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool"];
const READY_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Nothing is started by asking: no program of the machine's gets onto this bus by itself.
const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:dir=FOLDER</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A D-Bus session with a keyring, which end with it.
#[derive(Debug)]
pub struct PrivateKeyring {
    folder: TempDir,
    address: String,
    bus: Child,
    daemon: Mutex<Option<Child>>,
}

impl PrivateKeyring {
    /// A session with an unlocked keyring; `None` where its programs are missing, which skips the test.
    pub fn start() -> Option<Self> {
        let session = Self::without_service()?;
        session.unlocked();
        Some(session)
    }

    fn unlocked(&self) {
        let mut daemon = self.command("gnome-keyring-daemon");
        // An empty password: the newline is what unlocks it.
        daemon.args(["--unlock", "--foreground", "--components=secrets"]).stdin(Stdio::piped());
        let mut child = daemon.spawn().expect("`gnome-keyring-daemon` starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut pipe, b"\n").expect("it reads its password");
        drop(pipe);
        *self.daemon() = Some(child);
        self.wait_for("an unlocked keyring", |session| session.stored("ready", "service", "yes"));
        self.clear("ready", "service");
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Child>> {
        self.daemon.lock()
    }

    /// Starts the daemon again if it has ended by itself; whether it had.
    pub fn revive(&self) -> bool {
        let ended = self.daemon().as_mut().is_some_and(|daemon| matches!(daemon.try_wait(), Ok(Some(_))));
        if ended {
            self.unlocked();
        }
        ended
    }

    /// A session without any keyring, if there is one to be had.
    pub fn without_service() -> Option<Self> {
        if let Some(why) = programs::missing(&PROGRAMS) {
            crate::skip!("{why}");
        }
        let folder = tempfile::Builder::new().prefix("lk").tempdir().expect("a folder");
        for name in ["data", "run"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let config = folder.path().join("bus.conf");
        let text = BUS.replace("FOLDER", &folder.path().join("run").display().to_string());
        let mut file = std::fs::File::create(&config).expect("a file");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("a write");
        let mut bus = program("dbus-daemon");
        bus.arg("--config-file").arg(&config).args(["--nofork", "--print-address"]);
        bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut bus = bus.spawn().expect("`dbus-daemon` starts");
        let mut address = String::new();
        let mut stdout = std::io::BufReader::new(bus.stdout.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut stdout, &mut address).expect("it says where it is");
        Some(Self { folder, address: address.trim().to_owned(), bus, daemon: Mutex::new(None) })
    }

    /// Where its bus is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Locks it, as a desktop does. Its password is empty, so it has to get another one to stay shut.
    pub fn lock(&mut self) {
        self.end_daemon();
        let keyrings = self.folder.path().join("data/keyrings");
        std::fs::remove_dir_all(&keyrings).expect("its keyrings");
        for (password, locks) in [("a password\n", false), ("\n", true)] {
            let mut daemon = self.command("gnome-keyring-daemon");
            daemon.args(["--unlock", "--foreground", "--components=secrets"]).stdin(Stdio::piped());
            let mut child = daemon.spawn().expect("`gnome-keyring-daemon` starts");
            let mut pipe = child.stdin.take().expect("a pipe");
            std::io::Write::write_all(&mut pipe, password.as_bytes()).expect("it reads its password");
            drop(pipe);
            *self.daemon() = Some(child);
            if locks {
                return self.wait_for("a locked keyring", Self::is_there);
            }
            self.wait_for("a keyring with a password", |session| session.stored("held", "service", "x"));
            self.end_daemon();
        }
    }

    fn is_there(&self) -> bool {
        let mut send = self.command("dbus-send");
        let paths = ["--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login"];
        send.arg("--session").args(paths).arg("org.freedesktop.DBus.Properties.Get");
        send.args(["string:org.freedesktop.Secret.Collection", "string:Locked"]);
        let output = send.output().expect("`dbus-send` runs");
        String::from_utf8_lossy(&output.stdout).contains("boolean true")
    }

    fn end_daemon(&self) {
        if let Some(mut daemon) = self.daemon().take() {
            // An error means that it ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    fn wait_for(&self, what: &str, ready: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !ready(self) {
            assert!(started.elapsed() < READY_WITHIN, "{what} did not come up within {READY_WITHIN:?}");
            std::thread::sleep(POLL);
        }
    }

    /// A program in this session.
    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command.env("XDG_DATA_HOME", self.folder.path().join("data"));
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("run"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn tool(&self, words: &[&str], stdin: Option<&str>) -> Output {
        let mut tool = self.command("secret-tool");
        tool.args(words).stdin(Stdio::piped());
        let mut child = tool.spawn().expect("`secret-tool` starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        // One that does not read its input ends the pipe.
        let _ = std::io::Write::write_all(&mut pipe, stdin.unwrap_or_default().as_bytes());
        drop(pipe);
        child.wait_with_output().expect("one's own child can be waited for")
    }

    fn stored(&self, service: &str, name: &str, value: &str) -> bool {
        let words = ["store", "--label=by hand", "service", service, "username", name];
        self.tool(&words, Some(value)).status.success()
    }

    /// A person stores a value.
    pub fn store(&self, name: &str, value: &str) {
        self.clear(SERVICE, name);
        assert!(self.stored(SERVICE, name, value), "a person's value");
    }

    /// The same under any service.
    pub fn store_of(&self, service: &str, name: &str, value: &str) {
        self.clear(service, name);
        assert!(self.stored(service, name, value), "a person's value");
    }

    /// A person stores another entry of that name, beside the one that is there.
    pub fn store_beside(&self, name: &str, value: &str) {
        let words = ["store", "--label=beside", "service", SERVICE, "username", name, "other", "yes"];
        assert!(self.tool(&words, Some(value)).status.success(), "a person's value");
    }

    /// A person removes an entry.
    pub fn clear(&self, service: &str, name: &str) {
        self.tool(&["clear", "service", service, "username", name], None);
    }

    /// What a program finds, by the attribute that it knows.
    pub fn lookup(&self, attribute: &str, name: &str) -> Option<String> {
        let output = self.tool(&["lookup", "service", SERVICE, attribute, name], None);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same of any service.
    pub fn lookup_of(&self, service: &str, name: &str) -> Option<String> {
        let output = self.tool(&["lookup", "service", service, "username", name], None);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The label of an entry, as a person sees it.
    pub fn label(&self, name: &str) -> Option<String> {
        let output = self.tool(&["search", "service", SERVICE, "username", name], None);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("label = ")).map(str::to_owned)
    }

    /// Each entry of the service with its value and times, by its path.
    fn entries(&self) -> BTreeMap<String, String> {
        let output = self.tool(&["search", "--all", "service", SERVICE], None);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let entries = text.split("\n[").filter_map(|entry| entry.trim_start_matches('[').split_once("]\n"));
        entries.map(|(path, rest)| (path.to_owned(), rest.trim_end().to_owned())).collect()
    }

    /// This session, as a sink sees it.
    pub fn session(&self) -> Session {
        Session { machine: MACHINE.to_owned(), in_ci: false, bus: Some(self.address.clone()) }
    }
}

impl Drop for PrivateKeyring {
    fn drop(&mut self) {
        self.end_daemon();
        // An error means that it ended by itself.
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

/// The settings of a sink.
pub fn settings() -> Settings {
    Settings { service: SERVICE.to_owned(), allow_ci: false }
}

fn program(name: &str) -> Command {
    Command::new(programs::find(name).expect("it was found when the session started"))
}

/// A private keyring as the conformance suite sees it.
#[derive(Debug)]
pub struct KeyringBench {
    keyring: Arc<PrivateKeyring>,
    changes: Arc<AtomicUsize>,
}

impl KeyringBench {
    /// `None` where there is no keyring to start, which skips the test.
    pub fn start() -> Option<Self> {
        Some(Self { keyring: Arc::new(PrivateKeyring::start()?), changes: Arc::default() })
    }
}

fn name(place: &Place) -> &str {
    place.part("name").expect("a place has a name")
}

#[async_trait]
impl Bench for KeyringBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        let sink = Keyring::new(settings(), self.keyring.session());
        Arc::new(Counting { sink, keyring: self.keyring.clone(), changes: self.changes.clone() })
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(settings()))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration::plain("desk", name)
    }

    async fn value(&self, place: &Place) -> Option<String> {
        self.keyring.lookup("username", name(place))
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        self.keyring.store(name(place), value);
    }

    async fn removed_by_hand(&self, place: &Place) {
        self.keyring.clear(SERVICE, name(place));
    }

    fn trouble(&self, _: Trouble, _: On) -> bool {
        false
    }

    async fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ToolBench for KeyringBench {
    async fn revived(&self) -> bool {
        self.keyring.revive()
    }

    fn declaration(&self, _: &str) -> String {
        format!("type = \"keyring\"\nservice = \"{SERVICE}\"\n")
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("DBUS_SESSION_BUS_ADDRESS".to_owned(), self.keyring.address.clone())]
    }
}

/// Counts the entries that a call leaves otherwise than it found them.
#[derive(Debug)]
struct Counting {
    sink: Keyring,
    keyring: Arc<PrivateKeyring>,
    changes: Arc<AtomicUsize>,
}

impl Counting {
    async fn counting<T>(&self, change: impl Future<Output = T>) -> T {
        let before = self.keyring.entries();
        let done = change.await;
        let after = self.keyring.entries();
        let paths = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
        let changed = paths.filter(|path| before.get(*path) != after.get(*path)).count();
        self.changes.fetch_add(changed, Ordering::SeqCst);
        done
    }
}

#[async_trait]
impl DeclaredSink for Counting {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        self.sink.place(push).await
    }

    async fn reaches(&self, place: &Place) -> bool {
        self.sink.reaches(place).await
    }
}

#[async_trait]
impl Sink for Counting {
    fn capabilities(&self) -> Capabilities {
        self.sink.capabilities()
    }

    fn unit(&self, place: &Place) -> String {
        self.sink.unit(place)
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.counting(self.sink.prepare(places)).await
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.sink.look(places).await
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        self.sink.read(place, wanted).await
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        self.counting(self.sink.write(writes, deadline)).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        self.counting(self.sink.remove(removals, deadline)).await
    }
}
