//! Files that contain secrets: read into memory that is wiped, replaced in one step, locked against other writers.

mod fault;
mod lock;
mod replace;
#[cfg(test)]
mod tests;

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use zeroize::Zeroizing;

pub use fault::FileError;
pub use lock::{FolderLock, lock_folder};
pub use replace::{Replacement, remove_leftovers, write_atomic};

/// How many links are followed before a path counts as a circle, as in Linux.
const LINKS_MAX: usize = 40;

/// A file's content and the state it was read in.
pub struct Contents {
    pub bytes: Zeroizing<Vec<u8>>,
    pub stamp: Stamp,
}

/// Which file a path led to and when it last changed: tells that somebody wrote meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The state of the file at `path`, links followed; `None` when there is none.
    pub fn read(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads the regular file at `path`, links followed; `None` when its folder has no such file.
///
/// # Errors
/// When the folder does not exist, the file is not a regular one, has more than `limit` bytes or cannot be read.
pub fn read(path: &Path, limit: usize) -> Result<Option<Contents>, FileError> {
    // Asked before it is opened: opening a pipe would wait for a writer.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(FileError::NotRegular { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => return missing(path),
        Err(error) => return Err(FileError::reading(path, &error)),
    }
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return missing(path),
        opened => opened.map_err(|error| FileError::reading(path, &error))?,
    };
    let metadata = file.metadata().map_err(|error| FileError::reading(path, &error))?;
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    // One byte more than needed, so that the vector never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    let most = metadata.len().saturating_add(1);
    file.by_ref().take(most).read_to_end(&mut bytes).map_err(|error| FileError::reading(path, &error))?;
    if bytes.len() != length {
        return Err(FileError::Busy { path: path.to_owned() });
    }
    Ok(Some(Contents { bytes, stamp: Stamp::from_metadata(&metadata) }))
}

fn missing(path: &Path) -> Result<Option<Contents>, FileError> {
    folder_of(&resolve(path)).map(|_| None)
}

/// Whether `path` could be replaced: its folder exists and may be changed, and a file that is there is a regular one,
/// ours and not write-protected. Writes nothing.
///
/// # Errors
/// What prevents it.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let target = resolve(path);
    let folder = folder_of(&target)?;
    may(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    match fs::symlink_metadata(&target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::writing(&target, &error)),
        Ok(metadata) if !metadata.is_file() => Err(FileError::NotRegular { path: target }),
        Ok(metadata) => {
            let user = rustix::process::geteuid();
            if !user.is_root() && metadata.uid() != user.as_raw() {
                return Err(FileError::OtherOwner { path: target });
            }
            may(&target, Access::READ_OK | Access::WRITE_OK)
        }
    }
}

/// The mode of the file at `path`, if there is one.
pub fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o7777)
}

fn may(path: &Path, access: Access) -> Result<(), FileError> {
    accessat(CWD, path, access, AtFlags::EACCESS).map_err(|error| FileError::writing(path, &error.into()))
}

/// The folder of a resolved path.
fn folder_of(target: &Path) -> Result<&Path, FileError> {
    let folder = target.parent().unwrap_or(target);
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(folder),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(FileError::writing(folder, &error)),
        _ => Err(FileError::NoFolder { path: folder.to_owned() }),
    }
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
