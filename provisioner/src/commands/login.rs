//! `provision login`.

use std::io::Read as _;
use std::path::PathBuf;

use latchkey::api::wire::Me;
use latchkey::clock::{Clock as _, SystemClock};
use latchkey::secret::{SECRET_MAX, Secret};
use serde_json::json;
use zeroize::Zeroizing;

use super::arguments::Login;
use super::exit::{Code, Fault};
use super::open;
use super::server;
use crate::accounts::{self, Entry, Keep, Known, Server, StoreError, TOKEN, URL};
use crate::manifest::ServiceAddress;
use crate::output::{Format, Hidden, Printer};
use crate::plan::{distance, expiry};
use crate::service::ServiceError;
use crate::service::remote::is_unauthorized;

/// Stores a token for a server, once that server accepted it.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Login) -> Result<Code, Fault> {
    // Silent from the first question on: who pastes the answer and the token at once is faster than the second.
    let is_typed = printer.is_answered() && !arguments.with_token;
    let mut typing = is_typed.then(Hidden::begin).transpose().map_err(not_read)?;
    let server = server_of(service, arguments, typing.as_mut())?;
    let keep = if arguments.insecure_storage { Keep::File } else { Keep::Keyring };
    // Before anybody types a token, so that it is not typed for nothing.
    keep.check(&server).await.map_err(not_stored)?;
    let index = accounts::read().map_err(not_stored)?;
    let secret = read_token(&server, arguments.with_token, typing.as_mut())?;
    drop(typing);
    let remote = server::connect_with(&server, &secret).await.map_err(|error| not_accepted(&server, error))?;
    let who = remote.who();
    let entry = Entry::new(server, arguments.account.clone().unwrap_or_else(|| who.user.clone()));
    let replaced = index.other_token(&entry, &who.id, SystemClock.now());
    if let Some(known) = replaced.as_ref().filter(|_| !arguments.with_token && printer.is_answered()) {
        confirm_replacing(printer, &entry, known)?;
    }
    store(keep, &entry, &secret, who).await?;
    show(printer, keep, &entry, who)?;
    if let Some(known) = &replaced {
        printer.warning_with(&format!("this replaces {}", replacing(known)), &keep_or_revoke(known));
    }
    if keep == Keep::File
        && let Some(path) = accounts::file_of(&entry)
    {
        printer.warning(&format!("the token is stored unencrypted in `{}`, which only you can read", path.display()));
    }
    warn_of_the_environment(printer, &entry.server);
    Ok(Code::Done)
}

/// A token that this login replaces, and that nobody revokes by that.
fn replacing(known: &Known) -> String {
    format!("`{}/{}`, which stays valid until {}", known.user, known.token, expiry(known.expires))
}

fn keep_or_revoke(known: &Known) -> String {
    format!(
        "to keep both, log in with `--account NAME`; to revoke the former: `provision token delete {} --user {}`",
        known.token, known.user
    )
}

fn confirm_replacing(printer: Printer, entry: &Entry, known: &Known) -> Result<(), Fault> {
    if printer.confirm(&format!("Replace {}? [y/N] ", replacing(known)))? {
        return Ok(());
    }
    Err(Fault::new(format!("nothing was stored; the login of `{}` is as it was", entry.account))
        .hint(keep_or_revoke(known))
        .code(Code::Guard))
}

/// Says which of the two tokens is used, where there is one in the environment.
fn warn_of_the_environment(printer: Printer, server: &Server) {
    if !accounts::environment_has_token() {
        return;
    }
    match accounts::environment_server() {
        Ok(Some(named)) if named == *server => {
            printer.warning(&format!("`{TOKEN}` is set for this server, so that token is used instead of this login"));
        }
        Ok(None) => printer.warning(&format!(
            "`{TOKEN}` is set without `{URL}`: it is used instead of this login where `--service` names the server"
        )),
        _ => {}
    }
}

/// The server that a token is asked for. Where only a manifest names one, a person confirms it.
fn server_of(service: Option<&str>, arguments: &Login, typing: Option<&mut Hidden>) -> Result<Server, Fault> {
    if let Some(named) = named(arguments.server.as_deref(), service)? {
        return Ok(named);
    }
    let hint = "pass the server: `provision login --server HOST`";
    let Some((path, url)) = in_manifest()? else {
        return Err(Fault::new(
            "no server is named: there is no `tokens.toml` with a `url` in this folder or above it",
        )
        .hint(hint));
    };
    let server: Server = url.parse().map_err(|_| Fault::new("the server of the manifest is invalid").hint(hint))?;
    let path = path.display();
    let Some(typing) = typing else {
        return Err(Fault::new(format!("only `{path}` names the server `{server}`, so no token was read or sent"))
            .hint(format!("if you trust it with your token, pass `--server {server}`, or set `{URL}`"))
            .code(Code::Guard));
    };
    if typing.confirm(&format!("Log in to `{server}`, the server in `{path}`? [y/N] ")).map_err(not_read)? {
        return Ok(server);
    }
    Err(Fault::new("nothing was sent or stored").hint(hint).code(Code::Guard))
}

/// The server that a person named: with `--server`, with `--service`, or in the environment.
pub(super) fn named(server: Option<&str>, service: Option<&str>) -> Result<Option<Server>, Fault> {
    let parse = |text: &str| {
        text.trim()
            .parse::<Server>()
            .map_err(|error| Fault::new("that is not the address of a server").hint(error.to_string()))
    };
    if let Some(server) = server {
        return parse(server).map(Some);
    }
    match service.map(open::parse_address).transpose()? {
        Some(ServiceAddress::Url { url, .. }) => return parse(&url).map(Some),
        Some(_) => {
            return Err(Fault::new("a table needs no login: whoever can write it is its operator")
                .hint("a login is for a server: pass `--server HOST`"));
        }
        None => {}
    }
    accounts::environment_server().map_err(server::bad_variable)
}

/// The server that the nearest manifest names, and that manifest.
pub(super) fn in_manifest() -> Result<Option<(PathBuf, String)>, Fault> {
    let found = open::nearest_manifest().map_err(|fault| fault.hint("fix it, or pass `--server HOST`"))?;
    Ok(found.and_then(|manifest| match manifest.service {
        Some(ServiceAddress::Url { url, .. }) => Some((manifest.path, url)),
        _ => None,
    }))
}

fn not_read(error: std::io::Error) -> Fault {
    let code = if error.kind() == std::io::ErrorKind::Interrupted { Code::Interrupted } else { Code::Error };
    Fault::new(format!("no token was read: {error}; nothing was sent or stored")).code(code)
}

fn read_token(server: &Server, from_stdin: bool, typing: Option<&mut Hidden>) -> Result<Secret, Fault> {
    let typed = if from_stdin {
        // Longer input is no token; it need not be read to its end to know that.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 * SECRET_MAX));
        let read = std::io::stdin().take(4 * SECRET_MAX as u64).read_to_end(&mut bytes);
        read.map_err(|error| Fault::new(format!("cannot read stdin: {error}")))?;
        Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned())
    } else if let Some(typing) = typing {
        typing.secret(&format!("Token for {server} (not shown): ")).map_err(not_read)?
    } else {
        return Err(Fault::new("there is no terminal to ask for a token on").hint(format!(
            "pipe the token in: `printenv API_TOKEN | provision login --server {server} --with-token`"
        )));
    };
    if from_stdin && typed.is_empty() {
        return Err(Fault::new("stdin was empty; nothing was sent or stored")
            .hint("is the variable set that the token comes from?"));
    }
    // As it stands in a request that it was copied from.
    let bare = match typed.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => typed.as_str(),
    };
    Secret::parse(bare).map_err(|error| {
        let what = if typed.is_empty() { "no token was given".to_owned() } else { format!("that is not a Latchkey token ({error})") };
        Fault::new(format!("{what}; nothing was sent or stored")).hint(
            "copy the whole token, from its prefix to its last character; `provision token create NAME` creates one where you \
             are logged in",
        )
    })
}

fn not_accepted(server: &Server, error: ServiceError) -> Fault {
    match error {
        ServiceError::Refused(refusal) if is_unauthorized(&refusal.code) => {
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            Fault::new(format!("`{server}` does not accept this token{request}; nothing was stored"))
                .hint("it has expired, was revoked, is for another server, or is not allowed from this address")
        }
        error => {
            let fault = Fault::from(error);
            Fault { message: format!("{}; nothing was stored", fault.message), ..fault }
        }
    }
}

/// Stores a login. Where that fails, what was stored before is stored again: it may be the only copy of a token.
async fn store(keep: Keep, entry: &Entry, secret: &Secret, who: &Me) -> Result<(), Fault> {
    let before = keep.get(entry).await.map_err(not_stored)?;
    let known = Known {
        user: who.user.clone(),
        token: who.token.clone(),
        id: who.id.clone(),
        expires: who.works_until,
        kept: keep,
    };
    let stored = keep.put(entry, secret.expose().as_bytes()).await.and_then(|()| {
        accounts::change(|index| {
            let former = index.known(entry).map(|known| known.kept);
            index.add(&entry.server, &entry.account, known);
            former
        })
    });
    let error = match stored {
        Ok(Some(former)) if former != keep => {
            // The same login was stored elsewhere before: no copy of a token stays behind.
            return former.delete(entry).await.map(drop).map_err(server::no_store);
        }
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let undone = match &before {
        Some(value) => keep.put(entry, value).await,
        // What nobody knows of would never be removed.
        None => keep.delete(entry).await.map(drop),
    };
    let fault = not_stored(error);
    let state = match (undone, before) {
        (Err(error), _) => {
            format!("what {} contains for `{}` could not be put back: {error}", keep.words(), entry.account)
        }
        (Ok(()), Some(_)) => format!("nothing was stored; the login of `{}` is as it was", entry.account),
        (Ok(()), None) => "nothing was stored".to_owned(),
    };
    Err(Fault { message: format!("{}; {state}", fault.message), ..fault })
}

fn not_stored(error: StoreError) -> Fault {
    let fault = server::no_store(error);
    Fault { message: format!("the token cannot be stored: {}", fault.message), ..fault }
}

fn show(printer: Printer, keep: Keep, entry: &Entry, who: &Me) -> Result<(), Fault> {
    let Entry { server, account } = entry;
    if printer.format == Format::Json {
        return Ok(printer.json(&json!({
            "server": server.to_string(), "account": account, "user": who.user, "token": who.token, "id": who.id,
            "expires": who.works_until, "stored_in": keep,
        }))?);
    }
    let until = format!("{} ({})", expiry(who.works_until), distance(SystemClock.now(), who.works_until));
    let named = if *account == who.user { String::new() } else { format!(", account `{account}`") };
    printer.result(&format!("Logged in to `{server}` as `{}`{named}", who.user))?;
    printer.result(&format!("Stored the token `{}` in {}; it expires {until}", who.token, keep.words()))?;
    Ok(())
}
