//! `provision token`: create, list, show, delete and verify tokens by hand.

mod set;
mod verify;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use latchkey::name::{RoleName, TokenName, UserName};
use latchkey::service::Edit;
use latchkey::token::{Token as TokenRecord, TokenState};
use serde_json::{Value, json};

use super::arguments::Token;
use super::exit::{Code, Fault};
use super::logout;
use super::open::{self, IfMissing};
use crate::output::{Format, Printer};
use crate::plan::{distance, minute};
use crate::service::{Client, History, ServiceError};
use latchkey_sinks::plural::{count, noun_for};
use set::add_first;

/// Runs one of the commands on tokens.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Token) -> Result<Code, Fault> {
    // Neither wants the service with a login of its own.
    if let Token::Verify { .. } = command {
        return verify::verify(printer, service).await;
    }
    if let Token::Remove(logout) = &command {
        return logout::run(printer, service, logout).await;
    }
    let absent = if matches!(command, Token::Set(_)) { IfMissing::Create } else { IfMissing::Fail };
    let client = open::nearest(service, absent).await?;
    match command {
        Token::Set(new) => set::set(printer, &client, new).await,
        Token::List { whose, ended, .. } => {
            let user = open::user(&client, &whose.user).await?;
            list(printer, &client, &user, ended).await
        }
        Token::Show { name, whose, .. } => {
            let user = open::user(&client, &whose.user).await?;
            show(printer, &client, &user, &name).await
        }
        Token::Delete { name, whose, yes, .. } => {
            let user = open::user(&client, &whose.user).await?;
            delete(printer, &client, &user, &name, yes).await
        }
        Token::Roles { name, whose, set, .. } => {
            let user = open::user(&client, &whose.user).await?;
            roles(printer, &client, &user, &name, set).await
        }
        Token::Usage { name, whose, from, to, .. } => {
            let user = open::user(&client, &whose.user).await?;
            usage(printer, &client, (&user, &name), (from, to)).await
        }
        Token::Verify { .. } => verify::verify(printer, service).await,
        Token::Remove(logout) => logout::run(printer, service, &logout).await,
    }
}

async fn usage(
    printer: Printer,
    client: &Client,
    (user, name): (&UserName, &TokenName),
    (from, to): (Option<Date>, Option<Date>),
) -> Result<Code, Fault> {
    let to = to.unwrap_or_else(|| date(client.now()));
    let from = from.or_else(|| to.checked_sub(30.days()).ok()).unwrap_or(to);
    if from > to {
        return Err(Fault::new(format!("{from} is after {to}")).hint("`--from` is the first day, `--to` the last one"));
    }
    let token = client.show(user, name).await?.ok_or_else(|| no_token(user, name))?;
    let days = client.usage(&token, from, to).await?;
    let uses: u64 = days.iter().map(|day| day.uses).sum();
    if printer.format == Format::Json {
        printer.json(&json!({ "user": user, "name": name, "from": from, "to": to, "days": days, "uses": uses }))?;
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

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn roles_words(roles: &[RoleName]) -> String {
    if roles.is_empty() {
        return "no roles, so it allows nothing".to_owned();
    }
    format!("the {} {}", noun_for(roles.len(), "role"), role_list(roles))
}

fn role_list(roles: &[RoleName]) -> String {
    let texts: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn as_json(client: &Client, token: &TokenRecord) -> Value {
    let now = client.now();
    let versions: Vec<Value> = token
        .live(now)
        .map(|version| {
            json!({
                "version": version.number,
                "state": version.state,
                "fingerprint": version.fingerprint(),
                "created": version.created,
                "expires": token.deadline(version),
                "last_used": token.version_last_used(version.number),
            })
        })
        .collect();
    json!({
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "description": token.description,
        "state": token.state(now),
        "roles": token.roles,
        "labels": token.labels,
        "allowed_ips": token.allowed_ips,
        "created": token.created,
        "created_by": token.created_by,
        "expires": token.ends_at(),
        "managed_by": token.managed_by,
        "moved_to": token.moved_to,
        "last_used": token.last_used(),
        "versions": versions,
        "ended": token.ended.as_ref().map(|ended| json!({ "at": ended.at, "by": ended.by })),
    })
}

async fn list(printer: Printer, client: &Client, user: &UserName, ended: i32) -> Result<Code, Fault> {
    let now = client.now();
    let held = client.active(user).await.map_err(|error| not_listed(user, error))?;
    let (active, expired): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|token| token.state(now) == TokenState::Active);
    let mut gone: Vec<TokenRecord> = if ended > 0 { client.ended(user, ended).await? } else { Vec::new() };
    gone.extend(expired);
    if printer.format == Format::Json {
        let texts = |tokens: &[TokenRecord]| tokens.iter().map(|token| as_json(client, token)).collect::<Vec<_>>();
        printer.json(&json!({ "user": user, "active": texts(&active), "ended": texts(&gone) }))?;
        return Ok(Code::Done);
    }
    if active.is_empty() && gone.is_empty() {
        printer.result(&format!("`{user}` has no tokens; create one with `provision token set NAME`"))?;
        return Ok(Code::Done);
    }
    printer.result(&format!("Active tokens of `{user}`: {}", active.len()))?;
    if !active.is_empty() {
        let mut rows = vec![["NAME", "ID", "ROLES", "EXPIRES", "LAST USE", "DESCRIPTION"].map(str::to_owned).to_vec()];
        rows.extend(active.iter().map(|token| {
            let roles: Vec<&str> = token.roles.iter().map(RoleName::as_str).collect();
            vec![
                token.name.to_string(),
                token.id.to_string(),
                if roles.is_empty() { "-".to_owned() } else { roles.join(", ") },
                token.ends_at().map_or_else(|| "never".to_owned(), |at| distance(now, at)),
                token.last_used().map_or_else(|| "never".to_owned(), minute),
                token.description.clone().unwrap_or_default(),
            ]
        }));
        printer.table(&rows)?;
    }
    if !gone.is_empty() {
        printer.block("\nDeleted and expired tokens, newest first")?;
        let mut rows = vec![["NAME", "ID", "STATE", "WHEN", "BY"].map(str::to_owned).to_vec()];
        rows.extend(gone.iter().map(|token| {
            let at = token.ended.as_ref().map(|ended| ended.at).or_else(|| token.ends_at());
            let by = token.ended.as_ref().and_then(|ended| ended.by.clone());
            vec![
                token.name.to_string(),
                token.id.to_string(),
                token.state(now).as_str().to_owned(),
                at.map_or_else(|| "-".to_owned(), minute),
                by.unwrap_or_else(|| "-".to_owned()),
            ]
        }));
        printer.table(&rows)?;
    }
    Ok(Code::Done)
}

/// A service account's token sees no list of tokens, not even of its own user's.
fn not_listed(user: &UserName, error: ServiceError) -> Fault {
    match error {
        ServiceError::Refused(refusal) if matches!(refusal.code.as_str(), "not_found" | "insufficient_scope") => {
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            Fault::new(format!("this token is not allowed to list the tokens of `{user}`{request}"))
                .hint("a person's token lists that person's tokens; for all others use one with `admin:tokens`")
        }
        error => error.into(),
    }
}

fn no_token(user: &UserName, name: &TokenName) -> Fault {
    Fault::new(format!("there is no active token `{user}/{name}`"))
        .hint(format!("see `provision token list --user {user}`"))
}

async fn show(printer: Printer, client: &Client, user: &UserName, name: &TokenName) -> Result<Code, Fault> {
    let token = client.show(user, name).await?.ok_or_else(|| no_token(user, name))?;
    let now = client.now();
    let History { mut events, usage } = client.history(&token).await?;
    events.truncate(10);
    if printer.format == Format::Json {
        let mut value = as_json(client, &token);
        value["usage"] = json!(usage);
        value["events"] = json!(
            events
                .iter()
                .map(|event| json!({ "at": event.at, "actor": event.actor, "action": event.action, "detail": event.detail }))
                .collect::<Vec<_>>()
        );
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("token", format!("{}/{}", token.user, token.name));
    row("id", token.id.to_string());
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
    if let Some(manifest) = &token.managed_by {
        row("manifest", manifest.to_string());
    }
    if let Some(manifest) = &token.moved_to {
        row("moved to", format!("{manifest}, which may take it"));
    }
    for version in token.live(now) {
        let used = token
            .version_last_used(version.number)
            .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", minute(at)));
        let (state, until) = (version.state.as_str(), minute(token.deadline(version)));
        row("version", format!("{} {state}, {}, valid until {until}, {used}", version.number, version.fingerprint()));
    }
    for record in token.places.values() {
        let declared = if record.declared { "" } else { ", no longer declared" };
        let label = latchkey_sinks::label(&record.place, std::path::Path::new(""), &latchkey_sinks::machine::name());
        let version = record.version.map_or_else(|| "nothing yet".to_owned(), |number| format!("version {number}"));
        row("place", format!("{label}: {version} delivered{declared}"));
    }
    let uses: u64 = usage.iter().map(|day| day.uses).sum();
    row("uses this month", uses.to_string());
    for event in &events {
        let detail = event.detail.clone().unwrap_or_default();
        row(
            "event",
            format!("{} {} by {} {detail}", minute(event.at), event.action, event.actor).trim_end().to_owned(),
        );
    }
    printer.facts(&rows)?;
    Ok(Code::Done)
}

async fn delete(
    printer: Printer,
    client: &Client,
    user: &UserName,
    name: &TokenName,
    yes: bool,
) -> Result<Code, Fault> {
    let token = client.show(user, name).await?.ok_or_else(|| no_token(user, name))?;
    if let Some(manifest) = &token.managed_by {
        printer.warning(&format!(
            "`{manifest}` declares this token: its next apply creates another one and delivers it to the same places"
        ));
    }
    if !yes {
        let used = token.last_used().map_or_else(|| "never used".to_owned(), |at| format!("last used {}", minute(at)));
        if !printer.is_answered() {
            return Err(Fault::new(format!("`{user}/{name}` was not deleted: there is no terminal to confirm on"))
                .hint("pass `--yes` to confirm")
                .code(Code::Guard));
        }
        let question = format!("Delete `{user}/{name}` ({used})? Its secrets are revoked at once, for good [y/N] ");
        if !printer.confirm(&question)? {
            return Err(Fault::new("nothing was deleted").code(Code::Guard));
        }
    }
    let gone = client
        .delete(&token)
        .await
        .map_err(|error| Fault::new(error.to_string()).hint("if it is still listed, try again"))?;
    if printer.format == Format::Json {
        printer.json(&as_json(client, &gone))?;
    } else {
        printer.result(&format!("Deleted `{user}/{name}`; all its secrets are revoked"))?;
    }
    Ok(Code::Done)
}

async fn roles(
    printer: Printer,
    client: &Client,
    user: &UserName,
    name: &TokenName,
    wanted: Option<Vec<RoleName>>,
) -> Result<Code, Fault> {
    let mut token = client.show(user, name).await?.ok_or_else(|| no_token(user, name))?;
    if let Some(wanted) = wanted {
        let edit = Edit { roles: Some(wanted), ..Edit::default() };
        token = client.edit(&token, &edit).await.map_err(|error| match error {
            ServiceError::Refused(refusal) if refusal.code == "role_not_held" => {
                Fault { hint: add_first(user, &refusal), ..Fault::new(refusal.to_string()) }
            }
            error => error.into(),
        })?;
    }
    let permissions = client.permissions_of(&token).await?;
    let texts: Vec<String> = permissions.iter().map(ToString::to_string).collect();
    if printer.format == Format::Json {
        printer.json(&json!({ "user": user, "name": name, "roles": token.roles, "permissions": texts }))?;
        return Ok(Code::Done);
    }
    printer.result(&format!("`{user}/{name}` has {}", roles_words(&token.roles)))?;
    for text in texts {
        printer.result(&format!("  {text}"))?;
    }
    Ok(Code::Done)
}
