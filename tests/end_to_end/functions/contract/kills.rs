//! The function dies at any request, before or after it takes effect, and AWS repeats the rotation from its first step.

use tests::engines::Fault;
use tests::provision::DAY;
use tokio::sync::oneshot;

use super::{OURS, ROTATED, STEPS, Scene, start};

/// The calls of a step to Secrets Manager that do something or rest on something.
const CALLS: [&str; 4] = ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"];

/// Where a function dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// At its nth request to the table.
    Table { at: u64, takes_effect: bool },
    /// At its nth request of a kind to Secrets Manager.
    Manager { call: &'static str, at: usize },
}

impl Scene {
    /// A rotation in which the function dies, if it comes to that.
    async fn dies(&mut self, version: &str, death: Death) {
        let (dead, died) = oneshot::channel();
        match death {
            Death::Table { at, takes_effect } => self.endpoint.answer_only(at, takes_effect),
            Death::Manager { call, at } => {
                let fault = Fault::meanwhile(move || async {
                    let _ = dead.send(());
                    std::future::pending::<()>().await;
                });
                self.manager.fail(call, at, fault);
            }
        }
        let scene = &*self;
        let steps = async {
            for step in STEPS {
                scene.step(step, ROTATED, version).await.unwrap();
            }
        };
        let held = async {
            match death {
                Death::Table { .. } => scene.endpoint.held().await,
                // It is never sent where there are fewer such calls.
                Death::Manager { .. } => drop(died.await),
            }
        };
        tokio::select! {
            () = held => {}
            () = steps => panic!("it got through: {death:?}"),
        }
        self.endpoint.answer_all();
        self.manager.forgive();
        self.rotate = start("rotate", &self.world, &self.endpoint, &self.manager).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_at_any_request_leaves_nobody_with_a_dead_secret_and_the_rotation_is_resumed() {
    let mut scene = Scene::new().await;
    let (tables, counts) = (scene.endpoint.calls(), CALLS.map(|call| scene.manager.count(call)));
    let version = scene.begin(ROTATED, OURS).await;
    scene.rotate(&version).await;
    let tables = scene.endpoint.calls() - tables;
    let counts: Vec<_> = CALLS.iter().zip(counts).map(|(call, before)| scene.manager.count(call) - before).collect();
    assert!(tables > 20 && counts.iter().all(|count| *count > 0), "{tables} {counts:?}");
    let step = if std::env::var_os("LATCHKEY_KILLS").is_some() { 1 } else { 7 };
    let at_table = (1..tables).flat_map(|at| [false, true].map(|takes_effect| Death::Table { at, takes_effect }));
    let at_manager =
        CALLS.iter().zip(counts).flat_map(|(call, count)| (1..=count).map(move |at| Death::Manager { call, at }));
    let deaths: Vec<Death> = at_table.step_by(step).chain(at_manager.step_by(step.div_ceil(3))).collect();
    let mut time = 0;
    for death in deaths {
        // What was retiring is retired, so that there is room for one more.
        time += 3 * DAY;
        scene.world.clock(time);
        scene.rotate.invoke(&serde_json::json!({})).await.unwrap();
        let version = scene.begin(ROTATED, OURS).await;
        scene.dies(&version, death).await;
        scene.consumers_are_well(&format!("{death:?}")).await;
        // Its lease ends.
        time += 600;
        scene.world.clock(time);
        for step in STEPS {
            let done = scene.step(step, ROTATED, &version).await;
            assert!(done.is_ok(), "{death:?}: {step}: {done:?} {:?}", scene.labels(ROTATED).await);
            scene.consumers_are_well(&format!("{death:?} {step}")).await;
        }
        assert!(
            scene.is_finished(&version).await,
            "{death:?}: {:?} {:?}",
            scene.labels(ROTATED).await,
            scene.versions().await
        );
    }
}
