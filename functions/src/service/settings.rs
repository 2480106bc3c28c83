//! The deployment's settings: changed by admins, and read again by every process that runs for long.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::mutex::Mutex;
use crate::policy::{Policy, PolicyChange, PolicyError};
use crate::table::{Condition, Table, TableError, TransactError, Transaction, Update, Write, decode, encode, keys};

/// For how long a process that answers requests goes by the settings that it has read: servers and functions read them
/// again as often.
pub const SETTINGS_AGE: Seconds = Seconds::minutes(1);

/// How often a prefix that is not known is a reason to read the settings again: whoever makes up secrets costs no more.
const PREFIX_AGE: Seconds = Seconds(1);

/// The settings as they were read last, and when that was.
#[derive(Debug)]
pub(super) struct SettingsRead(Mutex<(Arc<Policy>, Timestamp)>);

impl SettingsRead {
    pub(super) fn of(policy: Policy, at: Timestamp) -> Self {
        Self(Mutex::new((Arc::new(policy), at)))
    }

    fn get(&self) -> (Arc<Policy>, Timestamp) {
        self.0.lock().clone()
    }

    fn put(&self, policy: Policy, at: Timestamp) {
        *self.0.lock() = (Arc::new(policy), at);
    }
}

/// Why the settings were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// They have changed since they were looked at.
    #[error("the settings are at revision {found}, not {wanted}")]
    Revision {
        /// The revision that was asked for.
        wanted: u64,
        /// The revision that they are at.
        found: u64,
    },
    /// They cannot be so.
    #[error(transparent)]
    Rule(#[from] PolicyError),
    /// The caller is not allowed to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The settings as the table has them.
pub(super) async fn stored(table: &Table) -> Result<Policy, TableError> {
    Ok(table.get(&keys::settings()).await?.map(decode).transpose()?.unwrap_or_default())
}

impl Service {
    /// The deployment's settings, as they were read last.
    pub fn policy(&self) -> Arc<Policy> {
        self.settings.get().0
    }

    /// The deployment's settings as they are now.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn settings(&self) -> Result<Policy, TableError> {
        let policy = stored(&self.table).await?;
        self.settings.put(policy.clone(), self.now());
        Ok(policy)
    }

    /// Reads the settings again: a process that runs for days calls it once in [`SETTINGS_AGE`].
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn reread_settings(&self) -> Result<(), TableError> {
        self.settings().await.map(drop)
    }

    /// Changes the settings, with an event that names what changed; `revision` is the one that they must have.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub async fn change_settings(
        &self,
        caller: &Caller,
        revision: Option<u64>,
        change: &PolicyChange,
    ) -> Result<Policy, SettingsError> {
        caller.may_change_settings(self.now())?;
        self.replace_settings(caller, revision, |old| old.with(change)).await
    }

    /// Replaces all settings, as whoever operates the table; recorded like any change of them.
    ///
    /// # Errors
    /// When the table cannot be written, or a receiver of notices is beyond the bounds.
    pub async fn set_policy(&mut self, policy: Policy) -> Result<(), TableError> {
        let invalid = |error: &dyn std::fmt::Display| TableError::Invalid(error.to_string());
        crate::bounds::check_receivers(&policy.notices.receivers).map_err(|error| invalid(&error))?;
        let replaced = self.replace_settings(&Caller::operator("library"), None, |_| Ok(policy.clone())).await;
        match replaced {
            Ok(_) => Ok(()),
            Err(SettingsError::Table(error)) => Err(error),
            Err(error) => Err(invalid(&error)),
        }
    }

    async fn replace_settings(
        &self,
        caller: &Caller,
        wanted: Option<u64>,
        change: impl Fn(&Policy) -> Result<Policy, PolicyError>,
    ) -> Result<Policy, SettingsError> {
        for race in 0..RACE_RETRIES {
            let old = self.settings().await?;
            if let Some(wanted) = wanted.filter(|wanted| *wanted != old.revision) {
                return Err(SettingsError::Revision { wanted, found: old.revision });
            }
            let mut new = Policy { revision: old.revision, ..change(&old)? };
            if new == old {
                return Ok(new);
            }
            new.revision += 1;
            let event = Event::on_service(caller, EventKind::SettingsChange, self.now());
            let mut transaction = Transaction::default();
            transaction.add(write(&old, &new)?);
            transaction.add(self.event(&event.with(old.differences(&new).join("; ")))?);
            match self.table.transact(transaction).await {
                Ok(()) => {
                    self.settings.put(new.clone(), self.now());
                    return Ok(new);
                }
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
                Err(TransactError::Table(error)) => return Err(error.into()),
            }
        }
        Err(TableError::Busy("other requests are changing the settings".to_owned()).into())
    }

    /// Whether changes queue notices.
    pub(super) fn queues_notices(&self) -> bool {
        self.policy().notices.on
    }

    /// Whether secrets may start with a prefix. One that is not known may have been set by another process a moment ago,
    /// and what that mints is valid here within a second.
    pub(super) async fn knows_prefix(&self, prefix: &str) -> Result<bool, TableError> {
        let (policy, read) = self.settings.get();
        if policy.accepts(prefix) {
            return Ok(true);
        }
        if (read..PREFIX_AGE.after(read)).contains(&self.now()) {
            return Ok(false);
        }
        Ok(self.settings().await?.accepts(prefix))
    }
}

/// The write that replaces settings if they are still what was read. What a later version stored beside them stays.
fn write(old: &Policy, new: &Policy) -> Result<Write, TableError> {
    let mut update = Update::default();
    for (name, value) in encode(new)? {
        update.set(name.as_str(), value);
    }
    let unchanged = Condition::at_revision(old.revision);
    // Settings of before revisions were counted have none.
    let condition = if old.revision == 0 { unchanged.or(Condition::absent("revision")) } else { unchanged };
    Ok(Write::Update { key: keys::settings(), update, condition })
}
