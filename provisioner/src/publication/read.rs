//! What is published, read back. It is hostile until it is checked: whoever runs the manifest could have stored it.

use std::collections::BTreeMap;

use latchkey::name::ManifestName;
use latchkey::token::TokenKey;
use latchkey_sinks::reading::{Fault, Severity};
use latchkey_sinks::{PushDeclaration, SinkDeclaration};

use crate::manifest::{Rotation, stored};

/// What the job may go by.
#[derive(Debug)]
pub struct Readable {
    /// When what is due is rotated, and how much of it in one run.
    pub rotation: Rotation,
    /// The sinks by name.
    pub sinks: BTreeMap<String, SinkDeclaration>,
    /// Each token's pushes.
    pub pushes: BTreeMap<TokenKey, Vec<PushDeclaration>>,
    /// The tokens whose rows are wrong, with all that is: the job leaves them alone. One may be of a publication that was
    /// not completed, whose sinks are not there yet.
    pub refused: BTreeMap<TokenKey, Vec<Fault>>,
}

/// Reads a publication by the rules of manifests, without anything that a run's flags could allow. Besides, it has no sink
/// that the job cannot reach, and no `adopt`.
///
/// # Errors
/// With all that is wrong with the sinks. Spans are bytes of the text that a fault is of.
pub fn read<'a>(
    manifest: &ManifestName,
    sinks: &str,
    rows: impl IntoIterator<Item = (&'a TokenKey, &'a str)>,
) -> Result<Readable, Vec<Fault>> {
    let (stored, mut faults) = stored::sinks(manifest, sinks);
    for (name, sink) in stored.declared() {
        if let Some(reason) = sink.settings.facts().unpublishable() {
            let message = format!("the scheduled job cannot reach the sink `{name}`: {reason}");
            faults.push(Fault::error("unpublishable", sink.span.clone(), message));
        }
    }
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(faults);
    }
    let (mut pushes, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for (token, row) in rows {
        let (read, mut faults) = stored.pushes(token, row);
        if let Some(push) = read.iter().find(|push| push.adopt) {
            faults.push(Fault::error("adopt", push.span.clone(), "a published push takes over no entry"));
        }
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            refused.insert(token.clone(), faults);
        } else {
            pushes.insert(token.clone(), read);
        }
    }
    Ok(Readable { rotation: stored.rotation.clone(), sinks: stored.declared().collect(), pushes, refused })
}
