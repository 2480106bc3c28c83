//! The embedded table: a file of the library's, that no repository tracks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use latchkey::clock::SystemClock;
use latchkey::table::Table;
use latchkey::table::sqlite::{Danger, Former, OpenError, Sqlite, files_of};
use latchkey_sinks::{files, git};

/// Why an embedded table could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Whoever may push to the repository decides what is in it.
    #[error("`{}` is tracked by git, where others may replace it, so the table was not opened", path.display())]
    Tracked { path: PathBuf },
    #[error("`{}` may be tracked by git, whose index cannot be read, so the table was not opened", path.display())]
    TrackingUnknown { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// What is never to be done about what is beside a table: it may be all that is left of its last changes.
const NEVER: &str = "never delete a `-wal` file: after a crash it contains changes that are nowhere else";

impl EmbeddedError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Tracked { path } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                format!(
                    "`git log -- {name}` shows who added it; if it is yours, run `git rm --cached {name}` and add \
                     `latchkey.db*` to `.gitignore`, else move it away; {NEVER}"
                )
            }
            Self::TrackingUnknown { .. } => format!(
                "install `git` where it is missing, run `git status` in its folder and fix what it reports; {NEVER}"
            ),
            Self::Open(OpenError::NotOurs { danger: Danger::OtherOwner, .. }) => format!(
                "run as its owner; if it should be yours, change the owner with `chown`, else move it away; {NEVER}"
            ),
            Self::Open(OpenError::NotOurs { .. }) => {
                format!("find out who put it there, and move it away or name the file that it leads to; {NEVER}")
            }
            Self::Open(OpenError::Former { path }) => {
                let path = path.display();
                format!(
                    "run `provision copy embedded:{path} embedded:NEW.db` once, then use the new file in its place; the \
                     former one is not changed"
                )
            }
            Self::Open(OpenError::Later { .. }) => {
                "use the newer version of `provision`; nothing was changed".to_owned()
            }
            Self::Open(_) => {
                "check the file, the permissions of its folder and the free disk space; it was not changed".to_owned()
            }
        }
    }
}

/// Opens the table in `path`, creating file and table where there are none.
///
/// # Errors
/// When the file cannot be opened, is something else, or may be somebody else's.
pub fn open(path: &Path) -> Result<Table, EmbeddedError> {
    let real = files::resolve(path);
    check_untracked(&files_of(&real))?;
    if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
        let named = files::resolve(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).join(name);
        if named != real {
            check_untracked(&[named])?;
        }
    }
    Ok(Table::on(Arc::new(Sqlite::open(path, Arc::new(SystemClock))?)))
}

/// Opens a table of the form before this one's, which can only be copied.
///
/// # Errors
/// When it cannot be read, or is something else.
pub fn former(path: &Path) -> Result<Table, EmbeddedError> {
    Ok(Table::on(Arc::new(Former::open(path)?)))
}

/// A table in memory, gone with the process.
///
/// # Errors
/// When there is no memory.
pub fn memory() -> Result<Table, EmbeddedError> {
    Ok(Table::on(Arc::new(Sqlite::memory(Arc::new(SystemClock))?)))
}

/// Refuses files of one folder of which git tracks any.
pub(crate) fn check_untracked(files: &[PathBuf]) -> Result<(), EmbeddedError> {
    match git::first_tracked(files) {
        Ok(None) => Ok(()),
        Ok(Some(path)) => Err(EmbeddedError::Tracked { path: path.to_owned() }),
        Err(path) => Err(EmbeddedError::TrackingUnknown { path: path.to_owned() }),
    }
}
