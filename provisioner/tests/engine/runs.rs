//! Runs of the real engine, as `provision apply` makes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey::api::Api;
use provisioner::apply::{Failure, Reporter, Run, apply};
use provisioner::manifest::{Manifest, parse};
use provisioner::observe::finding::Finding;
use provisioner::observe::observe;
use provisioner::plan::{Labels, Options, Rotate, faults, plan};
use provisioner::reading::Allowances;
use provisioner::service::remote::{InProcess, Remote};
use provisioner::service::{Client, ServiceError};

use crate::gate::{Fault, Gate, Kind};
use crate::sinks::FakeSinks;
use crate::table::Wire;
use crate::world::{World, elapsed, service};

/// What a run is told to do.
#[derive(Debug, Clone)]
pub(crate) struct Doing {
    /// The tokens that the manifest declares, each with its sinks.
    pub(crate) tokens: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) rotate: bool,
    pub(crate) prune: bool,
}

impl Doing {
    pub(crate) fn one(sinks: &[&'static str]) -> Self {
        Self { tokens: vec![("api", sinks.to_vec())], rotate: false, prune: false }
    }

    /// Two tokens, in two places each.
    pub(crate) fn two() -> Self {
        Self { tokens: vec![("api", vec!["a", "b"]), ("web", vec!["a", "b"])], rotate: false, prune: false }
    }

    /// The same, and every token is rotated.
    pub(crate) fn rotating(&self) -> Self {
        Self { rotate: true, ..self.clone() }
    }

    /// The same, and what is not declared goes.
    pub(crate) fn pruning(&self) -> Self {
        Self { prune: true, ..self.clone() }
    }

    fn manifest(&self) -> Manifest {
        let mut text = "manifest = \"acme\"\n[defaults]\nuser = \"ci\"\nexpires_in = \"90d\"\nrotate_every = \"30d\"\n\
            overlap = \"24h\"\n[roles.reader]\npermissions = [\"documents:read\"]\n[users.ci]\nkind = \"service\"\n\
            roles = [\"reader\"]\n[sinks.a]\ntype = \"dotenv\"\npath = \"a.env\"\n[sinks.b]\ntype = \"dotenv\"\n\
            path = \"b.env\"\n"
            .to_owned();
        for (name, sinks) in &self.tokens {
            // `next` stands where `api` stood.
            let entry = if *name == "web" { "WEB" } else { "API" };
            let pushes: Vec<String> =
                sinks.iter().map(|sink| format!("{{ sink = \"{sink}\", name = \"{entry}\" }}")).collect();
            write!(text, "[tokens.{name}]\npush = [{}]\n", pushes.join(", ")).unwrap();
        }
        match parse(Path::new("tokens.toml"), Path::new("/repo"), &text, &Allowances::default()) {
            Ok((manifest, _)) => manifest,
            Err(faults) => panic!("{}", faults.render(false)),
        }
    }

    fn options(&self) -> Options {
        Options {
            rotate: if self.rotate { Rotate::All } else { Rotate::Due },
            prune: self.prune,
            allow_deletes: Some(9),
            forget: BTreeSet::new(),
            ..Options::default()
        }
    }
}

#[derive(Default)]
struct Silent;

impl Reporter for Silent {
    fn begin(&self, _: usize) {}
    fn done(&self, _: &str, _: &str) {}
    fn remark(&self, _: &str) {}
    fn failed(&self, _: &Failure) {}
}

async fn operator(world: &Arc<World>, gate: &Arc<Gate>) -> Client {
    let wire = Wire { engine: world.engine.clone(), gate: Some(gate.clone()) };
    Client::operator(service(wire).await, "test").with_elapsed(elapsed)
}

async fn client(world: &Arc<World>, gate: &Arc<Gate>) -> Result<Client, ServiceError> {
    let Some(job) = &world.job else { return Ok(operator(world, gate).await) };
    let wire = Wire { engine: world.engine.clone(), gate: Some(gate.clone()) };
    let api = Api::new(Arc::new(service(wire).await));
    let transport = Arc::new(InProcess::new(api, Some(std::net::Ipv4Addr::LOCALHOST.into())));
    Remote::connect("the API", transport, job, elapsed).await.map(Client::remote)
}

/// One run: over everything, and again when a place has to be mended at once.
async fn run(world: &Arc<World>, gate: &Arc<Gate>, doing: &Doing) {
    let Ok(client) = client(world, gate).await else { return };
    let sinks = FakeSinks::new(world, gate);
    let manifest = doing.manifest();
    let mut options = doing.options();
    for _ in 0..3 {
        let Ok(observation) = observe(&client, &sinks, &manifest).await else { return };
        if !faults(&manifest, &observation).is_empty() {
            return;
        }
        let plan = plan(&manifest, &observation, &options);
        let labels = Labels::new(&manifest.folder, "here");
        let run = Run {
            client: &client,
            sinks: &sinks,
            manifest: &manifest,
            options: &options,
            labels: &labels,
            reporter: &Silent,
            stop: &AtomicBool::new(false),
        };
        let Ok(outcome) = apply(&run, &plan, &observation).await else { return };
        if !outcome.again {
            return;
        }
        options.rotate = Rotate::Due;
    }
}

/// A run with a fault at one of its calls. While it is suspended, `meanwhile` happens. Answers its calls, and whether
/// the fault was met.
pub(crate) async fn drive(
    world: &Arc<World>,
    doing: &Doing,
    fault: Option<(usize, Fault)>,
    meanwhile: impl AsyncFnOnce(),
) -> (Vec<Kind>, bool) {
    let gate = Gate::new(world, fault);
    {
        let mut run = std::pin::pin!(run(world, &gate, doing));
        tokio::select! {
            biased;
            () = &mut run => {}
            () = gate.halted() => {
                if matches!(fault, Some((_, Fault::Pause | Fault::PauseAfter))) {
                    meanwhile().await;
                    gate.resume();
                    run.await;
                }
            }
        }
    }
    (gate.steps(), gate.met())
}

/// A run without faults.
pub(crate) async fn clean(world: &Arc<World>, doing: &Doing) {
    drive(world, doing, None, async || ()).await;
}

/// B: what is still to be done, if anything: a plan that changes nothing, every place on the current version, and no
/// other version that works.
pub(crate) async fn unsettled(world: &Arc<World>, doing: &Doing) -> Option<String> {
    let gate = Gate::new(world, None);
    let (client, sinks) = (operator(world, &gate).await, FakeSinks::new(world, &gate));
    let manifest = doing.manifest();
    let observation = observe(&client, &sinks, &manifest).await.unwrap();
    let plan = plan(&manifest, &observation, &doing.options());
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
        // One that was staged and never announced is no longer live after a day.
        let live: Vec<_> = record.live(client.now()).map(|version| (version.number, version.state)).collect();
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
