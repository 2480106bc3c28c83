//! `provision plan`.

use super::arguments::{May, Plan};
use super::exit::{Code, Fault};
use super::open::{self, Absent};
use crate::machine;
use crate::manifest::{Manifest, SinkConfig};
use crate::observe::observe;
use crate::output::{Format, Printer, plan_json};
use crate::plan::{self, Labels, Options, Rotate};
use crate::sinks::registry::Sinks;
use crate::sinks::{dotenv, login};

/// Shows what `apply` would change.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Plan) -> Result<Code, Fault> {
    let manifest = open::load(printer, &arguments.file, &arguments.allow)?;
    if arguments.offline {
        return offline(printer, &manifest);
    }
    let client = open::client(&open::address(service, Some(&manifest))?, Absent::Pretend).await?;
    let machine = machine::name();
    let sinks = Sinks::new(&manifest, &machine);
    let observation = observe(&client, &sinks, &manifest).await?;
    let faults = plan::faults(&manifest, &observation);
    if !faults.is_empty() {
        return Err(open::refuse(printer, &manifest, &faults));
    }
    warn(printer, &manifest);
    let plan = plan::plan(&manifest, &observation, &options(&arguments.may, Rotate::Due));
    let labels = Labels::new(&manifest.folder, &machine);
    if printer.format == Format::Json {
        printer.json(&plan_json(&plan, &labels))?;
    } else {
        printer.lines(&plan::lines(&plan, &labels))?;
        printer.result(&plan::summary(&plan))?;
        if plan.has_changes() {
            printer.result(&format!("Plan id: {}", plan.id()))?;
        }
    }
    if plan.is_blocked() || !plan.guards.is_empty() {
        return Ok(Code::Error);
    }
    Ok(if arguments.detailed_exitcode && plan.has_changes() { Code::Changes } else { Code::Done })
}

fn offline(printer: Printer, manifest: &Manifest) -> Result<Code, Fault> {
    if printer.format == Format::Json {
        let tokens: Vec<_> = manifest
            .tokens
            .iter()
            .map(|token| serde_json::json!({ "user": token.user, "name": token.name, "push": pushes(token) }))
            .collect();
        printer.json(&serde_json::json!({ "manifest": manifest.name, "offline": true, "tokens": tokens }))?;
        return Ok(Code::Done);
    }
    for token in &manifest.tokens {
        printer.result(&format!("token `{}/{}`: {}", token.user, token.name, pushes(token).join(", ")))?;
    }
    let plural = if manifest.tokens.len() == 1 { "" } else { "s" };
    let count = manifest.tokens.len();
    printer.result(&format!("`{}` declares {count} token{plural}; nothing was contacted", manifest.name))?;
    Ok(Code::Done)
}

fn pushes(token: &crate::manifest::TokenDeclaration) -> Vec<String> {
    token.pushes.iter().map(|push| format!("{} {}", push.sink, push.name)).collect()
}

/// What the flags allow.
pub(super) fn options(may: &May, rotate: Rotate) -> Options {
    Options {
        rotate,
        prune: may.prune,
        allow_deletes: may.allow_deletes,
        prune_used: may.prune_used,
        force_retire: may.force_retire,
        forget: may.forget.iter().cloned().collect(),
    }
}

/// What a user should know of the places before secrets go there.
pub(super) fn warn(printer: Printer, manifest: &Manifest) {
    let mut told = std::collections::BTreeSet::new();
    for sink in manifest.sinks.values() {
        if let SinkConfig::Dotenv { path } = &sink.config
            && told.insert(path)
        {
            for warning in dotenv::warnings(path) {
                printer.warning(&warning);
            }
        }
        for login in sink.config.logins() {
            for warning in login::warnings(login) {
                printer.warning(&warning);
            }
        }
    }
}
