//! The tables `[roles.NAME]`, and lists of roles.

use std::collections::BTreeMap;

use latchkey::bounds::{PERMISSIONS_MAX, ROLES_MAX};
use latchkey::name::RoleName;
use latchkey::role::Permission;
use latchkey::service::ADMIN_ROLE;

use super::moving::moves;
use super::{Moves, RoleDeclaration};
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Span, Text, sections, shown};

/// Reads all declared roles.
pub(super) fn roles(
    section: &Section<'_>,
    whole: &Moves,
    reading: &mut Reading<'_>,
) -> BTreeMap<RoleName, RoleDeclaration> {
    let mut roles = BTreeMap::new();
    for section in sections(section, reading) {
        let name = reading.name(&section.key, "a role's name");
        let declaration = role(&section, whole, reading);
        if name.as_ref().is_some_and(|name: &RoleName| name.as_str() == ADMIN_ROLE) {
            let message = format!("the role `{ADMIN_ROLE}` is reserved: no manifest declares it");
            let hint = "choose another name; `provision bootstrap` creates and restores that role";
            reading.add(Fault::error("reserved-role", section.key.span.clone(), message).hint(hint));
        }
        if let Some(name) = name {
            roles.insert(name, declaration);
        }
    }
    roles
}

fn role(section: &Section<'_>, whole: &Moves, reading: &mut Reading<'_>) -> RoleDeclaration {
    let mut fields = Fields::of_section(section, "role");
    let list = fields.texts("permissions", reading).unwrap_or_default();
    if !fields.has("permissions") {
        fields.missing("permissions");
    }
    if list.len() > PERMISSIONS_MAX {
        let message = format!("a role has at most {PERMISSIONS_MAX} permissions, not {}", list.len());
        reading.add(Fault::error("too-many", list[PERMISSIONS_MAX].span.clone(), message));
    }
    let permissions = list.iter().filter_map(|found| permission(found, reading)).collect();
    let moves = moves(&mut fields, whole, reading);
    fields.finish(reading);
    RoleDeclaration { permissions, moves, span: section.header.clone() }
}

fn permission(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<Permission> {
    match found.text.parse::<Permission>() {
        Err(rule) => {
            let message = format!("`{}` is not a permission", shown(found.text));
            reading.add(Fault::error("bad-permission", found.span.clone(), message).hint(rule.to_string()));
            None
        }
        Ok(permission) if matches!(permission.resource(), "admin" | "manifests" | "*" | "manifests-read") => {
            let message = format!("no manifest may grant `{permission}`");
            reading.add(Fault::error("forbidden-permission", found.span.clone(), message).hint(
                "name the resource; permissions on Latchkey itself are granted by an admin, with `provision role set`",
            ));
            None
        }
        Ok(permission) => Some(permission),
    }
}

/// Reads the field `roles` of a user or token: the names and where each is. `None` when it is missing or not a list.
pub(super) fn role_names(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<(Vec<RoleName>, Vec<Span>)> {
    let list = fields.texts("roles", reading)?;
    if list.len() > ROLES_MAX {
        let message = format!("at most {ROLES_MAX} roles, not {}", list.len());
        reading.add(Fault::error("too-many", list[ROLES_MAX].span.clone(), message));
    }
    // What is too much is not looked at: each token is compared with all roles of its user.
    let named = list
        .into_iter()
        .take(ROLES_MAX + 1)
        .filter_map(|found| Some((reading.name(&found, "a role's name")?, found.span)));
    Some(named.unzip())
}
