//! The tables `[users.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::bounds::ROLES_MAX;
use latchkey::name::UserName;

use super::moving::moves;
use super::roles::role_names;
use super::{Moves, UserDeclaration};
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, sections, shown};

/// The users of the file.
#[derive(Default)]
pub(super) struct Users {
    pub(super) declared: BTreeMap<UserName, UserDeclaration>,
    /// Those whose roles could not be read: what they have is unknown.
    pub(super) unsure: BTreeSet<UserName>,
}

/// Reads all declared users.
pub(super) fn users(section: &Section<'_>, whole: &Moves, reading: &mut Reading<'_>) -> Users {
    let mut users = Users::default();
    for section in sections(section, reading) {
        let name: Option<UserName> = reading.name(&section.key, "a user's name");
        let (declaration, sure) = user(&section, whole, reading);
        if let Some(name) = name {
            if !sure {
                users.unsure.insert(name.clone());
            }
            users.declared.insert(name, declaration);
        }
    }
    users
}

fn user(section: &Section<'_>, whole: &Moves, reading: &mut Reading<'_>) -> (UserDeclaration, bool) {
    let mut fields = Fields::of_section(section, "user");
    let service = is_service(&mut fields, reading);
    let roles = role_names(&mut fields, reading);
    let sure = roles.as_ref().map_or(!fields.has("roles"), |(names, _)| names.len() <= ROLES_MAX);
    let max_tokens = fields.count("max_tokens", reading);
    let max_tokens_span = fields.key_span("max_tokens");
    let moves = moves(&mut fields, whole, reading);
    fields.finish(reading);
    let (roles, role_spans) = roles.unwrap_or_default();
    let span = section.header.clone();
    (UserDeclaration { service, roles, max_tokens, moves, span, role_spans, max_tokens_span }, sure)
}

fn is_service(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> bool {
    let Some(kind) = fields.text("kind", reading) else {
        if !fields.has("kind") {
            let hint = "set `kind = \"service\"` for a program or `kind = \"person\"` for a person";
            fields.missing_fault("kind", |fault| fault.hint(hint));
        }
        return false;
    };
    if !matches!(kind.text, "person" | "service") {
        let message = format!("`{}` is not a kind of user", shown(kind.text));
        reading.add(Fault::error("bad-kind", kind.span.clone(), message).hint("a user is a `person` or a `service`"));
    }
    kind.text == "service"
}
