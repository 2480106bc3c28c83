//! The promises of reading a manifest.

use std::path::Path;

use super::*;
use latchkey_sinks::reading::{Allowances, Fault, Faults, snippet};

mod bounds;
mod broken;
mod form;
pub(crate) mod generated;
mod linked;
mod links;
mod rules;
mod validator;
mod work;

const STATED: &str = "tokens.toml";

/// Reads a text that is in `/repo`.
pub(crate) fn read(text: &str) -> Result<(Manifest, Vec<Fault>), Faults> {
    parse(Path::new(STATED), Path::new("/repo"), text, &Allowances::default())
}

/// All faults of a text, warnings included.
fn faults(text: &str) -> Vec<Fault> {
    read(text).map_or_else(|faults| faults.faults, |(_, warnings)| warnings)
}

/// The codes of all faults of a text.
fn codes(text: &str) -> Vec<&'static str> {
    faults(text).iter().map(|fault| fault.code).collect()
}
