//! Runs of the real engine, as `provision apply` makes them.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use latchkey::place::PlaceId;
use provisioner::apply::{Failure, Reporter, Run, apply};
use provisioner::manifest::{Manifest, parse};
use provisioner::observe::finding::Finding;
use provisioner::observe::observe;
use provisioner::plan::{Blocked, Labels, Options, Rotate, faults, plan};
use provisioner::reading::Allowances;

use crate::asks::Asked;
use crate::gate::{Gate, Go};
use crate::sinks::FakeSinks;
use crate::world::{World, now};

/// What a run is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Doing {
    /// The tokens that the manifest declares, each with its sinks.
    pub(crate) tokens: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) rotate: bool,
    pub(crate) prune: bool,
    /// Shorter durations than usual.
    pub(crate) short: bool,
}

impl Doing {
    pub(crate) fn one(sinks: &[&'static str]) -> Self {
        Self { tokens: vec![("api", sinks.to_vec())], rotate: false, prune: false, short: false }
    }

    /// Two tokens in the same sinks.
    pub(crate) fn two(sinks: &[&'static str]) -> Self {
        Self { tokens: vec![("api", sinks.to_vec()), ("web", sinks.to_vec())], ..Self::one(sinks) }
    }

    pub(crate) fn rotating(&self) -> Self {
        Self { rotate: true, ..self.clone() }
    }

    pub(crate) fn pruning(&self) -> Self {
        Self { prune: true, ..self.clone() }
    }

    fn text(&self) -> String {
        let (life, every) = if self.short { ("20d", "10d") } else { ("90d", "30d") };
        let mut text = format!(
            "manifest = \"acme\"\n[defaults]\nuser = \"ci\"\nexpires_in = \"{life}\"\nrotate_every = \"{every}\"\n\
            overlap = \"24h\"\n[roles.reader]\npermissions = [\"documents:read\"]\n[users.ci]\nkind = \"service\"\n\
            roles = [\"reader\"]\n"
        );
        for sink in ["a", "b", "c"] {
            write!(text, "[sinks.{sink}]\ntype = \"dotenv\"\npath = \"{sink}.env\"\n").unwrap();
        }
        for (name, sinks) in &self.tokens {
            // `next` stands where `api` stood.
            let entry = if *name == "web" { "WEB" } else { "API" };
            let pushes: Vec<String> =
                sinks.iter().map(|sink| format!("{{ sink = \"{sink}\", name = \"{entry}\" }}")).collect();
            write!(text, "[tokens.{name}]\npush = [{}]\n", pushes.join(", ")).unwrap();
        }
        text
    }

    /// The manifest; read once on each thread.
    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        thread_local! {
            static READ: RefCell<HashMap<String, Arc<Manifest>>> = RefCell::default();
        }
        let text = self.text();
        READ.with_borrow_mut(|read| {
            let parsed = |text: &str| match parse(Path::new("t.toml"), Path::new("/r"), text, &Allowances::default()) {
                Ok((manifest, _)) => Arc::new(manifest),
                Err(faults) => panic!("{}", faults.render(false)),
            };
            read.entry(text).or_insert_with_key(|text| parsed(text)).clone()
        })
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            rotate: if self.rotate { Rotate::All } else { Rotate::Due },
            prune: self.prune,
            allow_deletes: Some(9),
            force_retire: false,
            forget: BTreeSet::new(),
            prune_used: true,
            ..Options::default()
        }
    }
}

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

/// One run: over everything, and again when a place has to be mended at once.
async fn run(world: Arc<World>, gate: Arc<Gate>, doing: Doing) {
    let (client, sinks, manifest) = (Asked { gate: gate.clone() }, FakeSinks::new(&gate), doing.manifest());
    let mut options = doing.options();
    for _ in 0..3 {
        let Ok(observation) = observe(&client, &sinks, &manifest).await else { return };
        if !faults(&manifest, &observation).is_empty() {
            return;
        }
        let plan = plan(&manifest, &observation, &options);
        let labels = Labels::new(&manifest.folder, "here");
        let (reporter, stop) = (Listening(world.clone()), AtomicBool::new(false));
        let run = Run {
            client: &client,
            sinks: &sinks,
            manifest: &manifest,
            options: &options,
            labels: &labels,
            reporter: &reporter,
            stop: &stop,
        };
        let Ok(outcome) = apply(&run, &plan, &observation).await else { return };
        if !outcome.again {
            return;
        }
        options.rotate = Rotate::Due;
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
    let mut driven = Driven::start(world, doing);
    while driven.is_live() {
        driven.go(0, Go::Well);
    }
}

fn is_edited(world: &World, place: &PlaceId) -> bool {
    world.state().places.get(place).is_some_and(|entry| entry.value == "edited")
}

/// B: what is still to be done, if anything: a plan that changes nothing, every place on the current version, and no
/// other version that works.
pub(crate) fn unsettled(world: &Arc<World>, doing: &Doing) -> Option<String> {
    let gate = Gate::new(world);
    let (client, sinks, manifest) = (Asked { gate: gate.clone() }, FakeSinks::new(&gate), doing.manifest());
    let mut observing = std::pin::pin!(observe(&client, &sinks, &manifest));
    let mut context = Context::from_waker(Waker::noop());
    let observation = loop {
        match observing.as_mut().poll(&mut context) {
            Poll::Ready(observation) => break observation.unwrap(),
            Poll::Pending => gate.let_through(0, Go::Well),
        }
    };
    let plan = plan(&manifest, &observation, &Options { rotate: Rotate::Due, ..doing.options() });
    // What a person wrote where this token has not been is foreign to it, and the plan says so.
    let by_hand = |blocked: &Blocked| matches!(blocked, Blocked::Foreign(place) if is_edited(world, place));
    if plan.tokens.iter().any(|token| !token.blocked.is_empty() && token.blocked.iter().all(by_hand)) {
        return None;
    }
    if plan.has_changes() || plan.is_blocked() {
        let lines = provisioner::plan::lines(&plan, &Labels::new(&manifest.folder, "here"));
        let lines: Vec<String> = lines.iter().map(provisioner::plan::Line::plain).collect();
        return Some(lines.join("\n"));
    }
    for token in &plan.tokens {
        let Some(record) = &token.record else { return Some(format!("no token {}", token.name)) };
        if token.declaration.is_none() {
            return Some(format!("token {} is still there", token.name));
        }
        let live: Vec<_> = record.live(now()).map(|version| (version.number, version.state)).collect();
        if live.len() != 1 || record.current().is_none() {
            return Some(format!("versions {live:?}"));
        }
        if record.places.len() != token.places.len() {
            return Some("a place is still recorded".to_owned());
        }
        if !token.findings.iter().all(|(_, find)| matches!(find, Finding::Current)) {
            return Some("a place is not current".to_owned());
        }
    }
    None
}
