//! Runs of the real engine, as `provision apply` makes them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey::api::Api;
use provisioner::apply::{Run, Silent, apply};
use provisioner::observe::observe;
use provisioner::plan::{Labels, faults, plan};
use provisioner::service::remote::{InProcess, Remote};
use provisioner::service::{Client, ServiceError};

use crate::exploration::{Doing, left_to_do};
use crate::gate::{Fault, Gate, Kind};
use crate::sinks::FakeSinks;
use crate::table::Wire;
use crate::world::{World, elapsed, service};

async fn operator(world: &Arc<World>, gate: &Arc<Gate>) -> Client {
    let wire = Wire { engine: world.engine.clone(), gate: Some(gate.clone()) };
    Client::operator_by(elapsed, service(wire).await, "test")
}

async fn client(world: &Arc<World>, gate: &Arc<Gate>) -> Result<Client, ServiceError> {
    let Some(job) = &world.job else { return Ok(operator(world, gate).await) };
    let wire = Wire { engine: world.engine.clone(), gate: Some(gate.clone()) };
    let api = Api::new(Arc::new(service(wire).await));
    let transport = Arc::new(InProcess::new(api, Some(std::net::Ipv4Addr::LOCALHOST.into())));
    Remote::connect("the API", transport, job, elapsed).await.map(Client::remote)
}

/// One run: over everything, and again when a place has to be repaired at once.
async fn run(world: &Arc<World>, gate: &Arc<Gate>, doing: &Doing) {
    let Ok(client) = client(world, gate).await else { return };
    let sinks = FakeSinks::new(world, gate);
    let manifest = doing.manifest();
    let mut options = doing.options();
    for _ in 0..3 {
        let Ok(observation) = observe(client.protocol(), &sinks, &manifest).await else { return };
        if !faults(&manifest, &observation).is_empty() {
            return;
        }
        let plan = plan(&manifest, &observation, &options);
        let labels = Labels::new(&manifest.folder, "here");
        let run = Run {
            client: client.protocol(),
            sinks: &sinks,
            manifest: &manifest,
            options: &options,
            labels: &labels,
            reporter: &Silent,
            stop: &AtomicBool::new(false),
        };
        let Ok(outcome) = apply(&run, &plan, &observation).await else { return };
        if !outcome.another_pass {
            return;
        }
        options.begin_another_pass();
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

/// B: what is still to be done, if anything.
pub(crate) async fn unsettled(world: &Arc<World>, doing: &Doing) -> Option<String> {
    let gate = Gate::new(world, None);
    let (client, sinks) = (operator(world, &gate).await, FakeSinks::new(world, &gate));
    let manifest = doing.manifest();
    let observation = observe(client.protocol(), &sinks, &manifest).await.unwrap();
    let plan = plan(&manifest, &observation, &doing.options());
    left_to_do(&plan, &manifest, client.now())
}
