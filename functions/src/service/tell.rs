//! Telling what no change of a token tells: that it expires, that its rotation is overdue or failed.

use super::notices::News;
use super::{Caller, Event, Service};
use crate::notice::NoticeKind;
use crate::table::{TableError, TransactError, Transaction, Write, encode_token, keys};
use crate::token::{Token, TokenKey};

impl Service {
    /// Tells what is to be told of a token by now, whoever manages it, and answers how many notices were queued. It reads
    /// the token itself, so it is called when all that could be done to it was done: one that was rotated meanwhile tells
    /// nothing. While notices are off only the marks are recorded, so that nothing is told late.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn due_notices(&self, caller: &Caller, token: &Token) -> Result<usize, TableError> {
        const KINDS: [NoticeKind; 2] = [NoticeKind::Expiring, NoticeKind::Overdue];
        // Most have nothing to tell, and cost no read.
        if KINDS.into_iter().all(|kind| token.telling(kind, self.now()).is_none()) {
            return Ok(0);
        }
        let (mut queued, mut found) = (0, self.load(&token.key()).await?);
        for kind in KINDS {
            let Some(read) = found.as_ref().filter(|read| read.id == token.id) else { break };
            if read.telling(kind, self.now()).is_some() {
                queued += usize::from(self.tell(caller, read, kind, None).await?);
                // Telling one is a change that the next one has to know.
                found = self.load(&token.key()).await?;
            }
        }
        Ok(queued)
    }

    /// Queues a notice of a token, as it was read, unless it was told before: in one transaction with its event and with the
    /// mark on the record that it was told, by which two that tell at once tell once. Whether one was queued: not where
    /// anything about the token has changed since, not for anybody but an operator, and not while notices are off, when
    /// the mark is recorded and nothing else.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn tell(
        &self,
        caller: &Caller,
        token: &Token,
        kind: NoticeKind,
        detail: Option<&str>,
    ) -> Result<bool, TableError> {
        let now = self.now();
        let telling = token.telling(kind, now).zip(kind.event()).filter(|_| caller.is_operator());
        let Some((told, event_kind)) = telling else { return Ok(false) };
        let marked = Token { told: Some(told), ..token.clone() };
        let (was, will) = (encode_token(token)?, encode_token(&marked)?);
        let key: &TokenKey = &token.key();
        let Some(mut mark) = Write::change(keys::token(key), &was, &will, token.revision) else { return Ok(false) };
        mark.also_told(token.told.as_ref())?;
        let mut transaction = Transaction::default();
        transaction.add(mark);
        let on = self.queues_notices();
        if on {
            let version = token.version_to_tell();
            let detail =
                detail.map_or_else(|| format!("version {version}"), |more| format!("version {version}: {more}"));
            let event = Event::on_token(caller, event_kind, token, now).with(detail);
            transaction.add(self.event_with(&event, Some(&News::of(kind, token, Some(version))))?);
        }
        match self.table.transact(transaction).await {
            Ok(()) => Ok(on),
            Err(TransactError::Cancelled(_)) => Ok(false),
            Err(TransactError::Table(error)) => Err(error),
        }
    }
}
