//! Git's index, read where git is not installed: in the forms that most repositories have, and `None` in all others.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What precedes a name in the index: times, numbers and modes, an object's SHA-1, and flags.
const ENTRY: usize = 62;
const CHECKSUM: usize = 20;

/// Whether the file at the resolved `path` is in the index of the repository that it is in.
pub(crate) fn has(path: &Path) -> Option<bool> {
    let root = path.ancestors().skip(1).find(|folder| folder.join(".git").symlink_metadata().is_ok())?;
    let repository = root.join(".git");
    if !repository.is_dir() {
        return None;
    }
    match std::fs::read(repository.join("index")) {
        Ok(index) => names(&index, path.strip_prefix(root).ok()?.as_os_str().as_bytes()),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

fn names(index: &[u8], wanted: &[u8]) -> Option<bool> {
    let version = number(index, 4)?;
    if !index.starts_with(b"DIRC") || !matches!(version, 2 | 3) {
        return None;
    }
    let mut at = 12;
    for _ in 0..number(index, 8)? {
        let flags = index.get(at + ENTRY - 2..at + ENTRY)?;
        let start = at + ENTRY + if flags[0] & 0x40 == 0 { 0 } else { 2 };
        let length = index.get(start..)?.iter().position(|byte| *byte == 0)?;
        // Of an index with another kind of hash this would be something else.
        if length.min(0xfff) != usize::from(u16::from_be_bytes([flags[0] & 0x0f, flags[1]])) {
            return None;
        }
        if &index[start..start + length] == wanted {
            return Some(true);
        }
        at += (start + length - at) / 8 * 8 + 8;
    }
    // What follows may say that more names are in another file, or that a folder stands for all that is in it.
    while at + CHECKSUM < index.len() {
        if matches!(index.get(at..at + 4)?, b"link" | b"sdir") {
            return None;
        }
        at += 8 + usize::try_from(number(index, at + 4)?).ok()?;
    }
    Some(false)
}

fn number(index: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?))
}
