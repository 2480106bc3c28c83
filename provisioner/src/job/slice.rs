//! A slice of what is due: planned and applied as any run does it, and put off where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::service::{Caller, Grant, Publication, PutOffError, Service};
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkSet;

use super::restricted::Restricted;
use super::{Job, Report, Trouble, declared, is_as_applied};
use crate::apply::{Run, apply};
use crate::manifest::{Manifest, TokenDeclaration, granted};
use crate::observe::observe;
use crate::observe::preparing::refusals;
use crate::plan::{self, Labels, Note, Options, Plan, TokenPlan, Tone};
use crate::publication;
use crate::service::ServiceError;

/// How many tokens are worked on at once: what a crash can leave staged, and what memory contains, is bounded by it.
pub(super) const SLICE: usize = 200;

/// How many passes a slice takes, when a place has to be repaired at once.
const PASSES: usize = 3;

/// A rotation that has been due for longer is overdue.
const OVERDUE: Seconds = Seconds::days(1);

/// How it went with the tokens of a slice.
#[derive(Default)]
struct Went {
    /// When those that wait go on, where that is known.
    waiting: BTreeMap<TokenKey, Option<Timestamp>>,
    failed: BTreeSet<TokenKey>,
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
        let (keys, failed): (Vec<TokenKey>, usize) = (tokens.iter().map(Token::key).collect(), report.failed.len());
        let rows = service.published_of(name, &keys).await?;
        let rows: BTreeMap<TokenKey, String> = rows.into_iter().map(|row| (row.key(), row.push)).collect();
        let texts = rows.iter().map(|(token, push)| (token, push.as_str()));
        let mut went = Went::default();
        match publication::read(name, &publication.sinks, texts) {
            Err(faults) => {
                let why = faults.first().map_or_else(String::new, |fault| format!(": {}", fault.message));
                for token in &keys {
                    let reason = format!("what `{name}` has published cannot be read{why}");
                    report.failed.push(Trouble::new(name, token, reason).hint("publish it again: `provision publish`"));
                }
            }
            Ok(published) => {
                for (token, faults) in &published.refused {
                    let why = faults.first().map_or_else(String::new, |fault| format!(": {}", fault.message));
                    let trouble = Trouble::new(name, token, format!("its published pushes cannot be read{why}"));
                    report.failed.push(trouble.hint("publish it again: `provision publish`"));
                }
                let refused = published.refused.keys().cloned().collect();
                let manifest = declared(name, published, tokens);
                let absent = keys.iter().filter(|key| !rows.contains_key(*key));
                for token in absent {
                    let reason =
                        "it is not published: the job cannot reach one of its places, or nobody has published it yet";
                    report.skipped.push(Trouble::new(name, token, reason).hint("`provision publish` says which"));
                }
                let grant = service.manifest(name).await?.and_then(|record| record.grant).unwrap_or_default();
                went = self.run(manifest, tokens, (&grant, &refused), report).await?;
            }
        }
        went.failed.extend(report.failed[failed..].iter().map(|trouble| trouble.token.clone()));
        self.put_off((service, caller), (name, tokens), &went, report).await
    }

    /// Plans and applies what may be done.
    async fn run(
        &self,
        mut manifest: Manifest,
        tokens: &[Token],
        (grant, refused): (&Grant, &BTreeSet<TokenKey>),
        report: &mut Report,
    ) -> Result<Went, ServiceError> {
        let sinks = (self.reach)(&manifest);
        let sinks: &dyn SinkSet = &*sinks;
        self.keep(&mut manifest, (tokens, refused), (sinks, grant), report).await;
        let labels = Labels::new(&manifest.folder, sinks.machine());
        let (mut went, mut done) = (Went::default(), 0);
        if manifest.tokens.is_empty() {
            return Ok(went);
        }
        let wanted = manifest.tokens.iter().map(TokenDeclaration::key);
        let client = Restricted::new(self.client.protocol(), wanted.collect());
        let mut options = Options::default();
        for pass in 1..=PASSES {
            let observation = observe(&client, sinks, &manifest).await?;
            if let Some(fault) = plan::faults(&manifest, &observation).first() {
                fail_all(&manifest, &fault.message, (&mut went, report));
                break;
            }
            let mut plan = plan::plan(&manifest, &observation, &options);
            let refused = refusals(sinks, plan.tokens.iter().flat_map(TokenPlan::targets)).await;
            plan::refuse(&mut plan, &refused);
            if let Some(guard) = plan.guards.first() {
                fail_all(&manifest, &guard.to_string(), (&mut went, report));
                break;
            }
            note(&plan, &mut went);
            let (client, options) = (&client, &mut options);
            let run = Run {
                client,
                sinks,
                manifest: &manifest,
                options,
                labels: &labels,
                reporter: self.reporter,
                stop: self.stop,
            };
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

    /// Leaves out what the job must not touch, before anything is looked at: tokens whose published places are not those
    /// that they are recorded with, and those with a place that the manifest's grant does not contain.
    async fn keep(
        &self,
        manifest: &mut Manifest,
        (tokens, refused): (&[Token], &BTreeSet<TokenKey>),
        (sinks, grant): (&dyn SinkSet, &Grant),
        report: &mut Report,
    ) {
        let mut kept = Vec::new();
        for declaration in std::mem::take(&mut manifest.tokens) {
            let key = declaration.key();
            let Some(record) = tokens.iter().find(|token| token.key() == key) else { continue };
            let foreign = record.places.values().find(|recorded| !grant.allows_entry(&recorded.place));
            if let Some(foreign) = foreign {
                report.skipped.push(not_granted(&manifest.name, &key, &foreign.place.entry(), grant));
                continue;
            }
            match is_as_applied(sinks, &declaration, record).await {
                Err(error) => report.failed.push(Trouble::new(&manifest.name, &key, error.to_string())),
                Ok(false) => {
                    let reason = "its published places are not those that it was applied with";
                    let hint = "apply and publish the same manifest: `provision apply --publish`";
                    report.skipped.push(Trouble::new(&manifest.name, &key, reason).hint(hint));
                }
                Ok(true) if !refused.contains(&key) => kept.push(declaration),
                Ok(true) => {}
            }
        }
        manifest.tokens = kept;
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
            report.overdue += usize::from(still && token.due().is_some_and(|due| OVERDUE.after(due) <= now));
            let failed_before = was.and_then(|was| was.retry).is_some_and(|retry| !retry.waits);
            report.failed_again += usize::from(failed && failed_before);
            if self.is_stopped() && !failed {
                continue;
            }
            let is_due = token.next_step().is_some_and(|due| due <= now);
            if !still || !(is_due || failed) {
                continue;
            }
            report.oldest = report.oldest.into_iter().chain(token.earliest_deadline()).min();
            let until = went.waiting.get(&token.key()).copied().flatten();
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

/// That an entry is not granted, and what an admin runs: what a grant is set to replaces what it was.
fn not_granted(manifest: &ManifestName, token: &TokenKey, entry: &str, grant: &Grant) -> Trouble {
    let added = entry.parse().ok().map(|entry| Grant { entries: BTreeSet::from([entry]), ..Grant::default() });
    let command = added.map(|added| granted::command(manifest, &granted::with(grant.clone(), &added)));
    let hint = command.map_or_else(
        || format!("an admin grants the beginning of it: `provision manifest grant {manifest} ..`"),
        |command| format!("an admin adds it: `{command}`"),
    );
    Trouble::new(manifest, token, format!("the grant of `{manifest}` does not contain the entry `{entry}`")).hint(hint)
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

/// Notes which tokens wait.
fn note(plan: &Plan, went: &mut Went) {
    for token in &plan.tokens {
        let key = token.key();
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
