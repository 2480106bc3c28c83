//! `provision rotate --published`: one turn of the scheduled job, run by hand or by a process of one's own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey_sinks::machine;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::Allowances;

use super::exit::{Code, Fault};
use super::notices;
use super::open::{self, IfMissing};
use crate::job::{DRIFT_PLACES, Job, Report, Trouble, declared_sinks};
use crate::output::{Format, Printer, Progress};
use crate::service::remote::request_id;

/// One turn over everything that is due.
pub(super) async fn run(
    printer: Printer,
    service: Option<&str>,
    allowances: &Allowances,
    stop: &Arc<AtomicBool>,
) -> Result<Code, Fault> {
    let client = open::nearest(service, IfMissing::Fail).await?;
    if client.operated().is_none() {
        return Err(Fault::new("this needs the table of the service, not a server")
            .hint("pass the table itself: `--service table:NAME` or `--service embedded:FILE`"));
    }
    let (progress, machine) = (Progress::new(printer), machine::name());
    let (holder, drift) = (request_id(), DRIFT_PLACES);
    let reach = declared_sinks(&machine);
    let job = Job { client: &client, holder: &holder, reach: &reach, reporter: &progress, stop, drift, allowances };
    let report = job.turn().await;
    progress.finish();
    let report = report?;
    match printer.format {
        Format::Json => printer.json(&serde_json::json!(report))?,
        Format::Text | Format::Markdown => show(printer, &report)?,
    }
    Ok(match () {
        () if report.is_good() => Code::Done,
        () if report.done > 0 => Code::Partly,
        () => Code::Error,
    })
}

fn show(printer: Printer, report: &Report) -> Result<(), Fault> {
    for Trouble { manifest, token, reason, hint } in &report.failed {
        printer.error(&format!("token `{token}` of `{manifest}`: {reason}"), hint.as_deref());
    }
    for Trouble { manifest, token, reason, hint } in &report.skipped {
        let hint = hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        printer.warning(&format!("token `{token}` of `{manifest}` is skipped: {reason}{hint}"));
    }
    for manifest in &report.busy {
        printer.talk(&format!("another run applies `{manifest}`: what is due of it comes at the next turn"));
    }
    notices::show(printer, &report.notices);
    let mut parts = vec![format!("{} of {} in sync", report.done, count(report.due, "due token"))];
    let mut add = |number: usize, words: &str| {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    };
    add(report.rotated, "rotated");
    add(report.waiting, "waiting");
    add(report.repaired, "repaired of which nothing was due");
    add(report.expired, "expired for good");
    add(report.failed.len(), "failed");
    add(report.skipped.len(), "skipped");
    add(report.unpublished, "of manifests that publish nothing");
    let word = match report {
        report if report.is_good() && report.due == 0 && report.repaired == 0 => {
            return Ok(printer.result("Nothing is due")?);
        }
        report if report.is_good() => "Done",
        _ => "Incomplete",
    };
    printer.result(&format!("{word}: {}", parts.join(", ")))?;
    if report.stopped {
        printer.talk("stopped: no entry was left half-written; the next turn continues");
    }
    Ok(())
}
