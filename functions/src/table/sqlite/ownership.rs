//! Whether the files of a table are ours to open. Whoever can put a log beside a table replaces what is in it: `SQLite`
//! takes over what it finds there, and its checksums are no keys.
//!
//! Companions are looked at and never opened: closing a descriptor of a table, or of its `-shm`, drops the locks that
//! this process has on it, and then another process writes at the same time.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::file::OpenError;
use super::schema::APPLICATION_ID;
use crate::mutex::Mutex;

/// What follows the name of a table in those of its companions.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
const OWNER_ONLY: u32 = 0o600;

/// Why a file is not opened as a table, or as what belongs to one: the rest of a sentence about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Danger {
    /// It belongs to somebody else.
    OtherOwner,
    /// Where it leads may change.
    Link,
    /// It is a folder, a pipe or a device.
    NotRegular,
}

impl fmt::Display for Danger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OtherOwner => "belongs to another user",
            Self::Link => "is a link",
            Self::NotRegular => "is not a regular file",
        })
    }
}

/// Files that this process has open as tables, by device and inode. Locked while one is opened, so that no thread looks
/// into a file that another one is opening.
static IN_USE: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Opens a table that is ours, or new: with mode 0600, or narrowed to that. `SQLite` gives its companions the same mode.
/// Folders may be reached by links; the file itself is none.
pub(super) fn claim<T>(path: &Path, open: impl FnOnce(&Path) -> Result<T, OpenError>) -> Result<T, OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut in_use = IN_USE.lock();
    let real = real(path).map_err(failed)?;
    check(path, &real)?;
    match fs::symlink_metadata(&real) {
        Ok(found) => {
            // What is open already is known; opened and closed again it would lose its locks.
            if !in_use.contains(&identity(&found)) {
                know(path, &real)?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(&real).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    for file in files_of(&real) {
        narrow(&file).map_err(|source| OpenError::File { path: file.clone(), source })?;
    }
    let opened = open(&real)?;
    in_use.extend(fs::symlink_metadata(&real).ok().as_ref().map(identity));
    Ok(opened)
}

/// A path whose folder is reached by no link.
fn real(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs::canonicalize(folder)?.join(name))
}

/// Refuses a table that may be somebody else's, or has something of somebody else's beside it.
fn check(named: &Path, real: &Path) -> Result<(), OpenError> {
    let me = rustix::process::geteuid();
    let refused = |path: &Path, danger| Err(OpenError::NotOurs { path: path.to_owned(), danger });
    let table = fs::symlink_metadata(real).ok();
    if let Some(found) = &table {
        if found.is_symlink() {
            return refused(named, Danger::Link);
        }
        if !found.is_file() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not a file");
            return Err(OpenError::File { path: named.to_owned(), source });
        }
        if !me.is_root() && found.uid() != me.as_raw() {
            return refused(named, Danger::OtherOwner);
        }
    }
    let owners = [me.as_raw(), table.map_or(me.as_raw(), |table| table.uid())];
    for companion in companions(real) {
        let Ok(found) = fs::symlink_metadata(&companion) else { continue };
        if found.is_symlink() {
            return refused(&companion, Danger::Link);
        }
        if !found.is_file() {
            return refused(&companion, Danger::NotRegular);
        }
        if !owners.contains(&found.uid()) {
            return refused(&companion, Danger::OtherOwner);
        }
    }
    Ok(())
}

/// A table's file and its companions, whether they exist or not.
pub fn files_of(table: &Path) -> Vec<PathBuf> {
    std::iter::once(table.to_owned()).chain(companions(table)).collect()
}

fn companions(table: &Path) -> impl Iterator<Item = PathBuf> {
    COMPANIONS.into_iter().map(|end| {
        let mut name = table.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// What every `SQLite` file starts with; its header has 100 bytes (<https://www.sqlite.org/fileformat2.html>).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where in the header the id of the program is.
const APPLICATION: std::ops::Range<usize> = 68..72;
/// How the bookkeeping of the engine reads that versions before this one had.
const FORMER: &[u8] = b"CREATE TABLE _tables";
/// As much of a file as its schema can take.
const SCHEMA_MAX: u64 = 1 << 20;

/// Refuses a file that is no table of ours. An empty one becomes one.
fn know(named: &Path, real: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::File { path: named.to_owned(), source };
    let foreign = |reason: &str| OpenError::Foreign { path: named.to_owned(), reason: reason.to_owned() };
    let mut start = Vec::new();
    let file = OpenOptions::new().read(true).open(real).map_err(failed)?;
    file.take(SCHEMA_MAX).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() {
        return Ok(());
    }
    if !start.starts_with(MAGIC) {
        return Err(foreign("it contains something else, and was not changed"));
    }
    if start.get(APPLICATION).is_some_and(|id| id == APPLICATION_ID.to_be_bytes()) {
        return Ok(());
    }
    if start.windows(FORMER.len()).any(|window| window == FORMER) {
        return Err(OpenError::Former { path: named.to_owned() });
    }
    Err(foreign("it is a database of another program, and was not changed"))
}

/// Takes from others what they may do with a file of ours, without opening it.
fn narrow(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.mode() & 0o077 != 0 => {
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))
        }
        _ => Ok(()),
    }
}
