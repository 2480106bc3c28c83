//! `provision token create`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::name::{TokenName, UserName, advice};
use latchkey::service::{Life, NewToken};
use latchkey::token::TokenKey;
use serde_json::json;

use super::super::arguments::TokenCreate;
use super::super::exit::{Code, Fault};
use super::super::{clock, open, when};
use super::{as_json, roles_words};
use crate::output::{Format, Printer};
use crate::plan::expiry;
use crate::service::{Client, Refusal, ServiceError};

/// Creates a token and prints its secret, this once.
pub(super) async fn create(printer: Printer, client: &Client, set: TokenCreate) -> Result<Code, Fault> {
    clock::accept(printer, client, &set.clock).await?;
    let user = open::user(client, set.whose.or_me()).await?;
    let expires = set.expires_at.as_deref().map(|text| when::until(text, client.now())).transpose()?;
    let labels = labels(&set.labels)?;
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
    let expires = token.ends_at().map_or_else(|| "never".to_owned(), expiry);
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
        "invalid_field" if refusal.is_about("/expires_at") => Some(expiry_hint(client, refusal)),
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

/// Which expiry would be accepted, where one was not.
pub(super) fn expiry_hint(client: &Client, refusal: &Refusal) -> String {
    match refusal.text("until").map(str::parse::<Timestamp>) {
        // The last day counts in full.
        Some(Ok(until)) => format!("the latest is `--expires-at {}`", when::date(until)),
        _ => format!("the earliest is the end of today: `--expires-at {}`", when::date(client.now())),
    }
}

/// Labels as they are typed.
pub(super) fn labels(typed: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let pair = |label: &String| match label.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Fault::new(format!("`--label {label}` is not `KEY=VALUE`"))
            .hint("a comma begins the next label, so no value has one")),
    };
    typed.iter().map(pair).collect()
}

/// How the user gets the roles that they lack.
pub(super) fn add_first(user: &UserName, refusal: &Refusal) -> Option<String> {
    let roles = refusal.more.get("roles")?.as_array()?;
    let flags: Vec<String> = roles.iter().filter_map(|role| Some(format!("--add-role {}", role.as_str()?))).collect();
    Some(format!("add it to the user first: `provision user set {user} {}`", flags.join(" ")))
}
