//! Everybody who reads what the places hold, as applications do, and asks the service whether it is valid.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use latchkey::place::Place;
use latchkey::secret::Secret;
use latchkey::service::Verdict;

use super::text::USER;
use super::{Declared, FOREIGN};
use crate::chaos::Records;
use crate::sinks::ToolBench;

/// Between two rounds, so that the runs under test get some of the machine.
const BREATH: Duration = Duration::from_millis(20);
const VIOLATIONS_MAX: usize = 20;

/// Consumers of all places.
#[derive(Clone)]
pub struct Consumers {
    records: Records,
    places: Vec<(Arc<dyn ToolBench>, Place, Declared)>,
    beside: Vec<(Arc<dyn ToolBench>, Place)>,
}

/// What they found while they watched.
#[derive(Debug, Default)]
pub struct Findings {
    /// Secrets that were found and checked.
    pub checks: usize,
    /// Dead secrets, and foreign entries that changed.
    pub violations: Vec<String>,
}

/// Consumers who look all the while.
#[derive(Debug)]
pub struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Findings>,
}

impl std::fmt::Debug for Consumers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Consumers").field("places", &self.places.len()).finish_non_exhaustive()
    }
}

impl Consumers {
    pub(super) fn new(
        records: Records,
        places: Vec<(Arc<dyn ToolBench>, Place, Declared)>,
        beside: Vec<(Arc<dyn ToolBench>, Place)>,
    ) -> Self {
        Self { records, places, beside }
    }

    /// The service's records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// What is wrong with the places: a token whose current version is not in one of them.
    pub fn lacking(&self) -> Vec<String> {
        let tokens = self.records.tokens_of("fleet");
        let mut lacking = Vec::new();
        for (bench, place, declared) in &self.places {
            let record =
                tokens.iter().find(|token| token.name.as_str() == declared.name && token.user.as_str() == USER);
            let current = record.and_then(|record| record.current()).map(|current| current.number);
            let held = self.records.block_on(bench.value(place));
            let found = held.map(|value| self.records.version_of(&value));
            match (current, found) {
                (Some(current), Some(Ok(found))) if current == found => {}
                (current, found) => {
                    lacking
                        .push(format!("{} {}: {current:?} is current, it holds {found:?}", place.kind, declared.name));
                }
            }
        }
        lacking
    }

    /// How many versions of any token work, at the most.
    pub fn most_live(&self) -> usize {
        self.records.tokens_of("fleet").iter().map(|token| self.records.live(token)).max().unwrap_or(0)
    }

    /// Looks at every place until told to stop.
    pub fn watch(&self) -> Watching {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, consumers) = (stop.clone(), self.clone());
        let thread = std::thread::spawn(move || {
            let mut findings = Findings::default();
            while !told.load(Ordering::SeqCst) {
                consumers.round(&mut findings);
                std::thread::sleep(BREATH);
            }
            consumers.round(&mut findings);
            consumers.nothing_is_missing(&mut findings);
            findings
        });
        Watching { stop, thread }
    }

    fn nothing_is_missing(&self, findings: &mut Findings) {
        for (bench, place) in &self.beside {
            if self.records.block_on(bench.value(place)).as_deref() != Some(FOREIGN) {
                findings.violation(format!("what is foreign in {} is gone", place.kind));
            }
        }
    }

    fn round(&self, findings: &mut Findings) {
        for (bench, place) in &self.beside {
            let held = self.records.block_on(bench.value(place));
            // An engine that is being started again shows nothing for a moment; what was removed stays away.
            if held.is_some_and(|held| held != FOREIGN) {
                findings.violation(format!("what is foreign in {} changed", place.kind));
            }
        }
        for (bench, place, declared) in &self.places {
            let read = || self.records.block_on(bench.value(place));
            let Some(value) = read() else { continue };
            let Ok(secret) = Secret::parse(&value) else { continue };
            match self.records.verify(&value) {
                Some(Verdict::Valid(_)) => findings.checks += 1,
                // Dead is what still stands there after the service has said so.
                Some(Verdict::Invalid(why)) if read().as_deref() == Some(value.as_str()) => {
                    let place = format!("{} {}", place.kind, declared.name);
                    findings.violation(format!("{place} holds the dead secret {}: {why}", secret.fingerprint()));
                }
                _ => {}
            }
        }
    }
}

impl Findings {
    fn violation(&mut self, text: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(text);
        }
    }
}

impl Watching {
    /// Ends the watch.
    pub fn stop(self) -> Findings {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the watcher does not panic")
    }
}
