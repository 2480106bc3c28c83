//! The job as a Lambda function: a turn at each invocation, in the time that the function has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::clock::Clock as _;
use latchkey::lambda::{Done, Failed, Handler, Invocation};
use latchkey_sinks::heroku;
use latchkey_sinks::reading::Allowances;
use serde_json::{Value, json};

use super::contract::{Answered, Asked};
use super::{DRIFT_PLACES, Job, Report};
use crate::apply::Silent;
use crate::service::Client;

/// So long before Lambda ends the function it begins nothing more: a push in flight takes two minutes at most.
const RESERVE: Duration = Duration::from_mins(3);
/// So long before it the turn is abandoned, whatever it waits for: a release of Heroku's may take longer than the function
/// has. What was under way ends as if the process had died, and that is noted.
const LAST: Duration = Duration::from_secs(20);
/// A turn that has less time than this left is not begun to be cut short: it has a third of it.
const LEAST: u32 = 3;

/// Invoked by a schedule, or by Secrets Manager for a step of a rotation.
#[derive(Debug)]
pub struct Scheduled;

impl Handler for Scheduled {
    async fn invoked(&self, invocation: Invocation<'_>) -> Result<Done, Failed> {
        heroku::address().map_err(|rule| Failed { message: format!("`{}`: {rule}", heroku::VARIABLE) })?;
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
        if let Some(asked) = Asked::of(invocation.event) {
            let answered = job.step(&asked).await;
            timer.abort();
            let Answered { secret, token, what } =
                answered.map_err(|refused| Failed { message: refused.to_string() })?;
            let report = json!({ "step": asked.step(), "secret": secret, "token": token.to_string(), "what": what });
            return Ok(Done { outcome: "done", is_good: true, report, ..Done::default() });
        }
        let began = invocation.service.now();
        // Never before it could end by itself, however little time the function is given.
        let last = invocation.left.saturating_sub(LAST).max(until + invocation.left.saturating_sub(until) / 2);
        let report = match tokio::time::timeout(last, job.turn()).await {
            Ok(report) => report,
            Err(_) => job.abandoned(began).await,
        };
        timer.abort();
        let report = report.map_err(|error| Failed { message: error.to_string() })?;
        Ok(done(&report, latchkey::clock::SystemClock.now()))
    }
}

/// How many failures, skipped tokens and the like a line of the log names: CloudWatch cuts a line that is too long, and its
/// metrics with it. The metrics count all of them.
const TOLD_MAX: usize = 50;

/// The longest text in it, in characters.
const TEXT_MAX: usize = 500;

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
        report: told(report),
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

/// A report as a line of the log has it.
fn told(report: &Report) -> Value {
    let mut told = json!(report);
    for list in ["/failed", "/skipped", "/busy", "/notices/given_up", "/notices/down"] {
        let Some(list) = told.pointer_mut(list).and_then(Value::as_array_mut) else { continue };
        list.truncate(TOLD_MAX);
        for field in list.iter_mut().filter_map(Value::as_object_mut).flat_map(serde_json::Map::values_mut) {
            // A hint may name all that a manifest is granted.
            if let Some(text) = field.as_str().filter(|text| text.chars().count() > TEXT_MAX) {
                *field = json!(text.chars().take(TEXT_MAX).chain("..".chars()).collect::<String>());
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use latchkey::token::TokenKey;

    use super::*;
    use crate::job::Trouble;

    #[test]
    fn a_line_of_many_failures_fits_a_log_and_its_metrics_count_all_of_them() {
        let token = TokenKey::new("ci".parse().unwrap(), "api".parse().unwrap());
        let trouble = Trouble::new(&"acme".parse().unwrap(), &token, "x".repeat(1000));
        let report =
            Report { failed: vec![trouble.clone(); 10_000], skipped: vec![trouble; 10_000], ..Report::default() };
        let done = done(&report, jiff::Timestamp::UNIX_EPOCH);
        assert!(done.report.to_string().len() < 200_000);
        assert!(done.metrics.contains(&("failed", "Count", 10_000.0)) && !done.is_good);
    }
}
