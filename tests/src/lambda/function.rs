//! A function's process.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use latchkey::mutex::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::{Extensions, Invoked, Quota, RuntimeApi};

/// How a function is to be started.
#[derive(Debug)]
pub struct Function {
    program: PathBuf,
    arguments: Vec<String>,
    quota: Option<Arc<Quota>>,
    variables: Vec<(String, String)>,
    extensions: Extensions,
}

impl Function {
    /// The function `name`, with what Lambda sets and the table's name.
    pub fn new(name: &str, table: &str, endpoint: &str) -> Self {
        let variables = [
            ("LATCHKEY_TABLE", table),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let arguments = Vec::new();
        Self { program: PathBuf::from(name), arguments, quota: None, variables, extensions: Extensions::Answer }
    }

    /// As another program than the one that the tests built.
    #[must_use]
    pub fn program(mut self, program: PathBuf, arguments: &[&str]) -> Self {
        self.program = program;
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Under a quota of CPU time, from its first instruction on.
    #[must_use]
    pub fn under(mut self, quota: &Arc<Quota>) -> Self {
        self.quota = Some(quota.clone());
        self
    }

    /// With another variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(held, _)| held != name);
        self
    }

    /// With such an Extensions API.
    #[must_use]
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.extensions = extensions;
        self
    }

    pub async fn start(self) -> Started {
        let runtime = RuntimeApi::start(self.extensions).await;
        let program = if self.program.components().count() > 1 { self.program } else { binary(&self.program) };
        let mut command = match &self.quota {
            None => Command::new(program),
            Some(_) => Quota::command(&program),
        };
        command.args(self.arguments);
        command.env_clear().envs(self.variables).env("AWS_LAMBDA_RUNTIME_API", runtime.address());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the function starts");
        let said = Said::default();
        said.listen(child.stdout.take().expect("its stdout"));
        said.listen(child.stderr.take().expect("its stderr"));
        let begun = match &self.quota {
            None => Instant::now(),
            Some(quota) => quota.begin(child.id().expect("it runs")).await,
        };
        Started { runtime, child, said, begun, _quota: self.quota }
    }
}

/// Where the binary of a function is: with the tests, or where `LATCHKEY_FUNCTIONS` says.
fn binary(name: &Path) -> PathBuf {
    match std::env::var_os("LATCHKEY_FUNCTIONS") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => built(name),
    }
}

/// The binary of a function as it was built with the tests: with the names of what is in it.
pub fn built(name: impl AsRef<Path>) -> PathBuf {
    let name = name.as_ref();
    let test = std::env::current_exe().expect("a test knows where it is");
    let path = test.parent().and_then(Path::parent).expect("tests are built into `deps`").join(name);
    let built = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
    let hint = "run `cargo build --workspace --bins` first";
    let built = built.unwrap_or_else(|error| panic!("`{}`: {error}; {hint}", path.display()));
    // The job is the tool's.
    let folders: &[&str] =
        if name == Path::new("rotate") { &["functions", "provisioner", "provisioner/sinks"] } else { &["functions"] };
    for folder in folders {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("src");
        assert!(built >= newest(&sources), "`{}` is older than its sources; {hint}", name.display());
    }
    path
}

fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).expect("the sources are here");
    // A picture of what was printed is no source, and a test that differs from its own writes one beside it.
    let is_source = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().contains(".snap");
    let times = entries.map(|entry| entry.expect("an entry")).filter(is_source).map(|entry| {
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() {
            newest(&entry.path())
        } else {
            entry.metadata().and_then(|metadata| metadata.modified()).expect("its time")
        }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What a process said, line by line.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn listen(&self, pipe: impl AsyncRead + Unpin + Send + 'static) {
        let said = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                said.0.lock().push(line);
            }
        });
    }
}

/// A function that runs.
#[derive(Debug)]
pub struct Started {
    /// The Runtime API that it asks.
    pub runtime: RuntimeApi,
    /// When its program began.
    pub begun: Instant,
    child: Child,
    said: Said,
    _quota: Option<Arc<Quota>>,
}

impl Started {
    /// The process's id.
    pub fn id(&self) -> i32 {
        self.child.id().and_then(|id| i32::try_from(id).ok()).expect("it still runs")
    }

    /// Hands it an event, and waits for what comes of it.
    ///
    /// # Errors
    /// The function's own.
    pub async fn invoke(&self, event: &Value) -> Invoked {
        self.runtime.invoke(event).await
    }

    /// The lines of its log so far, at least `count` of them.
    pub async fn log(&self, count: usize) -> Vec<Value> {
        let enough = async {
            loop {
                let lines = self.lines();
                if lines.len() >= count {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let lines = tokio::time::timeout(Duration::from_secs(10), enough).await.expect("a log");
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// All that it wrote to stdout and stderr.
    pub fn lines(&self) -> Vec<String> {
        self.said.0.lock().clone()
    }

    /// Tells it to end, as Lambda does, and waits.
    pub async fn end(&mut self) -> ExitStatus {
        let id = Pid::from_raw(self.id()).expect("an id");
        kill_process(id, Signal::TERM).expect("one's own child can be told");
        self.ended().await
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await;
        ended.expect("it ends in time").expect("one's own child can be waited for")
    }
}
