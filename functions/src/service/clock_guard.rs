//! The guard on a clock that is the machine's own: what the table has seen is read when the service opens and, hours
//! apart, written by what creates or ends something. A check reads and writes nothing for it.

use jiff::Timestamp;

use super::{Caller, Denied, Event, Service};
use crate::clock::{ClockBehind, TimeSeen};
use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::mutex::{Mutex, MutexGuard};
use crate::table::{
    Condition, TableError, TransactError, Transaction, Update, Write, count, decode, encode, keys, with_key,
};

/// How far time goes on until it is written again.
const WRITE_EVERY: Seconds = Seconds::hours(1);

/// What this process knows of the table's time.
#[derive(Debug)]
pub(super) struct ClockGuard(Mutex<Known>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// What this process and the table have seen.
    seen: TimeSeen,
    /// What the table's item contains; `None` when there is none.
    written: Option<TimeSeen>,
}

impl ClockGuard {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}

/// Why a clock was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// No clock that is right shows this.
    #[error("{0}")]
    Impossible(ClockBehind),
    /// Only an operator may.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The clock is not the machine's own, or the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// The same service, which mistrusts its clock: for a table whose only clock is the machine's. A table on AWS has
    /// one of its own.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn mistrusting_its_clock(mut self) -> Result<Self, TableError> {
        let written = self.read_seen().await?;
        let seen = written.unwrap_or_else(TimeSeen::nothing);
        self.guard = Some(ClockGuard(Mutex::new(Known { seen, written })));
        Ok(self)
    }

    /// What is wrong with the clock, if anything; asks the table again before it says so.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn clock_behind(&self) -> Result<Option<ClockBehind>, TableError> {
        let Some(guard) = &self.guard else { return Ok(None) };
        let now = self.now();
        let behind = guard.known().seen.behind(now);
        if behind.is_none() {
            return Ok(None);
        }
        // Another process may have accepted it meanwhile.
        let written = self.read_seen().await?;
        let seen = written.unwrap_or_else(TimeSeen::nothing);
        *guard.known() = Known { seen, written };
        Ok(seen.behind(now))
    }

    /// Refuses while the clock is far behind, and lets the table know of the time: for whatever creates a secret or ends
    /// one by time.
    pub(super) async fn check_clock(&self) -> Result<(), TableError> {
        match self.clock_behind().await? {
            Some(behind) => Err(TableError::Clock(behind)),
            None => self.note_time().await,
        }
    }

    /// Lets the table know how far time has gone on, once an hour at the most.
    ///
    /// # Errors
    /// [`TableError::Clock`] when another process has seen a time by which this clock is far behind; when the table cannot
    /// be written.
    pub async fn note_time(&self) -> Result<(), TableError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        for race in 0..super::RACE_RETRIES {
            let now = self.now();
            let (old, new) = {
                let mut known = guard.known();
                known.seen.note(now);
                (known.written, known.seen)
            };
            if old.is_some_and(|old| new.highest < WRITE_EVERY.after(old.highest)) {
                return Ok(());
            }
            if self.write_seen(old, new).await? {
                guard.known().written = Some(new);
                return Ok(());
            }
            let written = self.read_seen().await?;
            {
                let mut known = guard.known();
                known.written = written;
                if let Some(written) = written {
                    known.seen.join(written);
                }
            }
            let behind = guard.known().seen.behind(now);
            if let Some(behind) = behind {
                return Err(TableError::Clock(behind));
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests are noting the time".to_owned()))
    }

    /// The operator says that the clock is right: what the table has seen is forgotten. Returns how far the clock was
    /// behind; `None` when nothing was to be forgotten.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub async fn accept_clock(&self, caller: &Caller) -> Result<Option<ClockBehind>, AcceptError> {
        if !caller.is_operator() {
            return Err(Denied::Hidden.into());
        }
        let Some(behind) = self.clock_behind().await? else { return Ok(None) };
        if !behind.is_possible() {
            return Err(AcceptError::Impossible(behind));
        }
        let seen = TimeSeen::only(behind.now);
        let event = Event::on_service(caller, EventKind::ClockAccept, behind.now)
            .with(format!("instead of {:.0}", behind.seen));
        let mut transaction = Transaction::default();
        let item = with_key(encode(&seen)?, &keys::clock());
        transaction.add(Write::item(item));
        transaction.add(self.event(&event)?);
        self.table.transact(transaction).await.map_err(|error| match error {
            TransactError::Table(error) => error,
            TransactError::Cancelled(_) => TableError::Busy("another request was faster".to_owned()),
        })?;
        if let Some(guard) = &self.guard {
            *guard.known() = Known { seen, written: Some(seen) };
        }
        Ok(Some(behind))
    }

    /// The time that a check goes by: never earlier than what is certain to have been.
    pub(super) fn time_of_checks(&self) -> Timestamp {
        let now = self.now();
        let Some(guard) = &self.guard else { return now };
        let mut known = guard.known();
        known.seen.note(now);
        known.seen.for_checks(now)
    }

    async fn read_seen(&self) -> Result<Option<TimeSeen>, TableError> {
        self.table.get(&keys::clock()).await?.map(decode).transpose()
    }

    /// Writes what was seen unless another process has written meanwhile; false then.
    async fn write_seen(&self, old: Option<TimeSeen>, new: TimeSeen) -> Result<bool, TableError> {
        let mut update = Update::default();
        for (name, value) in encode(&new)? {
            update.set(name.as_str(), value);
        }
        let condition = match old {
            None => Condition::absent("highest"),
            Some(old) => Condition::is("highest", count(old.highest.as_millisecond())),
        };
        self.table.update(&keys::clock(), &update, &condition).await
    }
}
