//! Paths whose links leave the manifest's folder: a manifest is untrusted input, and so are the links beside it.

use std::path::Path;

use super::{Manifest, ServiceAddress};
use latchkey_sinks::SinkSettings;
use latchkey_sinks::files;
use latchkey_sinks::login::Login;
use latchkey_sinks::reading::Fault;

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

/// All files that a sink names, each with its field in words.
fn files_of(sink: &SinkSettings) -> Vec<(String, &Path)> {
    let written = sink.facts().file().map(|path| ("path".to_owned(), path));
    let logins = sink.facts().logins().into_iter().filter_map(|(field, login)| match login {
        Login::File { file } => Some((format!("{field}'s file"), file.as_path())),
        Login::Env { .. } | Login::Command { .. } | Login::Secret { .. } => None,
    });
    written.into_iter().chain(logins).collect()
}
