//! `provision settings`: what a deployment decides for all; so far, who is told of notices.

use std::io::Read as _;
use std::sync::Arc;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::policy::{Notices, Policy};
use latchkey::service::Service;
use latchkey::table::TableError;
use latchkey_sinks::plural::count;
use serde_json::{Value, json};

use super::arguments::Settings;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::manifest::Manifest;
use crate::notify::{self, NAME_RULE};
use crate::output::{Format, Printer};
use crate::service::Client;

/// The longest setting that is read, in bytes; the service takes less.
const INPUT_MAX: u64 = 64 * 1024;

/// What a change of settings reaches late.
const LATER: &str = "servers and functions that run already use it within minutes";

/// Runs one of the commands on settings.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Settings) -> Result<Code, Fault> {
    match command {
        Settings::Set { key, value, allow, .. } => {
            let name = receiver(&key)?;
            let text = if value == "-" { read_stdin()? } else { value };
            let setting = notify::setting(name, &text, &allow.allowances()).map_err(|faults| {
                printer.rendered(faults.render(printer.colour()).trim_end());
                Fault::new(format!("`{key}` has {}, nothing was changed", count(faults.errors(), "error")))
            })?;
            let client = open::nearest(service, IfMissing::Create).await?;
            change(operated(&client)?, |notices| {
                notices.set(name, &setting.text).map_err(|error| Fault::new(error.to_string()))
            })
            .await?;
            done(printer, &json!({ "set": key }), &format!("Set `{key}`; notices are on"))?;
            printer.talk(&format!("{LATER}; try it: `provision notify test {name}`"));
        }
        Settings::Show { .. } => {
            let client = open::nearest(service, IfMissing::Fail).await?;
            show(printer, &operated(&client)?.policy().notices)?;
        }
        Settings::Unset { key, .. } => {
            let client = open::nearest(service, IfMissing::Fail).await?;
            let service = operated(&client)?;
            if key == "notify" {
                change(service, |notices| {
                    *notices = Notices::default();
                    Ok(())
                })
                .await?;
                done(printer, &json!({ "unset": key }), "Removed all receivers; notices are off")?;
            } else {
                let name = receiver(&key)?;
                if !service.policy().notices.receivers.contains_key(name) {
                    return Err(
                        Fault::new(format!("the settings have no `{key}`")).hint("see `provision settings show`")
                    );
                }
                change(service, |notices| {
                    notices.receivers.remove(name);
                    Ok(())
                })
                .await?;
                done(printer, &json!({ "unset": key }), &format!("Removed `{key}`"))?;
            }
            printer.talk(LATER);
        }
    }
    Ok(Code::Done)
}

fn done(printer: Printer, value: &Value, line: &str) -> Result<(), Fault> {
    match printer.format {
        Format::Json => printer.json(value)?,
        Format::Text | Format::Markdown => printer.result(line)?,
    }
    Ok(())
}

/// The name in `notify.NAME`.
fn receiver(key: &str) -> Result<&str, Fault> {
    let name = key.strip_prefix("notify.").ok_or_else(|| {
        Fault::new(format!("`{key}` is not a setting")).hint("`notify.NAME` is a receiver of notices")
    })?;
    if notify::is_name(name) {
        Ok(name)
    } else {
        Err(Fault::new(format!("`{name}` cannot be a receiver's name")).hint(NAME_RULE))
    }
}

fn read_stdin() -> Result<String, Fault> {
    let mut text = String::new();
    let read = std::io::stdin().take(INPUT_MAX).read_to_string(&mut text);
    read.map_err(|_| Fault::new("cannot read the setting from stdin as text"))?;
    Ok(text)
}

/// The service, where its table is at hand.
pub(super) fn operated(client: &Client) -> Result<&Service, Fault> {
    let (service, _) = client.operated().ok_or_else(|| {
        Fault::new("settings are on the table of the service, not behind a server's URL")
            .hint("pass the table itself: `--service table:NAME` or `--service embedded:FILE`")
    })?;
    Ok(service)
}

/// Changes who is told, as it is stored now.
pub(super) async fn change(
    service: &Service,
    change: impl FnOnce(&mut Notices) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let broken = |error: TableError| Fault::new(error.to_string());
    let opened = Service::open(service.table().clone(), Arc::new(SystemClock), Arc::new(SystemEntropy)).await;
    let mut opened = opened.map_err(broken)?;
    let mut policy: Policy = opened.policy().clone();
    change(&mut policy.notices)?;
    opened.set_policy(policy).await.map_err(broken)
}

fn show(printer: Printer, notices: &Notices) -> Result<(), Fault> {
    if printer.format == Format::Json {
        let receivers = notices.receivers.iter().map(|(name, text)| {
            let table: toml::Table = format!("receiver = {text}").parse().unwrap_or_default();
            (name.clone(), json!(table.get("receiver")))
        });
        let receivers: serde_json::Map<String, Value> = receivers.collect();
        printer.json(&json!({ "notices": { "on": notices.on, "receivers": receivers } }))?;
        return Ok(());
    }
    printer.result(&format!("# notices are {}", if notices.on { "on" } else { "off" }))?;
    for (name, text) in &notices.receivers {
        printer.result(&format!("notify.{name} = {text}"))?;
    }
    Ok(())
}

/// Turns notices on for a manifest that has receivers, where whoever runs it may, and says so.
pub(super) async fn switch_on(printer: Printer, client: &Client, manifest: &Manifest) -> Result<(), Fault> {
    let Some((service, _)) = client.operated().filter(|_| !manifest.notify.is_empty()) else { return Ok(()) };
    let broken = |error: TableError| Fault::new(error.to_string());
    if notify::settings(service).await.map_err(broken)?.on {
        return Ok(());
    }
    change(service, |notices| {
        notices.on = true;
        Ok(())
    })
    .await?;
    // What this run changes is told already.
    service.reread_notices().await.map_err(broken)?;
    printer.talk(&format!("notices are on from now on, as `{}` has receivers; {LATER}", manifest.path.display()));
    Ok(())
}
