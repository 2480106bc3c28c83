//! What the reading of one manifest carries along: its text, what it may do, and the faults so far.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use latchkey::name::NameError;

use super::fault::Fault;
use super::masking::shown;
use super::nearest::Slips;
use super::text::{Text, is_plain};

/// What a manifest may do beyond the vendors' own hosts and its own folder: a manifest in a pull request is untrusted.
#[derive(Debug, Clone, Default)]
pub struct Allowances {
    /// Other hosts that an `endpoint` may name (`--allow-host HOST`, `LATCHKEY_ALLOW_HOSTS`).
    pub hosts: Vec<String>,
    /// Whether paths may leave the manifest's folder (`--allow-outside`).
    pub outside: bool,
    /// Environment variables that a login may name besides those of the sink's own tools (`--allow-env NAME`).
    pub variables: Vec<String>,
    /// Whether logins may be printed by commands (`--allow-commands`).
    pub commands: bool,
}

/// The reading of one manifest.
pub struct Reading<'a> {
    pub text: &'a str,
    pub path: &'a Path,
    pub folder: &'a Path,
    pub allowances: &'a Allowances,
    pub faults: Vec<Fault>,
    /// The manifest's name, as far as it could be read.
    pub manifest: String,
    /// The sinks that any push names, even one that is left out for another fault.
    pub used: BTreeSet<String>,
    /// The search for slips in names.
    pub slips: Slips,
}

impl<'a> Reading<'a> {
    /// Nothing is read yet. `path` is the file as it was named, `folder` the absolute folder that it is in.
    pub fn new(text: &'a str, path: &'a Path, folder: &'a Path, allowances: &'a Allowances) -> Self {
        let (manifest, faults, used) = (String::new(), Vec::new(), BTreeSet::new());
        Self { text, path, folder, allowances, faults, manifest, used, slips: Slips::default() }
    }

    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// A name of one of Latchkey's grammars.
    pub fn name<N: FromStr<Err = NameError>>(&mut self, found: &Text<'_>, word: &str) -> Option<N> {
        let name = found.text.parse::<N>();
        if let Err(rule) = &name {
            let message = format!("`{}` cannot be {word}", shown(found.text));
            self.add(Fault::error("bad-name", found.span.clone(), message).hint(rule.to_string()));
        }
        name.ok()
    }

    /// A text of one line, for instance a name that a vendor gives.
    pub fn one_line(&mut self, field: &str, longest: usize, found: &Text<'_>) -> Option<String> {
        let length = found.text.chars().count();
        if (1..=longest).contains(&length) && is_plain(found.text) {
            return Some(found.text.to_owned());
        }
        let message = format!("`{field}` is 1 to {longest} characters without control characters");
        self.add(Fault::error("bad-text", found.span.clone(), message));
        None
    }

    /// A file that the manifest names, absolute, dots resolved in the text alone.
    pub fn file(&mut self, found: &Text<'_>, field: &str) -> Option<PathBuf> {
        let bad = |message: &str, hint: &str| {
            Fault::error("bad-path", found.span.clone(), message.to_owned()).hint(hint.to_owned())
        };
        if found.text.is_empty() || found.text.ends_with(['/', '\\']) {
            self.add(bad(
                &format!("`{field}` does not name a file"),
                "paths are relative to the manifest's folder, for instance `.env`",
            ));
            return None;
        }
        if found.text.chars().any(char::is_control) {
            self.add(bad(&format!("`{field}` contains a control character"), "a path is plain text"));
            return None;
        }
        if found.text.starts_with('~') {
            self.add(bad("`~` is not expanded to the home folder", "paths are relative to the manifest's folder"));
            return None;
        }
        let file = normal(&self.folder.join(found.text));
        self.check_file(found, &file).then_some(file)
    }

    fn check_file(&mut self, found: &Text<'_>, file: &Path) -> bool {
        let bad =
            |code, message: &str| Fault::error(code, found.span.clone(), format!("`{}` {message}", shown(found.text)));
        let folder = normal(self.folder);
        if !self.allowances.outside && !file.starts_with(&folder) {
            let fault = bad("outside-folder", "is outside the manifest's folder");
            self.add(fault.hint("pass `--allow-outside` to allow it"));
            return false;
        }
        if folder.starts_with(file) {
            self.add(bad("bad-path", "names a folder, not a file"));
            return false;
        }
        let manifest = self.path.file_name().map(|name| folder.join(name));
        if manifest.as_deref() == Some(file) {
            self.add(bad("bad-path", "is the manifest itself"));
            return false;
        }
        true
    }
}

/// A path without `.` and `..`, by its text alone: nothing is looked up, so links are the business of whoever opens it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
