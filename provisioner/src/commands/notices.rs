//! `provision notify test`, and what runs do at their end: what waits is sent, and how that went is shown.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use latchkey::token::TokenKey;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{Allowances, listed};
use serde_json::json;

use super::arguments::{Allow, Notify};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use crate::apply::Outcome;
use crate::manifest::Manifest;
use crate::notify::{self, Failed, Message, Post, Receiver, Sender, Sent, Taken, To, Way};
use crate::output::{Format, Printer};
use crate::plan::{self, Labels, Note, Plan, Tone};
use crate::service::remote::request_id;
use crate::service::{Client, ServiceError};

/// Runs one of the commands on notices.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Notify) -> Result<Code, Fault> {
    let Notify::Test { name, file, allow, .. } = command;
    let receiver = if let Some(file) = &file {
        of_manifest(printer, service, (file, &name), &allow).await?
    } else {
        let client = open::nearest(service, IfMissing::Fail).await?;
        of_settings(&client.settings().await?.notices.receivers, &name, &allow.allowances())?
    };
    let now = latchkey::clock::Clock::now(&latchkey::clock::SystemClock);
    let id = format!("test-{}", request_id());
    let sender = Sender::new(receiver, &allow.allowances().hosts);
    let taken = sender.send(&Message::test(id.clone(), now, &name), To::Own, now).await;
    let is_taken = matches!(taken, Ok(Taken::Now));
    if printer.format == Format::Json {
        let (reason, help) = match &taken {
            Ok(Taken::Now) => (None, None),
            Ok(Taken::NobodyAddressed) => (Some(NOBODY.to_owned()), Some(NOBODY_HINT.to_owned())),
            Err(failure) => (Some(failure.to_string()), failure.hint().map(str::to_owned)),
        };
        printer.json(&json!({ "receiver": name, "id": id, "taken": is_taken, "reason": reason, "help": help }))?;
        return Ok(if is_taken { Code::Done } else { Code::Error });
    }
    match taken {
        Ok(Taken::Now) => {
            printer.result(&format!("`{name}` took the test notice `{id}`"))?;
            Ok(Code::Done)
        }
        Ok(Taken::NobodyAddressed) => Err(Fault::new(format!("`{name}` {NOBODY}")).hint(NOBODY_HINT)),
        Err(failure) => {
            let fault = Fault::new(format!("`{name}` did not take the test notice: {failure}"));
            Err(Fault { hint: failure.hint().map(str::to_owned), ..fault })
        }
    }
}

const NOBODY: &str = "sends mails to owners of tokens only, and a test is about no token";
const NOBODY_HINT: &str = "add an address to `to` to try it";

async fn of_manifest(
    printer: Printer,
    service: Option<&str>,
    (file, name): (&Path, &str),
    allow: &Allow,
) -> Result<Receiver, Fault> {
    let manifest = open::load(printer, Some(file), allow)?;
    let names: Vec<&String> = manifest.notify.keys().collect();
    let receiver = manifest.notify.get(name).ok_or_else(|| unknown(&format!("`{}`", file.display()), name, &names))?;
    let Way::EmailOf(used) = &receiver.way else { return Ok(receiver.clone()) };
    let client = open::client(&open::address(service, Some(&manifest))?, IfMissing::Fail).await?;
    let stored = of_settings(&client.settings().await?.notices.receivers, used, &allow.allowances())?;
    Ok(Receiver { way: stored.way, ..receiver.clone() })
}

fn of_settings(
    receivers: &std::collections::BTreeMap<String, String>,
    name: &str,
    allowances: &Allowances,
) -> Result<Receiver, Fault> {
    let names: Vec<&String> = receivers.keys().collect();
    let text = receivers.get(name).ok_or_else(|| unknown("the service's settings", name, &names))?;
    let setting = notify::setting(name, text, allowances).map_err(|faults| {
        let first = faults.faults.first();
        let why = first.map_or_else(String::new, |fault| format!(": {}", fault.message));
        let fault = Fault::new(format!("the setting `notify.{name}` cannot be read{why}"));
        Fault { hint: first.and_then(|fault| fault.hint.clone()), ..fault }
    })?;
    Ok(setting.receiver)
}

fn unknown(place: &str, name: &str, names: &[&String]) -> Fault {
    let hint = match names {
        [] => "set one: `provision settings set notify.NAME ..`, or declare `[notify.NAME]` in a manifest and pass it with `-f`"
            .to_owned(),
        names => format!("there are {}", listed(names)),
    };
    Fault::new(format!("there is no receiver `{name}` in {place}")).hint(hint)
}

/// What a run leaves to be told, or not to be told yet.
#[derive(Default)]
pub(super) struct Untold {
    /// The tokens that it could not bring in sync, each with why.
    failed: Vec<Failed>,
    /// Those whose rotation waits for its window, until when: they are not overdue.
    waiting: Vec<(TokenKey, Timestamp)>,
}

impl Untold {
    pub(super) fn of(plan: Option<&Plan>, outcome: &Outcome, labels: &Labels) -> Self {
        let tokens = || plan.into_iter().flat_map(|plan| &plan.tokens);
        let blocked = tokens().filter(|token| !token.blocked.is_empty()).map(|token| {
            let remark = plan::remarks(token, labels).into_iter().find(|remark| remark.tone == Tone::Problem);
            Failed { token: token.key(), reason: remark.map_or_else(|| "blocked".to_owned(), |remark| remark.text) }
        });
        let tried = tokens().filter_map(|token| {
            let token = token.key();
            let failure = outcome.failures.iter().find(|failure| failure.subject == token.to_string())?;
            Some(Failed { token, reason: failure.message.clone() })
        });
        let waiting = tokens().flat_map(|token| {
            token.notes.iter().filter_map(|note| match note {
                Note::WaitsForWindow { opens, .. } => Some((token.key(), *opens)),
                _ => None,
            })
        });
        let failed: Vec<Failed> = tried.chain(blocked).collect();
        // What failed is told now, whatever waits beside it.
        let waiting = waiting.filter(|(token, _)| failed.iter().all(|failed| failed.token != *token)).collect();
        Self { failed, waiting }
    }
}

/// Tells and sends what there is, at the end of a run of a manifest. `None` where notices are off, or the table is not at
/// hand: then the scheduled job does it. Nothing of it fails the run, which is done.
pub(super) async fn at_the_end(
    printer: Printer,
    (client, manifest): (&Client, &Manifest),
    untold: &Untold,
    (allowances, stop): (&Allowances, &AtomicBool),
) -> Option<Sent> {
    let (service, caller) = client.operated()?;
    let post = Post { service, at_hand: Some(manifest), published: &[], allowances, stop };
    let sent = async {
        service.reread_settings().await?;
        if !notify::settings(service).await?.on {
            return Ok(None);
        }
        notify::put_off((service, caller), &manifest.name, &untold.waiting).await?;
        notify::tell_due((service, caller), &untold.failed).await?;
        post.turn().await.map(Some)
    };
    match sent.await {
        Ok(sent) => sent,
        Err(error) => {
            let error = ServiceError::from(error);
            printer.warning(&format!("notices were not sent: {error}; they wait for the next run"));
            None
        }
    }
}

/// Shows what became of notices, where there were any.
pub(super) fn show(printer: Printer, sent: &Sent) {
    for down in &sent.down {
        let hint = down.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        printer.warning(&format!("the receiver `{}` did not take a notice: {}{hint}", down.receiver, down.reason));
    }
    for lost in &sent.given_up {
        let receivers = listed(&lost.receivers);
        let message = format!("the notice `{}` ({} of `{}`) was given up", lost.id, lost.kind, lost.token);
        printer.error(&message, Some(&format!("not taken for a week by {receivers}; see `provision notify test`")));
    }
    if let Some(reason) = &sent.broke_off {
        printer.warning(&format!("not all notices were sent: {reason}; they wait for the next run"));
    }
    if sent.with_file > 0 {
        let (notices, waits) = (count(sent.with_file, "notice"), if sent.with_file == 1 { "waits" } else { "wait" });
        printer.talk(&format!("{notices} {waits} for the next run with the file of the manifest that they are about"));
    }
    if sent.sent > 0 || sent.waiting > 0 {
        let waiting = if sent.waiting > 0 { format!(", {} waiting", sent.waiting) } else { String::new() };
        printer.talk(&format!("{} sent{waiting}", count(sent.sent, "notice")));
    }
}
