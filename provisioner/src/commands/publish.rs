//! `provision publish`, and what `apply --publish` does after a run that ended well.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::entry::EntryPattern;
use latchkey::name::ManifestName;
use latchkey::service::{GRANT_MAX, Grant};
use latchkey_sinks::plural::{count, noun_for};
use serde_json::{Value, json};

use super::arguments::Publish;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::settings;
use crate::manifest::{Manifest, granted};
use crate::output::{Format, Printer, markdown};
use crate::publication::{self, Landing, Publication, Published, Skipped};
use crate::service::{Client, ServiceError};

/// How many entries a command that an admin is to run names; more are granted from the file.
const ENTRIES_NAMED: usize = 20;

/// What was published, and what its owner should know.
pub(super) struct Report {
    published: Published,
    skipped: Vec<Skipped>,
    /// The receivers of notices that the job cannot reach, each with why.
    left_out: BTreeMap<String, String>,
    landings: Vec<Landing>,
    /// The entries that the manifest's grant does not have yet.
    missing: BTreeSet<String>,
    /// What an admin does to grant them.
    cure: Option<String>,
}

/// Publishes a manifest, or withdraws what it published.
pub(super) async fn run(printer: Printer, service: Option<&str>, wanted: &Publish) -> Result<Code, Fault> {
    let manifest = open::load(printer, wanted.file.as_deref(), &wanted.allow)?;
    let client = open::client(&open::address(service, Some(&manifest))?, IfMissing::Fail).await?;
    if wanted.withdraw {
        return withdraw(printer, &client, &manifest.name).await;
    }
    settings::switch_on(printer, &client, &manifest).await?;
    let report = publish(&client, &manifest, (wanted.revision, wanted.force_revision)).await?;
    match printer.format {
        Format::Json => printer.json(&report.as_json())?,
        Format::Text | Format::Markdown => report.show(printer, &manifest.name)?,
    }
    Ok(Code::Done)
}

async fn withdraw(printer: Printer, client: &Client, manifest: &ManifestName) -> Result<Code, Fault> {
    let was = client.publication(manifest).await?;
    client.withdraw_publication(manifest).await?;
    match (printer.format, &was) {
        (Format::Json, _) => printer.json(&json!({ "manifest": manifest, "withdrawn": was.is_some() }))?,
        (Format::Text | Format::Markdown, Some(_)) => {
            printer.result(&format!("Withdrawn: the scheduled job no longer rotates the tokens of `{manifest}`"))?;
        }
        (Format::Text | Format::Markdown, None) => {
            printer.result(&format!("Unchanged: `{manifest}` has published nothing"))?;
        }
    }
    Ok(Code::Done)
}

/// Publishes a manifest.
pub(super) async fn publish(
    client: &Client,
    manifest: &Manifest,
    revision: (Option<u64>, bool),
) -> Result<Report, Fault> {
    let wanted = Publication::of(manifest);
    if wanted.tokens.is_empty() {
        return Err(nothing(&manifest.name, &wanted.skipped));
    }
    let done = publication::publish(client.publishing(), &manifest.name, revision, &wanted).await;
    let published = done.map_err(refused)?;
    let records = client.managed_tokens(&manifest.name).await?.tokens;
    let landings = publication::landings(manifest, &wanted, &records);
    let grant = client.manifest(&manifest.name).await?.and_then(|view| view.grant).unwrap_or_default();
    let places = landings.iter().flat_map(|landing| &landing.places);
    let missing: BTreeSet<String> =
        places.filter(|place| !grant.allows_entry(place)).map(latchkey::place::Place::entry).collect();
    let cure = (!missing.is_empty()).then(|| cure(manifest, grant, &missing));
    let (skipped, left_out) = (wanted.skipped, wanted.left_out);
    Ok(Report { published, skipped, left_out, landings, missing, cure })
}

/// What an admin does, so that the job may write these entries too.
fn cure(manifest: &Manifest, grant: Grant, missing: &BTreeSet<String>) -> String {
    let entries: BTreeSet<EntryPattern> = missing.iter().filter_map(|entry| entry.parse().ok()).collect();
    let from = format!("provision manifest grant {} --from {}", manifest.name, manifest.path.display());
    if entries.len() < missing.len() || grant.entries.len() + missing.len() > GRANT_MAX {
        return format!("name the beginnings of these entries: `{from} --entry 'BEGINNING*'`");
    }
    if missing.len() > ENTRIES_NAMED {
        return format!("run `{from}`");
    }
    let wanted = granted::with(grant, &Grant { entries, ..Grant::default() });
    format!("run `{}`", granted::command(&manifest.name, &wanted))
}

/// Why nothing of a manifest is published.
fn nothing(manifest: &ManifestName, skipped: &[Skipped]) -> Fault {
    let details = skipped.iter().map(|skipped| format!("`{}`: {}", skipped.token, skipped.reason)).collect();
    Fault::new(format!("the scheduled job cannot rotate any token of `{manifest}`, so nothing was published"))
        .details(details)
        .hint("what was published before is unchanged; pass `--withdraw` to withdraw it")
}

/// What the service refuses, with what to do about it.
fn refused(error: ServiceError) -> Fault {
    let code = error.refusal().map(|refusal| refusal.code.clone());
    let fault = Fault::from(error);
    match code.as_deref() {
        Some("older_revision") => {
            fault.hint("publish the newer one, or pass `--force-revision` to go back").code(Code::Guard)
        }
        Some("publication_overtaken") => fault.hint("run it again when the other one has ended").code(Code::Busy),
        _ => fault,
    }
}

impl Report {
    /// Prints it for people.
    pub(super) fn show(&self, printer: Printer, manifest: &ManifestName) -> Result<(), Fault> {
        let lines = self.lines(manifest);
        match printer.format {
            Format::Markdown => printer.block(&markdown::text(&lines.join("\n")))?,
            Format::Text | Format::Json => lines.iter().try_for_each(|line| printer.result(line))?,
        }
        if let Some(cure) = &self.cure {
            printer.talk(&format!("help: the job writes only entries that the grant contains; ask an admin to {cure}"));
        }
        Ok(())
    }

    fn lines(&self, manifest: &ManifestName) -> Vec<String> {
        let word = if self.published.unchanged { "Unchanged" } else { "Published" };
        let (tokens, number) = (count(self.landings.len(), "token"), self.published.publication.number);
        let mut lines =
            vec![format!("{word}: the scheduled job rotates {tokens} of `{manifest}` (publication {number})")];
        let skipped = self.skipped.iter();
        lines.extend(skipped.map(|Skipped { token, reason }| format!("  skipped by the job: `{token}`: {reason}")));
        let left_out = self.left_out.iter();
        lines.extend(left_out.map(|(name, reason)| format!("  not told by the job: the receiver `{name}`: {reason}")));
        let waiting = self.landings.iter().filter(|landing| !landing.applied);
        let waiting = waiting.map(|landing| &landing.token);
        lines.extend(waiting.map(|token| format!("  not applied yet: `{token}`: the job skips it until then")));
        for landing in self.landings.iter().filter(|landing| !landing.unknown.is_empty()) {
            let sinks: BTreeSet<String> = landing.unknown.iter().map(|sink| format!("`{sink}`")).collect();
            let (word, sinks) = (noun_for(sinks.len(), "sink"), Vec::from_iter(sinks).join(", "));
            let token = &landing.token;
            lines.push(format!(
                "  destination not known yet: `{token}` in the {word} {sinks}: apply it, then run this again"
            ));
        }
        lines.extend(self.missing.iter().map(|entry| format!("  not granted: `{entry}`")));
        lines
    }

    /// The same for programs.
    pub(super) fn as_json(&self) -> Value {
        let Published { publication, written, removed, unchanged } = &self.published;
        let named = |landing: &Landing| json!({ "user": landing.token.user, "name": landing.token.name });
        let skipped = self
            .skipped
            .iter()
            .map(|Skipped { token, reason }| json!({ "user": token.user, "name": token.name, "reason": reason }));
        let unknown = self.landings.iter().filter(|landing| !landing.unknown.is_empty());
        json!({
            "number": publication.number,
            "revision": publication.revision,
            "published": publication.published,
            "tokens": self.landings.len(),
            "unchanged": unchanged,
            "written": written,
            "removed": removed,
            "skipped": skipped.collect::<Vec<_>>(),
            "receivers_left_out": self.left_out,
            "not_applied": self.landings.iter().filter(|landing| !landing.applied).map(named).collect::<Vec<_>>(),
            "not_known": unknown.map(named).collect::<Vec<_>>(),
            "not_granted": self.missing,
            "help": self.cure,
        })
    }
}
