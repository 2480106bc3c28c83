//! An advisory lock: an empty file of its own beside the file that it guards. Only that file's owner can open it, so no
//! other user of the machine can hold it, and it is never deleted: who waits for a file that is gone waits for nothing.

use std::ffi::OsStr;
use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::facts::Facts;
use super::{FileError, Site};
use crate::deadline::Deadline;

/// What a lock's name ends with.
pub const LOCK: &str = ".latchkey-lock";
const PAUSE: Duration = Duration::from_millis(5);
/// How long the folder's own lock is waited for, which earlier releases take for a few milliseconds. Anybody who can read
/// the folder can hold it, so it is not waited for any longer.
const FORMER_WAIT: Duration = Duration::from_secs(1);
/// How often a lock that is made or removed meanwhile is looked for again.
const TRIES: usize = 16;
/// How a lock is opened: a pipe or a terminal that was put there must not be waited for, nor become ours.
const LOCK_FILE: OFlags =
    OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const OWNER_ONLY: u32 = 0o600;

/// Keeps the lock until it is dropped, or its process ends.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct FileLock {
    _file: File,
    /// The folder's own lock, where nobody else has it.
    _folder: Option<File>,
}

impl Site {
    /// Takes the lock that all who replace the file take; blocks this thread for up to `wait`.
    ///
    /// # Errors
    /// When another process or thread holds it for that long, or it cannot be opened.
    pub fn lock(&self, wait: Duration) -> Result<FileLock, FileError> {
        let deadline = Deadline::after(wait);
        let file = self.open_lock(LOCK)?;
        self.hold(&file, deadline)?;
        let former = Deadline::after(FORMER_WAIT.min(deadline.left() / 4));
        let folder = self.reopen_folder("lock").ok().filter(|folder| self.hold(folder, former).is_ok());
        Ok(FileLock { _file: file, _folder: folder })
    }

    /// Opens the file whose name is that of this one and `end`, creating it where there is none: with mode 0600, and with
    /// the owner of this file, so that a run as root locks nobody out.
    ///
    /// # Errors
    /// When it is a link or no plain file, belongs to another user, or cannot be opened.
    pub fn open_lock(&self, end: &str) -> Result<File, FileError> {
        let mut name = self.name.clone();
        name.push(end);
        let path = self.folder_path().join(&name);
        for _ in 0..TRIES {
            // Asked before it is opened: opening some devices does something.
            match Facts::read(&self.folder, &name) {
                Ok(found) => found.check_regular(&path)?,
                Err(Errno::NOENT) => {
                    self.create_lock(&name)?;
                    continue;
                }
                Err(error) => return Err(FileError::from_io("lock", &path, &error.into())),
            }
            match openat(&self.folder, &name, LOCK_FILE, Mode::empty()) {
                Ok(file) => return self.settled(file.into(), &name),
                Err(Errno::NOENT) => {}
                Err(Errno::ACCESS | Errno::PERM) => return Err(FileError::OtherOwner { path }),
                Err(error) => return Err(FileError::from_io("lock", &path, &error.into())),
            }
        }
        Err(FileError::Busy { path })
    }

    /// What is opened there, if it is a lock of ours.
    fn settled(&self, file: File, name: &OsStr) -> Result<File, FileError> {
        let path = self.folder_path().join(name);
        let failed = |error: std::io::Error| FileError::from_io("lock", &path, &error);
        let facts = Facts::of(&file).map_err(|error| failed(error.into()))?;
        facts.check_regular(&path)?;
        if facts.links > 1 {
            return Err(FileError::HardLinks { path, links: facts.links });
        }
        let (me, (owner, group)) = (geteuid(), self.owner());
        if facts.owner != me.as_raw() && !(me.is_root() && facts.owner == owner) {
            return Err(FileError::OtherOwner { path });
        }
        // One that root made before the file was given to its user. Nothing is given away with an empty file.
        if me.is_root() && facts.owner != owner && facts.stamp.is_empty() {
            let _ = fchown(&file, Some(owner), Some(group));
        }
        if facts.mode != OWNER_ONLY {
            file.set_permissions(Permissions::from_mode(OWNER_ONLY)).map_err(failed)?;
        }
        Ok(file)
    }

    /// Makes the lock elsewhere first: where it appears, it has its owner and its mode. That another process made one
    /// meanwhile is no error.
    fn create_lock(&self, name: &OsStr) -> Result<(), FileError> {
        let fault = |error: std::io::Error| FileError::writing(self.folder_path(), &error);
        let (file, mut made) = super::replace::beside(self).map_err(fault)?;
        let (owner, group) = self.owner();
        if geteuid().is_root() && owner != geteuid().as_raw() {
            // Root cannot give files away everywhere; then nothing else of the owner's is delivered to either.
            let _ = fchown(&file, Some(owner), Some(group));
        }
        file.set_permissions(Permissions::from_mode(OWNER_ONLY)).map_err(fault)?;
        match self.rename_new(made.name(), name) {
            Ok(()) => made.keep(),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(fault(error.into())),
        }
        Ok(())
    }

    /// Renames what is to stand where nothing is.
    fn rename_new(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        match renameat_with(&self.folder, from, &self.folder, to, RenameFlags::NOREPLACE) {
            // Some file systems know no such renaming.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::linkat(&self.folder, from, &self.folder, to, AtFlags::empty())?;
                rustix::fs::unlinkat(&self.folder, from, AtFlags::empty())
            }
            renamed => renamed,
        }
    }

    /// Whose the file is; of one that is not there yet, whose its folder is.
    fn owner(&self) -> (u32, u32) {
        let facts = Facts::read(&self.folder, &self.name).or_else(|_| Facts::read(&self.folder, ".".as_ref()));
        facts.map_or_else(
            |_| (geteuid().as_raw(), rustix::process::getegid().as_raw()),
            |facts| (facts.owner, facts.group),
        )
    }

    fn hold(&self, file: &File, deadline: Deadline) -> Result<(), FileError> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if deadline.has_passed() => {
                    return Err(FileError::Held { path: self.path().to_owned() });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE.min(deadline.left())),
                Err(TryLockError::Error(error)) => return Err(FileError::from_io("lock", self.path(), &error)),
            }
        }
    }
}
