//! Replacing a file in one step: whoever reads it sees the old content or the new, and a crash leaves one of the two.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{FileError, check_writable, folder_of, resolve};

/// Follows the file's own name, so that a pattern like `.env.*` in `.gitignore` covers what a crash leaves behind.
const LEFTOVER: &str = ".latchkey-tmp";

/// New content that waits beside the file it is to replace. Dropping it leaves the file as it was.
#[derive(Debug)]
#[must_use = "nothing is replaced before `commit`"]
pub struct Replacement {
    new: NamedTempFile,
    target: PathBuf,
}

/// Replaces the content of the file at `path`, or creates it; see [`Replacement::prepare`].
///
/// # Errors
/// What prevents it. The old file is intact, unless the error is [`FileError::Unsure`].
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    Replacement::prepare(path, bytes, mode)?.commit()
}

impl Replacement {
    /// Writes `bytes` to a new file beside the one at `path`, and flushes them to the disk. Where `path` is a link,
    /// what it leads to is replaced, and the link stays.
    ///
    /// A file that did not exist gets `mode`, whatever the umask. One that did keeps its owner and group, and its mode
    /// is tightened to `mode`: what `mode` does not allow is removed, nothing is added. Access lists and extended
    /// attributes are not carried over.
    ///
    /// # Errors
    /// What prevents it; the old file is intact and nothing is left beside it.
    pub fn prepare(path: &Path, bytes: &[u8], mode: u32) -> Result<Self, FileError> {
        check_writable(path)?;
        let target = resolve(path);
        let fault = |error: std::io::Error| FileError::writing(&target, &error);
        let mut new = beside(&target).map_err(fault)?;
        new.write_all(bytes).map_err(fault)?;
        settle(new.as_file(), &target, mode)?;
        new.as_file().sync_all().map_err(fault)?;
        Ok(Self { new, target })
    }

    /// Puts the new file in the old one's place, and flushes the folder.
    ///
    /// # Errors
    /// What prevents it. The old file is intact, unless the error is [`FileError::Unsure`].
    pub fn commit(self) -> Result<(), FileError> {
        let Self { new, target } = self;
        // A failed `persist` hands the new file back inside the error, whose drop deletes it.
        new.persist(&target).map_err(|error| FileError::writing(&target, &error.error))?;
        let flushed = File::open(folder_of(&target)?).and_then(|folder| folder.sync_all());
        match flushed {
            // Some file systems cannot flush a folder.
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                Err(FileError::Unsure { path: target, reason: error.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// Deletes what killed writers left beside the file at `path`. Only for who holds the lock on its folder: every such
/// file is then nobody's. Failures do no harm.
pub fn remove_leftovers(path: &Path) {
    let target = resolve(path);
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    let start = format!("{}.", name.to_string_lossy());
    for entry in entries.flatten() {
        let found = entry.file_name();
        let middle = found.to_str().and_then(|found| found.strip_prefix(&start)?.strip_suffix(LEFTOVER));
        if middle.is_some_and(|middle| middle.len() == RANDOM && middle.bytes().all(|b| b.is_ascii_alphanumeric())) {
            // Best effort: the next writer tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How many random characters a new file's name has.
const RANDOM: usize = 8;

/// A new file, mode 0600 from its first moment.
fn beside(target: &Path) -> std::io::Result<NamedTempFile> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    tempfile::Builder::new()
        .prefix(&format!("{name}."))
        .rand_bytes(RANDOM)
        .suffix(LEFTOVER)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(target.parent().unwrap_or(target))
}

/// Gives the new file the old one's owner, and the mode it is to have.
fn settle(new: &File, target: &Path, mode: u32) -> Result<(), FileError> {
    let fault = |error: std::io::Error| FileError::writing(target, &error);
    let Ok(old) = fs::metadata(target) else {
        return new.set_permissions(Permissions::from_mode(mode)).map_err(fault);
    };
    let ours = new.metadata().map_err(fault)?;
    if ours.uid() != old.uid() {
        fchown(new, Some(old.uid()), None).map_err(|_| FileError::OtherOwner { path: target.to_owned() })?;
    }
    let group_kept = ours.gid() == old.gid() || fchown(new, None, Some(old.gid())).is_ok();
    // Rights that were meant for another group go to none.
    let kept = if group_kept { 0o777 } else { 0o707 };
    new.set_permissions(Permissions::from_mode(old.mode() & mode & kept)).map_err(fault)
}
