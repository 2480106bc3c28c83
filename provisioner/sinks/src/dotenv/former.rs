//! Where a path led before: the files beside the one that it leads to through a link, such as those of earlier releases
//! behind `current/.env`. The link may be moved back to one of them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::files;

/// How many of them are looked at: the newest.
const MOST: usize = 20;

/// The regular files that a path may have led to before, the newest first. Files and folders that are gone are none.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let now = files::resolve(path);
    if now == path {
        return Vec::new();
    }
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for (link, rest) in links(path) {
        let target = files::resolve(&link);
        let (Some(beside), Some(name)) = (target.parent(), target.file_name()) else { continue };
        // Of the link to a file, those that are named alike: `.env` -> `env.41`.
        let start = if rest.as_os_str().is_empty() { without_number(name) } else { Vec::new() };
        for entry in fs::read_dir(beside).into_iter().flatten().flatten() {
            if !entry.file_name().as_encoded_bytes().starts_with(&start) {
                continue;
            }
            // A link beside it leads to one of the others.
            let file = if start.is_empty() { entry.path().join(&rest) } else { entry.path() };
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let changed = fs::metadata(&file).ok().filter(fs::Metadata::is_file).and_then(|file| file.modified().ok());
            if let Some(changed) = changed.filter(|_| !is_link) {
                found.push((changed, files::resolve(&file)));
            }
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    let mut files: Vec<PathBuf> = Vec::new();
    for (_, file) in found {
        if file != now && !files.contains(&file) && files.len() < MOST {
            files.push(file);
        }
    }
    files
}

/// The links in a path, each with what follows it.
fn links(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let links = path.ancestors().filter(|part| is_link(part));
    links.filter_map(|link| Some((link.to_owned(), path.strip_prefix(link).ok()?.to_owned()))).collect()
}

/// A name up to its first digit.
fn without_number(name: &OsStr) -> Vec<u8> {
    name.as_encoded_bytes().iter().copied().take_while(|byte| !byte.is_ascii_digit()).collect()
}
