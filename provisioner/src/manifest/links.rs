//! Which files a manifest may reach, and paths whose links leave its folder: a manifest is untrusted input, and so are
//! the links beside it.

use std::path::Path;

use super::{Manifest, ServiceAddress};
use latchkey_sinks::files;
use latchkey_sinks::login::Login;
use latchkey_sinks::reading::{Fault, Reading};
use latchkey_sinks::{Bounds, SinkSettings};

/// Faults of paths that, links resolved, lie outside the manifest's folder. Reads links, and nothing else.
pub fn leaving(manifest: &Manifest) -> Vec<Fault> {
    let outside = |path: &Path| !files::resolve(path).starts_with(&manifest.folder);
    let hint = "if this is intended, pass `--allow-outside`";
    let mut faults = Vec::new();
    for (name, sink) in &manifest.sinks {
        for (what, path) in files_of(&sink.settings) {
            if outside(path) {
                let message = format!("the {what} of `{name}` is outside the manifest's folder, through a link");
                faults.push(Fault::error("path-outside", sink.span.clone(), message).hint(hint));
            }
        }
    }
    if let Some(ServiceAddress::Embedded(path)) = &manifest.service
        && outside(path)
    {
        let at = manifest.text.find("[service]").unwrap_or(0);
        let span = at..(at + "[service]".len()).min(manifest.text.len());
        let message = "the embedded table's path is outside the manifest's folder, through a link";
        faults.push(Fault::error("path-outside", span, message).hint(hint));
    }
    faults.sort_by_key(|fault| fault.span.start);
    faults
}

/// Which files the sinks of a manifest may open: those in its folder, and if it may leave that, others too; never the
/// manifest itself, nor the service's own table.
pub(super) fn bounds(reading: &Reading<'_>, service: Option<&ServiceAddress>) -> Bounds {
    let table = match service {
        Some(ServiceAddress::Embedded(path)) => Some(path.clone()),
        _ => None,
    };
    let own = reading.path.file_name().map(|name| reading.folder.join(name));
    Bounds {
        folder: (!reading.allowances.outside).then(|| reading.folder.to_owned()),
        reserved: own.into_iter().chain(table).collect(),
    }
}

/// All files that a sink names, each with its field in words.
fn files_of(sink: &SinkSettings) -> Vec<(String, &Path)> {
    let written = sink.facts().file().map(|file| ("path".to_owned(), file.path));
    let logins = sink.facts().logins().into_iter().filter_map(|(field, login)| match login {
        Login::File { file } => Some((format!("{field}'s file"), file.as_path())),
        Login::Env { .. } | Login::Command { .. } | Login::Secret { .. } => None,
    });
    written.into_iter().chain(logins).collect()
}
