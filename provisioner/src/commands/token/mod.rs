//! `provision token`: tokens created and managed by hand, and secrets that turned up somewhere.

mod create;
mod delete;
mod find;
mod input;
mod inspect;
mod list;
mod presented;
mod roles;
mod rotate;
mod show;
mod update;
mod verify;
mod which;

use std::ffi::OsString;
use std::path::Path;

use jiff::Timestamp;
use latchkey::name::RoleName;
use latchkey::token::{PlaceRecord, Token as TokenRecord};
use serde_json::{Value, json};

use super::arguments::{Logout, Token};
use super::exit::{Code, Fault};
use super::logout;
use super::open::{self, IfMissing};
use crate::output::Printer;
use crate::plan::{distance, expiry};
use crate::service::Client;
use latchkey_sinks::plural::noun_for;

/// Runs one of the commands on tokens.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Token) -> Result<Code, Fault> {
    match command {
        // What follows does not want the service, or not with a login of its own.
        Token::Verify { .. } => verify::verify(printer, service).await,
        Token::Inspect(piped) => inspect::inspect(printer, &piped),
        Token::Find(piped) => find::find(printer, service, &piped).await,
        Token::Remove { name, logout } => remove(printer, service, name.as_ref(), &logout).await,
        Token::Create(new) => create::create(printer, &open::nearest(service, IfMissing::Create).await?, new).await,
        command => on_record(printer, &open::nearest(service, IfMissing::Fail).await?, command).await,
    }
}

/// The same for what is asked or changed of tokens that are there.
async fn on_record(printer: Printer, client: &Client, command: Token) -> Result<Code, Fault> {
    match command {
        Token::List(arguments) => list::list(printer, client, &arguments).await,
        Token::Show(arguments) => show::show(printer, client, &arguments).await,
        Token::Usage(arguments) => show::usage(printer, client, &arguments).await,
        Token::Events(arguments) => show::events(printer, client, &arguments).await,
        Token::Roles(arguments) => roles::roles(printer, client, &arguments).await,
        Token::Update(arguments) => update::update(printer, client, arguments).await,
        Token::Rotate(arguments) => rotate::rotate(printer, client, &arguments).await,
        Token::Delete(arguments) => delete::delete(printer, client, &arguments).await,
        Token::Create(_) | Token::Verify { .. } | Token::Inspect(_) | Token::Find(_) | Token::Remove { .. } => {
            Ok(Code::Done)
        }
    }
}

/// `token remove` logs out; whoever names a token means another command.
async fn remove(
    printer: Printer,
    service: Option<&str>,
    name: Option<&OsString>,
    arguments: &Logout,
) -> Result<Code, Fault> {
    if name.is_some() {
        return Err(Fault::new("`provision token remove` takes no name: it logs out of a server; nothing was done")
            .hint("to delete a token: `provision token delete NAME`"));
    }
    logout::run(printer, service, arguments).await
}

/// When something expires, and how far away that is.
fn expires(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({})", expiry(at), distance(now, at))
}

/// What a place is called.
fn labelled(record: &PlaceRecord) -> String {
    latchkey_sinks::label(&record.place, Path::new(""), &latchkey_sinks::machine::name())
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
        .filter(|_| token.ended.is_none())
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
