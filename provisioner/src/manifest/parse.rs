//! A text becomes a manifest, or the list of everything that is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use latchkey::name::ManifestName;

use super::agreement::Parts;
use super::users::Users;
use super::{Manifest, Moves, Rotation, links, moving, roles, rotation, service, sinks, tokens, users};
use crate::notify::{Origin, receivers};
use latchkey_sinks::SinkDeclaration;
use latchkey_sinks::reading::snippet::floor;
use latchkey_sinks::reading::{Allowances, Fault, Faults, Fields, Reading, Severity, masking, syntax};

/// Reads the text of a manifest. `path` is the file as it was named and `folder` the absolute folder that contains it,
/// where its relative paths start. Nothing is looked up: neither files nor hosts.
///
/// Beside the manifest it returns the warnings, by position.
///
/// # Errors
/// With everything that is wrong, warnings included, by position.
pub fn parse(
    path: &Path,
    folder: &Path,
    text: &str,
    allowances: &Allowances,
) -> Result<(Manifest, Vec<Fault>), Faults> {
    let (root, slips) = syntax::read(text);
    let mut reading = Reading::new(text, path, folder, allowances);
    let manifest = read(Fields::new(root.get_ref(), "the manifest".to_owned(), 0..0), &mut reading);
    let mut faults = syntax::joined(text, slips, reading.faults);
    faults.extend(masking::faults(text, root.get_ref()));
    tidy(&mut faults, text);
    match manifest {
        Some(manifest) if faults.iter().all(|fault| fault.severity == Severity::Warning) => Ok((manifest, faults)),
        _ => Err(Faults::new(faults, path, text)),
    }
}

fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Manifest> {
    let name = name(&mut fields, reading);
    reading.manifest = name.as_ref().map(ToString::to_string).unwrap_or_default();
    let moves = moving::moves(&mut fields, &Moves::default(), reading);
    let address = fields.section("service", reading);
    let address = address.and_then(|section| service::service(&section, reading));
    let defaults = fields.section("defaults", reading);
    let defaults = service::defaults(defaults.as_ref(), reading);
    let rotation = fields.section("rotation", reading);
    let rotation = rotation.map_or_else(Rotation::default, |section| rotation::rotation(&section, reading));
    let notify = fields.section("notify", reading);
    let notify = notify.map_or_else(BTreeMap::new, |section| receivers(&section, Origin::Manifest, reading));
    let roles = fields.section("roles", reading);
    let roles = roles.map_or_else(BTreeMap::new, |section| roles::roles(&section, &moves, reading));
    let users = fields.section("users", reading);
    let users = users.map_or_else(Users::default, |section| users::users(&section, &moves, reading));
    let sinks = fields.section("sinks", reading);
    let sinks = sinks.map_or_else(BTreeMap::new, |section| sinks::sinks(&section, reading));
    let tokens = fields.section("tokens", reading);
    let around = tokens::Around { defaults: &defaults, sinks: &sinks, moves: &moves };
    let tokens = tokens.map_or_else(Vec::new, |section| tokens::tokens(&section, around, reading));
    fields.finish(reading);
    Parts { service: address.as_ref(), roles: &roles, users: &users, sinks: &sinks, tokens: &tokens }.check(reading);
    let declaration = |(name, sink): (String, sinks::ReadSink)| {
        Some((name, SinkDeclaration { settings: sink.settings?, span: sink.span }))
    };
    rotation::check(&rotation, &tokens, reading);
    let bounds = links::bounds(reading, address.as_ref());
    Some(Manifest {
        name: name?,
        path: reading.path.to_owned(),
        folder: reading.folder.to_owned(),
        text: reading.text.to_owned(),
        service: address,
        roles,
        users: users.declared,
        sinks: sinks.into_iter().filter_map(declaration).collect(),
        tokens,
        rotation,
        notify,
        bounds,
    })
}

fn name(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<ManifestName> {
    let found = fields.text("manifest", reading);
    if !fields.has("manifest") {
        let fault = Fault::error("missing-field", 0..0, "the manifest has no name");
        reading.add(fault.hint(
            "start the file with a line such as `manifest = \"acme-platform\"`: that name owns what the file declares",
        ));
    }
    reading.name(&found?, "a manifest's name")
}

/// Brings faults into the order of the file, with spans on the borders of characters.
fn tidy(faults: &mut [Fault], text: &str) {
    for fault in faults.iter_mut() {
        let related = fault.related.iter_mut().map(|(span, _)| span);
        for span in std::iter::once(&mut fault.span).chain(related) {
            span.start = floor(text, span.start);
            span.end = floor(text, span.end).max(span.start);
        }
    }
    faults.sort_by_key(|fault| (fault.span.start, fault.severity == Severity::Warning));
}
