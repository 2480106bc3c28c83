//! The manifest's file: found, read, and told apart from everything else that may stand at its path.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::Manifest;
use super::parse::parse;
use latchkey_sinks::reading::{Allowances, Fault, Faults};

/// The largest manifest that is read, in bytes.
pub const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("no manifest at `{}`", .0.display())]
    Missing(PathBuf),
    /// A folder, a device or the like.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// It is there, but cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no text.
    #[error("`{}` is not UTF-8: line {line} holds other bytes", path.display())]
    NotUtf8 {
        /// The file, as it was named.
        path: PathBuf,
        /// The line with the first such byte, from 1.
        line: usize,
    },
    /// It is larger than any manifest.
    #[error("`{}` is larger than 4 MiB", .0.display())]
    TooLarge(PathBuf),
    /// It was read, and is wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
}

impl LoadError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing(_) => Some("`provision init` writes a starter"),
            Self::NotAFile(_) => Some("name the file itself, for instance `tokens.toml`"),
            Self::Unreadable { .. } => Some("check who may read it"),
            Self::NotUtf8 { .. } => Some("save it as UTF-8"),
            Self::TooLarge(_) => Some("split it: each manifest owns the tokens that it declares"),
            Self::Faults(_) => None,
        }
    }
}

/// Reads a manifest's file, see [`parse`].
///
/// # Errors
/// When there is no file, it cannot be read, is no text of a sensible size, or is wrong.
pub fn load(path: &Path, allowances: &Allowances) -> Result<(Manifest, Vec<Fault>), LoadError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing(path.to_owned()),
        _ => LoadError::Unreadable { path: path.to_owned(), source },
    };
    // Asked first: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(LoadError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        LoadError::NotUtf8 { path: path.to_owned(), line }
    })?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(unreadable)?;
    Ok(parse(path, &folder, &text, allowances)?)
}
