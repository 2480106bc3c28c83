//! An advisory lock on a folder, so that the lock leaves no file behind.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};

use super::site::open_folder;
use super::{FileError, resolve};
use crate::deadline::Deadline;

const PAUSE: Duration = Duration::from_millis(5);

/// Keeps the lock until it is dropped, or its process ends.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct FolderLock {
    _folder: File,
}

/// Takes the lock on `folder` that all who replace files in it take; blocks this thread for up to `wait`.
///
/// # Errors
/// When another process or thread holds it for that long, or the folder cannot be opened or locked.
pub fn lock_folder(folder: &Path, wait: Duration) -> Result<FolderLock, FileError> {
    let opened = openat(open_folder(&resolve(folder))?, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let opened = opened.map_err(|error| FileError::from_io("lock", folder, &error.into()))?;
    lock(opened.into(), folder, wait)
}

/// Takes the lock on a folder that is open.
pub(super) fn lock(file: File, folder: &Path, wait: Duration) -> Result<FolderLock, FileError> {
    let deadline = Deadline::after(wait);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(FolderLock { _folder: file }),
            Err(TryLockError::WouldBlock) if deadline.has_passed() => {
                return Err(FileError::Held { path: folder.to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE.min(deadline.left())),
            Err(TryLockError::Error(error)) => return Err(FileError::from_io("lock", folder, &error)),
        }
    }
}
