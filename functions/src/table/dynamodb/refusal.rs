//! What the errors of the SDK's client mean.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::DynamoDb;
use crate::table::TableError;
use crate::table::engine::Failure;
use crate::table::failure::chain;

/// What stopped a transaction, where conditions or other transactions did: failed conditions first, as nothing that is
/// tried again would go better.
pub(super) fn of_transaction<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Failure> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
    let failed: Vec<usize> = codes
        .iter()
        .enumerate()
        .filter(|(_, code)| **code == "ConditionalCheckFailed")
        .map(|(index, _)| index)
        .collect();
    if !failed.is_empty() {
        return Some(Failure::Cancelled(failed));
    }
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "TransactionInProgress"];
    codes.iter().any(|code| passing.contains(code)).then_some(Failure::Conflict)
}

impl DynamoDb {
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
            "ConditionalCheckFailedException" => return Failure::Condition,
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
