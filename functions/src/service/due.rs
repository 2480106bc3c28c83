//! What falls due, for the scheduled job.

use std::collections::HashMap;
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, Denied, Service};
use crate::table::keys::{self, Key};
use crate::table::{
    self, Item, TableError, TransactError, Transaction, Value, Write, decode_token, encode_token, text,
};
use crate::token::{Retry, Token, TokenKey, TokenState};

/// A page of what falls due.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DuePage {
    /// The tokens, shard by shard, in each the earliest first.
    pub tokens: Vec<Token>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<DuePosition>,
}

/// A position in the list of what falls due, or in some of its shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuePosition {
    shard: u8,
    /// Where the list ends: the first shard that is not in it.
    end: u8,
    /// The last row of the index that came; none of the shard yet when `None`.
    after: Option<(String, TokenKey)>,
}

impl DuePosition {
    /// The beginning of these shards of [`keys::DUE_SHARDS`].
    pub fn of(shards: Range<u8>) -> Self {
        Self { shard: shards.start, end: shards.end.min(keys::DUE_SHARDS), after: None }
    }

    /// The shard that comes next.
    pub fn shard(&self) -> u8 {
        self.shard
    }

    /// The row as the index takes it: the keys of the index and of the table.
    fn start(&self) -> Option<Item> {
        let (at, token) = self.after.as_ref()?;
        let mut start = keys::token(token).item();
        start.insert(keys::DUE_PK.to_owned(), Value::S(keys::due_partition(self.shard)));
        start.insert(keys::DUE_SK.to_owned(), Value::S(at.clone()));
        Some(start)
    }

    /// Where a page of the shard ended.
    fn after(&self, row: &Item) -> Option<Self> {
        let at = text(row, keys::DUE_SK)?.to_owned();
        Some(Self { after: Some((at, keys::token_of(&Key::of(row)?)?)), ..*self })
    }
}

/// Why nothing was put off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutOffError {
    /// The caller does not run the manifest.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// Tokens whose next deadline is at or before `until`, whoever manages them: at most `limit` rows of the index, from
    /// where `from` is. The index is a hint; the records are read consistently, 100 a call, and those that are not due,
    /// or have ended, are left out. A token that expired and still occupies its name is due: its last deadline is over.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn due(&self, until: Timestamp, limit: usize, from: Option<&DuePosition>) -> Result<DuePage, TableError> {
        let (rows, next) = self.due_rows(until, limit, from).await?;
        let found: Vec<Key> = rows.iter().filter_map(Key::of).collect();
        let records = self.table.get_each(&found, decode_token).await?;
        let is_due =
            |token: &Token| token.ended.is_none() && token.next_deadline().is_some_and(|deadline| deadline <= until);
        let mut due: HashMap<Key, Token> =
            records.into_iter().filter(is_due).map(|token| (keys::token(&token.key()), token)).collect();
        Ok(DuePage { tokens: found.iter().filter_map(|key| due.remove(key)).collect(), next })
    }

    /// Rows of the index up to an instant, and where the next ones start.
    pub(super) async fn due_rows(
        &self,
        until: Timestamp,
        limit: usize,
        from: Option<&DuePosition>,
    ) -> Result<(Vec<Item>, Option<DuePosition>), TableError> {
        let mut position = from.cloned().unwrap_or_else(|| DuePosition::of(0..keys::DUE_SHARDS));
        let mut found: Vec<Item> = Vec::new();
        let mut next = None;
        while position.shard < position.end {
            let room = limit.max(1).saturating_sub(found.len());
            if room == 0 {
                next = Some(position);
                break;
            }
            let mut range = table::Range::of(keys::due_partition(position.shard), None);
            range.index = Some(keys::DUE);
            range.up_to = Some(keys::due_at(until));
            range.limit = Some(i32::try_from(room).unwrap_or(i32::MAX));
            range.start = position.start();
            let page = self.table.query(&range).await?;
            found.extend(page.items);
            position = match page.next {
                None => DuePosition { shard: position.shard + 1, after: None, ..position },
                Some(row) => position
                    .after(&row)
                    .ok_or_else(|| TableError::Codec("a row of the index `due` is of no token".to_owned()))?,
            };
        }
        Ok((found, next))
    }

    /// Notes that what is due of a token, as it was read, could not be done: it falls due again at `until`, and without one
    /// after a pause that grows each time. Nothing is noted where anything about the token has changed since.
    ///
    /// # Errors
    /// When the caller does not run the token's manifest, or the table cannot be written.
    pub async fn put_off(&self, caller: &Caller, token: &Token, until: Option<Timestamp>) -> Result<(), PutOffError> {
        if let Some(manifest) = &token.managed_by {
            caller.must_run(manifest)?;
        }
        let now = self.now();
        let next = Retry::after(token.retry, now);
        let next = until.filter(|until| *until > now).map_or(next, |at| Retry { at, waits: true, ..next });
        let put_off = Token { retry: Some(next), ..token.clone() };
        let (was, will) = (encode_token(token)?, encode_token(&put_off)?);
        let mut transaction = Transaction::default();
        let change = Write::change(keys::token(&token.key()), &was, &will, token.revision);
        if let Some(mut change) = change {
            change.also_told(token.told.as_ref())?;
            transaction.add(change);
        }
        match self.table.transact(transaction).await {
            Ok(()) | Err(TransactError::Cancelled(_)) => Ok(()),
            Err(TransactError::Table(error)) => Err(error.into()),
        }
    }

    /// Moves a token that has expired for good to the ended ones: its name and its place among its user's tokens are free.
    /// One that has not, or that comes back with its next version, stays.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn sweep_expired(&self, token: &Token) -> Result<bool, TableError> {
        let now = self.now();
        let for_good = token.managed_by.is_none() && token.state(now) == TokenState::Expired;
        if for_good { self.move_expired(token).await } else { Ok(false) }
    }
}
