//! What all machines share: Secrets Manager, the clock, the service's records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use latchkey::clock::{Clock, SystemClock};
use latchkey::entropy::SystemEntropy;
use latchkey::service::{Service, Verdict};
use latchkey::token::{Token, TokenKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

use super::machine::Machine;
use super::manifest::{DeclaredToken, Layout, MANIFEST, Spot};
use super::watcher::Watcher;
use crate::engines::{Person, StrictSecretsManager};

const REGION: &str = "eu-west-1";
/// What stands in every `.env` file beforehand, and has to stay.
pub const FOREIGN_LINES: &[&str] =
    &["# by hand", "export DATABASE_URL='postgres://localhost/app' # local", "PORT=8080", "EMPTY="];
const FOREIGN_KEY: (&str, &str) = ("database_password", "correct horse \"battery\" staple");
const FOREIGN_SECRET: &str = "not ours";

/// Everything outside the machines.
#[derive(Debug)]
pub struct World {
    vault: StrictSecretsManager,
    root: TempDir,
    clock: Arc<FileClock>,
    runtime: Runtime,
}

/// The system's clock, moved as the file says that the command reads.
#[derive(Debug)]
struct FileClock {
    file: PathBuf,
    offset: AtomicI64,
}

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.offset.load(Ordering::SeqCst))
    }
}

/// What places hold, read as a consumer does.
#[derive(Debug, Clone)]
pub struct Consumer {
    person: Person,
}

/// The service on one file, beside the processes that the test runs on it.
#[derive(Debug, Clone)]
pub struct Records {
    service: Arc<Service>,
    handle: Handle,
    consumer: Consumer,
}

impl World {
    /// Starts Secrets Manager; the clock shows the time.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let vault = runtime.block_on(StrictSecretsManager::start());
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let clock = Arc::new(FileClock { file: root.path().join("clock"), offset: AtomicI64::new(0) });
        let world = Self { vault, root, clock, runtime };
        world.forward(0);
        world
    }

    /// The file that all machines read their clock from.
    pub fn clock(&self) -> PathBuf {
        self.clock.file.clone()
    }

    pub fn vault(&self) -> &StrictSecretsManager {
        &self.vault
    }

    /// Where Secrets Manager listens.
    pub fn endpoint(&self) -> String {
        self.vault.url()
    }

    /// A folder that no machine has.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A machine with a `.env` file that holds foreign lines.
    pub fn machine(&self, name: &str) -> Machine {
        let machine = Machine::new(self.root.path(), name, &self.clock.file);
        machine.write(".env", &(FOREIGN_LINES.join("\n") + "\n"));
        machine
    }

    /// Moves everybody's clock.
    pub fn forward(&self, hours: i64) {
        let offset = self.clock.offset.fetch_add(hours * 3600, Ordering::SeqCst) + hours * 3600;
        latchkey_sinks::files::write_atomic(&self.clock.file, offset.to_string().as_bytes(), 0o600)
            .expect("the folder can be written");
    }

    /// Puts foreign entries where a layout's pushes will go: a key in the shared secret, and a secret beside the others.
    pub fn plant(&self, layout: &Layout) {
        let shared = json!({ FOREIGN_KEY.0: FOREIGN_KEY.1 }).to_string();
        for (name, value) in [(layout.shared(), shared), (beside(layout), FOREIGN_SECRET.to_owned())] {
            let body = json!({ "Name": name, "SecretString": value });
            let created = self.runtime.block_on(self.vault.person(REGION).call("CreateSecret", body));
            assert!(created.status.is_success(), "{:?}", created.value());
        }
    }

    /// Opens the service on a file, which is made if it is not there.
    pub fn records(&self, file: &Path) -> Records {
        let service = self.runtime.block_on(async {
            let table = provisioner::embedded::open(file).expect("the table opens beside other processes");
            Service::open(table, Arc::clone(&self.clock) as Arc<dyn Clock>, Arc::new(SystemEntropy)).await
        });
        let service = Arc::new(service.expect("the service opens"));
        Records { service, handle: self.runtime.handle().clone(), consumer: self.consumer() }
    }

    /// Who reads places.
    pub fn consumer(&self) -> Consumer {
        Consumer { person: self.vault.person(REGION) }
    }

    /// Sets somebody to watch the places of a layout on these machines, until told to stop.
    pub fn watch(&self, records: &Records, layout: &Layout, machines: &[&Machine]) -> Watcher {
        let files = machines.iter().map(|machine| machine.path(".env")).collect();
        let secrets: Vec<String> = if layout.endpoint.is_some() {
            let own = layout.declared("".as_ref()).into_iter().flat_map(|token| token.spots);
            let own = own.filter_map(|spot| if let Spot::Secret(name) = spot { Some(name) } else { None });
            own.chain([layout.shared(), beside(layout)]).collect()
        } else {
            Vec::new()
        };
        let foreign = [(layout.shared(), Foreign::Key), (beside(layout), Foreign::Whole)].into();
        Watcher::start(records.clone(), files, secrets, foreign)
    }
}

fn beside(layout: &Layout) -> String {
    format!("{}/by-hand", layout.prefix)
}

/// What of a secret is foreign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    Key,
    Whole,
}

impl Foreign {
    /// Whether it is as it was planted.
    pub(super) fn is_intact(self, value: Option<&str>) -> bool {
        match self {
            Self::Whole => value == Some(FOREIGN_SECRET),
            Self::Key => {
                let object: Option<Value> = value.and_then(|value| serde_json::from_str(value).ok());
                object.is_some_and(|object| object[FOREIGN_KEY.0] == FOREIGN_KEY.1)
            }
        }
    }
}

/// Whether all foreign lines stand in a `.env` file, in their order.
pub(super) fn foreign_lines_stand(text: &str) -> bool {
    text.lines().filter(|line| FOREIGN_LINES.contains(line)).eq(FOREIGN_LINES.iter().copied())
}

impl Consumer {
    /// The text of a file; empty where there is none.
    pub fn file(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// What a secret's consumers read.
    pub async fn secret(&self, name: &str) -> Option<String> {
        let body = json!({ "SecretId": name, "VersionStage": "AWSCURRENT" });
        let answer = self.person.call("GetSecretValue", body).await;
        answer.value()["SecretString"].as_str().map(str::to_owned)
    }

    /// What a place holds.
    pub async fn value(&self, spot: &Spot) -> Option<String> {
        match spot {
            Spot::Line { file, name } => line_value(&Self::file(file), name),
            Spot::Secret(name) => self.secret(name).await,
            Spot::Key { secret, key } => {
                let object: Value = serde_json::from_str(&self.secret(secret).await?).ok()?;
                object[key].as_str().map(str::to_owned)
            }
        }
    }
}

/// The value of a variable.
pub(super) fn line_value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

impl Records {
    /// Runs a question to its answer, from a thread that may wait.
    pub fn block_on<T>(&self, question: impl Future<Output = T>) -> T {
        self.handle.block_on(question)
    }

    pub(super) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// All tokens of the manifest.
    pub fn tokens(&self) -> Vec<Token> {
        self.tokens_of(MANIFEST)
    }

    /// All tokens of a manifest.
    pub fn tokens_of(&self, manifest: &str) -> Vec<Token> {
        let manifest = manifest.parse().expect("it follows the grammar");
        self.block_on(self.service.managed_tokens(&manifest)).expect("the table answers")
    }

    /// The record of a declared token.
    pub fn token(&self, declared: &DeclaredToken) -> Token {
        let key = TokenKey::new(declared.user.clone(), declared.name.clone());
        let found = self.block_on(self.service.holders(std::slice::from_ref(&key))).expect("the table answers");
        found.into_iter().next().unwrap_or_else(|| panic!("there is no token {key}"))
    }

    /// How many versions of a token work now.
    pub fn live(&self, token: &Token) -> usize {
        token.live(self.service.now()).count()
    }

    /// What the service says of a value; `None` when it does not answer.
    pub fn verify(&self, value: &str) -> Option<Verdict> {
        self.block_on(self.service.verify(value, None)).ok()
    }

    /// The version that a valid secret is.
    ///
    /// # Errors
    /// What the service says of it otherwise.
    pub fn version_of(&self, value: &str) -> Result<u32, String> {
        match self.verify(value) {
            Some(Verdict::Valid(valid)) => Ok(valid.version),
            Some(Verdict::Invalid(why)) => Err(why.to_string()),
            None => Err("the service does not answer".to_owned()),
        }
    }

    /// The version of the valid secret in a place.
    ///
    /// # Errors
    /// Why there is none: nothing there, or what the service says of it.
    pub fn version_in(&self, spot: &Spot) -> Result<u32, String> {
        let value = self.block_on(self.consumer.value(spot)).ok_or_else(|| format!("{spot:?} is empty"))?;
        match self.block_on(self.service.verify(&value, None)).expect("the table answers") {
            Verdict::Valid(valid) => Ok(valid.version),
            Verdict::Invalid(invalid) => Err(format!("{spot:?} holds what is not valid: {invalid}")),
        }
    }

    /// Asserts that every place of these tokens holds a valid secret, which is the token's current version.
    #[track_caller]
    pub fn expect_delivered(&self, declared: &[DeclaredToken]) {
        for token in declared {
            let record = self.token(token);
            let current = record.current().map(|current| current.number);
            for spot in &token.spots {
                let found = self.version_in(spot);
                assert_eq!(found.as_ref().ok(), current.as_ref(), "{}: {found:?} in {spot:?}", token.name);
            }
        }
    }
}
