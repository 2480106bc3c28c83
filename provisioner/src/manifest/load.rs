//! The manifest's file: found, read, and distinguished from everything else that may be at its path.

use std::path::{Path, PathBuf};

use latchkey_sinks::reading::{Allowances, Fault, Faults};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::parse::parse;
use super::plain_file::ReadError;
use super::{Manifest, plain_file};

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its file was not read.
    #[error(transparent)]
    File(#[from] ReadError),
    /// It is no text.
    #[error("`{}` is not valid UTF-8 (line {line})", path.display())]
    NotUtf8 {
        /// The file, as it was named.
        path: PathBuf,
        /// The line with the first such byte, from 1.
        line: usize,
    },
    /// It is what `provision plan --out` writes.
    #[error("`{}` is a saved plan, not a manifest", .0.display())]
    SavedPlan(PathBuf),
    /// It was read, and is wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
}

impl LoadError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => Some(error.hint()),
            Self::NotUtf8 { .. } => Some("save it as UTF-8"),
            Self::SavedPlan(_) => Some("pass the manifest, and the plan as `--plan FILE`"),
            Self::Faults(_) => None,
        }
    }
}

/// Reads a manifest's file, see [`parse`].
///
/// # Errors
/// When there is no file, it may not or cannot be read, is no text of a sensible size, or is wrong.
pub fn load(path: &Path, allowances: &Allowances) -> Result<(Manifest, Vec<Fault>), LoadError> {
    let (bytes, folder) = plain_file::read(path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        LoadError::NotUtf8 { path: path.to_owned(), line }
    })?;
    if is_saved_plan(&text) {
        return Err(LoadError::SavedPlan(path.to_owned()));
    }
    Ok(parse(path, &folder, &text, allowances)?)
}

fn is_saved_plan(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Mark {
        #[serde(rename = "latchkey_plan")]
        _form: IgnoredAny,
    }
    text.trim_start().starts_with('{') && serde_json::from_str::<Mark>(text).is_ok()
}
