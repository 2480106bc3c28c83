//! What can go wrong with a file, told apart by what the user can do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::plural::count;

/// Why a file could not be read or replaced. Unless it says so, the file is as it was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileError {
    /// The folder is not there.
    #[error("the folder `{}` does not exist", path.display())]
    NoFolder { path: PathBuf },
    /// A folder.
    #[error("`{}` is a folder, not a file", path.display())]
    Folder { path: PathBuf },
    /// A pipe, a device.
    #[error("`{}` is not a regular file", path.display())]
    NotRegular { path: PathBuf },
    /// A link, where none is followed.
    #[error("`{}` is a link, and links are not followed here", path.display())]
    Link { path: PathBuf },
    /// Larger than its reader takes.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        path: PathBuf,
        /// The most bytes it may have.
        limit: usize,
    },
    /// Somebody else wrote while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Busy { path: PathBuf },
    /// The permissions of file or folder forbid it.
    #[error("no permission to {verb} `{}`", path.display())]
    Denied {
        /// What was tried: `read` or `write`.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// Replacing it would make it ours.
    #[error("`{}` belongs to another user", path.display())]
    OtherOwner { path: PathBuf },
    /// Something is mounted on it, which nothing can take the place of.
    #[error("`{}` is a mount point, so it cannot be replaced", path.display())]
    MountPoint { path: PathBuf },
    /// It has other names, which would keep the old content.
    #[error("`{}` has {} (hard links), which a new version would not reach", path.display(), count(links.saturating_sub(1), "other name"))]
    HardLinks {
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// File or folder is marked as one that nobody may change.
    #[error("`{}` is marked as immutable or append-only", path.display())]
    Immutable { path: PathBuf },
    /// A group reads it that a new version would be kept from.
    #[error("`{}` is readable by the group {group} (mode {mode:04o}), which the next write would end", path.display())]
    Readers {
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The group's number.
        group: u32,
    },
    /// A new file cannot be given to its group.
    #[error("`{}` belongs to the group {group}, and this user cannot give a file to that group", path.display())]
    Group {
        path: PathBuf,
        /// The group's number.
        group: u32,
    },
    /// It has an attribute that a new file cannot be given.
    #[error("`{}` has the attribute `{name}`, which a new version cannot be given", path.display())]
    Attribute {
        path: PathBuf,
        /// The attribute's name.
        name: String,
    },
    /// The file system is mounted read-only.
    #[error("`{}` is on a read-only file system", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The disk or the quota is used up.
    #[error("no space left to write `{}`", path.display())]
    Full { path: PathBuf },
    /// Another process kept the lock for too long.
    #[error("another process holds the lock on `{}`", path.display())]
    Held { path: PathBuf },
    /// The new content is in place, but may not survive a power cut.
    #[error("`{}` was replaced, but its folder could not be flushed: {reason}", path.display())]
    Unsure {
        path: PathBuf,
        /// What the system reported.
        reason: String,
    },
    #[error("could not {verb} `{}`: {reason}", path.display())]
    Io {
        /// What was tried: `read`, `write` or `lock`.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system reported.
        reason: String,
    },
}

impl FileError {
    /// Whether it is certain that a file which was to be replaced is as it was, and stays so: what a disk or a network
    /// answers in trouble is not.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Unsure { .. } | Self::Io { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } => "create it, mount the disk it is on, or fix the path",
            Self::Folder { .. } => {
                "name a file; if the folder is empty, as Docker leaves one where the file to mount is missing, remove it"
            }
            Self::NotRegular { .. } => "name a regular file",
            Self::Link { .. } => "name the file itself, or remove the link",
            Self::TooLarge { .. } => "check that the path names the right file",
            Self::Busy { .. } => "run again when nothing else writes to it",
            Self::Denied { .. } => "check the owner and the permissions of the file and of its folder",
            Self::OtherOwner { .. } => "run as its owner, or change the owner with `chown`",
            Self::MountPoint { .. } => {
                "mount its folder instead of the file, or run where the file is not mounted, such as on the host"
            }
            Self::HardLinks { .. } => {
                "make it a file of its own, for example with `cp -p .env .env.new && mv .env.new .env`, and deliver to \
                 each of the others too"
            }
            Self::Immutable { .. } => "allow changes with `chattr -i -a`, or name another file",
            Self::Readers { .. } => {
                "set `mode = \"0640\"` in its sink to keep that, or run `chmod 600` on the file if nobody needs it"
            }
            Self::Group { .. } => "run as root or as a member of that group, or set `mode = \"0600\"` in its sink",
            Self::Attribute { .. } => "remove it if nothing needs it, or name another file",
            Self::ReadOnly { .. } => "mount it writable, or name another file",
            Self::Full { .. } => "free some space and run again; the file is unchanged",
            Self::Held { .. } => "wait until the other run has finished, and run again",
            Self::Unsure { .. } | Self::Io { .. } => "check the disk, and run again",
        }
    }

    pub(super) fn reading(path: &Path, error: &io::Error) -> Self {
        Self::from_io("read", path, error)
    }

    pub(super) fn writing(path: &Path, error: &io::Error) -> Self {
        Self::from_io("write", path, error)
    }

    pub fn from_io(verb: &'static str, path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Self::NoFolder { path: path.parent().map_or_else(|| path.clone(), Path::to_path_buf) }
            }
            ErrorKind::PermissionDenied => Self::Denied { verb, path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { verb, path, reason: error.to_string() },
        }
    }
}
