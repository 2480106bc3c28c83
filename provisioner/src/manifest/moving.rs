//! `moved_from` and `moved_to`: tokens that get another name, and what moves from one manifest to another.

use std::collections::HashMap;

use latchkey::name::{ManifestName, TokenName, UserName};

use super::TokenDeclaration;
use latchkey_sinks::reading::{Fault, Fields, Reading, Text, shown, text_of, wrong_type};

/// The manifests that something moves from and to, as far as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// The manifest that it is taken from.
    pub from: Option<ManifestName>,
    /// The manifest that may take it.
    pub to: Option<ManifestName>,
}

/// A token of another manifest that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The manifest that declares it today.
    pub manifest: ManifestName,
    /// Whose it is.
    pub user: UserName,
    /// Its name there.
    pub name: TokenName,
}

/// What a token's `moved_from` names.
pub(super) enum MovedFrom {
    /// A token of this manifest.
    Here(UserName, TokenName),
    /// One of another.
    There(Former),
}

/// Reads `moved_from` and `moved_to` of the manifest as a whole, or of a role or user, where `whole` is what the manifest
/// sets for everything in it.
pub(super) fn moves(fields: &mut Fields<'_>, whole: &Moves, reading: &mut Reading<'_>) -> Moves {
    let from = fields.text("moved_from", reading).and_then(|found| manifest(&found, reading));
    Moves { from: from.or_else(|| whole.from.clone()), to: moved_to(fields, whole, reading) }
}

/// Reads `moved_to`.
pub(super) fn moved_to(fields: &mut Fields<'_>, whole: &Moves, reading: &mut Reading<'_>) -> Option<ManifestName> {
    let to = fields.text("moved_to", reading).and_then(|found| manifest(&found, reading));
    to.or_else(|| whole.to.clone())
}

/// The name of another manifest.
fn manifest(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<ManifestName> {
    if !reading.manifest.is_empty() && found.text == reading.manifest {
        let message = format!("`{}` is the name of this manifest", shown(found.text));
        reading.add(Fault::error("moved", found.span.clone(), message).hint("name the other manifest"));
        return None;
    }
    reading.name(found, "a manifest's name")
}

/// Reads a token's `moved_from`: `"name"`, with the same user, or `{ user = "..", name = ".." }`, or, for a token of another
/// manifest, `{ manifest = "..", name = ".." }`.
pub(super) fn moved_from(
    fields: &mut Fields<'_>,
    user: Option<&UserName>,
    reading: &mut Reading<'_>,
) -> Option<MovedFrom> {
    let value = fields.value("moved_from")?;
    if let Some(found) = text_of(value) {
        return Some(MovedFrom::Here(user?.clone(), reading.name(&found, "a token's name")?));
    }
    let Some(table) = value.get_ref().as_table() else {
        let hint = "write the former name, or `{ manifest = \"..\", name = \"..\" }`";
        reading.add(wrong_type("a string or a table", "moved_from", value).hint(hint));
        return None;
    };
    let mut former = Fields::new(table, "`moved_from`".to_owned(), value.span());
    let name = former.required_text("name", reading);
    let other = former.text("user", reading);
    let there = former.text("manifest", reading);
    former.finish(reading);
    let name = name.and_then(|found| reading.name(&found, "a token's name"));
    let user = match other {
        Some(found) => reading.name(&found, "a user's name"),
        None => user.cloned(),
    };
    match there {
        Some(found) => {
            let manifest = manifest(&found, reading);
            Some(MovedFrom::There(Former { manifest: manifest?, user: user?, name: name? }))
        }
        None => Some(MovedFrom::Here(user?, name?)),
    }
}

/// Two tokens cannot be taken from one.
pub(super) fn check(tokens: &[TokenDeclaration], reading: &mut Reading<'_>) {
    let mut taken = HashMap::new();
    for token in tokens {
        let Some(Former { manifest, user, name }) = &token.taken_from else { continue };
        let span = token.moved_from_span.clone().unwrap_or_else(|| token.span.clone());
        if let Some(first) = taken.insert((manifest, user, name), span.clone()) {
            let message = format!("two tokens moved from `{}` of the manifest `{manifest}`", shown(name.as_str()));
            reading.add(Fault::error("moved-from", span, message).related(first, "already here"));
        }
    }
}
