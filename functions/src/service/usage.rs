//! Usage: counts per token and day, first and last use per version, and never a write per request.
//!
//! Each process keeps its own cumulative rows and SETs them at intervals and at shutdown, so a retry does not count
//! twice and no row is hot. A process that is killed loses at most what it counted since its last flush.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Service, Valid};
use crate::lifetime::Seconds;
use crate::mutex::MutexGuard;
use crate::secret::TokenId;
use crate::table::keys::{self, Key};
use crate::table::{Range, TableError, Update, decode, encode, use_attribute};
use crate::token::{TokenKey, TokenRef, Use};

/// A version's use is written at once when none was noted for this long.
const FRESH: Seconds = Seconds::minutes(15);
/// The record's last use is written at most this often.
const NOTE_EVERY: Seconds = Seconds::hours(1);
/// How long rows are kept, in seconds.
const KEPT: i64 = 400 * 86_400;

/// What this process has counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<(TokenId, Date), Row>,
    noted: BTreeMap<(TokenId, u32), Timestamp>,
    /// First uses that are counted, and not written yet.
    waiting: Vec<FirstUse>,
}

/// A use of a version of which none was noted lately.
#[derive(Debug, Clone)]
struct FirstUse {
    token: TokenRef,
    version: u32,
    from: Option<IpAddr>,
    at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    uses: u64,
    last: i64,
    #[serde(skip)]
    dirty: bool,
}

/// Uses on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "UsageEntry"))]
pub struct UsageDay {
    /// The day, UTC.
    pub day: Date,
    /// How often.
    pub uses: u64,
    /// The last use on it.
    pub last: Timestamp,
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl Service {
    /// Counts one use of a valid secret. It writes only when this process has noted none of the version lately, so
    /// that the first use is safe even if the process is frozen right after.
    ///
    /// # Errors
    /// When that write fails; the count itself is kept.
    pub async fn note_use(&self, valid: &Valid, from: Option<IpAddr>) -> Result<(), TableError> {
        match self.count(valid, from) {
            Some(first) => self.write_first_use(&first).await,
            None => Ok(()),
        }
    }

    /// The same without the write, for whoever answers before writing: [`Self::write_first_uses`] has to follow before
    /// the process may be frozen.
    pub fn count_use(&self, valid: &Valid, from: Option<IpAddr>) {
        let first = self.count(valid, from);
        self.tally().waiting.extend(first);
    }

    /// Writes the first uses that [`Self::count_use`] left to be written.
    ///
    /// # Errors
    /// When one could not be written. The next use of its version tries again.
    pub async fn write_first_uses(&self) -> Result<(), TableError> {
        let mut written = Ok(());
        loop {
            // It leaves the queue only then: whoever gives up waiting for this must not lose it.
            let Some(first) = self.tally().waiting.first().cloned() else { return written };
            written = written.and(self.write_first_use(&first).await);
            self.tally().waiting.retain(|other| (&other.token.id, other.version) != (&first.token.id, first.version));
        }
    }

    /// Whether [`Self::write_first_uses`] has something to write.
    pub fn has_first_uses(&self) -> bool {
        !self.tally().waiting.is_empty()
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.usage.lock()
    }

    /// Counts a use, and tells whether it is to be written.
    fn count(&self, valid: &Valid, from: Option<IpAddr>) -> Option<FirstUse> {
        let now = self.now();
        let mut tally = self.tally();
        let row = tally.rows.entry((valid.id.clone(), day_of(now))).or_insert(Row { uses: 0, last: 0, dirty: true });
        row.uses += 1;
        row.last = now.as_millisecond();
        row.dirty = true;
        let version = (valid.id.clone(), valid.version);
        if tally.noted.get(&version).is_some_and(|noted| FRESH.after(*noted) > now) {
            return None;
        }
        tally.noted.insert(version, now);
        let key = TokenKey::new(valid.user.clone(), valid.name.clone());
        Some(FirstUse { token: TokenRef::new(key, valid.id.clone()), version: valid.version, from, at: now })
    }

    async fn write_first_use(&self, first: &FirstUse) -> Result<(), TableError> {
        let written = self.note_on_record(first).await;
        if written.is_err() {
            // The next use tries again.
            self.tally().noted.remove(&(first.token.id.clone(), first.version));
        }
        written
    }

    async fn note_on_record(&self, first: &FirstUse) -> Result<(), TableError> {
        let key = keys::token(&first.token.key);
        let attribute = use_attribute(&first.version.to_string());
        let now = first.at;
        let noted = Use { first: now, last: now, ip: first.from.map(|address| address.to_string()) };
        let mut update = Update::default();
        update.set(&attribute, AttributeValue::M(encode(&noted)?));
        let (id, held) = (update.name("id"), update.value(AttributeValue::S(first.token.id.to_string())));
        let placeholder = update.name(&attribute);
        let fresh = format!("{id} = {held} AND attribute_not_exists({placeholder})");
        if self.table.update(&key, update, &fresh).await? {
            return Ok(());
        }
        let mut update = Update::default();
        let id = update.name("id");
        let held = update.value(AttributeValue::S(first.token.id.to_string()));
        let placeholder = update.name(&attribute);
        let last = update.name("last");
        let ip = update.name("ip");
        let hour_ago = update.value(AttributeValue::N(NOTE_EVERY.before(now).as_millisecond().to_string()));
        update.set_path(&format!("{placeholder}.{last}"), AttributeValue::N(now.as_millisecond().to_string()));
        match noted.ip {
            Some(from) => update.set_path(&format!("{placeholder}.{ip}"), AttributeValue::S(from)),
            None => update.remove_path(&format!("{placeholder}.{ip}")),
        }
        let stale = format!("{id} = {held} AND {placeholder}.{last} < {hour_ago}");
        self.table.update(&key, update, &stale).await?;
        Ok(())
    }

    /// Writes what was counted since the last flush.
    ///
    /// # Errors
    /// When the table cannot be written; what was not written stays counted for the next flush.
    pub async fn flush_usage(&self) -> Result<(), TableError> {
        let dirty: Vec<((TokenId, Date), Row)> = {
            let tally = self.tally();
            tally.rows.iter().filter(|(_, row)| row.dirty).map(|(key, row)| (key.clone(), row.clone())).collect()
        };
        for ((id, day), row) in dirty {
            let at = Timestamp::from_millisecond(row.last).unwrap_or(Timestamp::MIN);
            let mut update = Update::default();
            update.set("uses", AttributeValue::N(row.uses.to_string()));
            update.set("last", AttributeValue::N(row.last.to_string()));
            update.set("ttl", AttributeValue::N((at.as_second() + KEPT).to_string()));
            let uses = update.name("uses");
            let held = update.value(AttributeValue::N(row.uses.to_string()));
            // The row only grows: a late retry of an older flush must not set it back.
            let condition = format!("attribute_not_exists({uses}) OR {uses} < {held}");
            self.table.update(&keys::usage(&id, at, &self.process), update, &condition).await?;
            let mut tally = self.tally();
            if let Some(kept) = tally.rows.get_mut(&(id.clone(), day)) {
                kept.dirty = kept.uses != row.uses;
            }
        }
        let now = self.now();
        let mut tally = self.tally();
        tally.rows.retain(|(_, day), row| row.dirty || *day >= day_of(now));
        tally.noted.retain(|_, noted| FRESH.after(*noted) > now);
        Ok(())
    }

    /// How often a token was used, per day of the month of `at`, whether it is active or ended.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn usage(&self, id: &TokenId, at: Timestamp) -> Result<Vec<UsageDay>, TableError> {
        let items = self.table.query_all(Range::of(keys::usage_partition(id, at), None)).await?;
        let month = day_of(at);
        let mut days: BTreeMap<Date, UsageDay> = BTreeMap::new();
        for item in items {
            let day = Key::of(&item).and_then(|key| key.sk.split('#').next()?.parse::<i8>().ok());
            let Some(day) = day.and_then(|day| Date::new(month.year(), month.month(), day).ok()) else { continue };
            let row: Row = decode(item)?;
            let last = Timestamp::from_millisecond(row.last).unwrap_or(Timestamp::MIN);
            days.entry(day)
                .and_modify(|sum| {
                    sum.uses += row.uses;
                    sum.last = sum.last.max(last);
                })
                .or_insert(UsageDay { day, uses: row.uses, last });
        }
        Ok(days.into_values().collect())
    }
}
