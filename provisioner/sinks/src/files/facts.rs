//! What a file is: asked of its folder's handle, links not followed.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Stat, fstat, statat};
use rustix::io::Errno;

use super::{FileError, Stamp};

/// What a file is.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Which file it is, and when it last changed.
    pub stamp: Stamp,
    /// Its permissions.
    pub mode: u32,
    pub(super) kind: FileType,
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) links: u64,
    /// Whether something is mounted on it, so that nothing can take its place.
    pub(super) is_mount_point: bool,
    /// Whether it is marked as one that nobody may change, or that only grows.
    pub(super) is_immutable: bool,
}

impl Facts {
    pub(super) fn read(folder: impl AsFd, name: &OsStr) -> Result<Self, Errno> {
        let folder = folder.as_fd();
        let mut facts = Self::from_stat(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?);
        facts.add_attributes(folder, name);
        Ok(facts)
    }

    /// Of a file that is open: where it is mounted is not asked.
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        Ok(Self::from_stat(&fstat(file)?))
    }

    #[expect(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "the types differ from system to system"
    )]
    fn from_stat(stat: &Stat) -> Self {
        Self {
            stamp: Stamp {
                file: (stat.st_dev as u64, stat.st_ino as u64),
                length: stat.st_size as u64,
                changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            },
            mode: stat.st_mode as u32 & 0o7777,
            kind: FileType::from_raw_mode(stat.st_mode),
            owner: stat.st_uid,
            group: stat.st_gid,
            links: stat.st_nlink as u64,
            is_mount_point: false,
            is_immutable: false,
        }
    }

    /// A device tells nothing of a mount: a file may be mounted from its folder's own file system, and in a container's
    /// files are on other devices than their folders. So only the kernel tells, and old ones do not.
    #[cfg(target_os = "linux")]
    fn add_attributes(&mut self, folder: impl AsFd, name: &OsStr) {
        use rustix::fs::{StatxAttributes as Attributes, StatxFlags, statx};
        let Ok(found) = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) else { return };
        self.is_mount_point = found.stx_attributes.contains(Attributes::MOUNT_ROOT);
        self.is_immutable = found.stx_attributes.intersects(Attributes::IMMUTABLE | Attributes::APPEND);
    }

    #[cfg(not(target_os = "linux"))]
    fn add_attributes(&mut self, folder: impl AsFd, _: &OsStr) {
        self.is_mount_point =
            fstat(folder).is_ok_and(|folder| Self::from_stat(&folder).stamp.file.0 != self.stamp.file.0);
    }

    pub(super) fn check_regular(&self, path: &Path) -> Result<(), FileError> {
        match self.kind {
            FileType::RegularFile => Ok(()),
            FileType::Directory => Err(FileError::Folder { path: path.to_owned() }),
            FileType::Symlink => Err(FileError::Link { path: path.to_owned() }),
            _ => Err(FileError::NotRegular { path: path.to_owned() }),
        }
    }
}
