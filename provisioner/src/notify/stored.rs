//! Receivers that are in no file: those of the service's settings, and those of a publication.

use std::collections::BTreeMap;
use std::path::Path;

use latchkey::name::ManifestName;
use latchkey_sinks::reading::{Allowances, Fault, Faults, Fields, Reading, Severity, masking, syntax};

use super::receiver::{Origin, Receiver, receivers};

/// What stands for a manifest's name where logins of the settings are stored: no manifest can have it.
pub const SETTINGS: &str = "_settings";
/// What the text of a setting is called in messages.
const SETTING: &str = "settings";

/// A receiver of the settings as it is stored: the fields of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The receiver as an inline table of TOML, in which it is stored.
    pub text: String,
    /// What they say.
    pub receiver: Receiver,
}

/// Reads a receiver of the settings: an inline table, or the lines of one.
///
/// # Errors
/// With all that is wrong with it.
pub fn setting(name: &str, text: &str, allowances: &Allowances) -> Result<Setting, Faults> {
    let text = text.trim();
    let whole =
        if text.starts_with('{') { format!("notify.{name} = {text}\n") } else { format!("[notify.{name}]\n{text}\n") };
    let (mut found, mut faults) = read(&whole, (Origin::Settings, SETTINGS), allowances);
    let receiver = found.remove(name);
    if let Some(other) = found.values().next() {
        let fault = Fault::error("one-receiver", other.span.clone(), "only one receiver is set at a time");
        faults.push(fault.hint("write its fields, without a header, or an inline table"));
    }
    let Some(receiver) = receiver.filter(|_| is_good(&faults)) else {
        return Err(Faults::new(faults, Path::new(SETTING), &whole));
    };
    Ok(Setting { text: inline(&whole, name), receiver })
}

/// Reads the receivers of a publication, which is hostile until it is checked. Those that are wrong, or that the job cannot
/// reach, are told apart, each with why.
pub fn published(manifest: &ManifestName, text: &str) -> (BTreeMap<String, Receiver>, Vec<String>) {
    let (mut found, faults) = read(text, (Origin::Manifest, manifest.as_str()), &Allowances::default());
    let mut left_out: Vec<String> =
        faults.iter().filter(|fault| fault.severity == Severity::Error).map(|fault| fault.message.clone()).collect();
    found.retain(|name, receiver| match receiver.unpublishable() {
        Some(reason) => {
            left_out.push(format!("the scheduled job cannot reach the receiver `{name}`: {reason}"));
            false
        }
        None => true,
    });
    (found, left_out)
}

fn is_good(faults: &[Fault]) -> bool {
    faults.iter().all(|fault| fault.severity == Severity::Warning)
}

fn read(
    text: &str,
    (origin, manifest): (Origin, &str),
    allowances: &Allowances,
) -> (BTreeMap<String, Receiver>, Vec<Fault>) {
    let (root, slips) = syntax::read(text);
    let mut reading = Reading::new(text, Path::new(SETTING), Path::new("/"), allowances);
    manifest.clone_into(&mut reading.manifest);
    let mut fields = Fields::new(root.get_ref(), "the settings".to_owned(), 0..0);
    let section = fields.section("notify", &mut reading);
    let found = section.map_or_else(BTreeMap::new, |section| receivers(&section, origin, &mut reading));
    match origin {
        Origin::Settings => fields.finish(&mut reading),
        // A publication has more, which others read.
        Origin::Manifest => fields.finish_open(&mut reading),
    }
    let mut faults = syntax::joined(text, slips, reading.faults);
    faults.extend(masking::faults(text, root.get_ref()));
    faults.sort_by_key(|fault| fault.span.start);
    (found, faults)
}

/// The receiver as an inline table: in the lines of one, a table in it would have a header of its own.
fn inline(whole: &str, name: &str) -> String {
    let document: toml::Table = whole.parse().unwrap_or_default();
    let table = document.get("notify").and_then(|notify| notify.get(name));
    table.map(ToString::to_string).unwrap_or_default()
}
