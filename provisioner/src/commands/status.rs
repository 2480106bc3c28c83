//! `provision status`: every token, its versions and its places.

use jiff::Timestamp;
use latchkey::version::Version;
use serde_json::json;

use super::arguments::Status;
use super::exit::{Code, Fault};
use super::open::{self, Absent};
use crate::machine;
use crate::observe::{Observation, observe};
use crate::output::{Format, Printer, table};
use crate::plan::find::Find;
use crate::plan::{self, Labels, Options, Plan, TokenPlan, distance, minute};
use crate::sinks::registry::Sinks;

/// Shows where every version is.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Status) -> Result<Code, Fault> {
    let manifest = open::load(printer, &arguments.file, &arguments.allow)?;
    let client = open::client(&open::address(service, Some(&manifest))?, Absent::Pretend).await?;
    let machine = machine::name();
    let sinks = Sinks::new(&manifest, &machine);
    let observation = observe(&client, &sinks, &manifest).await?;
    let plan = plan::plan(&manifest, &observation, &Options::default());
    let labels = Labels::new(&manifest.folder, &machine);
    if printer.format == Format::Json {
        let tokens: Vec<_> = plan.tokens.iter().map(|token| as_json(token, &observation, &labels)).collect();
        printer.json(&json!({ "manifest": manifest.name, "at": observation.at, "tokens": tokens }))?;
        return Ok(Code::Done);
    }
    printer.result(&text(&plan, &observation, &labels))?;
    Ok(Code::Done)
}

fn text(plan: &Plan, observation: &Observation, labels: &Labels) -> String {
    let heads = ["TOKEN", "VERSION", "PLACE", "HOLDS", "ROTATION", "LAST USE"];
    let mut rows: Vec<Vec<String>> = vec![heads.iter().map(ToString::to_string).collect()];
    let mut unknown: Vec<String> = Vec::new();
    for token in &plan.tokens {
        let mut name = format!("{}/{}", token.user, token.name);
        if token.declaration.is_none() {
            name.push_str(" (not declared)");
        }
        let record = token.record.as_deref();
        let versions = record.map_or_else(
            || "none yet".to_owned(),
            |record| {
                let live = record.live(observation.at);
                let texts: Vec<String> =
                    live.map(|version| format!("{} {}", version.number, version.state.as_str())).collect();
                if texts.is_empty() { "none works".to_owned() } else { texts.join(", ") }
            },
        );
        let due = record.and_then(latchkey::token::Token::due);
        let due = due.map_or_else(
            || "-".to_owned(),
            |due| format!("{}{}", if due > observation.at { "" } else { "due " }, distance(observation.at, due)),
        );
        let used = record.and_then(latchkey::token::Token::last_used);
        let used = used.map_or_else(|| "never".to_owned(), minute);
        let places: Vec<(String, String)> =
            token.finds.iter().map(|(place, find)| (labels.of(place), holds(token, find, observation.at))).collect();
        unknown.extend(token.finds.iter().filter_map(|(place, find)| match find {
            Find::Unknown(error) => Some(format!("unknown {}: {error}", labels.of(place))),
            _ => None,
        }));
        let mut cells = places.into_iter();
        let (place, held) = cells.next().unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
        rows.push(vec![name, versions, place, held, due, used]);
        rows.extend(cells.map(|(place, held)| vec![String::new(), String::new(), place, held]));
    }
    if rows.len() == 1 {
        return "No tokens".to_owned();
    }
    // Below, as a reason is wider than a column may be.
    [vec![table(&rows)], unknown].concat().join("\n")
}

fn holds(token: &TokenPlan, find: &Find, now: Timestamp) -> String {
    let expired = |version: &Version| token.record.as_deref().is_some_and(|record| record.deadline(version) <= now);
    match find {
        Find::Current => match token.record.as_deref().and_then(|record| record.current()) {
            Some(current) if expired(current) => format!("version {}, expired", current.number),
            _ => find.words().to_owned(),
        },
        Find::Other { number: Some(number), live: true } => format!("version {number}"),
        Find::Other { number: Some(number), live: false } => format!("version {number}, dead"),
        find => find.words().to_owned(),
    }
}

fn as_json(token: &TokenPlan, observation: &Observation, labels: &Labels) -> serde_json::Value {
    let record = token.record.as_deref();
    let versions: Vec<_> = record
        .into_iter()
        .flat_map(|record| record.live(observation.at).map(move |version| (record, version)))
        .map(|(record, version)| {
            json!({
                "version": version.number,
                "state": version.state,
                "fingerprint": version.fingerprint(),
                "expires": record.deadline(version),
                "last_used": record.version_last_used(version.number),
            })
        })
        .collect();
    let places: Vec<_> = token
        .finds
        .iter()
        .map(|(place, find)| {
            let reason = if let Find::Unknown(error) = find { Some(error.to_string()) } else { None };
            json!({
                "id": place.id(),
                "place": labels.of(place).trim_matches('`'),
                "holds": holds(token, find, observation.at),
                "reason": reason,
            })
        })
        .collect();
    json!({
        "user": token.user,
        "name": token.name,
        "id": record.map(|record| &record.id),
        "declared": token.declaration.is_some(),
        "versions": versions,
        "places": places,
        "rotation_due": record.and_then(latchkey::token::Token::due),
        "last_used": record.and_then(latchkey::token::Token::last_used),
    })
}
