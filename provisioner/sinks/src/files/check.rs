//! Whether a file can be replaced, and by one that is to all who read it what it was: asked before anything is staged,
//! and once more by the writer.

use rustix::fs::{Access, AtFlags, accessat};

use super::access::{AccessList, Attributes, Unkept};
use super::facts::Facts;
use super::{FileError, Site};

/// The permissions that a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// These, whatever it had.
    Exactly(u32),
    /// These where it is new; else what it had, as far as these allow it. Where the file's group may read it and others
    /// may not, or that group is not its owner's own, somebody reads it by that group: then nothing is taken away, and
    /// the file is refused.
    AtMost(u32),
}

/// What a file that takes the place of another is to have.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
    pub(super) attributes: Attributes,
}

impl Site {
    /// Whether the file could be replaced, or created where there is none. Writes nothing.
    ///
    /// # Errors
    /// What prevents it, or what would be lost.
    pub fn check_replaceable(&self, mode: Mode) -> Result<(), FileError> {
        self.kept(mode).map(drop)
    }

    /// What a replacement has to have; `None` where there is no file yet.
    pub(super) fn kept(&self, mode: Mode) -> Result<Option<Kept>, FileError> {
        let may = |name: &std::ffi::OsStr, path: &std::path::Path, access| {
            let allowed = accessat(&self.folder, name, access, AtFlags::EACCESS);
            allowed.map_err(|error| FileError::writing(path, &error.into()))
        };
        if Facts::read(&self.folder, ".".as_ref()).is_ok_and(|folder| folder.is_immutable) {
            return Err(FileError::Immutable { path: self.folder_path().to_owned() });
        }
        may(".".as_ref(), self.folder_path(), Access::WRITE_OK | Access::EXEC_OK)?;
        let Some(facts) = self.facts()? else { return Ok(None) };
        let path = || self.path().to_owned();
        facts.check_regular(self.path())?;
        if facts.is_mount_point {
            return Err(FileError::MountPoint { path: path() });
        }
        if facts.links > 1 {
            return Err(FileError::HardLinks { path: path(), links: facts.links });
        }
        if facts.is_immutable {
            return Err(FileError::Immutable { path: path() });
        }
        let user = rustix::process::geteuid();
        if facts.owner != user.as_raw() && !(user.is_root() && may_give_away()) {
            return Err(FileError::OtherOwner { path: path() });
        }
        may(&self.name, self.path(), Access::READ_OK | Access::WRITE_OK)?;
        let Some(file) = self.open_file()? else { return Ok(None) };
        let attributes = Attributes::read(&file).map_err(|Unkept(name)| FileError::Attribute { path: path(), name })?;
        let group_bits = attributes.list.as_ref().map_or(facts.mode >> 3 & 0o7, AccessList::group);
        let old = facts.mode & !0o070 | group_bits << 3;
        let mode = match mode {
            Mode::Exactly(mode) => mode,
            Mode::AtMost(most) if is_read_by_group(&facts, old, most) => {
                return Err(FileError::Readers { path: path(), mode: facts.mode, group: facts.group });
            }
            Mode::AtMost(most) => old & most,
        };
        if mode & 0o070 != 0 && !may_give_to(facts.group) {
            return Err(FileError::Group { path: path(), group: facts.group });
        }
        Ok(Some(Kept { owner: facts.owner, group: facts.group, mode, attributes }))
    }
}

/// Whether its group reads the file, and could no more. What everybody may read is so by most users' default, and no
/// sign of that.
fn is_read_by_group(facts: &Facts, old: u32, most: u32) -> bool {
    let loses = old & !most & 0o040 != 0;
    loses && (old & 0o004 == 0 || !is_own_group(facts.owner, facts.group))
}

/// Whether a group is the one that a user's files have by default.
fn is_own_group(owner: u32, group: u32) -> bool {
    let is_me = owner == rustix::process::geteuid().as_raw();
    if owner == group || (is_me && group == rustix::process::getegid().as_raw()) {
        return true;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().any(|line| {
        let mut fields = line.split(':').skip(2);
        let mut next = || fields.next().and_then(|field| field.parse().ok());
        (next(), next()) == (Some(owner), Some(group))
    })
}

/// Whether a file of ours may be given to a group.
pub(super) fn may_give_to(group: u32) -> bool {
    let mine = rustix::process::getegid().as_raw();
    group == mine
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|other| other.as_raw() == group))
        || rustix::process::geteuid().is_root() && may_give_away()
}

/// Whether root may give files to others, which it may not in some containers.
#[cfg(target_os = "linux")]
fn may_give_away() -> bool {
    const CHOWN: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    capabilities.is_none_or(|capabilities| capabilities & CHOWN != 0)
}

#[cfg(not(target_os = "linux"))]
fn may_give_away() -> bool {
    true
}
