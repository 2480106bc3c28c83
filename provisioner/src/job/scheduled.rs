//! The job as a Lambda function: a turn at each invocation, in the time that the function has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::clock::Clock as _;
use latchkey::lambda::{Done, Failed, Handler, Invocation};
use latchkey_sinks::reading::Allowances;
use serde_json::json;

use super::{DRIFT_PLACES, Job, Report};
use crate::apply::Silent;
use crate::service::Client;

/// So long before Lambda ends the function it begins nothing more: a push in flight takes two minutes at most.
const RESERVE: Duration = Duration::from_mins(3);
/// A turn that has less time than this left is not begun to be cut short: it has a third of it.
const LEAST: u32 = 3;

/// Invoked by a schedule.
#[derive(Debug)]
pub struct Scheduled;

impl Handler for Scheduled {
    async fn invoked(&self, invocation: Invocation<'_>) -> Result<Done, Failed> {
        let client = Client::operator_of(invocation.service.clone(), "rotate");
        let stop = Arc::new(AtomicBool::new(false));
        let until = invocation.left.saturating_sub(RESERVE).max(invocation.left / LEAST);
        let stopping = stop.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(until).await;
            stopping.store(true, Ordering::Relaxed);
        });
        let job = Job {
            client: &client,
            holder: invocation.id,
            reach: &super::declared_sinks("lambda"),
            reporter: &Silent,
            stop: &stop,
            drift: DRIFT_PLACES,
            allowances: &Allowances::default(),
        };
        let report = job.turn().await;
        timer.abort();
        let report = report.map_err(|error| Failed { message: error.to_string() })?;
        Ok(done(&report, latchkey::clock::SystemClock.now()))
    }
}

/// A turn's line: what it did, and how late it is.
fn done(report: &Report, now: jiff::Timestamp) -> Done {
    let oldest = report.oldest.map_or(0, |since| super::seconds(since, now));
    #[expect(clippy::cast_precision_loss, reason = "numbers of things, far below 2^52")]
    let count = |name, number: usize| (name, "Count", number as f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds, far below 2^52")]
    let seconds = |name, number: u64| (name, "Seconds", number as f64);
    Done {
        reply: json!({ "due": report.due, "done": report.done, "failed": report.failed.len() }),
        outcome: if report.is_good() { "done" } else { "incomplete" },
        is_good: report.is_good(),
        report: json!(report),
        metrics: vec![
            count("due", report.due),
            count("rotated", report.rotated),
            count("failed", report.failed.len()),
            count("failed_again", report.failed_again),
            count("skipped", report.skipped.len()),
            count("overdue", report.overdue),
            count("notices", report.notices.sent),
            count("notices_given_up", report.notices.given_up.len()),
            seconds("oldest_unrotated", oldest),
            seconds("late_by", report.late_by),
        ],
    }
}
