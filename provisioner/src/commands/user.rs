//! `provision user`.

use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::role::Permissions;
use latchkey::service::UserChange;
use latchkey::token::Token;
use latchkey::user::{User as UserRecord, UserKind};
use serde_json::{Value, json};

use super::arguments::{User, UserSet};
use super::consent::{asked, declined};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::reach;
use super::role::allowed;
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::service::{Client, ServiceError};
use latchkey_sinks::plural::{count, noun_for};

/// Runs one of the commands on users.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: User) -> Result<Code, Fault> {
    let absent = if matches!(command, User::Set(_)) { IfMissing::Create } else { IfMissing::Fail };
    let client = open::nearest(service, absent).await?;
    match command {
        User::Set(set) => self::set(printer, &client, &set).await,
        User::List { .. } => list(printer, &client).await,
        User::Show { name, .. } => show(printer, &client, &name).await,
        User::Suspend { name, .. } => suspend(printer, &client, &name, true).await,
        User::Restore { name, .. } => suspend(printer, &client, &name, false).await,
        User::Release { name, .. } => release(printer, &client, &name).await,
        User::Delete { name, yes, .. } => delete(printer, &client, &name, yes).await,
    }
}

/// Suspends somebody or lifts that; a slip in a name creates nobody.
async fn suspend(printer: Printer, client: &Client, name: &UserName, suspended: bool) -> Result<Code, Fault> {
    let Some(old) = client.user(name).await? else { return Err(open::no_such_user(client, name).await?) };
    let change = UserChange { suspended: Some(suspended), ..UserChange::default() };
    let user = client.put_user(name, &change).await.map_err(|error| fault(name, error))?;
    if printer.format == Format::Json {
        printer.json(&as_json(&user))?;
        return Ok(Code::Done);
    }
    printer.result(&match (old.suspended, suspended) {
        (false, true) => {
            format!("Suspended `{name}`: none of their tokens is valid until `provision user restore {name}`")
        }
        (true, true) => format!("`{name}` is suspended{}", suspension(&user)),
        (true, false) => format!("Restored `{name}`: their tokens are valid again, except those that have expired"),
        (false, false) => format!("`{name}` is not suspended"),
    })?;
    Ok(Code::Done)
}

/// Since when somebody is suspended, and by whom, as far as that was noted.
fn suspension(user: &UserRecord) -> String {
    let since = user.suspended_at.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
    let by = user.suspended_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{since}{by}")
}

async fn release(printer: Printer, client: &Client, name: &UserName) -> Result<Code, Fault> {
    let moving = Moving { release: true, ..Moving::default() };
    let known = client.user(name).await?;
    let owner = known.ok_or_else(|| missing(name))?.managed_by;
    let change = UserChange { moving, ..UserChange::default() };
    let user = client.put_user(name, &change).await.map_err(|error| fault(name, error))?;
    if printer.format == Format::Json {
        printer.json(&as_json(&user))?;
    } else {
        printer.result(&released("user", name.as_str(), owner.as_ref()))?;
    }
    Ok(Code::Done)
}

async fn delete(printer: Printer, client: &Client, name: &UserName, yes: bool) -> Result<Code, Fault> {
    let user = client.user(name).await?.ok_or_else(|| missing(name))?;
    let question = format!("Delete the {} `{name}`, who has {}?", kind_words(user.kind), roles_of(&user));
    if !asked(printer, yes, &question, &format!("the user `{name}` was not deleted"))? {
        return declined(printer);
    }
    client.delete_user(name).await.map_err(|error| fault(name, error))?;
    if printer.format == Format::Json {
        printer.json(&json!({ "user": name, "deleted": true }))?;
    } else {
        printer.result(&format!("Deleted user `{name}`"))?;
    }
    Ok(Code::Done)
}

/// Whether whoever asks agrees that somebody loses roles, and their tokens with them.
async fn lose(
    printer: Printer,
    client: &Client,
    old: &UserRecord,
    (new, yes): (&[RoleName], bool),
) -> Result<bool, Fault> {
    let lost: Vec<RoleName> = old.roles.iter().filter(|role| !new.contains(role)).cloned().collect();
    if lost.is_empty() {
        return Ok(true);
    }
    let name = &old.name;
    let tokens = match client.active(name).await {
        Ok(tokens) => {
            let has = |token: &&Token| token.roles.iter().any(|role| lost.contains(role));
            let names: Vec<String> = tokens.iter().filter(has).map(|token| token.name.to_string()).collect();
            match names.len() {
                0 => "none of their tokens has it".to_owned(),
                many => format!("{} too: {}", count(many, "token"), reach::listed(&names)),
            }
        }
        Err(ServiceError::Refused(_) | ServiceError::Gone(_)) => "their tokens that have it too".to_owned(),
        Err(error) => return Err(error.into()),
    };
    printer.talk(&format!("`{name}` loses the {} {}; {tokens}", noun_for(lost.len(), "role"), reach::listed(&lost)));
    for role in &lost {
        let known = match client.role(role).await {
            Ok(known) => known,
            Err(ServiceError::Refused(_)) => break,
            Err(error) => return Err(error.into()),
        };
        let permissions = known.map(|role| role.permissions).unwrap_or_default();
        for permission in permissions.iter() {
            printer.talk(&format!("  - {permission}"));
        }
    }
    let question = format!("Change `{name}` at once?");
    asked(printer, yes, &question, &format!("`{name}` was not changed"))
}

async fn show(printer: Printer, client: &Client, name: &UserName) -> Result<Code, Fault> {
    let user = client.user(name).await?.ok_or_else(|| missing(name))?;
    let mut roles: Vec<(RoleName, Option<Permissions>)> = Vec::new();
    for role in &user.roles {
        let found = match client.role(role).await {
            Ok(found) => found.map(|role| role.permissions),
            // Everybody may read their own record; what roles allow is an admin's to read.
            Err(ServiceError::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        roles.push((role.clone(), found));
    }
    if printer.format == Format::Json {
        let mut value = as_json(&user);
        let allow = roles.iter().map(|(role, permissions)| (role.to_string(), json!(permissions)));
        value["roles_allow"] = Value::Object(allow.collect());
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("user", user.name.to_string());
    row("kind", kind_words(user.kind).to_owned());
    if user.suspended {
        row("suspended", suspension(&user).trim_start().to_owned());
    }
    if roles.is_empty() {
        row("roles", "none".to_owned());
    }
    for (index, (role, permissions)) in roles.iter().enumerate() {
        let allows = permissions.as_ref().map(|permissions| format!(": {}", allowed(permissions))).unwrap_or_default();
        row(if index == 0 { "roles" } else { "" }, format!("{role}{allows}"));
    }
    let limit = match (user.max_tokens, client.operated()) {
        (Some(own), _) => format!(" of {own}"),
        (None, Some((service, _))) => format!(" of {}, the default", service.policy().max_tokens),
        // Of a server the default is not known here.
        (None, None) => ", with the default limit".to_owned(),
    };
    row("active tokens", format!("{}{limit}", user.active));
    row("email", user.email.clone().unwrap_or_else(|| "none".to_owned()));
    row("manifest", user.managed_by.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
    row("created", minute(user.created));
    if user.sweeping {
        row(
            "changing",
            "a loss of roles or a suspension has not reached all tokens yet; any change of the user continues it"
                .to_owned(),
        );
    }
    printer.facts(&rows)?;
    Ok(Code::Done)
}

fn missing(user: &UserName) -> Fault {
    Fault::new(format!("there is no user `{user}`")).hint("see `provision user list`")
}

/// What became of something that no manifest declares any more.
pub(super) fn released(kind: &str, name: &str, owner: Option<&ManifestName>) -> String {
    match owner {
        Some(owner) => format!(
            "Released the {kind} `{name}` from `{owner}`; the next apply of a manifest that declares it takes it again"
        ),
        None => format!("No manifest declares the {kind} `{name}`; nothing was changed"),
    }
}

fn fault(user: &UserName, error: ServiceError) -> Fault {
    let Some(refusal) = error.refusal() else { return error.into() };
    let hint = match refusal.code.as_str() {
        "no_such_role" => {
            refusal.text("role").map(|role| format!("create it first: `provision role set {role} --permission ..`"))
        }
        "in_use" => Some(format!("delete them first, see `provision token list --user {user}`")),
        "no_such_user" | "not_found" => Some("see `provision user list`".to_owned()),
        _ => return error.into(),
    };
    Fault { hint, ..Fault::new(error.to_string()) }
}

/// Whether what is asked for makes sense for a user who does not exist yet: a slip in a name must not create anybody.
fn creates(set: &UserSet) -> bool {
    let changes_only = set.suspend || set.restore || set.no_roles || !set.remove_role.is_empty();
    let describes = set.kind.is_some() || set.roles.is_some() || !set.add_role.is_empty();
    !changes_only && (describes || (set.max_tokens.is_none() && set.email.is_none()))
}

async fn set(printer: Printer, client: &Client, set: &UserSet) -> Result<Code, Fault> {
    let old = client.user(&set.name).await?;
    if old.is_none() && !creates(set) {
        return Err(open::no_such_user(client, &set.name).await?);
    }
    let mut roles = if set.no_roles { Some(Vec::new()) } else { set.roles.clone() };
    if !set.add_role.is_empty() || !set.remove_role.is_empty() {
        let mut held: Vec<RoleName> = old.as_ref().map(|old| old.roles.clone()).unwrap_or_default();
        held.retain(|role| !set.remove_role.contains(role));
        held.extend(set.add_role.iter().cloned());
        roles = Some(held);
    }
    if let (Some(old), Some(new)) = (&old, &roles)
        && !lose(printer, client, old, (new, set.yes)).await?
    {
        return declined(printer);
    }
    let max_tokens = match set.max_tokens.as_deref() {
        None => None,
        Some("default") => Some(None),
        Some(number) => Some(Some(
            number
                .parse()
                .map_err(|_| Fault::new(format!("`--max-tokens` takes a number or `default`, not `{number}`")))?,
        )),
    };
    let change = UserChange {
        kind: set.kind.as_deref().map(|kind| if kind == "service" { UserKind::Service } else { UserKind::Person }),
        roles,
        max_tokens,
        suspended: if set.suspend { Some(true) } else { set.restore.then_some(false) },
        email: set.email.as_deref().map(|email| Some(email.to_owned()).filter(|email| email != "none")),
        managed_by: None,
        moving: Moving::default(),
    };
    let user = client.put_user(&set.name, &change).await.map_err(|error| fault(&set.name, error))?;
    // No manifest declares suspensions.
    let declared = change.roles.is_some() || change.max_tokens.is_some();
    if let Some(manifest) = user.managed_by.as_ref().filter(|_| declared) {
        printer.warning(&format!("`{manifest}` declares this user: its next apply reverts the change"));
    }
    if printer.format == Format::Json {
        printer.json(&as_json(&user))?;
    } else {
        let verb = if old.is_some() { "Updated" } else { "Created" };
        let state = if user.suspended { "; suspended, so none of their tokens is valid" } else { "" };
        printer.result(&format!("{verb} {} `{}` with {}{state}", kind_words(user.kind), user.name, roles_of(&user)))?;
    }
    Ok(Code::Done)
}

fn kind_words(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "person",
        UserKind::Service => "service account",
    }
}

fn roles_of(user: &UserRecord) -> String {
    let roles: Vec<&str> = user.roles.iter().map(RoleName::as_str).collect();
    if roles.is_empty() {
        return "no roles".to_owned();
    }
    format!("the {} {}", noun_for(roles.len(), "role"), roles.join(", "))
}

fn as_json(user: &UserRecord) -> Value {
    json!({
        "name": user.name,
        "kind": user.kind,
        "roles": user.roles,
        "suspended": user.suspended,
        "suspended_at": user.suspended_at,
        "suspended_by": user.suspended_by,
        "max_tokens": user.max_tokens,
        "active_tokens": user.active,
        "email": user.email,
        "managed_by": user.managed_by,
        "created": user.created,
    })
}

async fn list(printer: Printer, client: &Client) -> Result<Code, Fault> {
    let users = client.all_users().await?;
    if printer.format == Format::Json {
        printer.json(&json!({ "users": users.iter().map(as_json).collect::<Vec<_>>() }))?;
        return Ok(Code::Done);
    }
    // Of a server the default is not known here.
    let default = client.operated().map(|(service, _)| service.policy().max_tokens);
    let mut rows: Vec<Vec<String>> =
        vec![["USER", "KIND", "ROLES", "TOKENS", "STATE", "MANIFEST"].map(str::to_owned).to_vec()];
    for user in &users {
        let roles: Vec<&str> = user.roles.iter().map(RoleName::as_str).collect();
        rows.push(vec![
            user.name.to_string(),
            user.kind.as_str().to_owned(),
            if roles.is_empty() { "-".to_owned() } else { roles.join(", ") },
            match user.max_tokens.or(default) {
                Some(most) => format!("{} of {most}", user.active),
                None => user.active.to_string(),
            },
            if user.suspended { "suspended" } else { "active" }.to_owned(),
            user.managed_by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ]);
    }
    if users.is_empty() { printer.result("No users") } else { printer.table(&rows) }?;
    Ok(Code::Done)
}
