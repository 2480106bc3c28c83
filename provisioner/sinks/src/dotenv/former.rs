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
    let beside = links(path).into_iter().flat_map(|(link, rest)| beside(&link, &rest));
    let mut found: Vec<(SystemTime, PathBuf)> = beside
        .filter_map(|file| {
            let changed = fs::metadata(&file).ok().filter(fs::Metadata::is_file)?.modified().ok()?;
            Some((changed, files::resolve(&file)))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    let mut files: Vec<PathBuf> = Vec::new();
    for (_, file) in found {
        if file != now && !files.contains(&file) && files.len() < MOST {
            files.push(file);
        }
    }
    files
}

/// Paths like the one that a link leads to, with another folder in the place of one of its own: of `releases/42/dist`
/// those of `releases/41/dist`. `rest` is what follows the link.
fn beside(link: &Path, rest: &Path) -> Vec<PathBuf> {
    let target = files::resolve(link);
    let folder = files::resolve(link.parent().unwrap_or(link));
    let Some(base) = target.ancestors().skip(1).find(|base| folder.starts_with(base)) else { return Vec::new() };
    let Ok(below) = target.strip_prefix(base) else { return Vec::new() };
    let parts: Vec<&OsStr> = below.iter().collect();
    let mut paths = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let beside = parts[..at].iter().fold(base.to_owned(), |path, part| path.join(part));
        // Of a link to a file, those that are named alike: `.env.41` of `.env.42`.
        let is_file = at + 1 == parts.len() && rest.as_os_str().is_empty();
        let start = if is_file { without_number(part) } else { Vec::new() };
        for entry in fs::read_dir(beside).into_iter().flatten().flatten() {
            let name = entry.file_name();
            // A link beside it leads to one of the others.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link || name == *part || !name.as_encoded_bytes().starts_with(&start) {
                continue;
            }
            let after = parts[at + 1..].iter().map(Path::new).chain([rest]).filter(|part| !part.as_os_str().is_empty());
            paths.push(after.fold(entry.path(), |path, part| path.join(part)));
        }
    }
    paths
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
