//! Rows of the index `due` that another version of this program wrote: that one knew less of what falls due.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Service;
use super::due::DuePosition;
use crate::table::keys::{self, Key};
use crate::table::{Condition, Item, TableError, Update, Value, decode_token, text};
use crate::token::Token;

/// By which rules rows of the index are written. Before 1 a token that was created by hand fell due when it expired, and not
/// when somebody is to be told that it does.
pub const DUE_RULES: u32 = 1;

/// Some rows that were gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reindexed {
    /// How many were written anew.
    pub written: usize,
    /// Where it goes on; `None` when these were the last.
    pub next: Option<DuePosition>,
}

impl Service {
    /// Writes rows of the index `due` anew that are not where [`DUE_RULES`] want them, whatever is due: at most `limit` rows
    /// are gone through, from where `from` is, those first in each shard that fall due first. What is changed meanwhile is
    /// left to whoever changes it, or to the next time.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn reindex_due(&self, limit: usize, from: Option<&DuePosition>) -> Result<Reindexed, TableError> {
        let (rows, next) = self.due_rows(Timestamp::MAX, limit, from).await?;
        let keys: Vec<Key> = rows.iter().filter_map(Key::of).collect();
        let (rows, mut written): (HashMap<Key, Item>, _) =
            (rows.into_iter().filter_map(|row| Some((Key::of(&row)?, row))).collect(), 0);
        for token in self.table.get_each(&keys, decode_token).await? {
            let Some(row) = rows.get(&keys::token(&token.key())) else { continue };
            let at = token.next_deadline().filter(|_| token.ended.is_none()).map(keys::due_at);
            if text(row, keys::DUE_SK) != at.as_deref() {
                written += usize::from(self.write_due(&token, row, at).await?);
            }
        }
        Ok(Reindexed { written, next })
    }

    /// Writes where a token is in the index, unless anything about that has changed since its row was read.
    async fn write_due(&self, token: &Token, row: &Item, at: Option<String>) -> Result<bool, TableError> {
        let mut update = Update::default();
        if let Some(at) = at {
            update.set(keys::DUE_SK, Value::S(at));
        } else {
            update.remove(keys::DUE_PK);
            update.remove(keys::DUE_SK);
        }
        let Some(before) = row.get(keys::DUE_SK) else { return Ok(false) };
        let unchanged = Condition::at_revision(token.revision).and(Condition::is(keys::DUE_SK, before.clone()));
        self.table.update(&keys::token(&token.key()), &update, &unchanged).await
    }
}
