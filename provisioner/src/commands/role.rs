//! `provision role`.

use latchkey::moving::Moving;
use latchkey::name::RoleName;
use latchkey::role::{Permission, Permissions};
use latchkey::service::Role as RoleRecord;
use serde_json::{Value, json};

use super::arguments::Role;
use super::consent::{asked, declined};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::reach::{self, Reach};
use super::user::released;
use crate::output::{Format, Printer};
use crate::service::{Client, ServiceError};

/// How often a difference is tried anew on what others change at the same time.
const TRIES: u32 = 5;

/// Runs one of the commands on roles.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Role) -> Result<Code, Fault> {
    let absent = if matches!(command, Role::Set { .. }) { IfMissing::Create } else { IfMissing::Fail };
    let client = open::nearest(service, absent).await?;
    match command {
        Role::Set { name, permissions, yes, .. } => {
            let old = client.role(&name).await?;
            put(printer, &client, (&name, old), &Wish::All(permissions.into_iter().collect()), yes).await
        }
        Role::Add { name, permissions, .. } => {
            let old = existing(&client, &name).await?;
            put(printer, &client, (&name, Some(old)), &Wish::More(permissions), false).await
        }
        Role::Remove { name, permissions, yes, .. } => {
            let old = existing(&client, &name).await?;
            if let Some(missing) =
                permissions.iter().find(|permission| old.permissions.iter().all(|held| held != *permission))
            {
                return Err(not_there(&name, &old, missing));
            }
            put(printer, &client, (&name, Some(old)), &Wish::Fewer(permissions), yes).await
        }
        Role::List { .. } => list(printer, &client).await,
        Role::Show { name, .. } => show(printer, &client, &name).await,
        Role::Release { name, .. } => release(printer, &client, &name).await,
        Role::Delete { name, yes, .. } => delete(printer, &client, &name, yes).await,
    }
}

/// What a role is to allow.
enum Wish {
    All(Permissions),
    More(Vec<Permission>),
    Fewer(Vec<Permission>),
    /// What it allows, and no manifest's.
    Released,
}

impl Wish {
    fn of(&self, held: &Permissions) -> Permissions {
        match self {
            Self::All(wanted) => wanted.clone(),
            Self::More(more) => held.iter().chain(more).cloned().collect(),
            Self::Fewer(fewer) => held.iter().filter(|held| !fewer.contains(held)).cloned().collect(),
            Self::Released => held.clone(),
        }
    }
}

/// Changes a role that is still what was read. What somebody else changed meanwhile stays: a difference is applied to it,
/// and what would replace it is refused. The role before and after.
async fn change(client: &Client, mut old: RoleRecord, wish: &Wish) -> Result<(RoleRecord, RoleRecord), Fault> {
    let moving = Moving { release: matches!(wish, Wish::Released), ..Moving::default() };
    for _ in 0..TRIES {
        match client.change_role(&old, &wish.of(&old.permissions), &moving).await {
            Ok(new) => return Ok((old, new)),
            Err(ServiceError::Gone(_)) => {
                let now = existing(client, &old.name).await?;
                // Users come and go without a change of what it allows.
                if matches!(wish, Wish::All(_)) && now.permissions != old.permissions {
                    break;
                }
                old = now;
            }
            Err(error) => return Err(fault(&old.name, error)),
        }
    }
    Err(Fault::new(format!("somebody else changed the role `{}` in the meantime, so nothing was changed", old.name))
        .hint(format!("see `provision role show {}`, and try again", old.name)))
}

/// The role, which has to be there: a slip in a name creates none.
async fn existing(client: &Client, name: &RoleName) -> Result<RoleRecord, Fault> {
    client.role(name).await?.ok_or_else(|| missing(name))
}

fn missing(name: &RoleName) -> Fault {
    Fault::new(format!("there is no role `{name}`")).hint("see `provision role list`")
}

fn not_there(name: &RoleName, role: &RoleRecord, permission: &Permission) -> Fault {
    let fault = Fault::new(format!("the role `{name}` has no permission `{permission}`, so nothing was changed"));
    match role.permissions.iter().find(|held| held.covers(permission)) {
        Some(wider) => fault.hint(format!("it is allowed by `{wider}`, which is removed as a whole")),
        None => fault.hint(format!("it allows: {}", allowed(&role.permissions))),
    }
}

/// What differs, as in a plan: `- ` for what is removed, `+ ` for what is added.
fn differences(old: &Permissions, new: &Permissions) -> Vec<String> {
    let has = |set: &Permissions, wanted: &Permission| set.iter().any(|held| held == wanted);
    let removed = old.iter().filter(|held| !has(new, held)).map(|held| format!("- {held}"));
    removed.chain(new.iter().filter(|held| !has(old, held)).map(|held| format!("+ {held}"))).collect()
}

async fn put(
    printer: Printer,
    client: &Client,
    (name, old): (&RoleName, Option<RoleRecord>),
    wish: &Wish,
    yes: bool,
) -> Result<Code, Fault> {
    let mut reached: Option<Reach> = None;
    let mut changed = Vec::new();
    if let Some(old) = &old {
        let permissions = wish.of(&old.permissions);
        changed = differences(&old.permissions, &permissions);
        if !permissions.contain(&old.permissions) {
            let reach = reach::of_role(client, name, old.holders).await?;
            printer.talk(&format!("Role `{name}`, assigned to {}:", reach.words()));
            for line in &changed {
                printer.talk(&format!("  {line}"));
            }
            let question = format!("Change the role `{name}` at once?");
            if !asked(printer, yes, &question, &format!("the role `{name}` was not changed"))? {
                return declined(printer);
            }
            reached = Some(reach);
        }
    }
    let role = if let Some(old) = old {
        let (old, new) = change(client, old, wish).await?;
        changed = differences(&old.permissions, &new.permissions);
        new
    } else {
        let put = client.put_role(name, &wish.of(&Permissions::default()), (None, &Moving::default())).await;
        put.map_err(|error| fault(name, error))?
    };
    if let Some(manifest) = &role.managed_by {
        printer.warning(&format!("`{manifest}` declares this role: its next apply reverts the change"));
    }
    if printer.format == Format::Json {
        let mut value = as_json(&role);
        value["changed"] = json!(changed);
        if let Some(reach) = &reached {
            value["reach"] = reach.as_json();
        }
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    printer.result(&format!("Role `{}` now allows: {}", role.name, allowed(&role.permissions)))?;
    if reached.is_none() {
        changed.iter().try_for_each(|line| printer.result(&format!("  {line}")))?;
    }
    Ok(Code::Done)
}

async fn list(printer: Printer, client: &Client) -> Result<Code, Fault> {
    let roles = client.all_roles().await?;
    if printer.format == Format::Json {
        printer.json(&json!({ "roles": roles.iter().map(as_json).collect::<Vec<_>>() }))?;
        return Ok(Code::Done);
    }
    let mut rows: Vec<Vec<String>> = vec![["ROLE", "PERMISSIONS", "USERS", "MANIFEST"].map(str::to_owned).to_vec()];
    rows.extend(roles.iter().map(|role| {
        let manifest = role.managed_by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        vec![role.name.to_string(), allowed(&role.permissions), role.holders.to_string(), manifest]
    }));
    if roles.is_empty() { printer.result("No roles") } else { printer.table(&rows) }?;
    Ok(Code::Done)
}

async fn show(printer: Printer, client: &Client, name: &RoleName) -> Result<Code, Fault> {
    let role = existing(client, name).await?;
    let reach = reach::of_role(client, name, role.holders).await?;
    if printer.format == Format::Json {
        let mut value = as_json(&role);
        value["users"] = json!(reach.users);
        value["tokens"] = json!(reach.tokens);
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    let unseen = || "this token does not see them".to_owned();
    let users = match reach.users.as_deref() {
        Some([]) => "none".to_owned(),
        Some(users) => format!("{}: {}", users.len(), reach::listed(users)),
        None => format!("{}; {}", reach.holders, unseen()),
    };
    let mut rows = vec![vec!["role".to_owned(), role.name.to_string()]];
    let permissions: Vec<String> = role.permissions.iter().map(ToString::to_string).collect();
    let first = permissions.first().cloned().unwrap_or_else(|| "nothing".to_owned());
    rows.push(vec!["allows".to_owned(), first]);
    rows.extend(permissions.into_iter().skip(1).map(|permission| vec![String::new(), permission]));
    rows.push(vec!["users".to_owned(), users]);
    let uncounted = || if reach.users.is_some() { "not counted".to_owned() } else { unseen() };
    rows.push(vec!["tokens".to_owned(), reach.tokens.map_or_else(uncounted, |tokens| tokens.to_string())]);
    rows.push(vec!["manifest".to_owned(), role.managed_by.map_or_else(|| "none".to_owned(), |name| name.to_string())]);
    printer.facts(&rows)?;
    Ok(Code::Done)
}

async fn release(printer: Printer, client: &Client, name: &RoleName) -> Result<Code, Fault> {
    let known = existing(client, name).await?;
    let (known, role) = change(client, known, &Wish::Released).await?;
    if printer.format == Format::Json {
        printer.json(&as_json(&role))?;
    } else {
        printer.result(&released("role", name.as_str(), known.managed_by.as_ref()))?;
    }
    Ok(Code::Done)
}

async fn delete(printer: Printer, client: &Client, name: &RoleName, yes: bool) -> Result<Code, Fault> {
    let role = existing(client, name).await?;
    // Where users have it, the service refuses whatever is answered.
    if role.holders == 0 {
        let question =
            format!("Delete the role `{name}`, which no user has and which allows {}?", allowed(&role.permissions));
        if !asked(printer, yes, &question, &format!("the role `{name}` was not deleted"))? {
            return declined(printer);
        }
    }
    client.delete_role(name).await.map_err(|error| fault(name, error))?;
    if printer.format == Format::Json {
        printer.json(&json!({ "role": name, "deleted": true }))?;
    } else {
        printer.result(&format!("Deleted role `{name}`"))?;
    }
    Ok(Code::Done)
}

fn fault(role: &RoleName, error: ServiceError) -> Fault {
    let hint = match error.refusal().map(|refusal| refusal.code.as_str()) {
        Some("in_use") => Some(format!("remove it from them first: `provision user set NAME --remove-role {role}`")),
        Some("no_such_role" | "not_found") => Some("see `provision role list`".to_owned()),
        _ => return error.into(),
    };
    Fault { hint, ..Fault::new(error.to_string()) }
}

/// Permissions in words.
pub(super) fn allowed(permissions: &Permissions) -> String {
    let texts: Vec<String> = permissions.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

fn as_json(role: &RoleRecord) -> Value {
    json!({
        "name": role.name,
        "permissions": role.permissions,
        "holders": role.holders,
        "managed_by": role.managed_by,
    })
}
