//! The version that a rotation by AWS is about, as a write meets it: it may be the very version that is to be written, put
//! there by the function, or what an older rotation left behind.

use latchkey::secret::Secret;

use super::calls::{Calls, Value, Which};
use super::description::Description;
use crate::deadline::Deadline;
use crate::{SinkError, Write};

/// What is under AWSPENDING, by the id that AWS chose for it.
pub(super) enum Pending {
    /// What is to be written.
    It(String),
    /// Another version of the same token: nobody may go on with it.
    Older(String),
}

/// What is under AWSPENDING and of the token that is written. Nothing where there is no value yet, or somebody else's, which
/// is left alone, or one that this login may not read.
pub(super) async fn of(
    calls: &Calls,
    name: &str,
    description: &Description,
    write: &Write<'_>,
) -> Result<Option<Pending>, SinkError> {
    let Some(id) = description.pending() else { return Ok(None) };
    let Some(secret) = secret(calls, name, id).await? else { return Ok(None) };
    Ok(if secret.digest().matches(&write.secret.digest()) {
        Some(Pending::It(id.to_owned()))
    } else if secret.token_id() == write.marker.token_id {
        Some(Pending::Older(id.to_owned()))
    } else {
        None
    })
}

/// The current version, where it has the value that is to be written under an id that AWS chose.
pub(super) async fn current(
    calls: &Calls,
    name: &str,
    description: &Description,
    write: &Write<'_>,
    pending: Option<&Pending>,
) -> Result<Option<String>, SinkError> {
    let Some(current) = description.current.as_deref().filter(|_| !description.is_ours()) else { return Ok(None) };
    let is_it = match pending {
        Some(Pending::It(id)) if id == current => true,
        _ if !description.rotates => false,
        _ => {
            let there = secret(calls, name, current).await?;
            there.is_some_and(|there| there.digest().matches(&write.secret.digest()))
        }
    };
    Ok(is_it.then(|| current.to_owned()))
}

/// Takes the label off the version that was written. Where that fails it is on the current one, which AWS takes for the end
/// of a rotation too.
pub(super) async fn end_if_it(calls: &Calls, name: &str, pending: Option<&Pending>, deadline: Deadline) {
    if let Some(Pending::It(id)) = pending
        && let Err(error) = calls.end_pending(name, id, deadline).await
    {
        tracing::debug!(%error, "AWSPENDING stays on the current version");
    }
}

/// The secret that a version consists of, if it can be read and is one.
async fn secret(calls: &Calls, name: &str, id: &str) -> Result<Option<Secret>, SinkError> {
    match calls.value(name, Which::Id(id)).await {
        Ok(Some(Value { text: Some(text), .. })) => Ok(Secret::parse(&text).ok()),
        Ok(_) | Err(SinkError::Denied { .. } | SinkError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
