//! Who may read a file beside its owner: access lists and other attributes, which a file that takes its place must have
//! too.

use std::ffi::CString;
use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

/// The attribute in which Linux keeps an access list.
const LIST: &str = "system.posix_acl_access";
/// The same on NFS.
const NFS_LIST: &str = "system.nfs4_acl";
/// The most that all names, or one value, may take, as in Linux.
const SIZE_MAX: usize = 64 * 1024;
/// What the system sets by itself, according to content or place.
const BY_THE_SYSTEM: [&str; 4] = ["security.selinux", "security.ima", "security.evm", "security.capability"];

/// An access list in the form of Linux: a version, then entries of tag, permissions and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessList(Vec<u8>);

impl AccessList {
    const VERSION: [u8; 4] = 2_u32.to_le_bytes();
    const OWNER: u16 = 0x01;
    const GROUP: u16 = 0x04;
    const MASK: u16 = 0x10;
    const OTHERS: u16 = 0x20;

    /// `None` for another form.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.strip_prefix(&Self::VERSION)?;
        (entries.len() % 8 == 0).then(|| Self(bytes.to_owned()))
    }

    /// The permissions of the file's own group, which the file's mode does not tell where there is a list.
    pub(super) fn group(&self) -> u32 {
        let entry = self.0[4..].chunks_exact(8).find(|entry| tag(entry) == Self::GROUP);
        entry.map_or(0, |entry| u32::from(u16::from_le_bytes([entry[2], entry[3]])))
    }

    /// The same list with what `mode` gives owner, group and others. Whom it names keep what they have.
    pub(super) fn with_mode(&self, mode: u32) -> Self {
        let mut bytes = self.0.clone();
        let bits = |shift: u32| ((mode >> shift) & 0o7) as u8;
        for entry in bytes[4..].chunks_exact_mut(8) {
            match tag(entry) {
                Self::OWNER => entry[2] = bits(6),
                Self::GROUP => entry[2] = bits(3),
                Self::MASK => entry[2] |= bits(3),
                Self::OTHERS => entry[2] = bits(0),
                _ => {}
            }
        }
        Self(bytes)
    }
}

fn tag(entry: &[u8]) -> u16 {
    u16::from_le_bytes([entry[0], entry[1]])
}

/// What a file has beside its mode.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) list: Option<AccessList>,
    others: Vec<(CString, Vec<u8>)>,
}

impl Attributes {
    /// Reads them; an attribute that no new file can be given is the error.
    pub(super) fn read(file: &File) -> Result<Self, Unkept> {
        let mut found = Self::default();
        for name in names(file)? {
            let shown = || Unkept(name.to_string_lossy().into_owned());
            let text = name.to_str().map_err(|_| shown())?;
            if BY_THE_SYSTEM.contains(&text) || text.starts_with("com.apple.") {
                continue;
            }
            let mut value: Vec<u8> = Vec::with_capacity(SIZE_MAX);
            match fgetxattr(file, &name, rustix::buffer::spare_capacity(&mut value)) {
                // Gone meanwhile.
                Err(Errno::NODATA) => continue,
                read => read.map_err(|_| shown())?,
            };
            if text == LIST {
                found.list = Some(AccessList::parse(&value).ok_or_else(shown)?);
            } else if text.starts_with("user.") || text == NFS_LIST || !cfg!(target_os = "linux") {
                found.others.push((name, value));
            } else {
                return Err(shown());
            }
        }
        Ok(found)
    }

    /// Gives a new file the same, with the mode that it is to have.
    pub(super) fn give(&self, new: &File, mode: u32) -> Result<(), Unkept> {
        for (name, value) in &self.others {
            let set = fsetxattr(new, name, value, XattrFlags::empty());
            set.map_err(|_| Unkept(name.to_string_lossy().into_owned()))?;
        }
        let unkept = |_| Unkept(LIST.to_owned());
        match &self.list {
            Some(list) => fsetxattr(new, LIST, &list.with_mode(mode).0, XattrFlags::empty()).map_err(unkept),
            // The folder may give new files a list that the old one did not have.
            None => match fremovexattr(new, LIST) {
                Ok(()) | Err(Errno::NODATA | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => Ok(()),
                Err(error) => Err(unkept(error)),
            },
        }
    }
}

/// An attribute that would be lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unkept(pub(super) String);

fn names(file: &File) -> Result<Vec<CString>, Unkept> {
    let mut list: Vec<u8> = Vec::with_capacity(SIZE_MAX);
    match flistxattr(file, rustix::buffer::spare_capacity(&mut list)) {
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        listed => listed.map_err(|error| Unkept(error.to_string()))?,
    };
    Ok(list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .filter_map(|name| CString::new(name).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut bytes = AccessList::VERSION.to_vec();
        for (tag, permissions) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(65534_u32.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_mode_changes_owner_group_and_others_and_nobody_who_is_named() {
        let before = [(0x01, 6), (0x02, 4), (0x04, 6), (0x08, 4), (0x10, 4), (0x20, 4)];
        let found = AccessList::parse(&list(&before)).unwrap();
        assert_eq!(found.group(), 6);
        let after = [(0x01, 6), (0x02, 4), (0x04, 0), (0x08, 4), (0x10, 4), (0x20, 0)];
        assert_eq!(found.with_mode(0o600).0, list(&after));
        // The mask bounds the group too.
        let masked = AccessList::parse(&list(&[(0x01, 6), (0x04, 0), (0x10, 0), (0x20, 0)])).unwrap();
        assert_eq!(masked.with_mode(0o640).0, list(&[(0x01, 6), (0x04, 4), (0x10, 4), (0x20, 0)]));
        assert_eq!(AccessList::parse(b"\x03\0\0\0"), None);
        assert_eq!(AccessList::parse(&list(&before)[..10]), None);
    }
}
