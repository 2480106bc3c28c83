//! Somebody who reads the places all the while, as consumers do, and checks each secret with the service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use latchkey::secret::Secret;
use latchkey::service::Verdict;
use serde_json::Value;

use super::world::{Consumer, Foreign, Records, foreign_lines_stand, line_value};

/// Between two rounds, so that the runs under test get some of the machine.
const BREATH: Duration = Duration::from_millis(3);
/// Enough to see what went wrong.
const VIOLATIONS_MAX: usize = 20;

/// A watcher at work.
#[derive(Debug)]
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Watched>>,
}

/// What a watcher saw.
#[derive(Debug, Default)]
pub struct Watched {
    /// How often it went round.
    pub rounds: usize,
    /// How many secrets it found in places and checked.
    pub checks: usize,
    /// How many checks got no answer.
    pub unanswered: usize,
    /// Dead secrets and foreign entries that changed.
    pub violations: Vec<String>,
}

impl Watcher {
    pub(super) fn start(
        records: Records,
        files: Vec<PathBuf>,
        secrets: Vec<String>,
        foreign: BTreeMap<String, Foreign>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut watch = Watch { records, foreign, watched: Watched::default() };
            while !told.load(Ordering::SeqCst) {
                watch.round(&files, &secrets);
                std::thread::sleep(BREATH);
            }
            // Once more, of everything.
            (0..secrets.len().max(1)).for_each(|_| watch.round(&files, &secrets));
            watch.watched
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends the watch.
    pub fn stop(mut self) -> Watched {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().expect("it stops once").join().expect("the watcher does not panic")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A test that fails tells more than its watcher.
            let _ = thread.join();
        }
    }
}

impl Watched {
    /// Asserts that it saw no dead secret and no foreign entry changed, and that it looked often enough.
    #[track_caller]
    pub fn expect_clean(&self, checks: usize) {
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
        assert!(self.checks >= checks, "only {} checks in {} rounds", self.checks, self.rounds);
    }
}

struct Watch {
    records: Records,
    foreign: BTreeMap<String, Foreign>,
    watched: Watched,
}

impl Watch {
    /// All files and one of the secrets.
    fn round(&mut self, files: &[PathBuf], secrets: &[String]) {
        for file in files {
            self.file(file);
        }
        if let Some(name) = secrets.get(self.watched.rounds % secrets.len().max(1)) {
            self.secret(name);
        }
        self.watched.rounds += 1;
    }

    fn file(&mut self, file: &Path) {
        let text = Consumer::file(file);
        if !foreign_lines_stand(&text) {
            self.violation(format!("the foreign lines of {} changed", file.display()));
        }
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            self.check(value, &format!("{} {name}", file.display()), |_| line_value(&Consumer::file(file), name));
        }
    }

    fn secret(&mut self, name: &str) {
        let value = self.records.block_on(self.records.consumer().secret(name));
        if self.foreign.get(name).is_some_and(|foreign| !foreign.is_intact(value.as_deref())) {
            self.violation(format!("what is foreign in {name} changed"));
        }
        let again = |records: &Records| records.block_on(records.consumer().secret(name));
        let Some(value) = value else { return };
        match serde_json::from_str::<Value>(&value) {
            Ok(Value::Object(object)) => {
                for (key, held) in &object {
                    let again = |records: &Records| {
                        let object: Value = serde_json::from_str(&again(records)?).ok()?;
                        object[key].as_str().map(str::to_owned)
                    };
                    self.check(held.as_str().unwrap_or_default(), &format!("{name} key {key}"), again);
                }
            }
            _ => self.check(&value, name, again),
        }
    }

    /// A secret is dead when it is not valid, and still stands there after the service has said so.
    fn check(&mut self, value: &str, place: &str, again: impl FnOnce(&Records) -> Option<String>) {
        let Ok(secret) = Secret::parse(value) else { return };
        match self.records.block_on(self.records.service().verify(value, None)) {
            Ok(Verdict::Valid(_)) => self.watched.checks += 1,
            Ok(Verdict::Invalid(invalid)) => {
                self.watched.checks += 1;
                if again(&self.records).as_deref() == Some(value) {
                    let fingerprint = secret.fingerprint();
                    self.violation(format!("{place} holds the dead secret {fingerprint}: {invalid}"));
                }
            }
            Err(_) => self.watched.unanswered += 1,
        }
    }

    fn violation(&mut self, text: String) {
        if self.watched.violations.len() < VIOLATIONS_MAX {
            self.watched.violations.push(text);
        }
    }
}
