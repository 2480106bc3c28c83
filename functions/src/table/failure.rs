//! Why the table did not do what it was asked.

use crate::clock::ClockBehind;

/// Trouble with the table. Never a reason to call a token valid, and never one to call it not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There is no such table.
    #[error("the table `{0}` does not exist")]
    Missing(String),
    /// The credentials do not allow this.
    #[error("access to the table was denied: {0}")]
    Denied(String),
    /// It throttled or met conflicts for as long as we tried.
    #[error("the table is busy: {0}")]
    Busy(String),
    /// Nothing answered, or something broke on the way.
    #[error("the table did not answer: {0}")]
    Unreachable(String),
    /// The file of an embedded table cannot be read or written. Nothing of the request was done.
    #[error("the table's file cannot be used: {0}")]
    Storage(String),
    /// The table refused a request as malformed: a defect.
    #[error("the table refused a request: {0}")]
    Invalid(String),
    /// An item is not what this version writes.
    #[error("an item could not be read or written: {0}")]
    Codec(String),
    /// The clock is far behind what the table has seen, so nothing is created or ended by it.
    #[error("{0}; nothing is created, rotated or retired by such a clock")]
    Clock(ClockBehind),
}

/// An error with its causes, on one line.
#[cfg(feature = "dynamodb")]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
