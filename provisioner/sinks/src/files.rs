//! Files that contain secrets: read into memory that is wiped, replaced in one step, locked against other writers.

mod access;
mod check;
mod facts;
mod fault;
mod lock;
mod replace;
mod site;
#[cfg(test)]
mod tests;
mod volume;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

pub use check::Mode;
pub use facts::Facts;
pub use fault::FileError;
pub use lock::{FileLock, LOCK};
pub use replace::{Replacement, write_atomic};
pub use site::Site;

/// How many links are followed before a path counts as a circle, as in Linux.
const LINKS_MAX: usize = 40;

/// A file's content and the state it was read in.
pub struct Contents {
    pub bytes: Zeroizing<Vec<u8>>,
    pub stamp: Stamp,
}

/// Which file it is (device and inode) and when it last changed: tells that somebody wrote meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn is_empty(self) -> bool {
        self.length == 0
    }
}

/// Reads the regular file at `path`, links followed; `None` when its folder has no such file.
///
/// # Errors
/// When the folder does not exist, the file is not a regular one, has more than `limit` bytes or cannot be read.
pub fn read(path: &Path, limit: usize) -> Result<Option<Contents>, FileError> {
    Site::open(path)?.read(limit)
}

/// The same, and a link in the place of the file is not followed.
///
/// # Errors
/// As for [`read`], and when there is a link.
pub fn read_plain(path: &Path, limit: usize) -> Result<Option<Contents>, FileError> {
    Site::plain(path)?.read(limit)
}

/// The mode of the regular file at `path`, if there is one.
pub fn mode(path: &Path) -> Option<u32> {
    let metadata = fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.mode() & 0o7777)
}

/// `path`, absolute and with links resolved where they exist: what a link that leads nowhere yet points at, and
/// folders that do not exist, stay as they are spelled. No I/O but looking at links.
pub fn resolve(path: &Path) -> PathBuf {
    if let Ok(found) = fs::canonicalize(path) {
        return found;
    }
    let Ok(absolute) = std::path::absolute(path) else { return path.to_owned() };
    let mut resolved = PathBuf::new();
    let mut links = 0;
    let mut rest = parts(&absolute);
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                resolved.pop();
                continue;
            }
            Some(Component::CurDir) => continue,
            _ => resolved.push(&part),
        }
        if let Ok(link) = fs::read_link(&resolved) {
            links += 1;
            if links > LINKS_MAX {
                return absolute;
            }
            resolved.pop();
            rest.extend(parts(&link));
        }
    }
    resolved
}

/// The components of a path, the first one last.
fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}
