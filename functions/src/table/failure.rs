//! Why the table did not do what it was asked.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::Table;
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

/// Why one request was not done: trouble, or what is an answer to whoever sent it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Its condition did not hold.
    #[error("{0}")]
    Condition(String),
    /// What it makes is there.
    #[error("{0}")]
    Exists(String),
    /// An earlier sending of it is under way, whose outcome nobody knows yet.
    #[error("{0}")]
    InProgress(String),
    /// Trouble.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Condition(text) | Failure::Exists(text) => Self::Invalid(text),
            Failure::InProgress(text) => Self::Busy(text),
            Failure::Table(error) => error,
        }
    }
}

impl Failure {
    /// Whether another try may go better.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::InProgress(_) | Self::Table(TableError::Busy(_) | TableError::Unreachable(_)))
    }

    /// Whether the request may have been done all the same.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::InProgress(_) | Self::Table(TableError::Unreachable(_)))
    }
}

impl Table {
    /// What an error of the client means.
    pub(super) fn classify<E>(&self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            return TableError::Unreachable(chain(error)).into();
        };
        let code = service.err().code().unwrap_or("unknown");
        let message = service.err().message().unwrap_or("no message");
        let text = format!("{code}: {message}");
        if matches!(code, "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded") {
            self.counters.note_throttle();
        }
        let error = match code {
            "ConditionalCheckFailedException" => return Failure::Condition(text),
            "ResourceInUseException" => return Failure::Exists(text),
            "TransactionInProgressException" => return Failure::InProgress(text),
            "ResourceNotFoundException" => TableError::Missing(self.name.to_string()),
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "ExpiredTokenException"
            | "MissingAuthenticationTokenException" => TableError::Denied(text),
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "TransactionConflictException" => TableError::Busy(text),
            _ if service.raw().status().as_u16() >= 500 => TableError::Unreachable(text),
            // An answer that says yes and cannot be read was cut on its way.
            _ if service.raw().status().is_success() => TableError::Unreachable("the answer was cut off".to_owned()),
            _ => TableError::Invalid(text),
        };
        error.into()
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
