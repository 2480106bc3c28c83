//! A user at a shell: a folder, the command `provision`, a clock that can be moved, and a transcript of what was said.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use latchkey::clock::{Clock, SystemClock};
use latchkey::entropy::SystemEntropy;
use latchkey::mutex::Mutex;
use latchkey::secret::Secret;
use latchkey::service::Service;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// Names another build of the command, whose clock must be movable too.
pub const BINARY: &str = "PROVISION_BIN";

/// An hour in seconds.
pub const HOUR: i64 = 3600;
/// A day in seconds.
pub const DAY: i64 = 24 * HOUR;

/// A folder with a home and a clock of its own, and the command in it.
#[derive(Debug)]
pub struct World {
    temporary: TempDir,
    folder: PathBuf,
    program: PathBuf,
    told: Mutex<String>,
}

/// How one command ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty folder, at the present time.
    pub fn new() -> Self {
        Self::of(binary())
    }

    /// The same with a build of the command that may know no other clock than the machine's.
    pub fn of(program: PathBuf) -> Self {
        let temporary = TempDir::new().expect("a temporary folder can be made");
        let root = temporary.path().canonicalize().expect("it is there");
        let folder = root.join("work");
        for made in [&folder, &root.join("home")] {
            std::fs::create_dir(made).expect("a folder can be made");
        }
        Self { temporary, folder, program, told: Mutex::default() }
    }

    /// A folder with this `tokens.toml`.
    pub fn with(manifest: &str) -> Self {
        let world = Self::new();
        world.write("tokens.toml", manifest);
        world
    }

    /// The folder that commands run in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of the folder.
    #[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file of one's own can be written");
    }

    /// Reads a file of the folder.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("`{name}`: {error}"))
    }

    /// Edits the manifest: `from` must be in it.
    pub fn edit(&self, from: &str, to: &str) {
        let text = self.read("tokens.toml");
        assert!(text.contains(from), "`{from}` is not in the manifest");
        self.write("tokens.toml", &text.replace(from, to));
    }

    /// Sets the clock to so many seconds from the real time.
    #[expect(clippy::disallowed_methods, reason = "nobody reads it meanwhile")]
    pub fn clock(&self, seconds: i64) {
        std::fs::write(self.clock_file(), seconds.to_string()).expect("the clock can be set");
    }

    /// The file with that number, which other programs of this world read too.
    pub fn clock_file(&self) -> PathBuf {
        self.temporary.path().join("clock")
    }

    fn offset(&self) -> i64 {
        std::fs::read_to_string(self.clock_file()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The time in this world.
    pub fn now(&self) -> Timestamp {
        Moved(self.offset()).now()
    }

    /// The date, UTC, so many days from now in this world.
    pub fn date(&self, days: i64) -> String {
        let at = self.now() + SignedDuration::from_hours(24 * days);
        at.to_zoned(TimeZone::UTC).date().to_string()
    }

    /// The command, ready to run: nothing of the caller's environment gets in.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command);
        command.arg0("provision").args(words);
        command
    }

    /// Gives a command this world's folder and environment.
    pub fn prepare(&self, command: &mut Command) {
        command.current_dir(&self.folder).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.with_file_name("home"));
        command.env("LATCHKEY_MACHINE", "test-machine");
        command.env("LATCHKEY_TEST_CLOCK", self.clock_file());
        // The vendors that tests speak to are on this machine.
        command.env("LATCHKEY_ALLOW_HOSTS", "localhost,127.0.0.1 ::1");
        // Whoever runs the tests may have logins and a name in Git; neither is to be found.
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// Runs `provision` with words divided by spaces, and notes it in the transcript.
    pub fn run(&self, words: &str) -> Ran {
        self.run_words(words.split_whitespace())
    }

    /// The same with words that may hold spaces.
    pub fn run_words<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        let words: Vec<S> = words.into_iter().collect();
        self.noted(self.command(&words), &words, None)
    }

    /// Runs `provision` with a text on stdin.
    pub fn pipe(&self, words: &str, stdin: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.noted(self.command(&words), &words, Some(stdin))
    }

    /// The same with more in its environment.
    pub fn pipe_in(&self, environment: &[(&str, &str)], words: &str, stdin: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = self.command(&words);
        command.envs(environment.iter().copied());
        self.noted(command, &words, Some(stdin))
    }

    /// Runs `provision` with more in its environment.
    pub fn run_in(&self, environment: &[(&str, &str)], words: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = self.command(&words);
        command.envs(environment.iter().copied());
        self.noted(command, &words, None)
    }

    fn noted<S: AsRef<OsStr>>(&self, mut command: Command, words: &[S], stdin: Option<&str>) -> Ran {
        if stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("`provision` does not start: {error}"));
        let ran = finish(child, stdin);
        let words: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        self.note(&format!("provision {}", words.join(" ")), &ran);
        ran
    }

    /// Notes a command that was run by other means.
    pub fn note(&self, line: &str, ran: &Ran) {
        use std::fmt::Write as _;
        let mut told = self.told.lock();
        let code = ran.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let _ = write!(told, "$ {line}\n{}", ran.stdout);
        for line in ran.stderr.lines() {
            let _ = writeln!(told, "2> {line}");
        }
        let _ = writeln!(told, "exit {code}\n");
    }

    /// What was said so far, and forgets it. What differs from run to run is replaced by what it is.
    pub fn told(&self) -> String {
        let told = std::mem::take(&mut *self.told.lock());
        self.redact(&told)
    }

    /// Replaces what differs from run to run by what it is.
    pub fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.folder.display().to_string(), "<folder>");
        let me = regex::escape(&login());
        let mine = Regex::new(&format!(r"(operator:|`|--user |^|\s){me}([`/]|\s|$)")).expect("the pattern is good");
        let mut text = mine.replace_all(&text, "${1}<me>${2}").into_owned();
        text = text.replace(&format!("\"{}\"", login()), "\"<me>\"");
        text = text.replace(&format!("operator:{}\"", login()), "operator:<me>\"");
        for (pattern, name) in REDACTIONS.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        text
    }

    /// The service on the embedded table, at this world's time, as the tests' own operator.
    pub async fn service(&self, table: &str) -> Service {
        let table = provisioner::embedded::open(&self.path(table)).expect("the table opens");
        let service = Service::open(table, Arc::new(Moved(self.offset())), Arc::new(SystemEntropy)).await;
        service.expect("the service opens")
    }

    /// The value of one entry of a `.env` file.
    pub fn entry(&self, file: &str, name: &str) -> String {
        let text = self.read(file);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("`{file}` has no `{name}`")).to_owned()
    }

    /// Whether a secret is valid, as `token verify` says.
    #[track_caller]
    pub fn is_valid(&self, secret: &str) -> bool {
        let mut command = self.command(["token", "verify", "--format", "json"]);
        command.stdin(Stdio::piped());
        let ran = finish(command.spawn().expect("`provision` starts"), Some(secret));
        match ran.code {
            Some(0) => true,
            Some(1) => false,
            _ => panic!("`token verify` could not tell: {}", ran.stderr),
        }
    }
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    #[expect(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "asserting is what it is for")]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what the command says is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Gives a running command its input and waits for its end.
pub fn finish(mut child: Child, stdin: Option<&str>) -> Ran {
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        // A command that does not read its input ends the pipe.
        let _ = pipe.write_all(text.as_bytes());
    }
    child.wait_with_output().expect("one's own child can be waited for").into()
}

/// The command: another build when the environment names one.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os(BINARY) {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("tests are built into `deps`");
    folder.join("provision-with-clock")
}

/// Who runs the tests, and so is `me`.
pub fn login() -> String {
    let output = Command::new("id").arg("-un").output().expect("`id` runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The secrets that a text holds.
pub fn secrets_in(text: &str) -> Vec<String> {
    SECRET.find_iter(text).map(|found| found.as_str().to_owned()).filter(|found| Secret::parse(found).is_ok()).collect()
}

static SECRET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("lk_[0-9a-z]{16}_[0-9A-Za-z]{49}").expect("the pattern is good"));

static REDACTIONS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        ("lk_[0-9a-z]{16}_[0-9A-Za-z]{49}", "<secret>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "<time>"),
        (r"\d{4}-\d\d-\d\d", "<date>"),
        (r"127\.0\.0\.1:\d+", "<address>"),
        // Places and token ids have the same length; ids are rarely hexadecimal throughout.
        (r"\b[0-9a-f]{16}\b", "<place>"),
        (r"\b[0-9a-hjkmnp-tv-z]{16}\b", "<id>"),
        (r"\b[0-9a-f]{12}([0-9a-f]{20})?\b", "<hash>"),
    ];
    patterns.into_iter().map(|(pattern, name)| (Regex::new(pattern).expect("the pattern is good"), name)).collect()
});

/// The system's clock, moved.
#[derive(Debug, Clone, Copy)]
struct Moved(i64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0)
    }
}
