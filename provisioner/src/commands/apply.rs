//! `provision apply` and `provision rotate`: one engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::arguments::{Apply, Rotate as RotateArguments};
use super::exit::{Code, Fault};
use super::interrupt::Signals;
use super::open::IfMissing;
use super::plan::{options, preview};
use super::run::{RunRequest, run};
use super::schedule::{Schedule, What};
use super::{agree, choose, compromised, job, notices, open, saved, settings};
use crate::output::Printer;
use crate::plan::{Options, Rotate};

/// Creates, updates and rotates tokens so that everything matches the manifest.
pub(super) async fn apply(printer: Printer, service: Option<&str>, arguments: &Apply) -> Result<Code, Fault> {
    let saved = arguments.plan.as_deref().map(saved::read).transpose()?;
    let manifest = open::load(printer, arguments.file.as_deref(), &arguments.allow)?;
    let may = match &saved {
        Some(saved) => saved.options()?,
        None => options(&manifest, &arguments.may, Rotate::Due)?,
    };
    let (how, plan_id) = (&arguments.how, arguments.plan_id.as_deref());
    let (only, machines) = (&arguments.may.select.only, &arguments.may.forget_machine);
    if arguments.dry_run {
        return preview(printer, service, &manifest, may, (only, machines)).await;
    }
    // A plan that was read before has been agreed to.
    let asks = may.prune && !arguments.yes && saved.is_none() && plan_id.is_none() && agree::can(printer);
    let pausing = &BTreeSet::new();
    let publish = arguments.publish;
    let wish = RunRequest { how, may, only, pausing, machines, plan_id, saved, asks, publish, notify: None };
    run(printer, service, &manifest, wish).await
}

/// Rotates what is due, the named tokens, or all; or replaces leaked secrets.
pub(super) async fn rotate(printer: Printer, service: Option<&str>, arguments: RotateArguments) -> Result<Code, Fault> {
    if arguments.published {
        return published(printer, service, arguments).await;
    }
    let mut words = arguments.words.clone();
    let is_file = words.first().is_some_and(|word| {
        std::path::Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
    });
    let file = is_file.then(|| PathBuf::from(words.remove(0)));
    if let Some(every) = arguments.every {
        if let Some(word) = words.first() {
            return Err(Fault::new(format!("cannot combine `{word}` with `--every`"))
                .hint("`--every` rotates what is due; rotate a token now in a separate run"));
        }
        // What is wrong from the beginning is an error, not something to come back to.
        open::load(printer, file.as_deref(), &arguments.allow)?;
        let RotateArguments { allow, how, .. } = arguments;
        let service = service.map(str::to_owned);
        let schedule = Schedule { printer, service, what: What::Manifest { file, allow, how }, every };
        return Ok(schedule.run(None, &Signals::watch(printer)).await);
    }
    let manifest = open::load(printer, file.as_deref(), &arguments.allow)?;
    if !arguments.compromised.is_empty() {
        if let Some(word) = words.first() {
            return Err(Fault::new(format!("cannot combine `{word}` with `--compromised`")).hint(format!(
                "pass `--compromised {word}` if it has leaked too; rotate other tokens in a separate run"
            )));
        }
        let address = open::address(service, Some(&manifest))?;
        let client = open::client(&address, IfMissing::Fail).await?;
        settings::switch_on(printer, &client, &manifest).await?;
        drop(client);
        let code = compromised::run(printer, service, &manifest, &arguments).await?;
        let client = open::client(&address, IfMissing::Fail).await?;
        let allowances = arguments.allow.allowances();
        let never = AtomicBool::new(false);
        let sent =
            notices::at_the_end(printer, (&client, &manifest), &notices::Untold::default(), (&allowances, &never))
                .await;
        if let Some(sent) = &sent {
            notices::show(printer, sent);
        }
        return Ok(code);
    }
    let names = choose::tokens(&manifest, &[], &words).map_err(|fault| no_token(&words, fault))?;
    let rotate = match (arguments.all, names.is_empty()) {
        (true, _) => Rotate::All,
        (false, true) => Rotate::Due,
        (false, false) => Rotate::Named(names),
    };
    let may = Options {
        rotate,
        force_retire: arguments.force_retire,
        forget: arguments.forget.iter().cloned().collect(),
        forget_branches: arguments.forget_branch.iter().cloned().collect(),
        allow_rotations: arguments.allow_rotations,
        sinks: choose::sinks(&manifest, &arguments.sink)?,
        ..Options::default()
    };
    // Who names a token means that one and no other.
    let only = if arguments.only.is_empty() { &words } else { &arguments.only };
    let machines = &arguments.forget_machine;
    if arguments.dry_run {
        return preview(printer, service, &manifest, may, (only, machines)).await;
    }
    let pausing = &BTreeSet::new();
    let allowances = arguments.allow.allowances();
    let wish = RunRequest {
        how: &arguments.how,
        may,
        only,
        pausing,
        machines,
        plan_id: None,
        saved: None,
        asks: false,
        publish: false,
        notify: Some(&allowances),
    };
    run(printer, service, &manifest, wish).await
}

/// Rotates what is due of published manifests, once or again and again.
async fn published(printer: Printer, service: Option<&str>, arguments: RotateArguments) -> Result<Code, Fault> {
    if let Some(word) = arguments.words.first() {
        return Err(Fault::new(format!("cannot combine `{word}` with `--published`"))
            .hint("`--published` rotates what is due of all manifests that the service's table has"));
    }
    let signals = Signals::watch(printer);
    let Some(every) = arguments.every else {
        return job::run(printer, service, &arguments.allow.allowances(), &signals.begin()).await;
    };
    let service = service.map(str::to_owned);
    Ok(Schedule { printer, service, what: What::Published { allow: arguments.allow }, every }.run(None, &signals).await)
}

/// A word that is no token may be a file that was meant as the manifest.
fn no_token(words: &[String], fault: Fault) -> Fault {
    match words.iter().find(|word| std::path::Path::new(word).is_file()) {
        Some(word) => Fault::new(format!("`{word}` is a file, not a token of the manifest"))
            .hint("nothing was rotated; a manifest's name ends in `.toml`, and it comes before the tokens"),
        None => fault,
    }
}
