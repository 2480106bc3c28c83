//! `provision rotate --compromised`: a secret has leaked. A new version goes wherever it can, and then the older ones
//! are revoked at once, whoever still uses them: a consumer that fails is repaired sooner than a leak.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::place::Place;
use latchkey::token::{Token, VersionState};
use serde_json::{Value, json};

use super::arguments::Rotate;
use super::exit::{Code, Fault};
use super::interrupt::stop_on_interrupt;
use super::open::{self, IfMissing};
use super::run::{applied, check_revision};
use super::{choose, clock, lock};
use crate::apply::{Outcome, Run, apply as carry_out};
use crate::manifest::Manifest;
use crate::observe::observe;
use crate::output::{Format, Printer, Progress, gate, markdown, outcome_json};
use crate::plan::compromised::{Leak, as_plan, leaks};
use crate::plan::{self, Labels, Options, minute};
use crate::service::{Client, ServiceError, Take};
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::machine;
use latchkey_sinks::plural::noun_for;
use latchkey_sinks::{Marker, SinkSet as _};

/// What a run of this kind works with.
struct Scene<'a> {
    printer: Printer,
    client: &'a Client,
    manifest: &'a Manifest,
    sinks: &'a ManifestSinks,
    labels: &'a Labels,
}

/// What became of one token.
struct Became {
    subject: String,
    /// The new version, when it was created.
    new: Option<u32>,
    /// It is everywhere, and current.
    current: bool,
    /// The versions that were revoked, those that made room for the new one included.
    ended: Vec<u32>,
    /// Whether that is every version that has leaked.
    all: bool,
}

/// Rotates leaked tokens without an overlap.
pub(super) async fn run(
    printer: Printer,
    service: Option<&str>,
    manifest: &Manifest,
    arguments: &Rotate,
) -> Result<Code, Fault> {
    let tokens: BTreeSet<choose::Key> =
        arguments.compromised.iter().map(|word| choose::token(manifest, word)).collect::<Result<_, _>>()?;
    let address = open::address(service, Some(manifest))?;
    let client = open::client(&address, IfMissing::Fail).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let take = Take::Own { steal: arguments.how.steal };
    let lease = lock::lease(printer, (&address, &client), (&manifest.name, take), &arguments.how, &stop).await?;
    let machine = machine::name();
    let sinks = ManifestSinks::new(&manifest.sinks, &machine, &manifest.bounds);
    let labels = Labels::new(&manifest.folder, &machine);
    let scene = Scene { printer, client: &client, manifest, sinks: &sinks, labels: &labels };
    let ended = scene.leased(arguments, &tokens, &stop).await;
    lease.free().await;
    ended
}

impl Scene<'_> {
    async fn leased(
        &self,
        arguments: &Rotate,
        tokens: &BTreeSet<choose::Key>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Code, Fault> {
        let Self { printer, client, manifest, .. } = *self;
        clock::accept(printer, client, &arguments.how.clock).await?;
        check_revision(client, manifest, &arguments.how).await?;
        let observation = observe(client.protocol(), self.sinks, manifest).await?;
        if let Some(behind) = observation.clock {
            return Err(clock::fault(behind));
        }
        let mut leaks = leaks(manifest, &observation, tokens);
        let known =
            |key: &&choose::Key| leaks.iter().any(|leak| (&leak.plan.user, &leak.plan.name) == (&key.0, &key.1));
        if let Some((user, name)) = tokens.iter().find(|key| !known(key)) {
            return Err(Fault::new(format!("the token `{user}/{name}` does not exist, so there is nothing to revoke"))
                .hint("`provision apply` creates it; `provision status` lists the tokens that exist"));
        }
        leaks.iter().try_for_each(|leak| is_ours(manifest, leak))?;
        for leak in &mut leaks {
            self.check(leak).await;
        }
        let plan = as_plan(manifest, &leaks);
        if printer.format == Format::Text {
            printer.lines(&plan::lines(&plan, self.labels))?;
        }
        for leak in &leaks {
            self.warning(leak).iter().for_each(|line| printer.tell(line));
        }
        if !arguments.yes {
            leaks.iter().try_for_each(|leak| confirm(printer, leak))?;
        }
        client.note_applied(&manifest.name, applied(manifest, &arguments.how)).await?;
        stop_on_interrupt(printer, stop.clone());
        let mut made_room = Vec::new();
        for leak in &leaks {
            made_room.push(self.make_room(leak).await?);
        }
        let progress = Progress::new(printer);
        let options = Options::default();
        let run = Run {
            client: client.protocol(),
            sinks: self.sinks,
            manifest,
            options: &options,
            labels: self.labels,
            reporter: &progress,
            stop,
        };
        let outcome = carry_out(&run, &plan, &observation).await;
        progress.finish();
        let outcome = outcome?;
        if stop.load(Ordering::Relaxed) {
            printer
                .tell("stopped before the older versions were revoked: they are still valid; run it again to continue");
            return self.finish(&leaks, Vec::new(), &outcome);
        }
        let mut ended = Vec::new();
        let mut failed = false;
        for (leak, first) in leaks.iter().zip(made_room) {
            let done = self.end(leak, first.clone(), (arguments.yes, stop)).await;
            ended.push(done.unwrap_or_else(|fault| {
                // The other leaked ones are revoked all the same.
                failed = true;
                printer.tell(&format!("error: {}", fault.message));
                let subject = format!("{}/{}", leak.plan.user, leak.plan.name);
                Became { subject, new: None, current: false, ended: first, all: false }
            }));
        }
        let code = self.finish(&leaks, ended, &outcome)?;
        Ok(if failed { Code::Partly } else { code })
    }

    /// Places that would refuse the new version count as unreachable too: they must not keep it from the others.
    async fn check(&self, leak: &mut Leak) {
        for place in std::mem::take(&mut leak.plan.places) {
            let refused = match self.sinks.reach(&place).await {
                Err(error) => Some(error),
                Ok(sink) => sink.prepare(&[&place]).await.into_iter().find_map(Result::err),
            };
            match refused {
                Some(error) => leak.unreached.push((place, error.to_string())),
                None => leak.plan.places.push(place),
            }
        }
    }

    /// Where as many versions as allowed are valid, the older ones are revoked first: they are revoked in any case.
    async fn make_room(&self, leak: &Leak) -> Result<Vec<u32>, Fault> {
        let Some(record) = &leak.plan.record else { return Ok(Vec::new()) };
        let now = self.client.now();
        if record.live(now).count() < record.versions_max_to_repair(now) {
            return Ok(Vec::new());
        }
        let older = record.versions.iter().filter(|version| version.state != VersionState::Current);
        let older: Vec<u32> = older.map(|version| version.number).filter(|number| *number < record.highest).collect();
        for number in &older {
            self.client.end_compromised(record, *number, false).await?;
        }
        Ok(older)
    }

    /// Revokes every version older than the new one; `ended` are those that made room for it.
    async fn end(&self, leak: &Leak, mut ended: Vec<u32>, (yes, stop): (bool, &AtomicBool)) -> Result<Became, Fault> {
        let subject = format!("{}/{}", leak.plan.user, leak.plan.name);
        let Some(before) = &leak.plan.record else {
            return Ok(Became { subject, new: None, current: false, ended, all: false });
        };
        let record = self.client.reread(&self.manifest.name, before).await.map_err(|error| still(&subject, error))?;
        if record.highest <= before.highest {
            self.tell_sinks(before, &ended).await;
            return Ok(Became { subject, new: None, current: false, ended, all: false });
        }
        let new = Some(record.highest);
        let current = record.current().is_some_and(|current| current.number > before.highest);
        // What could be foreseen was agreed to; what went wrong since was not.
        let arrived = |place: &Place| {
            let newer = record.versions.iter().filter(|version| version.number > before.highest);
            newer.into_iter().any(|version| version.delivered_to(&place.id()))
        };
        let missed = !current && !leak.plan.places.iter().all(arrived);
        if missed && !yes {
            let question = format!(
                "Version {} of `{subject}` was not delivered everywhere. Revoke the leaked one anyway? Type the \
                 token's name to confirm: ",
                record.highest
            );
            if self.printer.ask_until(&question, stop).ok().as_deref() != Some(leak.plan.name.as_str()) {
                self.tell_sinks(before, &ended).await;
                return Ok(Became { subject, new, current, ended, all: false });
            }
        }
        // What another run has staged or promoted since has not leaked.
        for version in record.versions.iter().filter(|version| version.number <= before.highest) {
            self.client
                .end_compromised(&record, version.number, !current)
                .await
                .map_err(|error| still(&subject, error))?;
            ended.push(version.number);
        }
        self.tell_sinks(before, &ended).await;
        ended.sort_unstable();
        Ok(Became { subject, new, current, ended, all: true })
    }

    /// Sinks that keep older values may disable them.
    async fn tell_sinks(&self, before: &Token, ended: &[u32]) {
        for version in before.versions.iter().filter(|version| ended.contains(&version.number)) {
            let marker =
                Marker { token_id: before.id.clone(), version: version.number, fingerprint: version.fingerprint() };
            for place in before.places.values().map(|record| &record.place) {
                let Ok(sink) = self.sinks.reach(place).await else { continue };
                if let Err(error) = sink.ended(place, &marker).await {
                    // The version is revoked all the same.
                    let (number, place) = (version.number, self.labels.of(place));
                    self.printer.talk(&format!("version {number} is revoked, but {place} still contains it: {error}"));
                }
            }
        }
    }

    /// Who will be left without a valid secret.
    fn warning(&self, leak: &Leak) -> Vec<String> {
        let subject = format!("{}/{}", leak.plan.user, leak.plan.name);
        let mut lines = vec![format!(
            "Once the older versions of `{subject}` are revoked, these fail until they have the new one:"
        )];
        for (place, why) in &leak.unreached {
            let place = self.labels.of(place);
            lines.push(format!("  {place}, which this run cannot update: {why}"));
        }
        for (place, why) in &leak.lagging {
            lines.push(format!("  consumers of {}, waiting for a deployment: {why}", self.labels.of(place)));
        }
        for (number, used) in &leak.used {
            let from = used.ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
            lines.push(format!("  whoever last used version {number}, at {}{from}", minute(used.last)));
        }
        lines.push("  every process that loaded the secret at startup, until it is restarted".to_owned());
        lines
    }

    fn finish(&self, leaks: &[Leak], ended: Vec<Became>, outcome: &Outcome) -> Result<Code, Fault> {
        let good = !ended.is_empty() && ended.iter().all(|token| token.current && token.all);
        let sums: Vec<String> = ended.iter().map(Became::words).collect();
        match self.printer.format {
            Format::Json => {
                let tokens: Vec<Value> =
                    leaks.iter().enumerate().map(|(index, leak)| self.as_json(leak, ended.get(index))).collect();
                let manifest = &self.manifest.name;
                self.printer
                    .json(&json!({ "manifest": manifest, "tokens": tokens, "result": outcome_json(outcome) }))?;
            }
            Format::Markdown => {
                let sums: Vec<String> = sums.iter().map(|sum| format!("- {}", markdown::text(sum))).collect();
                let said: Vec<String> = leaks
                    .iter()
                    .flat_map(|leak| self.warning(leak))
                    .map(|line| gate::line(&line).into_owned())
                    .collect();
                let said =
                    markdown::folded("What fails until it has the new version", &markdown::block(&said.join("\n")));
                self.printer.markdown(&markdown::page(&["### Leaked tokens".to_owned(), sums.join("\n"), said]))?;
            }
            Format::Text => sums.iter().try_for_each(|sum| self.printer.result(sum))?,
        }
        if ended.iter().any(|token| token.new.is_some() && !token.current) {
            self.printer.talk("help: run `provision apply` once the other places are reachable, to update them");
        }
        for token in ended.iter().filter(|token| token.new.is_none()) {
            let (user, name) = token.subject.split_once('/').unwrap_or(("USER", &token.subject));
            self.printer.talk(&format!(
                "help: if it cannot wait, `provision token delete {name} --user {user}` revokes all its secrets at once"
            ));
        }
        Ok(if good { Code::Done } else { Code::Partly })
    }

    fn as_json(&self, leak: &Leak, ended: Option<&Became>) -> Value {
        let places = |places: &[(latchkey::place::Place, String)]| -> Vec<Value> {
            let place = |(place, why): &(latchkey::place::Place, String)| json!({ "id": place.id(), "place": self.labels.of(place).trim_matches('`'), "reason": why });
            places.iter().map(place).collect()
        };
        let used: Vec<Value> = leak
            .used
            .iter()
            .map(|(number, used)| json!({ "version": number, "last": used.last, "ip": used.ip }))
            .collect();
        json!({
            "user": leak.plan.user,
            "name": leak.plan.name,
            "new_version": ended.and_then(|ended| ended.new),
            "current": ended.is_some_and(|ended| ended.current),
            "ended": ended.map(|ended| ended.ended.clone()).unwrap_or_default(),
            "unreached": places(&leak.unreached),
            "lagging": places(&leak.lagging),
            "used": used,
        })
    }
}

impl Became {
    fn words(&self) -> String {
        let subject = &self.subject;
        let numbers: Vec<String> = self.ended.iter().map(ToString::to_string).collect();
        let ended = format!("{} {} revoked", noun_for(numbers.len(), "version"), numbers.join(", "));
        let room = if numbers.is_empty() { String::new() } else { format!("; {ended} to make room") };
        match (self.new, self.all, self.current) {
            (None, ..) => {
                format!("`{subject}`: no new version could be created, so the leaked one is still valid{room}")
            }
            (Some(new), false, _) => format!("`{subject}`: version {new} and the leaked one are both valid{room}"),
            (Some(new), true, true) => format!("`{subject}`: version {new} is current, {ended}"),
            (Some(new), true, false) => {
                format!("`{subject}`: {ended}; version {new} is valid, but not delivered everywhere yet")
            }
        }
    }
}

/// A token that another manifest or no manifest manages is not this one's to revoke.
fn is_ours(manifest: &Manifest, leak: &Leak) -> Result<(), Fault> {
    let (user, name) = (&leak.plan.user, &leak.plan.name);
    let Some(record) = &leak.plan.record else { return Ok(()) };
    if record.managed_by.as_ref() != Some(&manifest.name) {
        return Err(Fault::new(format!("the token `{user}/{name}` is not managed by `{}`", manifest.name))
            .hint(format!("`provision token delete {name} --user {user}` revokes all its secrets at once")));
    }
    if record.places.is_empty() {
        return Err(Fault::new(format!("`{user}/{name}` has no known place, so a new version would reach nobody"))
            .hint("run `provision apply` first, or revoke it with `provision token delete`"));
    }
    Ok(())
}

fn still(subject: &str, error: ServiceError) -> Fault {
    let fault = Fault::from(error);
    Fault { message: format!("a leaked version of `{subject}` is still valid: {}", fault.message), ..fault }
        .code(Code::Partly)
}

/// Demands that a person types the token's name.
fn confirm(printer: Printer, leak: &Leak) -> Result<(), Fault> {
    let subject = format!("{}/{}", leak.plan.user, leak.plan.name);
    if !printer.is_answered() {
        return Err(Fault::new(format!("no version of `{subject}` was revoked: there is no terminal to confirm on"))
            .hint("pass `--yes` to confirm")
            .code(Code::Guard));
    }
    let question = format!("Revoke every older version of `{subject}` at once? Type the token's name to confirm: ");
    if printer.ask(&question)? == leak.plan.name.as_str() {
        return Ok(());
    }
    Err(Fault::new(format!("the name does not match: no version of `{subject}` was revoked")).code(Code::Guard))
}
