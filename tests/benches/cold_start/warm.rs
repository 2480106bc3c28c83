//! What one more request costs a function that is warm.

use std::process::Command;
use std::time::Duration;

use latchkey::api::Function as Which;
use tests::meter;

use super::Stage;
use super::cold::{Subject, median};

/// Requests before the first measured one.
const FIRST: usize = 100;
/// Requests at a stretch. The subjects take turns, so that a busy moment of the machine meets all of them.
const BLOCK: u32 = 100;
const BLOCKS: usize = 25;

/// CPU time of one request each, the loop of the runtime included: medians of all blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warm {
    pub(super) noop: Duration,
    pub(super) get_item: Duration,
    pub(super) authorize: Duration,
    pub(super) introspect: Duration,
    /// A check without its read.
    pub(super) check: Option<Duration>,
}

pub(super) async fn measure(stage: &Stage) -> Warm {
    let [authorize, introspect] = [Which::AUTHORIZE, Which::INTROSPECT].map(Subject::Function);
    let subjects = [Subject::Noop, Subject::GetItem, authorize, introspect];
    let mut running = Vec::new();
    for subject in subjects {
        let started = stage.function(subject).start().await;
        let (event, _) = subject.event(stage, 0);
        for _ in 0..FIRST {
            started.invoke(&event).await.expect("an answer");
        }
        running.push((started, event, Vec::new()));
    }
    for _ in 0..BLOCKS {
        for (started, event, blocks) in &mut running {
            let begun = meter::cpu(started.id());
            for _ in 0..BLOCK {
                started.invoke(event).await.expect("an answer");
            }
            blocks.push(meter::cpu(started.id()).saturating_sub(begun) / BLOCK);
        }
    }
    let mut medians = running.into_iter().map(|(_, _, blocks)| median(blocks).unwrap_or_default());
    let mut next = || medians.next().unwrap_or_default();
    Warm { noop: next(), get_item: next(), authorize: next(), introspect: next(), check: check(stage) }
}

fn check(stage: &Stage) -> Option<Duration> {
    let output = Command::new(stage.binaries.join("check")).output().ok()?;
    let nanos = String::from_utf8(output.stdout).ok()?;
    Some(Duration::from_nanos(nanos.trim().parse().ok()?))
}
