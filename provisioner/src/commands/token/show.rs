//! `provision token show`, `usage` and `events`.

use jiff::{Timestamp, ToSpan, civil::Date};
use latchkey::service::EVENTS_KEPT;
use latchkey::token::{Token, TokenState};
use serde_json::json;

use super::super::arguments::{Days, TokenEvents, TokenShow, TokenUsage};
use super::super::exit::{Code, Fault};
use super::super::when;
use super::{as_json, expires, labelled, role_list, which};
use crate::output::{self, Format, Printer, event_line};
use crate::plan::{expiry, minute};
use crate::service::{Client, History};
use latchkey_sinks::plural::count;

/// Shows one token with its versions, places and history.
pub(super) async fn show(printer: Printer, client: &Client, arguments: &TokenShow) -> Result<Code, Fault> {
    let token = which::any(client, &arguments.which).await?;
    let History { events, usage } = client.history(&token).await?;
    let uses: u64 = usage.iter().map(|day| day.uses).sum();
    if printer.format == Format::Json {
        let mut value = as_json(client, &token);
        value["usage"] = json!(usage);
        value["events"] = json!(events);
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    let mut rows = record(client, &token);
    rows.push(vec!["uses this month".to_owned(), uses.to_string()]);
    rows.extend(events.iter().map(|event| vec!["event".to_owned(), event_line(event)]));
    printer.facts(&rows)?;
    Ok(Code::Done)
}

/// What is recorded of a token, a row a fact.
fn record(client: &Client, token: &Token) -> Vec<Vec<String>> {
    let now = client.now();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("token", format!("{}/{}", token.user, token.name));
    row("id", token.id.to_string());
    if token.state(now) != TokenState::Active {
        row("state", which::ended(client, token));
    }
    if let Some(description) = &token.description {
        row("description", description.clone());
    }
    row("roles", role_list(&token.roles));
    if !token.allowed_ips.is_empty() {
        row("allowed from", token.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    for (label, value) in &token.labels {
        row("label", format!("{label}={value}"));
    }
    row("created", format!("{} by {}", minute(token.created), token.created_by));
    if let Some(end) = token.ends_at().filter(|_| token.state(now) == TokenState::Active) {
        row("expires", expires(now, end));
    }
    if let Some(manifest) = &token.managed_by {
        row("manifest", manifest.to_string());
    }
    if let Some(manifest) = &token.moved_to {
        row("moved to", format!("{manifest}, which may take it"));
    }
    if let Some(terms) = &token.terms {
        let (every, overlap) = (terms.rotate_every, terms.overlap);
        row("durations", format!("valid for {}, rotated every {every}, overlap {overlap}", terms.expires_in));
    }
    let ended = token.ended.is_some();
    for version in token.live(now).filter(|_| !ended) {
        let used = token
            .version_last_used(version.number)
            .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", minute(at)));
        let (state, until) = (version.state.as_str(), expiry(token.deadline(version)));
        row("version", format!("{} {state}, {}, valid until {until}, {used}", version.number, version.fingerprint()));
    }
    for record in token.places.values() {
        let declared = if record.declared { "" } else { ", no longer declared" };
        let version = record.version.map_or_else(|| "nothing yet".to_owned(), |number| format!("version {number}"));
        row("place", format!("{}: {version} delivered{declared}", labelled(record)));
    }
    rows
}

/// The days that are asked about; by default the last 30.
fn span(days: &Days, now: Timestamp) -> Result<(Date, Date), Fault> {
    let Days { from, to } = days;
    let day = |text: &String| when::day(text, now);
    let (from, to) = (from.as_ref(), to.as_ref());
    let to = to.map(day).transpose()?.unwrap_or_else(|| when::date(now));
    let from = from.map(day).transpose()?.or_else(|| to.checked_sub(30.days()).ok()).unwrap_or(to);
    if from > to {
        return Err(Fault::new(format!("{from} is after {to}")).hint("`--from` is the first day, `--to` the last one"));
    }
    Ok((from, to))
}

/// Shows how often a token was used, by day.
pub(super) async fn usage(printer: Printer, client: &Client, arguments: &TokenUsage) -> Result<Code, Fault> {
    let (from, to) = span(&arguments.days, client.now())?;
    let token = which::any(client, &arguments.which).await?;
    let days = client.usage(&token, from, to).await?;
    let uses: u64 = days.iter().map(|day| day.uses).sum();
    let Token { id, user, name, .. } = &token;
    if printer.format == Format::Json {
        let value = json!({ "user": user, "name": name, "id": id, "from": from, "to": to, "days": days, "uses": uses });
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    // The last ones may not be written yet.
    let used = count(uses, "use");
    printer.result(&format!("`{user}/{name}` has {used} from {from} to {to}, counted once a minute"))?;
    if !days.is_empty() {
        let mut rows = vec![["DAY", "USES", "LAST USE"].map(str::to_owned).to_vec()];
        rows.extend(days.iter().map(|day| vec![day.day.to_string(), day.uses.to_string(), minute(day.last)]));
        printer.table(&rows)?;
    }
    Ok(Code::Done)
}

/// Shows the audit events of a token, month by month, newest first.
pub(super) async fn events(printer: Printer, client: &Client, arguments: &TokenEvents) -> Result<Code, Fault> {
    let (from, to) = span(&arguments.days, client.now())?;
    let kept = when::date(EVENTS_KEPT.before(client.now()));
    let token = which::any(client, &arguments.which).await?;
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    // Nothing was done to it before it was there.
    let first = from.max(kept).max(when::date(token.created));
    let (mut found, mut month) = (Vec::new(), to);
    // One more than is shown tells whether there are more.
    while month >= first && found.len() <= limit {
        let of_month = client.events_of(&token, month, usize::MAX).await?;
        found.extend(of_month.into_iter().filter(|event| (first..=to).contains(&when::date(event.at))));
        let Ok(before) = month.first_of_month().yesterday() else { break };
        month = before;
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let Token { id, user, name, .. } = &token;
    if printer.format == Format::Json {
        let value = json!({
            "user": user, "name": name, "id": id, "from": from, "to": to, "events": found, "more": more,
        });
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    let number = count(found.len(), "event");
    printer.result(&format!("`{user}/{name}` has {number} from {from} to {to}"))?;
    if !found.is_empty() {
        printer.table(&output::events(&found))?;
    }
    if more {
        printer.talk("There are more: pass `--limit NUMBER`, or an earlier `--to DAY`");
    }
    Ok(Code::Done)
}
