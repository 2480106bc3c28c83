//! Paths whose links leave the manifest's folder: a manifest is untrusted input, and so are the links beside it.

use std::path::Path;

use super::{Fault, Manifest, ServiceAddress, SinkConfig};
use crate::files;

/// Faults of paths that, links resolved, lie outside the manifest's folder. Reads links, and nothing else.
#[must_use]
pub fn leaving(manifest: &Manifest) -> Vec<Fault> {
    let outside = |path: &Path| !files::resolve(path).starts_with(&manifest.folder);
    let hint = "if that is meant, say `--allow-outside`";
    let mut faults = Vec::new();
    for (name, sink) in &manifest.sinks {
        if let SinkConfig::Dotenv { path } = &sink.config
            && outside(path)
        {
            let message = format!("the path of `{name}` leaves the manifest's folder through a link");
            faults.push(Fault::error("path-outside", sink.span.clone(), message).hint(hint));
        }
    }
    if let Some(ServiceAddress::Embedded(path)) = &manifest.service
        && outside(path)
    {
        let at = manifest.text.find("[service]").unwrap_or(0);
        let span = at..(at + "[service]".len()).min(manifest.text.len());
        let message = "the embedded table's path leaves the manifest's folder through a link";
        faults.push(Fault::error("path-outside", span, message).hint(hint));
    }
    faults.sort_by_key(|fault| fault.span.start);
    faults
}
