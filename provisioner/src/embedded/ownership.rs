//! Whether the files of a table are ours to open. Whoever can put a log beside a table replaces what is in it: the
//! engine takes over what it finds there, and its checksums are no keys.
//!
//! Companions are looked at and never opened: closing a descriptor of a table, or of its `-shm`, drops the locks that
//! this process holds on it, and then another process writes at the same time.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use latchkey::mutex::Mutex;
use rustix::fs::OFlags;

use super::EmbeddedError;
use latchkey_sinks::{files, git};

/// What follows the name of a table in those of its companions.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
const OWNER_ONLY: u32 = 0o600;

/// Why a file is not opened as a table, or as what belongs to one: the rest of a sentence about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// Whoever may push to the repository decides what is in it.
    Tracked,
    TrackingUnknown,
    OtherOwner,
    /// A link beside a table.
    Link,
    NotRegular,
}

impl fmt::Display for Danger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tracked => "is tracked by git, where others may replace it",
            Self::TrackingUnknown => "may be tracked by git, whose index cannot be read",
            Self::OtherOwner => "belongs to another user",
            Self::Link => "is a link",
            Self::NotRegular => "is not a regular file",
        })
    }
}

impl Danger {
    /// What to do about it. What is beside a table may be all that is left of its last changes.
    pub fn hint(self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let cure = match self {
            Self::Tracked => format!(
                "`git log -- {name}` shows who added it; if it is yours, run `git rm --cached {name}` and add \
                 `latchkey.db*` to `.gitignore`, else move it away"
            ),
            Self::TrackingUnknown => {
                "install `git` where it is missing, run `git status` in its folder and fix what it reports".to_owned()
            }
            Self::OtherOwner => {
                "run as its owner; if it should be yours, change the owner with `chown`, else move it away".to_owned()
            }
            Self::Link | Self::NotRegular => "find out who put it there, and move it away".to_owned(),
        };
        format!("{cure}; never delete a `-wal` file: after a crash it contains changes that are nowhere else")
    }
}

/// Files that this process has open as tables, by device and inode. Locked while one is opened, so that no thread looks
/// into a file that another one is opening.
static IN_USE: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Opens a table that is ours, or new: with mode 0600, or narrowed to that. The engine gives its companions the same mode.
pub(super) fn claim<T>(path: &Path, open: impl FnOnce() -> Result<T, EmbeddedError>) -> Result<T, EmbeddedError> {
    let failed = |source| EmbeddedError::File { path: path.to_owned(), source };
    let mut in_use = IN_USE.lock();
    check(path)?;
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a file")));
        }
        Ok(found) => {
            // What is open already is known; opened and closed again it would lose its locks.
            if !in_use.contains(&identity(&found)) && !is_ours(path).map_err(failed)? {
                let reason = "it contains something else, and was not changed".to_owned();
                return Err(EmbeddedError::Engine { path: path.to_owned(), reason });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    for file in files_of(&files::resolve(path)) {
        narrow(&file).map_err(|source| EmbeddedError::File { path: file.clone(), source })?;
    }
    let opened = open()?;
    in_use.extend(fs::metadata(path).ok().as_ref().map(identity));
    Ok(opened)
}

/// Refuses a table that may be somebody else's, or has something of somebody else's beside it.
fn check(path: &Path) -> Result<(), EmbeddedError> {
    let me = rustix::process::geteuid();
    let real = files::resolve(path);
    let refused = |path: &Path, danger| Err(EmbeddedError::NotOurs { path: path.to_owned(), danger });
    let table = fs::symlink_metadata(&real).ok();
    let is_foreign = |found: &Metadata| !me.is_root() && found.uid() != me.as_raw();
    if table.as_ref().is_some_and(|found| found.is_file() && is_foreign(found)) {
        return refused(&real, Danger::OtherOwner);
    }
    // A link to a table is followed where its user made it, or root.
    let link = fs::symlink_metadata(path).ok().filter(Metadata::is_symlink);
    if link.is_some_and(|link| is_foreign(&link) && link.uid() != 0) {
        return refused(path, Danger::OtherOwner);
    }
    let owners = [me.as_raw(), table.map_or(me.as_raw(), |table| table.uid())];
    for companion in companions(&real) {
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
    check_untracked(&files_of(&real))?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let named = files::resolve(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).join(name);
    if named == real { Ok(()) } else { check_untracked(&[named]) }
}

/// Refuses files of one folder of which git tracks any.
pub(crate) fn check_untracked(files: &[PathBuf]) -> Result<(), EmbeddedError> {
    let (path, danger) = match git::first_tracked(files) {
        Ok(None) => return Ok(()),
        Ok(Some(path)) => (path, Danger::Tracked),
        Err(path) => (path, Danger::TrackingUnknown),
    };
    Err(EmbeddedError::NotOurs { path: path.to_owned(), danger })
}

/// A table's file and its companions.
fn files_of(table: &Path) -> Vec<PathBuf> {
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

/// What every SQLite file starts with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How the engine's own bookkeeping reads in the schema of its files.
const OWN: &[u8] = b"CREATE TABLE _tables";
/// As much of a file as its schema can take.
const SCHEMA_MAX: u64 = 1 << 20;

/// Whether a file is empty or contains the engine's own tables, and not another program's.
fn is_ours(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    OpenOptions::new().read(true).write(true).open(path)?.take(SCHEMA_MAX).read_to_end(&mut start)?;
    if start.is_empty() {
        return Ok(true);
    }
    if !start.starts_with(MAGIC) {
        return Ok(false);
    }
    // No table at all: another process is creating its first ones right now. The count of entries of the schema's page
    // is at byte 103.
    if start.get(103..105) == Some(&[0, 0]) {
        return Ok(true);
    }
    // A process that was killed may have left the schema in the log beside the file, which has no locks to lose.
    let mut log = files::resolve(path).into_os_string();
    log.push(COMPANIONS[0]);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let log: io::Result<File> = OpenOptions::new().read(true).custom_flags(flags).open(log);
    if let Ok(log) = log {
        log.take(SCHEMA_MAX).read_to_end(&mut start)?;
    }
    Ok(start.windows(OWN.len()).any(|window| window == OWN))
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
