//! A run that is told to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use provisioner::apply::{Failure, Outcome, Reporter, Run, apply};
use provisioner::observe::observe;
use provisioner::plan::{Labels, plan};

use crate::asks::Asked;
use crate::between;
use crate::exploration::Doing;
use crate::gate::Gate;
use crate::sinks::FakeSinks;
use crate::world::{State, World};

/// Tells the run to stop before its first token, or after its last one.
struct Stopping<'a> {
    stop: &'a AtomicBool,
    at_once: bool,
}

impl Reporter for Stopping<'_> {
    fn begin(&self, _: usize) {
        self.stop.store(self.at_once, Ordering::Relaxed);
    }
    fn done(&self, subject: &str, _: &str) {
        self.stop.fetch_or(subject.starts_with("token"), Ordering::Relaxed);
    }
    fn remark(&self, _: &str) {}
    fn failed(&self, _: &Failure) {}
}

/// A first apply of one token that is told to stop.
fn stopped(at_once: bool) -> Outcome {
    let sinks = between::sinks().swap_remove(0);
    let names: Vec<&'static str> = sinks.keys().copied().collect();
    let world = World::new(State { sinks, ..State::default() });
    let gate = Gate::new(&world);
    let doing = Doing::one(&names);
    let (client, sinks, manifest) = (Asked { gate: gate.clone() }, FakeSinks::new(&gate), doing.manifest());
    let (options, labels, stop) = (doing.options(), Labels::new(&manifest.folder, "here"), AtomicBool::new(false));
    gate.answered(async {
        let observation = observe(&client, &sinks, &manifest).await.unwrap();
        let plan = plan(&manifest, &observation, &options);
        let run = Run {
            client: &client,
            sinks: &sinks,
            manifest: &manifest,
            options: &options,
            labels: &labels,
            reporter: &Stopping { stop: &stop, at_once },
            stop: &stop,
        };
        apply(&run, &plan, &observation).await.unwrap()
    })
}

#[test]
fn a_run_that_is_told_to_stop_when_all_is_done_has_not_stopped() {
    let outcome = stopped(false);
    assert!(!outcome.stopped && outcome.failures.is_empty(), "{outcome:?}");
    let outcome = stopped(true);
    assert!(outcome.stopped, "{outcome:?}");
}
