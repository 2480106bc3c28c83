//! What no change of a token tells is looked for: that it expires, that its rotation is overdue or failed.

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::notice::NoticeKind;
use latchkey::service::{Caller, PutOffError, Service};
use latchkey::table::TableError;
use latchkey::token::TokenKey;

/// How many rows of the index are read at once.
const PAGE: usize = 1000;
/// The most characters of a reason that a notice repeats.
const REASON_MAX: usize = 300;

/// A token whose rotation failed, and why.
#[derive(Debug, Clone)]
pub struct Failed {
    pub token: TokenKey,
    pub reason: String,
}

/// Notes of tokens of a manifest that their rotation waits for a known time, so that nobody is told that it is overdue.
///
/// # Errors
/// When the table cannot be read or written.
pub async fn put_off(
    (service, caller): (&Service, &Caller),
    manifest: &ManifestName,
    waiting: &[(TokenKey, Timestamp)],
) -> Result<(), TableError> {
    let keys: Vec<TokenKey> = waiting.iter().map(|(token, _)| token.clone()).collect();
    for token in service.holders(&keys).await? {
        let until = waiting.iter().find(|(key, _)| *key == token.key()).map(|(_, until)| *until);
        let is_noted = token.retry.is_some_and(|retry| retry.waits && Some(retry.at) == until);
        if is_noted || token.managed_by.as_ref() != Some(manifest) {
            continue;
        }
        match service.put_off(caller, &token, until).await {
            Ok(()) => {}
            Err(PutOffError::Table(error)) => return Err(error),
            Err(error) => tracing::warn!(%error, "a rotation that waits is not noted"),
        }
    }
    Ok(())
}

/// Tells what is to be told of some tokens now, once all that could be done to them was done. Answers how many notices
/// were queued.
///
/// # Errors
/// When the table cannot be read or written.
pub async fn tell(
    (service, caller): (&Service, &Caller),
    tokens: &[TokenKey],
    failed: &[Failed],
) -> Result<usize, TableError> {
    let now = service.now();
    let mut queued = 0;
    for token in service.holders(tokens).await? {
        let failure = failed.iter().find(|failed| failed.token == token.key());
        if let Some(failure) = failure.filter(|_| token.due().is_some_and(|due| due <= now)) {
            let reason: String = failure.reason.chars().take(REASON_MAX).collect();
            let told = service.tell(caller, &token, NoticeKind::RotationFailed, Some(&reason)).await?;
            queued += usize::from(told);
        }
        queued += service.due_notices(caller, &token).await?;
    }
    Ok(queued)
}

/// The same of everything that is due.
///
/// # Errors
/// When the table cannot be read or written.
pub async fn tell_due(of: (&Service, &Caller), failed: &[Failed]) -> Result<usize, TableError> {
    let (service, _) = of;
    let (now, mut position, mut queued) = (service.now(), None, 0);
    loop {
        let page = service.due(now, PAGE, position.as_ref()).await?;
        let tokens: Vec<TokenKey> = page.tokens.iter().map(latchkey::token::Token::key).collect();
        queued += tell(of, &tokens, failed).await?;
        position = page.next;
        if position.is_none() {
            return Ok(queued);
        }
    }
}
