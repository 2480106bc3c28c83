//! Usage: counts per token and day, first and last use per version, and never a write per request.
//!
//! Each process keeps its own cumulative rows and SETs them at intervals and at shutdown, so a retry does not count
//! twice and no row is hot. A process that is killed loses at most what it counted since its last flush.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::addresses::{Known, Network};
use super::{Service, Valid, fold};
use crate::lifetime::Seconds;
use crate::mutex::MutexGuard;
use crate::name::ManifestName;
use crate::secret::TokenId;
use crate::table::keys::{self, Key};
use crate::table::{Condition, Item, Path, Range, TableError, Update, Value, count, decode, encode, use_attribute};
use crate::token::{TokenKey, TokenRef, Use};

/// A version's use is written at once when none was noted for this long.
const FRESH: Seconds = Seconds::minutes(15);
/// The record's last use is written at most this often.
const NOTE_EVERY: Seconds = Seconds::hours(1);
/// How long rows are kept, in seconds.
pub(super) const KEPT: i64 = 400 * 86_400;

/// What this process has counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<(TokenId, Date), Row>,
    noted: BTreeMap<(TokenId, u32), Noted>,
    /// First uses that are counted, and not written yet.
    waiting: Vec<FirstUse>,
}

/// What this process knows of a version's uses that are noted.
#[derive(Debug)]
struct Noted {
    at: Timestamp,
    /// Any, until the first note was answered.
    known: Known,
}

/// A use of a version of which none was noted lately, or none from that address.
#[derive(Debug, Clone)]
pub(super) struct FirstUse {
    pub(super) token: TokenRef,
    pub(super) version: u32,
    pub(super) from: Option<IpAddr>,
    pub(super) at: Timestamp,
    pub(super) manifest: Option<ManifestName>,
    pub(super) expires: Timestamp,
}

/// The record is still that of the token that was used.
pub(super) fn is_token(first: &FirstUse) -> Condition {
    Condition::is("id", Value::S(first.token.id.to_string()))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) uses: u64,
    pub(super) last: i64,
    #[serde(skip)]
    dirty: bool,
    /// How much of it was written, or may have been.
    #[serde(skip)]
    written: u64,
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

pub(super) fn day_of(at: Timestamp) -> Date {
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
            let use_of = |use_: &FirstUse| (use_.token.id.clone(), use_.version, use_.from);
            self.tally().waiting.retain(|other| use_of(other) != use_of(&first));
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
        let row = tally.rows.entry((valid.id.clone(), day_of(now))).or_insert(Row {
            uses: 0,
            last: 0,
            dirty: true,
            written: 0,
        });
        row.uses += 1;
        row.last = now.as_millisecond();
        row.dirty = true;
        let version = (valid.id.clone(), valid.version);
        match tally.noted.get_mut(&version).filter(|noted| FRESH.after(noted.at) > now) {
            Some(noted) => {
                // At most one note for each new address, however many uses come from there at once.
                if !noted.known.learns(from) {
                    return None;
                }
                noted.at = now;
            }
            None => drop(tally.noted.insert(version, Noted { at: now, known: Known::Any })),
        }
        let key = TokenKey::new(valid.user.clone(), valid.name.clone());
        Some(FirstUse {
            token: TokenRef::new(key, valid.id.clone()),
            version: valid.version,
            from,
            at: now,
            manifest: valid.managed_by.clone(),
            expires: valid.expires,
        })
    }

    async fn write_first_use(&self, first: &FirstUse) -> Result<(), TableError> {
        let written = self.note_on_record(first).await;
        let mut tally = self.tally();
        let version = (first.token.id.clone(), first.version);
        match written {
            Ok(known) => {
                tally.noted.entry(version).and_modify(|noted| noted.known = known);
                Ok(())
            }
            Err(error) => {
                // The next use tries again.
                tally.noted.remove(&version);
                Err(error)
            }
        }
    }

    /// Notes a use on the token's record, and tells of an address that is new; what comes back are the addresses that are
    /// known now.
    async fn note_on_record(&self, first: &FirstUse) -> Result<Known, TableError> {
        let network = first.from.map(Network::of);
        let mut noted = self.note(first, network).await?;
        if let (None, Some(network)) = (&noted, network) {
            // From a network that is not known, or the token is gone.
            let told = self.tell_new_address(first, network).await;
            // The use is noted whatever becomes of telling: that a version ends rests on it.
            let is_told = told.as_ref().is_ok_and(|told| *told);
            noted = self.note(first, Some(network).filter(|_| is_told)).await?;
            told?;
        }
        let Some(noted) = noted else { return Ok(Known::Any) };
        let known = Known::of(&noted, network);
        let attribute = use_attribute(&first.version.to_string());
        let used = match noted.get(&attribute) {
            Some(Value::M(used)) => Some(decode::<Use>(used.clone())?),
            _ => None,
        };
        if used.is_none_or(|used| used.last < NOTE_EVERY.before(first.at)) {
            self.note_again(first, &attribute).await?;
        }
        Ok(known)
    }

    /// Notes the first use of a version and the network that it came from, if that is known or may become so without
    /// a word. What comes back is what is noted now, and `None` where nothing was.
    async fn note(&self, first: &FirstUse, network: Option<Network>) -> Result<Option<Item>, TableError> {
        let mut update = Update::default();
        let noted = Use { first: first.at, last: first.at, ip: first.from.map(|address| address.to_string()) };
        update.set_if_absent(&use_attribute(&first.version.to_string()), Value::M(encode(&noted)?));
        let mut condition = is_token(first);
        if let Some(network) = network {
            let silently = self.admitted_silently(&mut update, network);
            condition = condition.and(silently);
        }
        self.table.update_to(&keys::token(&first.token.key), &update, &condition).await
    }

    /// Notes a use of a version that was noted before, unless that was within the hour.
    async fn note_again(&self, first: &FirstUse, attribute: &str) -> Result<(), TableError> {
        let mut update = Update::default();
        let part = |name: &str| Path::from(attribute).then(name);
        update.set(part("last"), count(first.at.as_millisecond()));
        match first.from {
            Some(from) => update.set(part("ip"), Value::S(from.to_string())),
            None => update.remove(part("ip")),
        }
        let hour_ago = count(NOTE_EVERY.before(first.at).as_millisecond());
        let stale = is_token(first).and(Condition::Below(part("last"), hour_ago));
        self.table.update(&keys::token(&first.token.key), &update, &stale).await?;
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
            // What a process wrote of a day may be folded by then: what it counted since has a row of its own.
            let late = row.written > 0 && fold::is_late(day, self.now());
            let process = if late { format!("{}{}", self.process, fold::LATE) } else { self.process.clone() };
            let counted = if late { row.uses - row.written } else { row.uses };
            let mut update = Update::default();
            update.set("uses", count(counted));
            update.set("last", count(row.last));
            update.set("ttl", Value::N((at.as_second() + KEPT).to_string()));
            let (partition, due) = fold::queued(&id, day, self.now());
            update.set_if_absent(keys::DUE_PK, Value::S(partition));
            update.set_if_absent(keys::DUE_SK, Value::S(due));
            // The row only grows: a late retry of an older flush must not set it back.
            let condition = Condition::absent("uses").or(Condition::below("uses", count(counted)));
            if !late && let Some(kept) = self.tally().rows.get_mut(&(id.clone(), day)) {
                kept.written = kept.written.max(counted);
            }
            self.table.update(&keys::usage(&id, at, &process), &update, &condition).await?;
            let mut tally = self.tally();
            if let Some(kept) = tally.rows.get_mut(&(id.clone(), day)) {
                kept.dirty = kept.uses != row.uses;
            }
        }
        let now = self.now();
        let mut tally = self.tally();
        tally.rows.retain(|(_, day), row| row.dirty || *day >= day_of(now));
        tally.noted.retain(|_, noted| FRESH.after(noted.at) > now);
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
