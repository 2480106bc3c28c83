//! `provision apply` and `provision rotate`: one engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::arguments::{Apply, Rotate as RotateArguments, RunFlags};
use super::choose;
use super::compromised;
use super::exit::{Code, Fault};
use super::interrupt::stop_on_interrupt;
use super::open::IfMissing;
use super::plan::{options, warn};
use super::saved::{self, Saved};
use super::{lock, open};
use crate::apply::{Outcome, Run, apply as carry_out};
use crate::machine;
use crate::manifest::Manifest;
use crate::observe::observe;
use crate::output::{Format, Printer, Progress, actions, markdown, outcome_json, plan_json};
use crate::plan::{self, Labels, Options, Plan, Rotate};
use crate::service::Client;
use crate::sinks::registry::ManifestSinks;

/// How often a run goes over everything, when a place has to be repaired at once.
const PASSES: usize = 3;

/// What a run is to do.
struct RunRequest<'a> {
    how: &'a RunFlags,
    may: Options,
    /// The tokens it is about, as they were named.
    only: &'a [String],
    /// The id that its plan must have.
    plan_id: Option<&'a str>,
    /// The plan that it must have.
    saved: Option<Saved>,
}

/// Creates, updates and rotates tokens so that everything matches the manifest.
pub(super) async fn apply(printer: Printer, service: Option<&str>, arguments: &Apply) -> Result<Code, Fault> {
    let saved = arguments.plan.as_deref().map(saved::read).transpose()?;
    let manifest = open::load(printer, &arguments.file, &arguments.allow)?;
    let may = match &saved {
        Some(saved) => saved.options()?,
        None => options(&manifest, &arguments.may, Rotate::Due)?,
    };
    let (how, plan_id) = (&arguments.how, arguments.plan_id.as_deref());
    let wish = RunRequest { how, may, only: &arguments.may.select.only, plan_id, saved };
    run(printer, service, &manifest, wish).await
}

/// Rotates what is due, the named tokens, or all; or replaces leaked secrets.
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
    let manifest = open::load(printer, &file, &arguments.allow)?;
    if !arguments.compromised.is_empty() {
        if let Some(word) = words.first() {
            return Err(Fault::new(format!("cannot combine `{word}` with `--compromised`")).hint(format!(
                "pass `--compromised {word}` if it has leaked too; rotate other tokens in a separate run"
            )));
        }
        return compromised::run(printer, service, &manifest, arguments).await;
    }
    let names = choose::tokens(&manifest, &[], &words)?;
    let rotate = match (arguments.all, names.is_empty()) {
        (true, _) => Rotate::All,
        (false, true) => Rotate::Due,
        (false, false) => Rotate::Named(names),
    };
    let may = Options {
        rotate,
        force_retire: arguments.force_retire,
        forget: arguments.forget.iter().cloned().collect(),
        allow_rotations: arguments.allow_rotations,
        sinks: choose::sinks(&manifest, &arguments.sink)?,
        ..Options::default()
    };
    let wish = RunRequest { how: &arguments.how, may, only: &arguments.only, plan_id: None, saved: None };
    run(printer, service, &manifest, wish).await
}

async fn run(
    printer: Printer,
    service: Option<&str>,
    manifest: &Manifest,
    wish: RunRequest<'_>,
) -> Result<Code, Fault> {
    let address = open::address(service, Some(manifest))?;
    if let Some(saved) = &wish.saved {
        saved.check(manifest, &address)?;
    }
    let client = open::client(&address, IfMissing::Create).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let lease = lock::lease(printer, (&address, &client), &manifest.name, wish.how, &stop).await?;
    let ended = leased(printer, (&client, manifest), wish, &stop).await;
    lease.free().await;
    ended
}

/// A run that holds its lease.
async fn leased(
    printer: Printer,
    (client, manifest): (&Client, &Manifest),
    mut wish: RunRequest<'_>,
    stop: &Arc<AtomicBool>,
) -> Result<Code, Fault> {
    let how = wish.how;
    check_revision(client, manifest, how).await?;
    warn(printer, manifest);
    let machine = machine::name();
    let sinks = ManifestSinks::new(&manifest.sinks, &machine);
    let labels = Labels::new(&manifest.folder, &machine);
    stop_on_interrupt(printer, stop.clone());
    let mut total = Outcome::default();
    let mut last: Option<Plan> = None;
    let mut changed = false;
    for pass in 1..=PASSES {
        // What an earlier pass did stays done, so whatever stops a later one leaves the run incomplete.
        let partly = |fault: Fault| if pass == 1 { fault } else { fault.code(Code::Partly) };
        let observation = observe(client, &sinks, manifest).await.map_err(|error| partly(error.into()))?;
        let faults = plan::faults(manifest, &observation);
        if !faults.is_empty() {
            return Err(partly(open::refuse(printer, manifest, &faults)));
        }
        if pass == 1 && !wish.only.is_empty() {
            wish.may.only = choose::tokens(manifest, &choose::undeclared(&observation), wish.only)?;
        }
        let may = &wish.may;
        let plan = plan::plan(manifest, &observation, may);
        check_places(&plan, may)?;
        if pass == 1 {
            check_stale(&wish, saved::Made { plan: &plan, manifest, labels: &labels })?;
        }
        show(printer, manifest, &plan, &labels).map_err(partly)?;
        if pass == 1 && (plan.has_changes() || how.revision.is_some()) {
            client.note_applied(&manifest.name, how.revision).await?;
        }
        let progress = Progress::new(printer);
        let run = Run { client, sinks: &sinks, manifest, options: may, labels: &labels, reporter: &progress, stop };
        let outcome = carry_out(&run, &plan, &observation).await;
        progress.finish();
        let outcome = outcome.map_err(|error| {
            let fault = Fault::from(error);
            let first = fault.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
            fault.hint(format!("{first}completed changes are kept; run it again to continue")).code(Code::Partly)
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
        // What was asked for is under way; a second pass only repairs.
        wish.may.rotate = Rotate::Due;
    }
    finish(printer, last.as_ref(), changed, &total, &labels)
}

/// `--forget` takes ids that are recorded; anything else is a slip.
fn check_places(plan: &Plan, may: &Options) -> Result<(), Fault> {
    let ids = || plan.tokens.iter().flat_map(|token| token.findings.iter().map(|(place, _)| place.id()));
    let known: BTreeSet<String> =
        if may.forget.is_empty() { BTreeSet::new() } else { ids().map(|id| id.to_string()).collect() };
    match may.forget.iter().find(|id| !known.contains(*id)) {
        None => Ok(()),
        Some(id) => Err(Fault::new(format!("no token of the manifest has the place `{id}`"))
            .hint("`provision status --format json` shows the ids of all places")),
    }
}

pub(super) async fn check_revision(client: &Client, manifest: &Manifest, how: &RunFlags) -> Result<(), Fault> {
    let (Some(revision), Some(last)) = (how.revision, client.applied(&manifest.name).await?) else { return Ok(()) };
    if revision < last && !how.force_revision {
        return Err(Fault::new(format!(
            "revision {revision} of `{}` is older than {last}, the last one applied",
            manifest.name
        ))
        .hint("apply the newer one, or pass `--force-revision` to go back")
        .code(Code::Guard));
    }
    Ok(())
}

/// Stops where the plan is stale.
fn check_stale(wish: &RunRequest<'_>, made: saved::Made<'_>) -> Result<(), Fault> {
    let id = made.plan.id();
    if let Some(saved) = wish.saved.as_ref().filter(|saved| saved.plan_id != id) {
        return Err(saved.stale(made));
    }
    if let Some(wanted) = wish.plan_id.filter(|wanted| *wanted != id) {
        return Err(Fault::new(format!("the plan is stale: its id is now `{id}`, not `{wanted}`"))
            .hint("nothing was changed; run `provision plan` again")
            .code(Code::Busy));
    }
    Ok(())
}

/// Shows the plan, and stops where a guard does.
fn show(printer: Printer, manifest: &Manifest, plan: &Plan, labels: &Labels) -> Result<(), Fault> {
    if printer.format == Format::Text {
        actions::grouped(printer, &format!("Plan of {}", plan.manifest), &plan::lines(plan, labels))?;
        printer.result(&plan::summary(plan))?;
    }
    actions::plan(printer, manifest, plan, labels);
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
    let failed = total.failures.len()
        + plan.map_or(0, |plan| plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count());
    let sum = if good {
        format!("Done: {} changed", total.done)
    } else {
        format!("Incomplete: {} changed, {failed} failed", total.done)
    };
    let unchanged = || plan.map_or_else(String::new, plan::summary);
    let page = markdown::outcome(&if good && !changed { unchanged() } else { sum.clone() }, plan, total, labels);
    match printer.format {
        Format::Json => {
            let plan = plan.map(|plan| plan_json(plan, labels));
            printer.json(&json!({ "plan": plan, "result": outcome_json(total) }))?;
        }
        Format::Markdown => printer.result(&page)?,
        Format::Text if changed || !good => printer.result(&sum)?,
        Format::Text => {}
    }
    actions::summarise(&page);
    if total.stopped {
        printer.talk("stopped: no entry was left half-written; run it again to continue");
    }
    Ok(if good { Code::Done } else { Code::Partly })
}
