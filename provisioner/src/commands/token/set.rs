//! `provision token set`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::lifetime::parse_expiry;
use latchkey::name::{TokenName, UserName, advice};
use latchkey::service::{Life, NewToken};
use latchkey::token::TokenKey;
use serde_json::json;

use super::super::arguments::TokenSet;
use super::super::clock;
use super::super::exit::{Code, Fault};
use super::super::open;
use super::{as_json, date, roles_words};
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::service::{Client, Refusal, ServiceError};

/// Creates a token and prints its secret, this once.
pub(super) async fn set(printer: Printer, client: &Client, set: TokenSet) -> Result<Code, Fault> {
    clock::accept(printer, client, &set.clock).await?;
    let user = open::user(client, &set.whose.user).await?;
    let expires = set.expires_at.as_deref().map(parse_expiry).transpose().map_err(|error| {
        Fault::new(format!("invalid expiry `{}`", set.expires_at.as_deref().unwrap_or_default()))
            .hint(error.to_string())
    })?;
    let mut labels = BTreeMap::new();
    for label in &set.labels {
        let (key, value) =
            label.split_once('=').ok_or_else(|| Fault::new(format!("`--label {label}` is not `KEY=VALUE`")))?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    let new = NewToken {
        description: set.description,
        roles: if set.roles.is_empty() && !set.no_roles { None } else { Some(set.roles) },
        labels,
        allowed_ips: set.allowed_ips,
        ..NewToken::new(TokenKey::new(user.clone(), set.name.clone()), Life::Until(expires))
    };
    let created = client.make(new).await.map_err(|error| create_fault(client, (&user, &set.name), error))?;
    if let Some(advice) = advice(&set.name) {
        printer.warning(&format!("the name `{}` is vague: {advice}", set.name));
    }
    let token = &created.token;
    let printed = if printer.format == Format::Json {
        let mut value = as_json(client, token);
        value["secret"] = json!(created.secret.expose());
        printer.secret_json(&value)
    } else {
        printer.secret(created.secret.expose())
    };
    printed.map_err(|error| {
        Fault::new(format!("the token `{user}/{}` was created, but its secret could not be printed: {error}", set.name))
            .hint(format!(
                "nobody has the secret: `provision token delete {} --user {user} --yes`, then create another",
                set.name
            ))
    })?;
    let expires = token.ends_at().map_or_else(|| "never".to_owned(), minute);
    let roles = roles_words(&token.roles);
    printer.talk(&format!("Created `{user}/{}` with {roles}; it expires {expires}", token.name));
    printer.talk("The secret is shown only once: store it now");
    Ok(Code::Done)
}

fn create_fault(client: &Client, (user, name): (&UserName, &TokenName), error: ServiceError) -> Fault {
    let Some(refusal) = error.refusal() else {
        return Fault::new(error.to_string()).hint("nobody has the secret; try again");
    };
    let hint = match refusal.code.as_str() {
        "invalid_field" if refusal.is_about("/expires_at") => {
            Some(match refusal.text("until").map(str::parse::<Timestamp>) {
                // The last day counts in full.
                Some(Ok(until)) => format!("the latest is `--expires-at {}`", date(until)),
                _ => format!("the earliest is the end of today: `--expires-at {}`", date(client.now())),
            })
        }
        "name_taken" => Some(match refusal.text("managed_by") {
            Some(manifest) => format!(
                "`{manifest}` declares `{user}/{name}`; choose another name, or rotate it: `provision rotate FILE {name}`"
            ),
            None => format!("choose another name, or delete it first: `provision token delete {name} --user {user}`"),
        }),
        "secret_lost" => Some(format!(
            "nobody has the secret: `provision token delete {name} --user {user} --yes`, then create another"
        )),
        "token_limit_reached" => Some(format!(
            "delete one that nobody uses, see `provision token list --user {user}`, or raise the limit with `provision user set {user} --max-tokens N`"
        )),
        "role_not_held" => add_first(user, refusal),
        "user_suspended" => Some(format!("restore it first: `provision user restore {user}`")),
        _ => return error.into(),
    };
    Fault { hint, ..Fault::new(error.to_string()) }
}

/// How the user gets the roles that they lack.
pub(super) fn add_first(user: &UserName, refusal: &Refusal) -> Option<String> {
    let roles = refusal.more.get("roles")?.as_array()?;
    let flags: Vec<String> = roles.iter().filter_map(|role| Some(format!("--add-role {}", role.as_str()?))).collect();
    Some(format!("add it to the user first: `provision user set {user} {}`", flags.join(" ")))
}
