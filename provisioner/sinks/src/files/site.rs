//! A file by the handle of its folder and its name in it, so that check, look, lock and rename are about one folder,
//! whatever is renamed or linked meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::facts::Facts;
use super::{Contents, FileError, Stamp, resolve};

/// How a folder on the way is opened: to be passed through, not to be read.
#[cfg(target_os = "linux")]
const PASS: OFlags = OFlags::PATH.union(FOLDER);
#[cfg(not(target_os = "linux"))]
const PASS: OFlags = FOLDER;
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A pipe that was put there meanwhile must not be waited for.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Where a file is, or may be.
#[derive(Debug)]
pub struct Site {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    path: PathBuf,
}

impl Site {
    /// Opens the folder of what `path` leads to, its links resolved once; from then on no link is followed.
    ///
    /// # Errors
    /// When there is no such folder, or none that may be passed through.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let path = resolve(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(FileError::Folder { path });
        };
        Ok(Self { folder: open_folder(folder)?, name: name.to_owned(), path })
    }

    /// Opens the folder of `path`, and takes what is there by its name as it is: of a link in its place nothing is read,
    /// and nothing is written through it.
    ///
    /// # Errors
    /// When there is no such folder, or none that may be passed through.
    pub fn plain(path: &Path) -> Result<Self, FileError> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(FileError::Folder { path: absolute });
        };
        let folder = resolve(folder);
        Ok(Self { folder: open_folder(&folder)?, name: name.to_owned(), path: folder.join(name) })
    }

    /// The file's path, links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of its folder.
    pub fn folder_path(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// What the file is; `None` when there is none.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn facts(&self) -> Result<Option<Facts>, FileError> {
        match Facts::read(&self.folder, &self.name) {
            Err(Errno::NOENT) => Ok(None),
            read => read.map(Some).map_err(|error| FileError::reading(&self.path, &error.into())),
        }
    }

    /// The state of the file; `None` when there is none.
    pub fn stamp(&self) -> Option<Stamp> {
        Facts::read(&self.folder, &self.name).ok().map(|facts| facts.stamp)
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// When it is not a regular one, has more than `limit` bytes, or cannot be read.
    pub fn read(&self, limit: usize) -> Result<Option<Contents>, FileError> {
        // Asked before it is opened: opening some devices does something.
        let Some(before) = self.facts()? else { return Ok(None) };
        before.check_regular(&self.path)?;
        let Some(mut file) = self.open_file()? else { return Ok(None) };
        let facts = Facts::of(&file).map_err(|error| FileError::reading(&self.path, &error.into()))?;
        facts.check_regular(&self.path)?;
        let length = usize::try_from(facts.stamp.length).unwrap_or(usize::MAX);
        if length > limit {
            return Err(FileError::TooLarge { path: self.path.clone(), limit });
        }
        // One byte more than needed, so that the vector never moves and leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
        let most = facts.stamp.length.saturating_add(1);
        let read = file.by_ref().take(most).read_to_end(&mut bytes);
        read.map_err(|error| FileError::reading(&self.path, &error))?;
        if bytes.len() != length {
            let path = self.path.clone();
            // What the system makes up while it is read, such as the environment of a process, has no size.
            let has_none = length == 0 && Facts::of(&file).is_ok_and(|facts| facts.stamp.is_empty());
            return Err(if has_none { FileError::NotRegular { path } } else { FileError::Busy { path } });
        }
        Ok(Some(Contents { bytes, stamp: facts.stamp }))
    }

    /// The file, opened to be read; `None` when there is none.
    pub(super) fn open_file(&self) -> Result<Option<File>, FileError> {
        match openat(&self.folder, &self.name, OFlags::RDONLY | FILE, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(FileError::Busy { path: self.path.clone() }),
            Err(error) => Err(FileError::reading(&self.path, &error.into())),
        }
    }

    /// The folder, opened to be read.
    pub(super) fn reopen_folder(&self, verb: &'static str) -> Result<File, FileError> {
        let opened = openat(&self.folder, ".", OFlags::RDONLY | FOLDER, Mode::empty());
        opened.map(File::from).map_err(|error| FileError::from_io(verb, self.folder_path(), &error.into()))
    }

    /// Deletes what killed writers left beside the file. Only for who has its lock: every such file is then
    /// nobody's. Failures do no harm.
    pub fn remove_leftovers(&self) {
        let Ok(folder) = self.reopen_folder("read") else { return };
        let Ok(entries) = Dir::read_from(&folder) else { return };
        for entry in entries.flatten() {
            if super::replace::is_leftover(&self.name, entry.file_name().to_bytes()) {
                // Best effort: the next writer tries again.
                let _ = unlinkat(&self.folder, entry.file_name(), AtFlags::empty());
            }
        }
    }
}

/// Opens a folder by a path without links.
pub(super) fn open_folder(path: &Path) -> Result<OwnedFd, FileError> {
    let gone = || FileError::NoFolder { path: path.to_owned() };
    let fault = |error: Errno| match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => gone(),
        error => FileError::writing(path, &error.into()),
    };
    let mut folder = openat(CWD, OsStr::new("/"), PASS, Mode::empty()).map_err(fault)?;
    for part in path.components() {
        if let Component::Normal(name) = part {
            folder = openat(&folder, name, PASS, Mode::empty()).map_err(fault)?;
        }
    }
    Ok(folder)
}
