//! Replacing a file in one step: whoever reads it sees the old content or the new, and a crash leaves one of the two.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use latchkey::entropy::{Entropy as _, SystemEntropy};
use rustix::fs::{AtFlags, Mode as CreateMode, OFlags, openat, renameat, unlinkat};

use super::access::Unkept;
use super::check::Kept;
use super::{FileError, Mode, Site};

/// Follows the file's own name, so that a pattern like `.env.*` in `.gitignore` covers what a crash leaves behind.
const LEFTOVER: &[u8] = b".latchkey-tmp";
/// How many random characters a new file's name has.
const RANDOM: usize = 8;
/// How often a name is chosen when there is already a file of that name.
const TRIES: usize = 16;

/// New content that waits beside the file it is to replace. Dropping it leaves the file as it was.
#[derive(Debug)]
#[must_use = "nothing is replaced before `commit`"]
pub struct Replacement<'a> {
    site: &'a Site,
    /// Its name, until it has taken the other's place.
    name: Option<OsString>,
}

/// Replaces the content of the file at `path`, or creates it with `mode`; see [`Replacement::prepare`]. What the mode
/// of a file that is there has beyond `mode` is removed. A link in its place is neither followed nor replaced.
///
/// # Errors
/// What prevents it. The old file is intact, unless the error is [`FileError::Unsure`].
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    Replacement::prepare(&Site::plain(path)?, bytes, Mode::AtMost(mode))?.commit()
}

impl<'a> Replacement<'a> {
    /// Writes `bytes` to a new file beside the one at `site`, and flushes them to the disk. Where a path was a link, what
    /// it leads to is replaced, and the link stays.
    ///
    /// A file that did not exist gets `mode`, whatever the umask. One that did keeps its owner, its group, its access
    /// list and its other attributes.
    ///
    /// # Errors
    /// What prevents it; the old file is intact and nothing is left beside it.
    pub fn prepare(site: &'a Site, bytes: &[u8], mode: Mode) -> Result<Self, FileError> {
        let kept = site.kept(mode)?;
        let fault = |error: std::io::Error| FileError::writing(site.path(), &error);
        let (mut new, replacement) = beside(site).map_err(fault)?;
        new.write_all(bytes).map_err(fault)?;
        if let Some(kept) = kept {
            settle(&new, site, &kept)?;
        } else {
            let (Mode::Exactly(mode) | Mode::AtMost(mode)) = mode;
            new.set_permissions(Permissions::from_mode(mode)).map_err(fault)?;
        }
        new.sync_all().map_err(fault)?;
        Ok(replacement)
    }

    /// Puts the new file in the old one's place, and flushes the folder.
    ///
    /// # Errors
    /// What prevents it. The old file is intact, unless the error is [`FileError::Unsure`].
    pub fn commit(mut self) -> Result<(), FileError> {
        let site = self.site;
        if let Some(name) = &self.name {
            let renamed = renameat(&site.folder, name, &site.folder, &site.name);
            renamed.map_err(|error| FileError::writing(site.path(), &error.into()))?;
        }
        self.name = None;
        let flushed = site.reopen_folder("write").and_then(|folder| match folder.sync_all() {
            // Some file systems cannot flush a folder.
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                Err(FileError::from_io("write", site.folder_path(), &error))
            }
            _ => Ok(()),
        });
        flushed.map_err(|error| FileError::Unsure { path: site.path().to_owned(), reason: error.to_string() })
    }
}

impl Replacement<'_> {
    /// The new file's name, while it waits.
    pub(super) fn name(&self) -> &OsStr {
        self.name.as_deref().unwrap_or_default()
    }

    /// Leaves the new file: it was renamed.
    pub(super) fn keep(&mut self) {
        self.name = None;
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // Best effort: the next writer removes what is left.
            let _ = unlinkat(&self.site.folder, name, AtFlags::empty());
        }
    }
}

/// Whether `found` is what a killed writer of the file `name` left.
pub(super) fn is_leftover(name: &OsStr, found: &[u8]) -> bool {
    let rest = found.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"."));
    let middle = rest.and_then(|rest| rest.strip_suffix(LEFTOVER));
    middle.is_some_and(|middle| middle.len() == RANDOM && middle.iter().all(u8::is_ascii_alphanumeric))
}

/// A new file, mode 0600 from its first moment.
pub(super) fn beside(site: &Site) -> std::io::Result<(File, Replacement<'_>)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut last = std::io::Error::from(ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let name = new_name(&site.name)?;
        match openat(&site.folder, &name, flags, CreateMode::RUSR | CreateMode::WUSR) {
            Ok(file) => return Ok((File::from(file), Replacement { site, name: Some(name) })),
            Err(error) => last = error.into(),
        }
        if last.kind() != ErrorKind::AlreadyExists {
            break;
        }
    }
    Err(last)
}

fn new_name(name: &OsStr) -> std::io::Result<OsString> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0; RANDOM];
    SystemEntropy.fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let random = random.map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]);
    Ok(OsString::from_vec([name.as_bytes(), b".", &random, LEFTOVER].concat()))
}

/// Gives the new file what the old one had. The mode comes last but for the access list, which a changed owner or mode
/// would change too.
fn settle(new: &File, site: &Site, kept: &Kept) -> Result<(), FileError> {
    let path = || site.path().to_owned();
    let fault = |error: std::io::Error| FileError::writing(site.path(), &error);
    let ours = new.metadata().map_err(fault)?;
    if ours.uid() != kept.owner {
        fchown(new, Some(kept.owner), None).map_err(|_| FileError::OtherOwner { path: path() })?;
    }
    // Without permissions for the group it does not matter which one it is.
    if ours.gid() != kept.group && fchown(new, None, Some(kept.group)).is_err() && kept.mode & 0o070 != 0 {
        return Err(FileError::Group { path: path(), group: kept.group });
    }
    new.set_permissions(Permissions::from_mode(kept.mode)).map_err(fault)?;
    let given = kept.attributes.give(new, kept.mode);
    given.map_err(|Unkept(name)| FileError::Attribute { path: path(), name })
}
