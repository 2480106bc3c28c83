//! `provision role`.

use latchkey::moving::Moving;
use latchkey::name::RoleName;
use latchkey::service::Role as RoleRecord;
use serde_json::{Value, json};

use super::arguments::Role;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::user::released;
use crate::output::{Format, Printer};
use crate::service::ServiceError;

/// Runs one of the commands on roles.
pub(super) async fn run(printer: Printer, service: Option<&str>, command: Role) -> Result<Code, Fault> {
    let absent = if matches!(command, Role::Set { .. }) { IfMissing::Create } else { IfMissing::Fail };
    let client = open::nearest(service, absent).await?;
    match command {
        Role::Set { name, permissions, .. } => {
            let permissions = permissions.into_iter().collect();
            let role = client
                .put_role(&name, &permissions, (None, &Moving::default()))
                .await
                .map_err(|error| fault(&name, error))?;
            if let Some(manifest) = &role.managed_by {
                printer.warning(&format!("`{manifest}` declares this role: its next apply reverts the change"));
            }
            if printer.format == Format::Json {
                printer.json(&as_json(&role))?;
            } else {
                printer.result(&format!("Role `{}` now allows: {}", role.name, allowed(&role)))?;
            }
        }
        Role::List { .. } => {
            let roles = client.all_roles().await?;
            if printer.format == Format::Json {
                printer.json(&json!({ "roles": roles.iter().map(as_json).collect::<Vec<_>>() }))?;
            } else {
                let mut rows: Vec<Vec<String>> =
                    vec![["ROLE", "PERMISSIONS", "USERS", "MANIFEST"].map(str::to_owned).to_vec()];
                rows.extend(roles.iter().map(|role| {
                    let manifest = role.managed_by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                    vec![role.name.to_string(), allowed(role), role.holders.to_string(), manifest]
                }));
                if roles.is_empty() { printer.result("No roles") } else { printer.table(&rows) }?;
            }
        }
        Role::Release { name, .. } => {
            let known = client.all_roles().await?.into_iter().find(|role| role.name == name);
            let known = known
                .ok_or_else(|| Fault::new(format!("there is no role `{name}`")).hint("see `provision role list`"))?;
            let moving = Moving { release: true, ..Moving::default() };
            let put = client.put_role(&name, &known.permissions, (None, &moving)).await;
            let role = put.map_err(|error| fault(&name, error))?;
            if printer.format == Format::Json {
                printer.json(&as_json(&role))?;
            } else {
                printer.result(&released("role", name.as_str(), known.managed_by.as_ref()))?;
            }
        }
        Role::Delete { name, .. } => {
            client.delete_role(&name).await.map_err(|error| fault(&name, error))?;
            if printer.format == Format::Json {
                printer.json(&json!({ "role": name, "deleted": true }))?;
            } else {
                printer.result(&format!("Deleted role `{name}`"))?;
            }
        }
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

fn allowed(role: &RoleRecord) -> String {
    let texts: Vec<String> = role.permissions.iter().map(ToString::to_string).collect();
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
