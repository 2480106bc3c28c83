//! Faults: what is wrong with a manifest, where it stands and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Span, masking, snippet};
use crate::plural::count;

/// Whether a fault stops the manifest from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    /// It is only worth a look.
    Warning,
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whether it stops the manifest from being used.
    pub severity: Severity,
    /// A stable name for programs, for instance `unknown-field`.
    pub code: &'static str,
    /// Where it stands, on the borders of characters.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other spots that have to do with it, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What stands at `span` is secret, or could be: it must not be shown.
    pub secret: bool,
}

impl Fault {
    /// A fault that stops the manifest from being used.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            span,
            message: message.into(),
            hint: None,
            related: Vec::new(),
            secret: false,
        }
    }

    /// A fault that is only worth a look.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a hint, if there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The same with another spot that has to do with it.
    #[must_use]
    pub fn related(mut self, span: Span, words: impl Into<String>) -> Self {
        self.related.push((span, words.into()));
        self
    }

    /// The same, for a span that must not be shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

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
    pub(super) fn new(faults: Vec<Fault>, path: &Path, text: &str) -> Self {
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
