//! Why a step failed.

use std::fmt;

use latchkey_sinks::SinkError;

use crate::service::ServiceError;

/// Why a step failed: AWS shows it to whoever looks, and repeats the rotation.
#[derive(Debug)]
pub struct Refused {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Refused {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What kept a run from a token.
    #[cfg(feature = "lambda")]
    pub(super) fn of(report: crate::job::Report) -> Option<Self> {
        let crate::job::Trouble { reason, hint, .. } = report.failed.into_iter().chain(report.skipped).next()?;
        Some(Self { reason, hint })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)?;
        self.hint.iter().try_for_each(|hint| write!(formatter, "\nhelp: {hint}"))
    }
}

impl From<SinkError> for Refused {
    fn from(error: SinkError) -> Self {
        Self { reason: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        Self::new(error.to_string())
    }
}
