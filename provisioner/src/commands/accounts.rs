//! `provision accounts` and `provision switch`.

use latchkey::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::arguments::Switch;
use super::exit::{Code, Fault};
use super::login::{in_manifest, named};
use super::logout::{no_account, not_logged_in};
use super::server;
use crate::accounts::{self, Index, Server};
use crate::output::{Format, Printer};
use crate::plan::distance;

/// Lists the logins of this user.
pub(super) fn list(printer: Printer) -> Result<Code, Fault> {
    let index = accounts::read().map_err(server::no_store)?;
    let current = index.current().map(|server| server.to_string());
    if printer.format == Format::Json {
        let logins: Vec<Value> = index
            .servers()
            .flat_map(|(name, logins)| {
                logins.accounts.iter().map(move |(account, known)| (name, logins, account, known))
            })
            .map(|(name, logins, account, known)| {
                json!({
                    "server": name, "account": account, "in_use": *account == logins.account, "user": known.user,
                    "token": known.token, "id": known.id, "expires": known.expires, "stored_in": known.kept,
                })
            })
            .collect();
        printer.json(&json!({ "logins": logins, "default_server": current }))?;
        return Ok(Code::Done);
    }
    let now = SystemClock.now();
    let mut rows = vec![["SERVER", "ACCOUNT", "IN USE", "TOKEN", "EXPIRES", "STORED IN"].map(str::to_owned).to_vec()];
    for (name, logins) in index.servers() {
        rows.extend(logins.accounts.iter().map(|(account, known)| {
            vec![
                name.to_owned(),
                account.to_string(),
                if *account == logins.account { "*" } else { "" }.to_owned(),
                format!("{}/{}", known.user, known.token),
                format!("{}{}", if known.expires <= now { "expired " } else { "" }, distance(now, known.expires)),
                known.kept.words().to_owned(),
            ]
        }));
    }
    if rows.len() == 1 {
        printer.result("No logins; `provision login --server HOST` adds one")?;
        return Ok(Code::Done);
    }
    printer.table(&rows)?;
    if let Some(current) = current {
        printer.result(&format!(
            "Where no manifest and no variable names a server, commands that need no manifest use `{current}`"
        ))?;
    }
    Ok(Code::Done)
}

/// Uses another account from now on.
pub(super) fn switch(printer: Printer, service: Option<&str>, arguments: &Switch) -> Result<Code, Fault> {
    let index = accounts::read().map_err(server::no_store)?;
    let server = server_in_use(&index, arguments.server.as_deref(), service)?;
    let logins = index.at(&server).ok_or_else(|| not_logged_in(&server))?;
    let mut others = logins.accounts.keys().filter(|account| **account != logins.account);
    let account = match (&arguments.account, others.next(), others.next()) {
        (Some(account), ..) if !logins.accounts.contains_key(account) => {
            return Err(no_account(&server, account, logins.accounts.keys()));
        }
        (Some(account), ..) | (None, Some(account), None) => account.clone(),
        (None, None, _) => logins.account.clone(),
        (None, Some(_), Some(_)) => {
            let names: Vec<String> = logins.accounts.keys().map(|name| format!("`{name}`")).collect();
            return Err(Fault::new(format!("`{server}` has several accounts: {}", names.join(", ")))
                .hint("pass the one to use: `provision switch ACCOUNT`"));
        }
    };
    accounts::change(|index| index.switch(&server, &account)).map_err(server::no_store)?;
    if printer.format == Format::Json {
        printer.json(&json!({ "server": server.to_string(), "account": account }))?;
    } else {
        printer.result(&format!("`{account}` is used for `{server}` from now on"))?;
    }
    Ok(Code::Done)
}

/// The server that is meant: the named one, else that of the nearest manifest, else the one in use. Whoever is not logged in
/// to the manifest's may not mean another.
pub(super) fn server_in_use(index: &Index, server: Option<&str>, service: Option<&str>) -> Result<Server, Fault> {
    // A table has no logins; in the environment it is meant for other commands.
    let is_table = |service: &str| service.starts_with("embedded:") || service.starts_with("table:");
    let service = service.filter(|service| !(is_table(service) && accounts::names_service(service)));
    if let Some(named) = named(server, service)? {
        return Ok(named);
    }
    if let Some((path, url)) = in_manifest()? {
        let declared: Option<Server> = url.parse().ok();
        if let Some(known) = declared.as_ref().filter(|server| index.at(server).is_some()) {
            return Ok(known.clone());
        }
        let name = declared.map_or(url, |server| server.to_string());
        let path = path.display();
        return Err(Fault::new(format!("you are not logged in to `{name}`, the server in `{path}`"))
            .hint("if you mean another server, pass `--server HOST`; see `provision accounts`"));
    }
    let only = || index.servers().next().filter(|_| index.servers().count() == 1)?.0.parse().ok();
    index.current().or_else(only).ok_or_else(|| {
        if index.servers().next().is_none() {
            return Fault::new("you are not logged in to any server").hint("log in: `provision login --server HOST`");
        }
        Fault::new("you are logged in to several servers").hint("pass one: `--server HOST`; see `provision accounts`")
    })
}
