//! `provision whoami`.

use latchkey::api::wire::Me;
use latchkey::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::server;
use crate::accounts::{Entry, Server, Source};
use crate::manifest::ServiceAddress;
use crate::output::{Format, Printer};
use crate::plan::{distance, expiry};

/// Shows as whom the service is asked, and where the login for it comes from.
pub(super) async fn run(printer: Printer, service: Option<&str>) -> Result<Code, Fault> {
    let address = open::nearest_address(service)?;
    let ServiceAddress::Url { url, by } = &address else { return operator(printer, &address).await };
    let (server, who, source) = server::introduce(url, *by).await?;
    if printer.format == Format::Json {
        printer.json(&as_json(&server, &who, &source))?;
    } else {
        printer.facts(&rows(&server, &who, &source))?;
    }
    Ok(Code::Done)
}

async fn operator(printer: Printer, address: &ServiceAddress) -> Result<Code, Fault> {
    let client = open::client(address, IfMissing::Fail).await?;
    let actor = client.operated().map(|(_, caller)| caller.actor.clone()).unwrap_or_default();
    let what = match address {
        ServiceAddress::Embedded(path) => format!("embedded:{}", path.display()),
        ServiceAddress::Table { name, .. } => format!("table:{name}"),
        ServiceAddress::Url { url, .. } => url.clone(),
    };
    if printer.format == Format::Json {
        printer.json(&json!({ "service": what, "actor": actor, "login": null }))?;
        return Ok(Code::Done);
    }
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let login = "none: whoever can write the table may do everything";
    printer.facts(&[row("service", &what), row("actor", &actor), row("login", login)])?;
    Ok(Code::Done)
}

fn as_json(server: &Server, who: &Me, source: &Source) -> Value {
    let (from, account) = match source {
        Source::Environment => (json!("environment"), None),
        Source::Stored(keep, account) => (json!(keep), Some(account)),
    };
    json!({
        "server": server.to_string(), "user": who.user, "kind": who.kind, "token": who.token, "id": who.id,
        "version": who.version, "roles": who.roles, "permissions": who.permissions, "expires": who.works_until,
        "managed_by": who.managed_by, "login": { "from": from, "account": account },
    })
}

fn rows(server: &Server, who: &Me, source: &Source) -> Vec<Vec<String>> {
    let list = |texts: Vec<String>, none: &str| if texts.is_empty() { none.to_owned() } else { texts.join(", ") };
    let roles = list(who.roles.iter().map(ToString::to_string).collect(), "none");
    let allowed = list(who.permissions.iter().map(ToString::to_string).collect(), "nothing");
    let expires = format!("{} ({})", expiry(who.works_until), distance(SystemClock.now(), who.works_until));
    let mut rows = vec![
        ("server", server.to_string()),
        ("user", format!("{} ({})", who.user, who.kind.as_str())),
        ("token", format!("{}, version {}, id {}", who.token, who.version, who.id)),
        ("roles", roles),
        ("allows", allowed),
        ("expires", expires),
    ];
    rows.extend(who.managed_by.as_ref().map(|manifest| ("manifest", manifest.to_string())));
    rows.push((
        "login",
        match source {
            Source::Stored(keep, account) => {
                let entry = Entry::new(server.clone(), account.clone());
                format!("the token of `{account}` in {}", keep.place(&entry))
            }
            Source::Environment => source.words(),
        },
    ));
    rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect()
}
