//! All faults of a text, which is masked as soon as they are put together.

use std::fmt;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Severity};
use super::{masking, snippet};
use crate::plural::count;

/// What keeps a manifest from being used: at least one error, and the warnings beside it, by position.
#[derive(Debug, Clone)]
pub struct Faults {
    /// The faults, by position.
    pub faults: Vec<Fault>,
    /// The file, as it was named.
    pub path: PathBuf,
    /// The file's text with all secrets masked; spans hold in it.
    pub text: String,
}

impl Faults {
    /// Takes the faults of a text, which it masks.
    pub fn new(faults: Vec<Fault>, path: &Path, text: &str) -> Self {
        let text = masking::mask(text, &masking::spans(text, &faults));
        Self { faults, path: path.to_owned(), text }
    }

    /// The faults as a reader sees them, see [`snippet::render`].
    pub fn render(&self, colour: bool) -> String {
        snippet::render(&self.faults, &self.path.display().to_string(), &self.text, colour)
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.faults.iter().filter(|fault| fault.severity == Severity::Error).count()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.errors();
        write!(formatter, "`{}` has {}", self.path.display(), count(errors, "error"))?;
        let warnings = self.faults.len() - errors;
        if warnings > 0 {
            write!(formatter, " and {}", count(warnings, "warning"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
