//! The file that is read as a manifest: a plain one at its own path, or one that a link there may lead to. Whoever
//! sends a pull request decides what is in a folder, links too, and faults of a manifest are shown with its lines.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use latchkey_sinks::files;

/// The largest manifest that is read, in bytes.
pub const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// Why a manifest's file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("no manifest at `{}`", .0.display())]
    Missing(PathBuf),
    /// A folder, a device or the like.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// It shows content without having any, as files below `/proc` do.
    #[error("`{}` is not a regular file: it has content but no size", .0.display())]
    NoSize(PathBuf),
    /// A link in its path leads where none is followed.
    #[error("`{}` leads through a link {target}; it was not read", path.display())]
    Link {
        /// The file, as it was named.
        path: PathBuf,
        target: RefusedTarget,
    },
    #[error("`{}` is a link to a file that does not exist", .0.display())]
    DanglingLink(PathBuf),
    /// Another file was put there between looking and opening.
    #[error("`{}` was replaced while it was opened; it was not read", .0.display())]
    Replaced(PathBuf),
    /// It is there, but cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// It is larger than any manifest.
    #[error("`{}` is larger than 4 MiB", .0.display())]
    TooLarge(PathBuf),
}

/// Where a link leads that is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedTarget {
    Outside,
    OtherName,
    /// A checkout's credentials are kept there.
    Git,
}

impl fmt::Display for RefusedTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Outside => "to a file outside its folder",
            Self::OtherName => "to a file with another name",
            Self::Git => "into `.git`",
        })
    }
}

impl ReadError {
    fn of(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            _ => Self::Unreadable { path: path.to_owned(), source },
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "`provision init` writes a starter",
            Self::NotAFile(_) | Self::NoSize(_) => "pass the file itself, for example `tokens.toml`",
            Self::Link { .. } => {
                "pass the file itself, or replace the link with a copy; a link is followed only to a file of the same \
                 name in or below its folder"
            }
            Self::DanglingLink(_) => "restore that file, or remove the link",
            Self::Replaced(_) => "run the command again",
            Self::Unreadable { .. } => "check the permissions of the file",
            Self::TooLarge(_) => "split it: each manifest owns the tokens that it declares",
        }
    }
}

/// The bytes of the manifest at `path`, and the folder where its relative paths start.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, PathBuf), ReadError> {
    let failed = |source| ReadError::of(path, source);
    let (mut file, folder) = open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    // What the system makes up while it is read, such as the environment of a process.
    if !bytes.is_empty() && file.metadata().map_err(failed)?.len() == 0 {
        return Err(ReadError::NoSize(path.to_owned()));
    }
    if bytes.len() as u64 > SIZE_MAX {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    Ok((bytes, folder))
}

/// A hard link cannot be distinguished from the file; Git stores none.
fn open(path: &Path) -> Result<(File, PathBuf), ReadError> {
    let failed = |source: io::Error| match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() && source.kind() == io::ErrorKind::NotFound => {
            ReadError::DanglingLink(path.to_owned())
        }
        _ => ReadError::of(path, source),
    };
    let spot = Spot::of(path)?;
    // Asked first: opening a pipe would wait for its other end, and opening a device may set something off.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    // Whoever can write to the folder may have put something else there since.
    let is_what_was_judged = || fs::symlink_metadata(&spot.real).is_ok_and(|judged| is_same(&judged, &opened));
    if !opened.is_file() || Spot::of(path)? != spot || !is_what_was_judged() {
        return Err(ReadError::Replaced(path.to_owned()));
    }
    Ok((file, spot.folder))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Where a manifest is.
#[derive(Debug, PartialEq, Eq)]
struct Spot {
    /// The folder of its path, links resolved.
    folder: PathBuf,
    /// The file itself, links resolved.
    real: PathBuf,
}

impl Spot {
    /// Looks at links only: whether there is a file behind one that is not followed stays untold.
    fn of(path: &Path) -> Result<Self, ReadError> {
        let Some(name) = path.file_name() else { return Err(ReadError::NotAFile(path.to_owned())) };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = folder.canonicalize().map_err(|source| ReadError::of(path, source))?;
        let named = folder.join(name);
        let is_link = fs::symlink_metadata(&named).is_ok_and(|found| found.is_symlink());
        let real = if is_link { files::resolve(&named) } else { named };
        let below = real.strip_prefix(&folder);
        // A folder on the way may be a link too; who is in `.git`, or names it, means it.
        let is_stated = || std::path::absolute(path).is_ok_and(|stated| has_git(&stated));
        let target = if is_link && below.is_err() {
            RefusedTarget::Outside
        } else if is_link && below.is_ok_and(has_git) || has_git(&real) && !is_stated() {
            RefusedTarget::Git
        } else if is_link && real.file_name() != Some(name) {
            RefusedTarget::OtherName
        } else {
            return Ok(Self { folder, real });
        };
        Err(ReadError::Link { path: path.to_owned(), target })
    }
}

fn has_git(path: &Path) -> bool {
    let is_git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
    path.components().any(is_git)
}
