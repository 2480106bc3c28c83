//! `provision manifest`: what manifests are allowed to grant.

use std::path::Path;

use latchkey::api::wire::ManifestView;
use latchkey::name::ManifestName;
use latchkey::service::{Grant, NEW_MAX};
use serde_json::{Value, json};

use super::arguments::{Allow, ManifestCommand, ManifestGrant};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::manifest::granted;
use crate::output::{Format, Printer, table};
use crate::plan::minute;

/// Runs one of the commands on manifests.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: ManifestCommand) -> Result<Code, Fault> {
    match command {
        ManifestCommand::Grant(wanted) => {
            let grant = read(printer, &wanted)?;
            let name = wanted.name;
            let client = open::nearest(service, IfMissing::Create).await?;
            client.set_grant(&name, &grant).await?;
            if printer.format == Format::Json {
                printer.json(&json!({ "manifest": name, "grant": as_json(&grant) }))?;
            } else {
                printer.result(&format!("`{name}` may now grant: {}", words(&grant)))?;
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
                    "grant": view.grant.as_ref().map(as_json),
                    "lease": lease,
                }))?;
            } else {
                printer.block(&text(&view))?;
            }
        }
    }
    Ok(Code::Done)
}

/// The grant that was asked for.
fn read(printer: Printer, wanted: &ManifestGrant) -> Result<Grant, Fault> {
    let grant = Grant {
        permissions: wanted.permissions.iter().cloned().collect(),
        roles: wanted.roles.iter().cloned().collect(),
        users: wanted.users.iter().cloned().collect(),
        new_users: wanted.new_users.iter().cloned().collect(),
        new_roles: wanted.new_roles.iter().cloned().collect(),
        max_users: wanted.max_users,
        max_roles: wanted.max_roles,
        at: None,
    };
    match &wanted.from {
        Some(file) => Ok(granted::with(grant, &declared(printer, &wanted.name, file, &wanted.allow)?)),
        None => Ok(grant),
    }
}

/// What the manifest in a file needs.
fn declared(printer: Printer, name: &ManifestName, file: &Path, allow: &Allow) -> Result<Grant, Fault> {
    let manifest = open::load(printer, Some(file), allow)?;
    if manifest.name != *name {
        let message = format!("`{}` is the manifest `{}`, not `{name}`", file.display(), manifest.name);
        return Err(Fault::new(message).hint("name the manifest that the file declares"));
    }
    Ok(granted::needed(&manifest))
}

fn text(view: &ManifestView) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("manifest", view.name.to_string());
    row("revision", view.applied.map_or_else(|| "none".to_owned(), |applied| applied.to_string()));
    let grant = view.grant.as_ref().map_or_else(|| "nothing, as no admin has allowed anything".to_owned(), words);
    row("may grant", grant);
    if let Some(held) = &view.lease {
        row("being applied", format!("by {} until {}", held.by, minute(held.until)));
    }
    table(&rows)
}

fn words(grant: &Grant) -> String {
    let list = |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let parts: Vec<String> = [
        list("permissions", grant.permissions.iter().map(ToString::to_string).collect()),
        list("roles", grant.roles.iter().map(ToString::to_string).collect()),
        list("tokens of", grant.users.iter().map(ToString::to_string).collect()),
        list("new users", grant.new_users.iter().map(ToString::to_string).collect()),
        list("new roles", grant.new_roles.iter().map(ToString::to_string).collect()),
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
        "max_users": grant.max_users.unwrap_or(NEW_MAX), "max_roles": grant.max_roles.unwrap_or(NEW_MAX),
    })
}
