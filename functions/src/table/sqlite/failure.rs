//! What the errors of `SQLite` mean.

use rusqlite::ffi::ErrorCode;

use crate::table::TableError;
use crate::table::engine::Failure;

/// What an error means for the request that met it: nothing of it was done.
pub(super) fn failure(error: rusqlite::Error) -> Failure {
    match code(&error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            TableError::Busy("another program holds it".to_owned()).into()
        }
        _ => TableError::Storage(words(&error)).into(),
    }
}

pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// What went wrong, in words that say whose it is to mend.
pub(super) fn words(error: &rusqlite::Error) -> String {
    let said = match code(error) {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "it may only be read",
        Some(ErrorCode::CannotOpen) => "it cannot be opened",
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => "access was denied",
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged",
        Some(ErrorCode::NotADatabase) => "it is no SQLite file",
        Some(ErrorCode::SystemIoFailure) => "the disk failed to read or write",
        Some(ErrorCode::OutOfMemory) => "there is no memory",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it",
        _ => return error.to_string(),
    };
    format!("{said} ({error})")
}

/// A defect: what is in a row is not what this engine writes.
pub(super) fn unreadable(error: impl std::fmt::Display) -> Failure {
    TableError::Codec(error.to_string()).into()
}
