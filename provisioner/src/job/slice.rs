//! A slice of what is due: planned and applied as any run does it, and put off where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::service::{Caller, Publication, PutOffError, Service};
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkSet;

use super::allowed::Allowed;
use super::restricted::Restricted;
use super::{Job, Report, Trouble};
use crate::apply::{Run, apply};
use crate::manifest::Manifest;
use crate::observe::preparing::refusals;
use crate::observe::{Observation, observe};
use crate::plan::{self, Labels, Note, Options, Plan, TokenPlan, Tone};
use crate::service::ServiceError;

/// How many tokens are worked on at once: what a crash can leave staged, and what memory contains, is bounded by it.
pub(super) const SLICE: usize = 200;

/// How many passes a slice takes, when a place has to be repaired at once.
const PASSES: usize = 3;

/// How it went with the tokens of a slice.
#[derive(Default)]
struct Went {
    /// When those that wait go on, where that is known.
    waiting: BTreeMap<TokenKey, Option<Timestamp>>,
    failed: BTreeSet<TokenKey>,
    /// Those that were to be changed: a turn that has to stop may not have come to them.
    changing: BTreeSet<TokenKey>,
}

impl Job<'_> {
    /// Brings some tokens of a manifest in sync, and puts off what remains due.
    pub(super) async fn slice(
        &self,
        (service, caller): (&Service, &Caller),
        publication: &Publication,
        (name, tokens): (&ManifestName, &[Token]),
        report: &mut Report,
    ) -> Result<(), ServiceError> {
        self.slice_with((service, caller), publication, (name, tokens), Options::default(), report).await
    }

    /// The same with options of the plan's.
    pub(super) fn slice_with<'a>(
        &'a self,
        of: (&'a Service, &'a Caller),
        publication: &'a Publication,
        tokens: (&'a ManifestName, &'a [Token]),
        options: Options,
        report: &'a mut Report,
    ) -> LocalBoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(self.slice_by(of, publication, tokens, options, report))
    }

    async fn slice_by(
        &self,
        (service, caller): (&Service, &Caller),
        publication: &Publication,
        (name, tokens): (&ManifestName, &[Token]),
        options: Options,
        report: &mut Report,
    ) -> Result<(), ServiceError> {
        let failed = report.failed.len();
        let mut went = match self.allowed(service, publication, (name, tokens), report).await? {
            Some(allowed) => self.run(&allowed, options, report).await?,
            None => Went::default(),
        };
        went.failed.extend(report.failed[failed..].iter().map(|trouble| trouble.token.clone()));
        self.put_off((service, caller), (name, tokens), &went, report).await
    }

    /// Plans and applies what may be done.
    async fn run(&self, allowed: &Allowed, mut options: Options, report: &mut Report) -> Result<Went, ServiceError> {
        let Allowed { manifest, sinks } = allowed;
        let sinks: &dyn SinkSet = &**sinks;
        let labels = Labels::new(&manifest.folder, sinks.machine());
        let (mut went, mut done) = (Went::default(), 0);
        let client = allowed.client(self.client.protocol());
        for pass in 1..=PASSES {
            let (observation, plan) = match planned(&client, sinks, manifest, &options).await? {
                Ok(planned) => planned,
                Err(reason) => {
                    fail_all(manifest, &reason, (&mut went, report));
                    break;
                }
            };
            note(&plan, &mut went);
            let (client, options) = (&client, &mut options);
            let run =
                Run { client, sinks, manifest, options, labels: &labels, reporter: self.reporter, stop: self.stop };
            let outcome = apply(&run, &plan, &observation).await?;
            done += outcome.done;
            if !outcome.another_pass || outcome.stopped || pass == PASSES {
                // What a stopped turn did not come to stays due, and is no failure.
                for failure in outcome.failures.iter().filter(|failure| !failure.is_stop()) {
                    let Some(token) = client.tokens.iter().find(|token| failure.subject == token.to_string()) else {
                        continue;
                    };
                    went.failed.insert(token.clone());
                    let reason = format!("{}; {}", failure.message, failure.state);
                    report.failed.push(Trouble::new(&manifest.name, token, reason).hint(&failure.hint));
                }
                blocked(&plan, &labels, (&mut went, report));
                break;
            }
            options.begin_another_pass();
        }
        report.done += done;
        report.waiting += went.waiting.len();
        Ok(went)
    }

    /// Puts tokens off as what failed, where nothing more could be done to them.
    pub(super) async fn put_off_failed(
        &self,
        of: (&Service, &Caller),
        (manifest, tokens): (&ManifestName, &[Token]),
        report: &mut Report,
    ) -> Result<(), ServiceError> {
        let went = Went { failed: tokens.iter().map(Token::key).collect(), ..Went::default() };
        self.put_off(of, (manifest, tokens), &went, report).await
    }

    /// What is still due, and what failed although nothing was due, is tried again after a pause; what the turn did not come
    /// to stays due.
    async fn put_off(
        &self,
        (service, caller): (&Service, &Caller),
        (manifest, before): (&ManifestName, &[Token]),
        went: &Went,
        report: &mut Report,
    ) -> Result<(), ServiceError> {
        let now = service.now();
        let keys: Vec<TokenKey> = before.iter().map(Token::key).collect();
        for token in service.holders(&keys).await? {
            let still = token.managed_by.as_ref() == Some(manifest) && token.ended.is_none();
            let was = before.iter().find(|was| was.id == token.id);
            report.rotated += usize::from(was.is_some_and(|was| is_newer(&token, was)));
            let failed = went.failed.contains(&token.key());
            let until = went.waiting.get(&token.key()).copied().flatten();
            let waits = until.is_some_and(|until| until > now);
            report.overdue += usize::from(still && !waits && token.overdue_at().is_some_and(|at| at <= now));
            let failed_before = was.and_then(|was| was.retry).is_some_and(|retry| !retry.waits);
            report.failed_again += usize::from(failed && failed_before);
            if self.is_stopped() && !failed && went.changing.contains(&token.key()) {
                continue;
            }
            let is_due = token.next_step().is_some_and(|due| due <= now);
            if !still || !(is_due || failed) {
                continue;
            }
            report.oldest = report.oldest.into_iter().chain(token.earliest_deadline()).min();
            let until = until.filter(|_| !failed);
            match service.put_off(caller, &token, until).await {
                Ok(()) => {}
                Err(PutOffError::Table(error)) => return Err(error.into()),
                Err(error) => return Err(ServiceError::refused("denied", error.to_string())),
            }
        }
        Ok(())
    }
}

/// What is to be done, or why nothing is to any of the tokens.
pub(super) async fn planned(
    client: &Restricted<'_>,
    sinks: &dyn SinkSet,
    manifest: &Manifest,
    options: &Options,
) -> Result<Result<(Observation, Plan), String>, ServiceError> {
    let observation = observe(client, sinks, manifest).await?;
    if let Some(fault) = plan::faults(manifest, &observation).first() {
        return Ok(Err(fault.message.clone()));
    }
    let mut plan = plan::plan(manifest, &observation, options);
    let refused = refusals(sinks, plan.tokens.iter().flat_map(TokenPlan::targets)).await;
    plan::refuse(&mut plan, &refused);
    Ok(match plan.guards.first() {
        Some(guard) => Err(guard.to_string()),
        None => Ok((observation, plan)),
    })
}

/// Whether another version is current than was.
fn is_newer(token: &Token, was: &Token) -> bool {
    let current = |token: &Token| token.current().map(|version| version.number);
    current(token) > current(was)
}

/// Notes that nothing could be done to any of the tokens.
fn fail_all(manifest: &Manifest, reason: &str, (went, report): (&mut Went, &mut Report)) {
    for token in &manifest.tokens {
        let key = token.key();
        report.failed.push(Trouble::new(&manifest.name, &key, reason));
        went.failed.insert(key);
    }
}

/// Notes which tokens wait, and which are to be changed.
fn note(plan: &Plan, went: &mut Went) {
    for token in &plan.tokens {
        let key = token.key();
        if !token.changes.is_empty() {
            went.changing.insert(key.clone());
        }
        for note in &token.notes {
            match note {
                Note::WaitsForWindow { opens, .. } => drop(went.waiting.insert(key.clone(), Some(*opens))),
                Note::WaitsForRestarts { .. } => drop(went.waiting.insert(key.clone(), None)),
                _ => {}
            }
        }
    }
}

/// Notes which tokens something stands in the way of.
fn blocked(plan: &Plan, labels: &Labels, (went, report): (&mut Went, &mut Report)) {
    for token in plan.tokens.iter().filter(|token| !token.blocked.is_empty()) {
        let key = token.key();
        let mut remarks = plan::remarks(token, labels).into_iter().filter(|remark| remark.tone == Tone::Problem);
        if let Some(first) = remarks.next() {
            let trouble = Trouble::new(&plan.manifest, &key, first.text);
            report.failed.push(Trouble { hint: first.help, ..trouble });
        }
        went.failed.insert(key);
    }
}
