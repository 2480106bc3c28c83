//! What falls due, for the scheduled job.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::Service;
use crate::table::keys::{self, Item, Key};
use crate::table::{Range, TableError, decode_token};
use crate::token::{Token, TokenKey};

/// A page of what falls due.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DuePage {
    /// The tokens, shard by shard, in each the earliest first.
    pub tokens: Vec<Token>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<DuePosition>,
}

/// A position in the list of what falls due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePosition {
    shard: u8,
    /// The last row of the index that came; none of the shard yet when `None`.
    after: Option<(String, TokenKey)>,
}

impl DuePosition {
    /// The row as the index takes it: the keys of the index and of the table.
    fn start(&self) -> Option<Item> {
        let (at, token) = self.after.as_ref()?;
        let mut start = keys::token(token).item();
        start.insert(keys::DUE_PK.to_owned(), AttributeValue::S(keys::due_partition(self.shard)));
        start.insert(keys::DUE_SK.to_owned(), AttributeValue::S(at.clone()));
        Some(start)
    }

    /// Where a page of the shard ended.
    fn after(shard: u8, row: &Item) -> Option<Self> {
        let at = row.get(keys::DUE_SK)?.as_s().ok()?.clone();
        Some(Self { shard, after: Some((at, keys::token_of(&Key::of(row)?)?)) })
    }
}

impl Service {
    /// Tokens whose next deadline is at or before `until`, whoever manages them: at most `limit` rows of the index, from
    /// where `from` is. The index is a hint; the records are read consistently, 100 a call, and those that are not due,
    /// or have ended, are left out. A token that expired and still occupies its name is due: its last deadline is over.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn due(&self, until: Timestamp, limit: usize, from: Option<&DuePosition>) -> Result<DuePage, TableError> {
        let mut position = from.cloned().unwrap_or(DuePosition { shard: 0, after: None });
        let mut found: Vec<Key> = Vec::new();
        let mut next = None;
        while position.shard < keys::DUE_SHARDS {
            let room = limit.max(1).saturating_sub(found.len());
            if room == 0 {
                next = Some(position);
                break;
            }
            let mut range = Range::of(keys::due_partition(position.shard), None);
            range.index = Some(keys::DUE);
            range.up_to = Some(keys::due_at(until));
            range.limit = Some(i32::try_from(room).unwrap_or(i32::MAX));
            range.start = position.start();
            let page = self.table.query(&range).await?;
            found.extend(page.items.iter().filter_map(Key::of));
            position = match page.next {
                None => DuePosition { shard: position.shard + 1, after: None },
                Some(row) => DuePosition::after(position.shard, &row)
                    .ok_or_else(|| TableError::Codec("a row of the index `due` is of no token".to_owned()))?,
            };
        }
        let records = self.table.get_each(&found, decode_token).await?;
        let is_due =
            |token: &Token| token.ended.is_none() && token.next_deadline().is_some_and(|deadline| deadline <= until);
        let mut due: HashMap<Key, Token> =
            records.into_iter().filter(is_due).map(|token| (keys::token(&token.key()), token)).collect();
        Ok(DuePage { tokens: found.iter().filter_map(|key| due.remove(key)).collect(), next })
    }
}
