//! `provision manifest`: what is known of manifests, and what they are allowed to grant.

use std::collections::BTreeSet;
use std::path::Path;

use latchkey::api::wire::{JobSummary, ManifestEntry, ManifestView};
use latchkey::entry::EntryPattern;
use latchkey::service::{GRANT_MAX, Grant, NEW_MAX};
use latchkey_sinks::plural::count;
use serde_json::{Value, json};

use super::arguments::{ManifestCommand, ManifestGrant};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::manifest::{Manifest, granted};
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::publication::{self, Publication};
use crate::service::Client;

/// Runs one of the commands on manifests.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: ManifestCommand) -> Result<Code, Fault> {
    match command {
        ManifestCommand::Grant(wanted) => {
            let manifest = wanted.from.as_deref().map(|file| declared(printer, &wanted, file)).transpose()?;
            let client = open::nearest(service, IfMissing::Create).await?;
            let mut grant = read(&wanted);
            if let Some(manifest) = &manifest {
                grant = granted::with(grant, &granted::needed(manifest));
                grant.entries.extend(entries(printer, &client, manifest).await?);
            }
            let name = wanted.name;
            let old = client.manifest(&name).await?.and_then(|view| view.grant);
            client.set_grant(&name, &grant).await?;
            let changed = old.as_ref().map(|old| differences(old, &grant));
            if printer.format == Format::Json {
                printer.json(&json!({ "manifest": name, "grant": as_json(&grant), "changed": changed }))?;
            } else {
                printer.result(&format!("`{name}` may now grant: {}", words(&grant)))?;
                let changed = changed.unwrap_or_default();
                changed.iter().try_for_each(|line| printer.result(&format!("  {line}")))?;
            }
        }
        ManifestCommand::List { .. } => {
            let client = open::nearest(service, IfMissing::Fail).await?;
            let manifests = client.all_manifests().await?;
            if printer.format == Format::Json {
                printer.json(&json!({ "manifests": manifests }))?;
            } else {
                if manifests.is_empty() { printer.result("No manifests") } else { printer.table(&listed(&manifests)) }?;
            }
        }
        ManifestCommand::Show { name, .. } => {
            let client = open::nearest(service, IfMissing::Fail).await?;
            let view = client.manifest(&name).await?.ok_or_else(|| {
                Fault::new(format!("the service does not know the manifest `{name}`"))
                    .hint("`provision apply` and `provision manifest grant` register it")
            })?;
            if printer.format == Format::Json {
                let lease = view.lease.as_ref().map(|held| json!({ "by": held.by, "until": held.until }));
                printer.json(&json!({
                    "manifest": name,
                    "applied": view.applied,
                    "applied_at": view.applied_at,
                    "applied_by": view.applied_by,
                    "grant": view.grant.as_ref().map(as_json),
                    "publication": view.publication,
                    "lease": lease,
                }))?;
            } else {
                printer.facts(&facts(&view))?;
            }
        }
    }
    Ok(Code::Done)
}

/// Manifests as columns.
fn listed(manifests: &[ManifestEntry]) -> Vec<Vec<String>> {
    let head = ["MANIFEST", "REVISION", "TOKENS", "LAST APPLY", "BY", "PUBLISHED", "LAST JOB", "GRANT"];
    let mut rows: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(manifests.iter().map(|manifest| {
        let published = manifest.publication.as_ref();
        vec![
            manifest.name.to_string(),
            or_none(manifest.applied.map(|applied| applied.to_string())),
            manifest.tokens.to_string(),
            match &manifest.lease {
                Some(held) => format!("now, by {}", held.by),
                None => or_none(manifest.applied_at.map(minute)),
            },
            or_none(manifest.applied_by.clone()),
            or_none(published.map(|published| {
                let tokens = count(published.tokens, "token");
                format!("{}, {tokens}", minute(published.published))
            })),
            or_none(manifest.job.as_ref().map(turn)),
            if manifest.granted { "set" } else { "none" }.to_owned(),
        ]
    }));
    rows
}

/// What the scheduled job did last.
fn turn(job: &JobSummary) -> String {
    let mut parts = vec![format!("{} rotated", job.rotated)];
    if job.failed > 0 {
        parts.push(format!("{} failed", job.failed));
    }
    if job.waiting > 0 {
        parts.push(format!("{} waiting", job.waiting));
    }
    if job.skipped > 0 {
        parts.push(format!("{} skipped", job.skipped));
    }
    format!("{}: {}", minute(job.at), parts.join(", "))
}

/// What a grant gains and loses, a line each.
fn differences(old: &Grant, new: &Grant) -> Vec<String> {
    let texts = |grant: &Grant| -> Vec<(&str, BTreeSet<String>)> {
        vec![
            ("permission", grant.permissions.iter().map(ToString::to_string).collect()),
            ("role", grant.roles.iter().map(ToString::to_string).collect()),
            ("user", grant.users.iter().map(ToString::to_string).collect()),
            ("new user", grant.new_users.iter().map(ToString::to_string).collect()),
            ("new role", grant.new_roles.iter().map(ToString::to_string).collect()),
            ("entry", grant.entries.iter().map(ToString::to_string).collect()),
        ]
    };
    let mut lines = Vec::new();
    for ((what, was), (_, is)) in texts(old).into_iter().zip(texts(new)) {
        lines.extend(was.difference(&is).map(|gone| format!("- {what} {gone}")));
        lines.extend(is.difference(&was).map(|come| format!("+ {what} {come}")));
    }
    let limits = [("users", old.max_users, new.max_users), ("roles", old.max_roles, new.max_roles)];
    for (what, was, is) in limits {
        let (was, is) = (was.unwrap_or(NEW_MAX), is.unwrap_or(NEW_MAX));
        if was != is {
            lines.push(format!("~ limit of new {what}: {was} -> {is}"));
        }
    }
    lines
}

/// The grant that was asked for.
fn read(wanted: &ManifestGrant) -> Grant {
    Grant {
        permissions: wanted.permissions.iter().cloned().collect(),
        roles: wanted.roles.iter().cloned().collect(),
        users: wanted.users.iter().cloned().collect(),
        new_users: wanted.new_users.iter().cloned().collect(),
        new_roles: wanted.new_roles.iter().cloned().collect(),
        max_users: wanted.max_users,
        max_roles: wanted.max_roles,
        entries: wanted.entries.iter().cloned().collect(),
        at: None,
    }
}

/// The manifest in a file.
fn declared(printer: Printer, wanted: &ManifestGrant, file: &Path) -> Result<Manifest, Fault> {
    let (manifest, name) = (open::load(printer, Some(file), &wanted.allow)?, &wanted.name);
    if manifest.name != *name {
        let message = format!("`{}` is the manifest `{}`, not `{name}`", file.display(), manifest.name);
        return Err(Fault::new(message).hint("name the manifest that the file declares"));
    }
    Ok(manifest)
}

/// The entries that the scheduled job writes for a manifest: those of its publishable tokens, as its settings tell, or its
/// records.
async fn entries(printer: Printer, client: &Client, manifest: &Manifest) -> Result<BTreeSet<EntryPattern>, Fault> {
    let publication = Publication::of(manifest);
    let mut landings = publication::landings(manifest, &publication, &[]);
    if landings.iter().any(|landing| !landing.unknown.is_empty()) {
        let records = client.managed_tokens(&manifest.name).await?.tokens;
        landings = publication::landings(manifest, &publication, &records);
    }
    for landing in landings.iter().filter(|landing| !landing.unknown.is_empty()) {
        printer.warning(&format!(
            "the destinations of `{}` are not known before it is applied, so the job is not allowed to write them",
            landing.token
        ));
    }
    let written: BTreeSet<String> =
        landings.iter().flat_map(|landing| &landing.places).map(latchkey::place::Place::entry).collect();
    let entries: BTreeSet<EntryPattern> = written.iter().filter_map(|entry| entry.parse().ok()).collect();
    if entries.len() == written.len() && entries.len() <= GRANT_MAX {
        return Ok(entries);
    }
    printer.warning(&format!(
        "the job would write {}, too many or too long to name each, so none was granted; pass their beginnings with \
         `--entry`",
        count(written.len(), "entry")
    ));
    Ok(BTreeSet::new())
}

fn facts(view: &ManifestView) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("manifest", view.name.to_string());
    row("revision", view.applied.map_or_else(|| "none".to_owned(), |applied| applied.to_string()));
    if let Some(at) = view.applied_at {
        let by = view.applied_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        row("last apply", format!("{}{by}", minute(at)));
    }
    let grant = view.grant.as_ref().map_or_else(|| "nothing, as no admin has allowed anything".to_owned(), words);
    row("may grant", grant);
    if let Some(publication) = &view.publication {
        let revision = publication.revision.map(|revision| format!(", revision {revision}")).unwrap_or_default();
        let (tokens, at) = (count(publication.tokens, "token"), minute(publication.published));
        row(
            "published",
            format!("{tokens} by {} at {at} (publication {}{revision})", publication.by, publication.number),
        );
    }
    if let Some(held) = &view.lease {
        row("being applied", format!("by {} until {}", held.by, minute(held.until)));
    }
    rows
}

fn words(grant: &Grant) -> String {
    let list = |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let parts: Vec<String> = [
        list("permissions", grant.permissions.iter().map(ToString::to_string).collect()),
        list("roles", grant.roles.iter().map(ToString::to_string).collect()),
        list("tokens of", grant.users.iter().map(ToString::to_string).collect()),
        list("new users", grant.new_users.iter().map(ToString::to_string).collect()),
        list("new roles", grant.new_roles.iter().map(ToString::to_string).collect()),
        list("entries of the scheduled job", grant.entries.iter().map(ToString::to_string).collect()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn as_json(grant: &Grant) -> Value {
    json!({
        "permissions": grant.permissions, "roles": grant.roles, "users": grant.users,
        "new_users": grant.new_users, "new_roles": grant.new_roles,
        "entries": grant.entries,
        "max_users": grant.max_users.unwrap_or(NEW_MAX), "max_roles": grant.max_roles.unwrap_or(NEW_MAX),
    })
}
