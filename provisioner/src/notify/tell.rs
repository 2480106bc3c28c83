//! What no change of a token tells is looked for: that it expires, that its rotation is overdue or failed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::notice::NoticeKind;
use latchkey::service::{Caller, PutOffError, Service};
use latchkey::table::TableError;
use latchkey::token::{Token, TokenKey};

use crate::manifest::Rotation;

/// How many rows of the index are read at once.
const PAGE: usize = 1000;
/// So long a rotation is due before it is overdue.
const DAY: Seconds = Seconds::days(1);
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
        if let Some(until) = until {
            put_off_one((service, caller), &token, until).await?;
        }
    }
    Ok(())
}

async fn put_off_one(
    (service, caller): (&Service, &Caller),
    token: &Token,
    until: Timestamp,
) -> Result<(), TableError> {
    match service.put_off(caller, token, Some(until)).await {
        Ok(()) => Ok(()),
        Err(PutOffError::Table(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "a rotation that waits is not noted");
            Ok(())
        }
    }
}

/// The windows of manifests, as they were recorded when these were applied: one that publishes nothing is rotated by
/// whoever has its file, and within the window.
#[derive(Default)]
struct Windows(BTreeMap<ManifestName, Rotation>);

impl Windows {
    /// When the window opens first once the rotation of a token is due; `None` where it need not wait for that.
    async fn first(&mut self, service: &Service, token: &Token) -> Result<Option<Timestamp>, TableError> {
        let (Some(manifest), Some(terms)) = (&token.managed_by, token.terms) else { return Ok(None) };
        if !self.0.contains_key(manifest) {
            let window = service.manifest(manifest).await?.and_then(|record| record.window);
            // A text that is none was written by another version of this program.
            let window = window.and_then(|window| window.parse().ok());
            self.0.insert(manifest.clone(), Rotation { window, ..Rotation::default() });
        }
        let current = token.current().zip(token.due());
        let waits = |(current, due)| self.0.get(manifest)?.waits_until(due, token.deadline(current), terms);
        Ok(current.and_then(waits))
    }
}

/// Tells what is to be told of some tokens now, once all that could be done to them was done: those of which nothing is, by
/// the record as it was read, cost no read. Answers how many notices were queued.
///
/// # Errors
/// When the table cannot be read or written.
pub async fn tell(
    (service, caller): (&Service, &Caller),
    tokens: &[Token],
    failed: &[Failed],
) -> Result<usize, TableError> {
    let mut queued = tell_failed((service, caller), tokens, failed).await?;
    let now = service.now();
    let may_tell = tokens.iter().filter(|token| token.next_telling().is_some_and(|at| at <= now));
    let keys: Vec<TokenKey> = may_tell.map(Token::key).collect();
    let mut windows = Windows::default();
    for token in service.holders(&keys).await? {
        let is_told = token.telling(NoticeKind::Overdue, now).is_some();
        match if is_told { windows.first(service, &token).await? } else { None } {
            Some(opens) if opens > now => {
                put_off_one((service, caller), &token, opens).await?;
                queued += service.due_notices(caller, &token).await?;
            }
            // It has opened, and the day after which it is overdue is not over.
            Some(opens) if DAY.after(opens) > now => {
                queued += usize::from(service.tell(caller, &token, NoticeKind::Expiring, None).await?);
            }
            _ => queued += service.due_notices(caller, &token).await?,
        }
    }
    Ok(queued)
}

/// Tells of those that failed that they did, and nothing of the others.
///
/// # Errors
/// When the table cannot be read or written.
pub async fn tell_failed(
    (service, caller): (&Service, &Caller),
    tokens: &[Token],
    failed: &[Failed],
) -> Result<usize, TableError> {
    let (now, mut queued) = (service.now(), 0);
    let failed: BTreeMap<&TokenKey, &str> =
        failed.iter().map(|failed| (&failed.token, failed.reason.as_str())).collect();
    let keys: Vec<TokenKey> = tokens.iter().map(Token::key).filter(|key| failed.contains_key(key)).collect();
    for token in service.holders(&keys).await? {
        let reason = failed.get(&token.key()).filter(|_| token.due().is_some_and(|due| due <= now));
        if let Some(reason) = reason {
            let reason: String = reason.chars().take(REASON_MAX).collect();
            let told = service.tell(caller, &token, NoticeKind::RotationFailed, Some(&reason)).await?;
            queued += usize::from(told);
        }
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
        queued += tell(of, &page.tokens, failed).await?;
        position = page.next;
        if position.is_none() {
            return Ok(queued);
        }
    }
}
