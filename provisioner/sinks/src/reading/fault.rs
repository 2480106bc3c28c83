//! A fault as data: what is wrong with a manifest, where it is and what to do about it.

use std::ops::Range;

use serde::Serialize;

/// Bytes of the file's text.
pub type Span = Range<usize>;

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
    /// Where it is, on the borders of characters.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other spots that have to do with it, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What is at `span` is secret, or could be: it must not be shown.
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
