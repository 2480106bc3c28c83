//! Paths whose links leave the manifest's folder: a manifest is untrusted input, and so are the links beside it.

use std::path::Path;

use super::{Login, Manifest, ServiceAddress, SinkConfig};
use crate::files;
use crate::reading::Fault;

/// Faults of paths that, links resolved, lie outside the manifest's folder. Reads links, and nothing else.
pub fn leaving(manifest: &Manifest) -> Vec<Fault> {
    let outside = |path: &Path| !files::resolve(path).starts_with(&manifest.folder);
    let hint = "if that is meant, say `--allow-outside`";
    let mut faults = Vec::new();
    for (name, sink) in &manifest.sinks {
        for (what, path) in paths(&sink.config) {
            if outside(path) {
                let message = format!("the {what} of `{name}` leaves the manifest's folder through a link");
                faults.push(Fault::error("path-outside", sink.span.clone(), message).hint(hint));
            }
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

/// The files that a sink names.
fn paths(config: &SinkConfig) -> Vec<(&'static str, &Path)> {
    fn file<'a>(what: &'static str, login: &'a Login) -> Option<(&'static str, &'a Path)> {
        match login {
            Login::File(path) => Some((what, path)),
            _ => None,
        }
    }
    match config {
        SinkConfig::Dotenv { path } => vec![("path", path)],
        SinkConfig::Vercel(vercel) => {
            let hook = vercel.deploy_hook.as_ref().and_then(|hook| file("deploy hook's file", hook));
            file("login's file", &vercel.login).into_iter().chain(hook).collect()
        }
        SinkConfig::Heroku(heroku) => file("login's file", &heroku.login).into_iter().collect(),
        _ => Vec::new(),
    }
}
