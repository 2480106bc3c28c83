//! Runs of the real engine, as `provision apply` makes them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use latchkey::place::PlaceId;
use provisioner::apply::{Failure, Reporter, Run, apply};
use provisioner::job::Restricted;
use provisioner::manifest::Manifest;
use provisioner::observe::observe;
use provisioner::plan::{Blocked, Labels, Options, Rotate, faults, plan};
use provisioner::service::{Protocol, Records as _};

use crate::asks::Asked;
use crate::aws;
use crate::exploration::{Doing, left_to_do};
use crate::gate::{Gate, Go};
use crate::job::work;
use crate::sinks::FakeSinks;
use crate::step::Step;
use crate::world::{World, now};

/// Holds what a run says against D.
struct Listening(Arc<World>);

impl Reporter for Listening {
    fn begin(&self, _: usize) {}
    fn done(&self, subject: &str, words: &str) {
        self.remark(&format!("{subject}: {words}"));
    }
    fn remark(&self, text: &str) {
        let mut state = self.0.state();
        state.check_text(text);
        state.note(|| format!("  said: {text}"));
    }
    fn failed(&self, failure: &Failure) {
        self.remark(&format!("{failure:?}"));
    }
}

/// One run: over everything, and again when a place has to be repaired at once.
async fn run(world: Arc<World>, gate: Arc<Gate>, doing: Doing) {
    if doing.by_aws {
        return aws::rotate(world, gate, doing).await;
    }
    let (asked, sinks, manifest) = (Asked { gate: gate.clone() }, FakeSinks::new(&gate), doing.manifest());
    if !doing.by_job {
        return over(&world, (&asked, &sinks), &manifest, doing.options()).await;
    }
    let Ok(managed) = asked.managed_tokens(&manifest.name).await else { return };
    let (manifest, tokens) = work(&manifest, &managed.tokens, &sinks).await;
    over(&world, (&Restricted::new(&asked, tokens), &sinks), &manifest, Options::default()).await;
}

pub(crate) async fn over(
    world: &Arc<World>,
    (client, sinks): (&dyn Protocol, &FakeSinks),
    manifest: &Manifest,
    mut options: Options,
) {
    for _ in 0..3 {
        let Ok(observation) = observe(client, sinks, manifest).await else { return };
        if !faults(manifest, &observation).is_empty() {
            return;
        }
        let plan = plan(manifest, &observation, &options);
        let labels = Labels::new(&manifest.folder, "here");
        let (reporter, stop) = (Listening(world.clone()), AtomicBool::new(false));
        let run = Run { client, sinks, manifest, options: &options, labels: &labels, reporter: &reporter, stop: &stop };
        let Ok(outcome) = apply(&run, &plan, &observation).await else { return };
        if !outcome.another_pass {
            return;
        }
        options.begin_another_pass();
    }
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A run under way, driven by hand.
pub(crate) struct Driven {
    pub(crate) gate: Arc<Gate>,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
}

impl Driven {
    /// Starts a run, up to its first call.
    pub(crate) fn start(world: &Arc<World>, doing: &Doing) -> Self {
        let gate = Gate::new(world);
        let future = Box::pin(run(world.clone(), gate.clone(), doing.clone()));
        let mut driven = Self { gate, future: Some(future), woken: Arc::default() };
        driven.poll();
        driven
    }

    pub(crate) fn is_live(&self) -> bool {
        self.future.is_some()
    }

    /// Lets it go on until its next call is one of that kind.
    pub(crate) fn until(&mut self, step: Step) {
        while self.gate.waiting()[0].step != step {
            self.go(0, Go::Well);
        }
    }

    pub(crate) fn finish(&mut self) {
        while self.is_live() {
            self.go(0, Go::Well);
        }
    }

    /// Whether it is about to write to a place.
    pub(crate) fn writes(&self, place: &PlaceId) -> bool {
        let about = &self.gate.waiting()[0];
        about.step == Step::Write && about.places.contains(place)
    }

    /// The process dies.
    pub(crate) fn kill(&mut self) {
        self.future = None;
    }

    /// Lets one call through, and the run on to its next ones.
    pub(crate) fn go(&mut self, index: usize, go: Go) {
        self.gate.let_through(index, go);
        self.poll();
    }

    fn poll(&mut self) {
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            let Some(future) = &mut self.future else { return };
            if future.as_mut().poll(&mut context) == Poll::Ready(()) {
                self.future = None;
                return;
            }
            if !self.woken.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// A run without faults.
pub(crate) fn clean(world: &Arc<World>, doing: &Doing) {
    Driven::start(world, doing).finish();
}

fn is_by_hand(world: &World, place: &PlaceId) -> bool {
    world.state().places.get(place).is_some_and(|entry| !entry.marked)
}

/// B: what is still to be done, if anything.
pub(crate) fn unsettled(world: &Arc<World>, doing: &Doing) -> Option<String> {
    let gate = Gate::new(world);
    let (client, sinks, manifest) = (Asked { gate: gate.clone() }, FakeSinks::new(&gate), doing.manifest());
    let observation = gate.answered(observe(&client, &sinks, &manifest)).unwrap();
    let plan = plan(&manifest, &observation, &Options { rotate: Rotate::Due, ..doing.options() });
    // What a person wrote where this token has not been is foreign to it, and the plan says so.
    let by_hand = |blocked: &Blocked| matches!(blocked, Blocked::Foreign(place) if is_by_hand(world, place));
    if plan.tokens.iter().any(|token| !token.blocked.is_empty() && token.blocked.iter().all(by_hand)) {
        return None;
    }
    left_to_do(&plan, &manifest, now())
}
