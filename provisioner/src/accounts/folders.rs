//! The folders of this user: for settings, and for what may be lost.
//! <https://specifications.freedesktop.org/basedir-spec/latest/>

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::StoreError;
use latchkey_sinks::files::FileError;

const OURS: &str = "latchkey";
const OWNER_ONLY: u32 = 0o700;

/// The folder of the list of logins.
pub(super) fn settings() -> Result<PathBuf, StoreError> {
    folder("XDG_CONFIG_HOME", ".config").ok_or(StoreError::NoFolder)
}

/// The folder of what is remembered from day to day.
pub(super) fn state() -> Option<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state")
}

/// Creates a folder that only its owner can read.
pub(super) fn create(folder: &Path) -> Result<(), FileError> {
    let created = std::fs::DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(folder);
    created.map_err(|error| FileError::from_io("write", folder, &error))
}

/// The variable's folder, else the one below `HOME`. What is no absolute path is passed over, as the specification says.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))?;
    Some(base.join(OURS))
}
