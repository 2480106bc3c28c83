//! Parts of a manifest that stand alone: the sinks and pushes that a publication stores, read by the same rules as those of
//! a file.

use std::collections::BTreeMap;
use std::path::Path;

use latchkey::name::ManifestName;
use latchkey::token::TokenKey;
use latchkey_sinks::reading::{Allowances, Fault, Fields, Reading, masking, syntax};
use latchkey_sinks::{PushDeclaration, SinkDeclaration};

use super::sinks::{self, ReadSink};
use super::{Rotation, places, pushes, rotation};

/// What texts are called that are in no file. Nothing is looked up there.
const NOWHERE: &str = "publication";
const FOLDER: &str = "/publication";

/// The sinks of a publication.
pub(crate) struct Stored<'a> {
    manifest: &'a ManifestName,
    sinks: BTreeMap<String, ReadSink>,
    pub(crate) rotation: Rotation,
}

/// Reads a text that has the tables `[sinks.NAME]`, perhaps `[rotation]` and `[notify.NAME]`, and nothing else, with all that is wrong with it.
pub(crate) fn sinks<'a>(manifest: &'a ManifestName, text: &str) -> (Stored<'a>, Vec<Fault>) {
    let ((sinks, rotation), faults) = reading(manifest, text, |mut fields, reading| {
        let rotation = fields.section("rotation", reading);
        let rotation = rotation.map_or_else(Rotation::default, |section| rotation::rotation(&section, reading));
        // Who is told is read apart: what is wrong with a receiver stops no rotation.
        fields.value("notify");
        let section = fields.section("sinks", reading);
        let sinks = section.map_or_else(BTreeMap::new, |section| sinks::sinks(&section, reading));
        fields.finish(reading);
        places::check_sinks(&sinks, reading);
        (sinks, rotation)
    });
    (Stored { manifest, sinks, rotation }, faults)
}

impl Stored<'_> {
    /// The sinks that could be read.
    pub(crate) fn declared(&self) -> impl Iterator<Item = (String, SinkDeclaration)> {
        self.sinks.iter().filter_map(|(name, sink)| {
            let settings = sink.settings.clone()?;
            Some((name.clone(), SinkDeclaration { settings, span: sink.span.clone() }))
        })
    }

    /// Reads a text that has the list `push` and nothing else, with all that is wrong with it.
    pub(crate) fn pushes(&self, token: &TokenKey, text: &str) -> (Vec<PushDeclaration>, Vec<Fault>) {
        reading(self.manifest, text, |mut fields, reading| {
            let pushes = pushes::pushes(&mut fields, token.name.as_str(), &self.sinks, reading);
            fields.finish(reading);
            places::check_pushes(None, &self.sinks, &pushes.iter().collect::<Vec<_>>(), reading);
            pushes
        })
    }
}

/// Reads a text with nothing allowed, and reports secrets in it too.
fn reading<T>(
    manifest: &ManifestName,
    text: &str,
    read: impl FnOnce(Fields<'_>, &mut Reading<'_>) -> T,
) -> (T, Vec<Fault>) {
    let (root, slips) = syntax::read(text);
    let allowances = Allowances::default();
    let mut reading = Reading::new(text, Path::new(NOWHERE), Path::new(FOLDER), &allowances);
    reading.manifest = manifest.to_string();
    let found = read(Fields::new(root.get_ref(), "the publication".to_owned(), 0..0), &mut reading);
    let mut faults = syntax::joined(text, slips, reading.faults);
    faults.extend(masking::faults(text, root.get_ref()));
    (found, faults)
}
