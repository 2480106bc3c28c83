//! What one more request costs a function that is warm.

use std::process::Command;
use std::time::Duration;

use latchkey::api::Function as Which;
use tests::lambda::meter;

use super::Stage;
use super::cold::Subject;

const FIRST: usize = 100;
const THEN: u32 = 1500;

/// CPU time of one request each, the loop of the runtime included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warm {
    pub(super) noop: Duration,
    pub(super) get_item: Duration,
    pub(super) authorize: Duration,
    /// A check without its read.
    pub(super) check: Option<Duration>,
}

pub(super) async fn measure(stage: &Stage) -> Warm {
    let check = Command::new(stage.binaries.join("examples/check")).output().ok();
    let check = check.and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok());
    Warm {
        noop: one(stage, Subject::Noop).await,
        get_item: one(stage, Subject::GetItem).await,
        authorize: one(stage, Subject::Function(Which::Authorize)).await,
        check: check.map(Duration::from_nanos),
    }
}

async fn one(stage: &Stage, subject: Subject) -> Duration {
    let started = stage.function(subject).start().await;
    let (event, _) = subject.event(stage, 0);
    for _ in 0..FIRST {
        started.invoke(&event).await.expect("an answer");
    }
    let begun = meter::cpu(started.id());
    for _ in 0..THEN {
        started.invoke(&event).await.expect("an answer");
    }
    (meter::cpu(started.id()) - begun) / THEN
}
