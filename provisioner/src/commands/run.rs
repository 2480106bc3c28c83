//! A run: it takes the lease, observes, plans, applies and reports what it did.

mod done;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::future::LocalBoxFuture;
use latchkey::api::wire::Applied;
use latchkey::name::ManifestName;
use latchkey::token::TokenKey;

use super::agree::{self, Answer};
use super::arguments::RunFlags;
use super::consent::declined;
use super::exit::{Code, Fault};
use super::interrupt::stop_on_interrupt;
use super::leases::Leases;
use super::open::IfMissing;
use super::plan::{tell_forgotten, warn};
use super::saved::{self, Saved};
use super::{choose, clock, forget, open, promise, publish, settings};
use crate::apply::{Outcome, Run, apply as carry_out};
use crate::manifest::{Manifest, ServiceAddress};
use crate::observe::observe;
use crate::output::{Format, LOOKING, Printer, Progress, Spinner, actions};
use crate::plan::{self, Labels, Options, Plan};
use crate::service::{Client, ServiceError};
use done::{Done, Publishing};
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::machine;
use latchkey_sinks::reading::Allowances;

/// How many passes a run makes, when a place has to be repaired at once.
const PASSES: usize = 3;

/// What a run is to do.
pub(super) struct RunRequest<'a> {
    pub(super) how: &'a RunFlags,
    pub(super) may: Options,
    /// The tokens it is about, as they were named.
    pub(super) only: &'a [String],
    /// The tokens that it leaves alone for now, `user/name`: they failed lately.
    pub(super) pausing: &'a BTreeSet<String>,
    /// The machines whose places it forgets, as they were named.
    pub(super) machines: &'a [String],
    /// The id that its plan must have.
    pub(super) plan_id: Option<&'a str>,
    /// The plan that it must have.
    pub(super) saved: Option<Saved>,
    /// Whether a person is asked before anything is deleted.
    pub(super) asks: bool,
    /// Whether the manifest is published after a run that ended well.
    pub(super) publish: bool,
    /// Whether it sends notices at its end, and to which hosts beside public ones.
    pub(super) notify: Option<&'a Allowances>,
}

/// How a run went.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Code,
    /// The tokens that it failed at, `user/name`.
    pub(super) failed: BTreeSet<String>,
}

/// The service that a run asks, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) address: &'a ServiceAddress,
    pub(super) client: &'a Client,
}

/// How a run that has its leases went.
enum Leased {
    Done(Box<Done>),
    /// A person said no to it. Nothing was done.
    Declined,
    /// It takes tokens from these manifests, each named with one of the tokens, whose leases it does not have yet.
    /// Nothing was done.
    Needs(BTreeMap<ManifestName, TokenKey>),
}

/// Takes the leases and does it, until it is interrupted.
pub(super) fn run<'a>(
    printer: Printer,
    service: Option<&'a str>,
    manifest: &'a Manifest,
    wish: RunRequest<'a>,
) -> LocalBoxFuture<'a, Result<Code, Fault>> {
    Box::pin(until_interrupted(printer, service, manifest, wish))
}

async fn until_interrupted(
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
    if wish.notify.is_some() || wish.publish {
        settings::switch_on(printer, &client, manifest).await?;
    }
    let at = At { address: &address, client: &client };
    run_until(printer, at, manifest, wish, &Stop::Interrupted(Arc::default())).await.map(|ended| ended.code)
}

/// What stops a run.
#[derive(Debug)]
pub(super) enum Stop {
    /// A signal, which the run itself watches for once it has its leases.
    Interrupted(Arc<AtomicBool>),
    /// Whoever set it.
    Told(Arc<AtomicBool>),
}

impl Stop {
    fn flag(&self) -> &Arc<AtomicBool> {
        match self {
            Self::Interrupted(flag) | Self::Told(flag) => flag,
        }
    }
}

/// The same, on a service that is open.
pub(super) fn run_until<'a>(
    printer: Printer,
    at: At<'a>,
    manifest: &'a Manifest,
    wish: RunRequest<'a>,
    stop: &'a Stop,
) -> LocalBoxFuture<'a, Result<Ended, Fault>> {
    // On the heap: it is large, and would be compiled anew in each place that waits for it.
    Box::pin(until_stopped(printer, at, manifest, wish, stop))
}

async fn until_stopped(
    printer: Printer,
    at: At<'_>,
    manifest: &Manifest,
    mut wish: RunRequest<'_>,
    stop: &Stop,
) -> Result<Ended, Fault> {
    let mut sources = BTreeMap::new();
    loop {
        let whose = (&manifest.name, &sources);
        let leases = Leases::take(printer, (at.address, at.client), whose, wish.how, stop.flag()).await?;
        let ended = leased(printer, (at.client, manifest), (&mut wish, &sources), stop).await;
        leases.free().await;
        match ended? {
            Leased::Done(done) => return done.end(printer, (at.client, manifest), wish.notify, stop.flag()).await,
            Leased::Declined => return Ok(Ended { code: declined(printer)?, failed: BTreeSet::new() }),
            // All are given back first, as those of earlier names come first.
            Leased::Needs(more) => sources.extend(more),
        }
    }
}

/// A run that has its leases.
async fn leased(
    printer: Printer,
    (client, manifest): (&Client, &Manifest),
    (wish, sources): (&mut RunRequest<'_>, &BTreeMap<ManifestName, TokenKey>),
    stop: &Stop,
) -> Result<Leased, Fault> {
    let how = wish.how;
    clock::accept(printer, client, &how.clock).await?;
    check_revision(client, manifest, how).await?;
    if let (true, Stop::Interrupted(flag)) = (sources.is_empty(), stop) {
        stop_on_interrupt(printer, flag.clone());
    }
    let stop = stop.flag();
    let machine = machine::name();
    let sinks = ManifestSinks::new(&manifest.sinks, &machine, &manifest.bounds).forgetting(&wish.may.forget_branches);
    let labels = Labels::new(&manifest.folder, &machine);
    let mut total = Outcome::default();
    let mut last: Option<Plan>;
    let mut changed = false;
    let mut agreed: Option<String> = None;
    let mut pass = 1;
    loop {
        // What an earlier pass did stays done, so whatever stops a later one leaves the run partly done.
        let partly = |fault: Fault| if pass == 1 { fault } else { fault.code(Code::Partly) };
        let observing = observe(client.protocol(), &sinks, manifest);
        let observed = Spinner::during(printer, LOOKING, observing).await;
        let mut observation = observed.map_err(|error| partly(error.into()))?;
        if pass == 1 {
            let more = observation.sources(manifest);
            if more.keys().any(|source| !sources.contains_key(source)) {
                return Ok(Leased::Needs(more));
            }
        }
        let named = forget::other_files(&mut observation, &wish.may.forget);
        let faults = plan::faults(manifest, &observation);
        if !faults.is_empty() {
            return Err(partly(open::refuse(printer, manifest, &faults)));
        }
        if pass == 1 && !wish.only.is_empty() {
            wish.may.only = choose::tokens(manifest, &choose::undeclared(&observation), wish.only)?;
        }
        if pass == 1 && !wish.pausing.is_empty() {
            wish.may.only = choose::all_but(manifest, &observation, wish.pausing);
        }
        if pass == 1 {
            forget::machines(printer, &observation, &mut wish.may, wish.machines)?;
        }
        let may = &wish.may;
        if pass == 1 && agreed.is_none() {
            tell_forgotten(printer, &sinks, may);
        }
        let mut plan = plan::plan(manifest, &observation, may);
        promise::keep(&mut plan, (client, &sinks), (manifest, &observation)).await.map_err(partly)?;
        if pass == 1 {
            if agreed.is_none() {
                warn(printer, manifest, &plan);
            }
            // What a saved plan forgets was checked when it was made, and it has to be the same.
            if wish.saved.is_none() {
                forget::check(&plan, &observation, (may, &named), &labels)?;
            }
            check_stale(wish, saved::Made { plan: &plan, manifest, labels: &labels })?;
        }
        if agreed.as_ref() != Some(&plan.id()) {
            show(printer, manifest, &plan, &labels).map_err(partly)?;
            if pass == 1 && wish.asks {
                match agree::agree(printer, &plan, stop)? {
                    Answer::Unasked => {}
                    Answer::No => return Ok(Leased::Declined),
                    Answer::Yes => {
                        // Whoever was asked may have taken an hour: what was seen before it is not what is there.
                        agreed = Some(plan.id());
                        continue;
                    }
                }
            }
        }
        if pass == 1 {
            let applied = applied(manifest, how);
            let is_noted = plan.has_changes() || how.revision.is_some();
            // The scheduled job has no file: without the window it would take what waits for overdue.
            if is_noted || client.window(&manifest.name).await? != applied.window {
                client.note_applied(&manifest.name, applied).await?;
            }
        }
        let progress = Progress::new(printer);
        let client = client.protocol();
        let run = Run { client, sinks: &sinks, manifest, options: may, labels: &labels, reporter: &progress, stop };
        let outcome = carry_out(&run, &plan, &observation).await;
        progress.finish();
        let outcome = outcome.map_err(|error| cut_short(error, total.done > 0 || progress.has_done()))?;
        changed |= plan.has_changes();
        last = Some(plan);
        total.waiting += outcome.waiting;
        total.done += outcome.done;
        total.stopped |= outcome.stopped;
        total.failures = outcome.failures;
        if !outcome.another_pass || total.stopped || pass == PASSES {
            break;
        }
        wish.may.begin_another_pass();
        pass += 1;
        agreed = None;
    }
    let mut done = Done { plan: last, changed, total, labels, publishing: Publishing::Unwanted };
    if wish.publish {
        done.publishing = if done.code() == Code::Done {
            Publishing::Tried(
                publish::publish(client, manifest, (how.revision, how.force_revision)).await.map(Box::new),
            )
        } else {
            Publishing::LeftOut
        };
    }
    Ok(Leased::Done(Box::new(done)))
}

/// What is recorded of a manifest when it is applied.
pub(super) fn applied(manifest: &Manifest, how: &RunFlags) -> Applied {
    Applied { revision: how.revision, window: manifest.rotation.window.as_ref().map(ToString::to_string) }
}

/// Refuses an older revision of the manifest than the last one applied.
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

/// Stops where the plan is another than the one that was read.
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

/// Shows the plan, and stops where a guard stops it.
fn show(printer: Printer, manifest: &Manifest, plan: &Plan, labels: &Labels) -> Result<(), Fault> {
    if printer.format == Format::Text {
        actions::grouped(printer, &format!("Plan of {}", plan.manifest), &printer.lines_of(plan, labels))?;
        printer.result(&plan::summary(plan))?;
    }
    actions::plan(manifest, plan, labels);
    if let Some(guard) = plan.guards.first() {
        // No flag lets a run pass that is not granted what it needs.
        let code = if matches!(guard, plan::Stop::NotGranted { .. }) { Code::Error } else { Code::Guard };
        return Err(Fault::new(guard.to_string()).hint(format!("nothing was changed; {}", guard.hint())).code(code));
    }
    Ok(())
}

/// A role or user could not be written, which stops the run: tokens depend on them.
fn cut_short(error: ServiceError, has_done: bool) -> Fault {
    let is_refused = matches!(error, ServiceError::Refused(_));
    let fault = Fault::from(error);
    if is_refused && !has_done {
        let hint = fault.hint.clone().map(|hint| format!("; {hint}")).unwrap_or_default();
        return fault.hint(format!("nothing was changed{hint}"));
    }
    let first = fault.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
    fault.hint(format!("{first}completed changes are kept; run it again to continue")).code(Code::Partly)
}
