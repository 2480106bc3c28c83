//! `provision apply` and `provision rotate`: one engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::name::TokenName;
use serde_json::json;

use super::arguments::{Allow, Apply, How, Rotate as RotateArguments};
use super::exit::{Code, Fault};
use super::open::Absent;
use super::plan::{options, warn};
use super::{lock, open};
use crate::apply::{Outcome, Run, apply as carry_out};
use crate::machine;
use crate::manifest::Manifest;
use crate::observe::observe;
use crate::output::{Format, Printer, Progress, outcome_json, plan_json};
use crate::plan::{self, Labels, Options, Plan, Rotate};
use crate::service::Client;
use crate::sinks::registry::Sinks;

/// How often a run goes over everything, when a place has to be mended at once.
const PASSES: usize = 3;

/// Makes the service and all places what the manifest declares.
pub(super) async fn apply(printer: Printer, service: Option<&str>, arguments: &Apply) -> Result<Code, Fault> {
    let may = options(&arguments.may, Rotate::Due);
    run(printer, service, (&arguments.file, &arguments.allow), &arguments.how, arguments.plan_id.as_deref(), may).await
}

/// Rotates what is due, the named tokens, or all.
pub(super) async fn rotate(
    printer: Printer,
    service: Option<&str>,
    arguments: &RotateArguments,
) -> Result<Code, Fault> {
    let mut words = arguments.words.clone();
    let is_file = words.first().is_some_and(|word| {
        std::path::Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
    });
    let file = if is_file { PathBuf::from(words.remove(0)) } else { PathBuf::from("tokens.toml") };
    let manifest = open::load(Printer { format: Format::Json }, &file, &arguments.allow)?;
    let names = named(&manifest, &words)?;
    let rotate = match (arguments.all, names.is_empty()) {
        (true, _) => Rotate::All,
        (false, true) => Rotate::Due,
        (false, false) => Rotate::Named(names),
    };
    let forget = arguments.forget.iter().cloned().collect();
    let may = Options { rotate, force_retire: arguments.force_retire, forget, ..Options::default() };
    run(printer, service, (&file, &arguments.allow), &arguments.how, None, may).await
}

fn named(manifest: &Manifest, words: &[String]) -> Result<BTreeSet<TokenName>, Fault> {
    let mut names = BTreeSet::new();
    for word in words {
        let found = manifest.tokens.iter().find(|token| token.name.as_str() == word);
        let Some(token) = found else {
            let near = manifest
                .tokens
                .iter()
                .map(|token| (strsim::damerau_levenshtein(token.name.as_str(), word), token))
                .filter(|(distance, _)| *distance <= 1 + word.len() / 5)
                .min_by_key(|(distance, _)| *distance);
            let fault = Fault::new(format!("`{}` declares no token `{word}`", manifest.path.display()));
            return Err(match near {
                Some((_, token)) => fault.hint(format!("did you mean `{}`?", token.name)),
                None => fault.hint("see `provision status` for its tokens"),
            });
        };
        names.insert(token.name.clone());
    }
    Ok(names)
}

async fn run(
    printer: Printer,
    service: Option<&str>,
    (file, allow): (&std::path::Path, &Allow),
    how: &How,
    plan_id: Option<&str>,
    may: Options,
) -> Result<Code, Fault> {
    let manifest = open::load(printer, file, allow)?;
    let address = open::address(service, Some(&manifest))?;
    let client = open::client(&address, Absent::Make).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let lease = lock::lease(printer, (&address, &client), &manifest.name, how, &stop).await?;
    let ended = leased(printer, (&client, &manifest), how, plan_id, may, &stop).await;
    lease.free().await;
    ended
}

/// A run that holds its lease.
async fn leased(
    printer: Printer,
    (client, manifest): (&Client, &Manifest),
    how: &How,
    plan_id: Option<&str>,
    mut may: Options,
    stop: &Arc<AtomicBool>,
) -> Result<Code, Fault> {
    check_revision(client, manifest, how).await?;
    warn(printer, manifest);
    let machine = machine::name();
    let sinks = Sinks::new(manifest, &machine);
    let labels = Labels::new(&manifest.folder, &machine);
    stop_on_interrupt(printer, stop.clone());
    let mut total = Outcome::default();
    let mut last: Option<Plan> = None;
    let mut changed = false;
    for pass in 1..=PASSES {
        // What an earlier pass did stays done, so whatever stops a later one leaves the run partly done.
        let partly = |fault: Fault| if pass == 1 { fault } else { fault.code(Code::Partly) };
        let observation = observe(client, &sinks, manifest).await.map_err(|error| partly(error.into()))?;
        let faults = plan::faults(manifest, &observation);
        if !faults.is_empty() {
            return Err(partly(open::refuse(printer, manifest, &faults)));
        }
        let plan = plan::plan(manifest, &observation, &may);
        check_places(&plan, &may)?;
        check_plan(printer, &plan, plan_id.filter(|_| pass == 1), &labels).map_err(partly)?;
        if pass == 1 && (plan.has_changes() || how.revision.is_some()) {
            client.note_applied(&manifest.name, how.revision).await?;
        }
        let progress = Progress::new(printer);
        let run = Run { client, sinks: &sinks, manifest, options: &may, labels: &labels, reporter: &progress, stop };
        let outcome = carry_out(&run, &plan, &observation).await;
        progress.finish();
        let outcome = outcome.map_err(|error| {
            let fault = Fault::from(error);
            let first = fault.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
            fault.hint(format!("{first}what was done stays done; run it again to go on")).code(Code::Partly)
        })?;
        changed |= plan.has_changes();
        last = Some(plan);
        total.waiting += outcome.waiting;
        total.done += outcome.done;
        total.stopped |= outcome.stopped;
        total.failures = outcome.failures;
        if !outcome.again || total.stopped || pass == PASSES {
            break;
        }
        // What was asked for is under way; a second pass only mends.
        may.rotate = Rotate::Due;
    }
    finish(printer, last.as_ref(), changed, &total, &labels)
}

/// `--forget` takes ids that are recorded; anything else is a slip.
fn check_places(plan: &Plan, may: &Options) -> Result<(), Fault> {
    let known =
        |id: &str| plan.tokens.iter().any(|token| token.finds.iter().any(|(place, _)| place.id().as_str() == id));
    match may.forget.iter().find(|id| !known(id)) {
        None => Ok(()),
        Some(id) => Err(Fault::new(format!("no token of the manifest has a place `{id}`"))
            .hint("`provision status --format json` shows the ids of all places")),
    }
}

async fn check_revision(client: &Client, manifest: &Manifest, how: &How) -> Result<(), Fault> {
    let (Some(revision), Some(last)) = (how.revision, client.applied(&manifest.name).await?) else { return Ok(()) };
    if revision < last && !how.force_revision {
        return Err(Fault::new(format!(
            "revision {revision} of `{}` is older than {last}, the last one applied",
            manifest.name
        ))
        .hint("apply the newer one, or say `--force-revision` to go back")
        .code(Code::Guard));
    }
    Ok(())
}

/// Shows the plan, and stops where a guard or a stale plan says so.
fn check_plan(printer: Printer, plan: &Plan, plan_id: Option<&str>, labels: &Labels) -> Result<(), Fault> {
    if let Some(wanted) = plan_id.filter(|wanted| *wanted != plan.id()) {
        return Err(Fault::new(format!("the plan is {} by now, not {wanted}", plan.id()))
            .hint("nothing was changed; look at `provision plan` again")
            .code(Code::Busy));
    }
    if printer.format == Format::Text {
        printer.lines(&plan::lines(plan, labels))?;
        printer.result(&plan::summary(plan))?;
    }
    if let Some(guard) = plan.guards.first() {
        return Err(Fault::new(guard.to_string())
            .hint(format!("nothing was changed; {}", guard.hint()))
            .code(Code::Guard));
    }
    Ok(())
}

fn finish(
    printer: Printer,
    plan: Option<&Plan>,
    changed: bool,
    total: &Outcome,
    labels: &Labels,
) -> Result<Code, Fault> {
    let blocked = plan.is_some_and(Plan::is_blocked);
    let good = total.failures.is_empty() && !blocked && !total.stopped;
    if printer.format == Format::Json {
        let plan = plan.map(|plan| plan_json(plan, labels));
        printer.json(&json!({ "plan": plan, "result": outcome_json(total) }))?;
    } else if changed && good {
        printer.result(&format!("Done: {} changed", total.done))?;
    } else if !good {
        let left = total.failures.len()
            + plan.map_or(0, |plan| plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count());
        let left = if left == 1 { "1 left as it was".to_owned() } else { format!("{left} left as they were") };
        printer.result(&format!("Partly done: {} changed, {left}", total.done))?;
    }
    if total.stopped {
        printer.talk("stopped; no place was left half-written. Run it again to go on");
    }
    Ok(if good { Code::Done } else { Code::Partly })
}

/// Ctrl-C lets the pushes in flight end; a second one ends the process.
fn stop_on_interrupt(printer: Printer, seen: Arc<AtomicBool>) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            seen.store(true, Ordering::Relaxed);
            printer.talk("stopping after the pushes in flight; once more to stop at once");
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            #[expect(clippy::exit, reason = "who asks twice wants no waiting")]
            std::process::exit(130);
        }
    });
}
