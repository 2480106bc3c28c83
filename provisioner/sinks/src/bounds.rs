//! Which files a run may open for its sinks: those that its manifest and its recorded places name are untrusted.

use std::path::{Path, PathBuf};

use crate::files;

/// Which files a run may open.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// The folder that they are in, links resolved; `None` where they may be anywhere.
    pub folder: Option<PathBuf>,
    /// Files that no sink may write: the manifest, and the table with all that is named after it.
    pub reserved: Vec<PathBuf>,
}

impl Bounds {
    /// Whether a path, as it is spelled, is within the folder.
    pub fn contain(&self, path: &Path) -> bool {
        self.folder.as_ref().is_none_or(|folder| path.starts_with(folder))
    }

    /// Whether a file, links resolved, is one of those that no sink may write, or is named after one: `latchkey.db-wal`.
    pub fn reserve(&self, path: &Path) -> bool {
        self.reserved.iter().any(|reserved| is_named_after(path, &files::resolve(reserved)))
    }
}

/// Whether a file is another one, or a companion of it: the same name with more behind it.
pub fn is_named_after(path: &Path, other: &Path) -> bool {
    let (Some(name), Some(first)) = (path.file_name(), other.file_name()) else { return false };
    let (name, first) = (name.as_encoded_bytes(), first.as_encoded_bytes());
    let rest = name.strip_prefix(first);
    path.parent() == other.parent()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-") || rest.starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_of_a_file_are_known_by_their_names() {
        let table = Path::new("/p/latchkey.db");
        for path in ["/p/latchkey.db", "/p/latchkey.db-wal", "/p/latchkey.db-journal", "/p/latchkey.db.acme.lock"] {
            assert!(is_named_after(Path::new(path), table), "{path}");
        }
        for path in ["/p/latchkey.dbx", "/q/latchkey.db", "/p/.env", "/p/latchkey"] {
            assert!(!is_named_after(Path::new(path), table), "{path}");
        }
    }
}
