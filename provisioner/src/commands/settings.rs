//! `provision settings`: what a deployment decides for all, and who is told of notices.

use std::io::Read as _;

use latchkey::policy::{Policy, PolicyChange};
use latchkey_sinks::plural::count;
use serde_json::{Value, json};

use super::arguments::Settings;
use super::consent::{asked, declined};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::setting::{Setting, VALUES, meaning, refused};
use crate::manifest::Manifest;
use crate::notify;
use crate::output::{Format, Printer};
use crate::service::{Client, ServiceError};

/// The longest setting that is read, in bytes; the service takes less.
const INPUT_MAX: u64 = 64 * 1024;

/// What a change of settings reaches late.
const LATER: &str = "servers and functions that run already use it within minutes";

/// Runs one of the commands on settings.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Settings) -> Result<Code, Fault> {
    match command {
        Settings::Set { key, value, yes, allow, .. } => {
            let setting = Setting::parse(&key)?;
            let wanted = match setting {
                Setting::Receiver(name) => {
                    let text = if value == "-" { read_stdin()? } else { value };
                    let read = notify::setting(name, &text, &allow.allowances()).map_err(|faults| {
                        printer.rendered(faults.render(printer.colour()).trim_end());
                        Fault::new(format!("`{key}` has {}, nothing was changed", count(faults.errors(), "error")))
                    })?;
                    PolicyChange { receivers: [(name.to_owned(), Some(read.text))].into(), ..PolicyChange::default() }
                }
                setting => setting.to(&value)?,
            };
            let client = open::nearest(service, IfMissing::Create).await?;
            let old = client.settings().await?;
            put(printer, &client, (setting, &old, &wanted), ("set", &key, yes)).await
        }
        Settings::Show { .. } => {
            let client = open::nearest(service, IfMissing::Fail).await?;
            show(printer, &client.settings().await?)?;
            Ok(Code::Done)
        }
        Settings::Unset { key, yes, .. } => {
            let setting = Setting::parse(&key)?;
            let client = open::nearest(service, IfMissing::Fail).await?;
            let old = client.settings().await?;
            let wanted = setting.reset(&old)?;
            put(printer, &client, (setting, &old, &wanted), ("unset", &key, yes)).await
        }
    }
}

/// Changes a setting, and shows old and new with what it means.
async fn put(
    printer: Printer,
    client: &Client,
    (setting, old, wanted): (Setting<'_>, &Policy, &PolicyChange),
    (done, key, yes): (&str, &str, bool),
) -> Result<Code, Fault> {
    let foreseen = old.with(wanted).map_err(|error| Fault::new(format!("{error}; nothing was changed")))?;
    let refused = refused(old, &foreseen);
    if !refused.is_empty() {
        let prefixes = refused.join(", ");
        printer.talk(&format!("secrets that start with {prefixes} stop being valid, wherever they are"));
        let question = format!("Refuse secrets that start with {prefixes}?");
        if !asked(printer, yes, &question, "the settings were not changed")? {
            return declined(printer);
        }
    }
    let new = change(client, old, wanted).await?;
    let changed = old.differences(&new);
    if printer.format == Format::Json {
        let value = json!({ done: key, "changed": changed, "revision": new.revision });
        printer.json(&value)?;
    } else {
        printer.result(&line(setting, old, &new))?;
        if setting == Setting::Prefix && new.older_prefixes != old.older_prefixes {
            printer.result(&line(Setting::OlderPrefixes, old, &new))?;
        }
    }
    if changed.is_empty() {
        return Ok(Code::Done);
    }
    if let Some(meaning) = meaning(setting, client, &new).await? {
        printer.talk(&meaning);
    }
    match setting {
        Setting::Receiver(name) if done == "set" => {
            printer.talk(&format!("{LATER}; try it: `provision notify test {name}`"));
        }
        _ => printer.talk(LATER),
    }
    Ok(Code::Done)
}

/// What became of a setting.
fn line(setting: Setting<'_>, old: &Policy, new: &Policy) -> String {
    match setting {
        Setting::Notify => "Removed all receivers; notices are off".to_owned(),
        Setting::Receiver(name) if new.notices.receivers.contains_key(name) => {
            format!("Set `notify.{name}`; notices are on")
        }
        Setting::Receiver(name) => format!("Removed `notify.{name}`"),
        value if value.of(old) == value.of(new) => format!("{}: {}, as before", value.name(), value.of(old)),
        value => format!("{}: {} -> {}", value.name(), value.of(old), value.of(new)),
    }
}

fn read_stdin() -> Result<String, Fault> {
    let mut text = String::new();
    let read = std::io::stdin().take(INPUT_MAX).read_to_string(&mut text);
    read.map_err(|_| Fault::new("cannot read the setting from stdin as text"))?;
    Ok(text)
}

/// Changes the settings if they are still what was read.
async fn change(client: &Client, old: &Policy, wanted: &PolicyChange) -> Result<Policy, Fault> {
    client.change_settings(old, wanted).await.map_err(|error| match error {
        ServiceError::Gone(_) => {
            Fault::new("somebody else changed the settings in the meantime, so nothing was changed")
                .hint("see `provision settings show`, and try again")
        }
        error => error.into(),
    })
}

fn show(printer: Printer, policy: &Policy) -> Result<(), Fault> {
    let notices = &policy.notices;
    if printer.format == Format::Json {
        let receivers = notices.receivers.iter().map(|(name, text)| {
            let table: toml::Table = format!("receiver = {text}").parse().unwrap_or_default();
            (name.clone(), json!(table.get("receiver")))
        });
        let receivers: serde_json::Map<String, Value> = receivers.collect();
        let older: Vec<&str> = policy.older_prefixes.iter().map(latchkey::secret::Prefix::as_str).collect();
        printer.json(&json!({
            "prefix": policy.prefix.as_str(),
            "older_prefixes": older,
            "max_tokens": policy.max_tokens,
            "expiry_default": policy.expiry_default.to_string(),
            "expiry_max": policy.expiry_max.to_string(),
            "name_max": policy.name_max,
            "notices": { "on": notices.on, "receivers": receivers },
            "revision": policy.revision,
        }))?;
        return Ok(());
    }
    let mut rows: Vec<Vec<String>> =
        VALUES.iter().map(|setting| vec![setting.name().to_owned(), setting.of(policy)]).collect();
    rows.push(vec!["notices".to_owned(), Setting::Notify.of(policy)]);
    printer.facts(&rows)?;
    for (name, text) in &notices.receivers {
        printer.result(&format!("notify.{name} = {text}"))?;
    }
    Ok(())
}

/// Turns notices on for a manifest that has receivers, where whoever runs it may, and says so.
pub(super) async fn switch_on(printer: Printer, client: &Client, manifest: &Manifest) -> Result<(), Fault> {
    if manifest.notify.is_empty() || client.operated().is_none() {
        return Ok(());
    }
    let old = client.settings().await?;
    if old.notices.on {
        return Ok(());
    }
    // What this run changes is told already.
    change(client, &old, &PolicyChange { notices: Some(true), ..PolicyChange::default() }).await?;
    printer.talk(&format!("notices are on from now on, as `{}` has receivers; {LATER}", manifest.path.display()));
    Ok(())
}
