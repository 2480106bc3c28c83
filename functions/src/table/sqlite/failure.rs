//! What the errors of `SQLite` mean.

use rusqlite::ffi::ErrorCode;

use crate::table::TableError;
use crate::table::engine::Failure;

/// What an error means for the request that met it: nothing of it was done.
pub(super) fn failure(error: rusqlite::Error) -> Failure {
    if is_held(&error) { held() } else { TableError::Storage(words(&error)).into() }
}

/// Whether another program has the file for itself, for longer than is waited for.
pub(super) fn is_held(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(super) fn held() -> Failure {
    TableError::Busy(HELD.to_owned()).into()
}

const HELD: &str = "another program holds it";

/// What went wrong, in words that say whose it is to mend.
pub(super) fn words(error: &rusqlite::Error) -> String {
    let said = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "it may only be read",
        Some(ErrorCode::CannotOpen) => "it cannot be opened",
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => "access was denied",
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged",
        Some(ErrorCode::NotADatabase) => "it is no SQLite file",
        Some(ErrorCode::SystemIoFailure) => "the disk failed to read or write",
        Some(ErrorCode::OutOfMemory) => "there is no memory",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => HELD,
        _ => return error.to_string(),
    };
    format!("{said} ({error})")
}

/// A defect: what is in a row is not what this engine writes.
pub(super) fn unreadable(error: impl std::fmt::Display) -> Failure {
    TableError::Codec(error.to_string()).into()
}
