//! `provision logout`.

use latchkey::clock::{Clock as _, SystemClock};
use latchkey::name::UserName;
use latchkey::secret::Secret;
use serde_json::json;

use super::accounts::server_in_use;
use super::arguments::Logout;
use super::consent::{asked, declined};
use super::exit::{Code, Fault};
use super::server;
use crate::accounts::{self, Entry, Known, Server, StoreError, TOKEN};
use crate::output::{Format, Printer};
use crate::plan::expiry;
use crate::service::remote::is_unauthorized;
use crate::service::{Client, ServiceError};

/// Removes a stored token, and revokes it if that is wanted.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Logout) -> Result<Code, Fault> {
    let index = accounts::read().map_err(server::no_store)?;
    let server = server_in_use(&index, arguments.server.as_deref(), service)?;
    let logins = index.at(&server).ok_or_else(|| not_logged_in(&server))?;
    let account = arguments.account.clone().unwrap_or_else(|| logins.account.clone());
    let known =
        logins.accounts.get(&account).cloned().ok_or_else(|| no_account(&server, &account, logins.accounts.keys()))?;
    let entry = Entry::new(server, account);
    if arguments.forget {
        return forget(printer, &entry, &known, logins.accounts.len(), arguments.yes);
    }
    // What could not be removed is not revoked either, and nobody is asked about it.
    known.kept.check(&entry.server).await.map_err(|error| not_opened(error, &entry, &known))?;
    if !confirm(printer, &entry, logins.accounts.len(), arguments.yes)? {
        return declined(printer);
    }
    let revoke = arguments.revoke || !arguments.yes && wants_it_revoked(printer, &known)?;
    let end = if revoke { revoke_it(&entry, &known).await? } else { End::None };
    let (was_there, next) = remove(&entry, &known).await.map_err(|error| not_removed(error, end, &known))?;
    let Entry { server, account } = &entry;
    if printer.format == Format::Json {
        printer.json(&json!({
            "server": server.to_string(), "account": account, "token": known.token,
            "revoked": end == End::Revoked, "expired": end == End::Expired, "account_in_use": next,
        }))?;
        return Ok(Code::Done);
    }
    let was = if was_there { "" } else { ", which was gone already" };
    let end = match end {
        End::None => String::new(),
        End::Revoked => format!("; `{}` is revoked", known.token),
        End::Expired => format!("; `{}` had expired", known.token),
    };
    printer.result(&format!(
        "Removed the token of `{account}` for `{server}` from {}{was}{end}",
        known.kept.place(&entry)
    ))?;
    if let Some(next) = next {
        printer.result(&format!("`{next}` is used for `{server}` from now on"))?;
    }
    if accounts::environment_has_token() {
        printer.warning(&format!("`{TOKEN}` is still set in this environment"));
    }
    Ok(Code::Done)
}

/// How a token ended, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    None,
    Revoked,
    Expired,
}

/// Removes a login; whether its token was still there, and the account that is used there now.
async fn remove(entry: &Entry, known: &Known) -> Result<(bool, Option<UserName>), StoreError> {
    let was_there = known.kept.delete(entry).await?;
    Ok((was_there, accounts::change(|index| index.remove(&entry.server, &entry.account))?))
}

fn not_removed(error: StoreError, end: End, known: &Known) -> Fault {
    let fault = server::no_store(error);
    if end != End::Revoked {
        return fault;
    }
    Fault {
        message: format!("`{}` is revoked, but its login was not removed: {}", known.token, fault.message),
        ..fault
    }
}

/// Drops a login from the list; its token is left where it is.
fn forget(printer: Printer, entry: &Entry, known: &Known, accounts: usize, yes: bool) -> Result<Code, Fault> {
    if !confirm(printer, entry, accounts, yes)? {
        return declined(printer);
    }
    let next = accounts::change(|index| index.remove(&entry.server, &entry.account)).map_err(server::no_store)?;
    let Entry { server, account } = entry;
    if printer.format == Format::Json {
        printer.json(&json!({
            "server": server.to_string(), "account": account, "token": known.token, "revoked": false, "expired": false,
            "account_in_use": next,
        }))?;
    } else {
        printer.result(&format!("Removed the login of `{account}` for `{server}` from the list"))?;
    }
    let (place, until) = (known.kept.place(entry), expiry(known.expires));
    printer.warning_with(
        &format!("its token stays in {place}, if that still exists, and is valid until {until}"),
        &revoke_otherwise(known),
    );
    Ok(Code::Done)
}

fn not_opened(error: StoreError, entry: &Entry, known: &Known) -> Fault {
    let StoreError::Keyring(keyring) = &error else { return server::no_store(error) };
    let open = keyring.hint().unwrap_or("run in the session of that keyring");
    Fault::new(format!("the token of `{}` was not removed: {keyring}", entry.account)).hint(format!(
        "the token stays in the keyring: {open}; or {}; `--forget` drops the login from the list only",
        revoke_otherwise(known)
    ))
}

pub(super) fn not_logged_in(server: &Server) -> Fault {
    Fault::new(format!("you are not logged in to `{server}`")).hint("see `provision accounts`")
}

pub(super) fn no_account<'a>(server: &Server, account: &UserName, known: impl Iterator<Item = &'a UserName>) -> Fault {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    Fault::new(format!("there is no account `{account}` for `{server}`"))
        .hint(format!("its accounts: {}", known.join(", ")))
}

fn confirm(printer: Printer, entry: &Entry, accounts: usize, yes: bool) -> Result<bool, Fault> {
    let Entry { server, account } = entry;
    let whose = if accounts > 1 { format!(" of {account}") } else { String::new() };
    let question = format!("Are you sure you want to remove the token{whose} for {server}?");
    asked(printer, yes, &question, &format!("the token for `{server}` was not removed"))
}

fn wants_it_revoked(printer: Printer, known: &Known) -> Result<bool, Fault> {
    let question = format!("Revoke `{}/{}` too, so that no copy of it is valid? [y/N] ", known.user, known.token);
    Ok(printer.confirm(&question)?)
}

/// Revokes the token with itself. One that had expired needs it not; else nothing was removed here either, as only who has
/// the token can try again.
async fn revoke_it(entry: &Entry, known: &Known) -> Result<End, Fault> {
    let kept = known.kept.get(entry).await.map_err(server::no_store)?;
    let secret = kept.and_then(|kept| Secret::parse(std::str::from_utf8(&kept).ok()?.trim()).ok());
    let Some(secret) = secret else {
        return Err(Fault::new(format!("the token was not revoked: it is no longer in {}", known.kept.words()))
            .hint(format!("{}; without `--revoke` only the login is removed", revoke_otherwise(known))));
    };
    let failed = |error: ServiceError| {
        let fault = Fault::from(error);
        Fault::new(format!("the token was neither revoked nor removed: {}", fault.message))
            .hint("try again, or without `--revoke` to remove it from this machine only")
    };
    let remote = match server::connect_with(&entry.server, &secret).await {
        // A server says no more than this, also of a valid token from an address that is not allowed.
        Err(ServiceError::Refused(refusal)) if is_unauthorized(&refusal.code) => {
            if known.expires <= SystemClock.now() {
                return Ok(End::Expired);
            }
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            let server = &entry.server;
            let message = format!("the token was neither revoked nor removed: `{server}` does not accept it{request}");
            return Err(Fault::new(message).hint(format!(
                "it has expired, was revoked already, or is not allowed from this address; {}; without `--revoke` it is \
                 removed from this machine only",
                revoke_otherwise(known)
            )));
        }
        remote => remote.map_err(failed)?,
    };
    let who = remote.who().clone();
    let client = Client::remote(remote);
    match client.show(&who.user, &who.token).await.map_err(failed)? {
        Some(token) if token.id == who.id => client.delete(&token).await.map(|_| End::Revoked).map_err(failed),
        _ => Err(Fault::new("the token was neither revoked nor removed: the server does not show it")
            .hint("without `--revoke` it is removed from this machine only")),
    }
}

fn revoke_otherwise(known: &Known) -> String {
    format!("revoke it with another login: `provision token delete {} --user {}`", known.token, known.user)
}
