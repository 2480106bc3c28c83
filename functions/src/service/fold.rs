//! Folding: the rows of usage that processes have written for a day become one total, once no process writes any more.
//!
//! They are found by the index `due`, which a row enters when it is first written. What a day is asked for is the sum of its
//! rows before, on the way and after.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::Service;
use super::usage::{KEPT, Row};
use crate::lifetime::Seconds;
use crate::secret::TokenId;
use crate::table::keys::{self, Key};
use crate::table::{Condition, Range, TableError, TransactError, Transaction, Update, Write, count, decode, with_key};

/// What follows the name of a process in the row of what it counted after its first rows may have been folded.
pub(super) const LATE: &str = "~";
/// How long after the end of a day its rows are folded.
const AFTER: Seconds = Seconds::days(2);
/// From when on a process writes what it counted on a day into a row of its own: well before they are folded, as clocks
/// differ.
const LATE_AFTER: Seconds = Seconds::days(1);
/// The most rows that are folded at once: with the total they fit a transaction.
const ROWS_MAX: usize = 90;

fn end_of(day: Date) -> Timestamp {
    let end = day.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC));
    end.map_or(Timestamp::MAX, |end| end.timestamp())
}

/// Whether what a process wrote of a day may have been folded.
pub(super) fn is_late(day: Date, now: Timestamp) -> bool {
    LATE_AFTER.after(end_of(day)) <= now
}

/// Where in the index `due` a row of a day is: its partition and its instant.
pub(super) fn queued(id: &TokenId, day: Date, now: Timestamp) -> (String, String) {
    let at = AFTER.after(end_of(day).max(now));
    (keys::fold_partition(keys::fold_shard(id)), keys::due_at(at))
}

impl Service {
    /// Folds the rows of usage of days that are over, those that wait longest in each part of the index first, and answers
    /// how many rows it folded. It reads at most `page` rows at once, and goes on until none waits. What another folds at the
    /// same time is folded once, and a day that cannot be read keeps no other. It begins no further day once `stop` is set.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn fold_usage(&self, page: usize, stop: &AtomicBool) -> Result<usize, TableError> {
        let (now, mut folded) = (self.now(), 0);
        for shard in 0..keys::USAGE_SHARDS {
            let mut range = Range::of(keys::fold_partition(shard), None);
            range.index = Some(keys::DUE);
            range.up_to = Some(keys::due_at(now));
            range.limit = Some(i32::try_from(page.max(1)).unwrap_or(i32::MAX));
            loop {
                let found = self.table.query(&range).await?;
                let keys = found.items.iter().filter_map(Key::of);
                let days: BTreeSet<(String, String)> =
                    keys.filter_map(|key| Some((key.pk.clone(), keys::usage_day(&key)?.to_owned()))).collect();
                for (partition, day) in days {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(folded);
                    }
                    match self.fold_day(&partition, &day).await {
                        Ok(rows) => folded += rows,
                        Err(error) => tracing::warn!(%error, "the usage of a day is not folded"),
                    }
                }
                // From where the page ended: what could not be folded is not met again in this turn.
                match found.next {
                    Some(next) => range.start = Some(next),
                    None => break,
                }
            }
        }
        Ok(folded)
    }

    /// Folds the rows of one token and day.
    async fn fold_day(&self, partition: &str, day: &str) -> Result<usize, TableError> {
        let beginning = format!("{day}#");
        let items = self.table.query_all(Range::of(partition.to_owned(), Some(&beginning))).await?;
        let total = keys::usage_total(partition, day);
        let (mut before, mut rows) = (None, Vec::new());
        for item in items {
            let Some(key) = Key::of(&item) else { continue };
            let row: Row = decode(item)?;
            if key == total { before = Some(row) } else { rows.push((key, row)) }
        }
        rows.truncate(ROWS_MAX);
        match (&before, &rows[..]) {
            (_, []) => return Ok(0),
            // It is the total.
            (None, [(key, row)]) => return self.leave_alone(key, row.uses).await.map(|()| 0),
            _ => {}
        }
        let uses = before.iter().chain(rows.iter().map(|(_, row)| row)).map(|row| row.uses).sum::<u64>();
        let last = before.iter().chain(rows.iter().map(|(_, row)| row)).map(|row| row.last).max().unwrap_or_default();
        let mut transaction = Transaction::default();
        transaction.add(sum(&total, before.map(|before| before.uses), uses, last));
        let folded = rows.len();
        for (key, row) in rows {
            transaction.add(Write::Delete { key, condition: Condition::is("uses", count(row.uses)) });
        }
        match self.table.transact(transaction).await {
            Ok(()) => Ok(folded),
            // Another was first, or a row grew: the next turn folds what is left.
            Err(TransactError::Cancelled(_)) => Ok(0),
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// Takes a row out of the index that is the only one of its day.
    async fn leave_alone(&self, key: &Key, uses: u64) -> Result<(), TableError> {
        let mut update = Update::default();
        update.remove(keys::DUE_PK);
        update.remove(keys::DUE_SK);
        self.table.update(key, &update, &Condition::is("uses", count(uses))).await.map(drop)
    }
}

/// The write of a total, where it was `before`.
fn sum(key: &Key, before: Option<u64>, uses: u64, last: i64) -> Write {
    let ttl = Timestamp::from_millisecond(last).unwrap_or(Timestamp::MIN).as_second() + KEPT;
    let fields = [("uses", count(uses)), ("last", count(last)), ("ttl", count(ttl))];
    let Some(before) = before else {
        let item = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        return Write::new_item(with_key(item, key));
    };
    let mut update = Update::default();
    for (name, value) in fields {
        update.set(name, value);
    }
    Write::Update { key: key.clone(), update, condition: Condition::is("uses", count(before)) }
}
