//! A machine as far as the command can tell: a folder, a home, a name; and its runs.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(1);
/// Longer than `--wait` lets a run wait for others.
const LONGEST: Duration = Duration::from_mins(3);

/// A machine that runs `provision`.
#[derive(Debug, Clone)]
pub struct Machine {
    name: String,
    folder: PathBuf,
    home: PathBuf,
    clock: PathBuf,
    leased: bool,
    environment: Vec<(String, String)>,
}

/// When a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after its start.
    After(Duration),
    /// As soon as it has printed so many lines.
    Lines(usize),
}

/// A run that is under way; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    started: Instant,
    lines: Arc<AtomicUsize>,
    pipes: Option<[JoinHandle<String>; 2]>,
    words: String,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// What it printed as its result.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    words: String,
}

impl Machine {
    /// A machine whose folder is `root/name`, by a clock that all machines share.
    pub fn new(root: &Path, name: &str, clock: &Path) -> Self {
        let (folder, home) = (root.join(name), root.join(format!("{name}-home")));
        for folder in [&folder, &home] {
            std::fs::create_dir_all(folder).expect("a folder in a temporary folder can be made");
        }
        Self { name: name.to_owned(), folder, home, clock: clock.to_owned(), leased: true, environment: Vec::new() }
    }

    /// The same machine, whose runs do not take the lease.
    pub fn without_lease(&self) -> Self {
        Self { leased: false, ..self.clone() }
    }

    /// The same machine, whose runs find these variables too.
    pub fn with_environment(&self, variables: &[(String, String)]) -> Self {
        Self { environment: variables.to_vec(), ..self.clone() }
    }

    /// Its folder, in which the command runs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file in its folder.
    pub fn write(&self, name: &str, text: &str) {
        latchkey_sinks::files::write_atomic(&self.path(name), text.as_bytes(), 0o600)
            .expect("the folder can be written");
    }

    /// Starts `provision` with these words.
    pub fn start(&self, words: &[impl AsRef<OsStr>]) -> Running {
        let program = program();
        let mut command = Command::new(&program);
        command.args(words).current_dir(&self.folder).env_clear();
        command.env("LATCHKEY_ALLOW_HOSTS", "localhost,127.0.0.1");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("LATCHKEY_MACHINE", &self.name).env("LATCHKEY_TEST_CLOCK", &self.clock);
        command.env("AWS_ACCESS_KEY_ID", "tests").env("AWS_SECRET_ACCESS_KEY", "tests");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.leased {
            command.env("LATCHKEY_TEST_NO_LEASE", "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("`{}`: {error}; `cargo build -p provisioner --features test-clock` makes it", program.display())
        });
        let lines = Arc::new(AtomicUsize::new(0));
        let stdout = listen(child.stdout.take().expect("it is piped"), &lines);
        let stderr = listen(child.stderr.take().expect("it is piped"), &lines);
        let words: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
        Running { child, started, lines, pipes: Some([stdout, stderr]), words: words.join(" ") }
    }

    /// Runs `provision` with these words to its end.
    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Ended {
        self.start(words).wait()
    }
}

/// The command as it was built last.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("PROVISION_BIN") {
        return program.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let built = test.parent().and_then(Path::parent).expect("tests stand in `target/debug/deps`");
    built.join("provision")
}

fn listen(pipe: impl Read + Send + 'static, lines: &Arc<AtomicUsize>) -> JoinHandle<String> {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { break };
            text.push_str(&line);
            text.push('\n');
            lines.fetch_add(1, Ordering::SeqCst);
        }
        text
    })
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let ended = self.ends_before(|running| running.started.elapsed() > LONGEST);
        assert!(ended, "`provision {}` has not ended after {LONGEST:?}", self.words);
        self.end()
    }

    /// Kills it at a moment, unless it ends before.
    pub fn kill(mut self, moment: Moment) -> Ended {
        self.ends_before(|running| match moment {
            Moment::After(delay) => running.started.elapsed() >= delay,
            Moment::Lines(lines) => running.lines.load(Ordering::SeqCst) >= lines,
        });
        let _ = self.child.kill();
        self.end()
    }

    /// Whether it ends by itself before `moment` comes.
    fn ends_before(&mut self, moment: impl Fn(&Self) -> bool) -> bool {
        while !moment(self) {
            if self.child.try_wait().expect("one's own child can be waited for").is_some() {
                return true;
            }
            std::thread::sleep(POLL);
        }
        false
    }

    fn end(&mut self) -> Ended {
        let status = self.child.wait().expect("one's own child can be waited for");
        let took = self.started.elapsed();
        let [stdout, stderr] =
            self.pipes.take().expect("it ends once").map(|pipe| pipe.join().expect("a reader does not panic"));
        Ended { code: status.code(), stdout, stderr, took, words: std::mem::take(&mut self.words) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts that it ended with one of these exit codes.
    #[track_caller]
    pub fn expect(&self, codes: &[i32]) -> &Self {
        assert!(self.code.is_some_and(|code| codes.contains(&code)), "not one of {codes:?}: {self}");
        self
    }

    /// Whether it said so anywhere.
    pub fn says(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// Asserts that it said so.
    #[track_caller]
    pub fn expect_words(&self, text: &str) -> &Self {
        assert!(self.says(text), "does not say `{text}`: {self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, took, words } = self;
        write!(formatter, "`provision {words}` ended with {code:?} after {took:?}\n{stdout}{stderr}")
    }
}
