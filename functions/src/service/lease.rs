//! The lease of a manifest: who applies it now. It is advice that spares two runs each other's work; safety rests on
//! announcements, never on it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::name::ManifestName;
use crate::table::{Condition, TableError, TransactError, Transaction, Update, Value, Write, count, decode, keys};
use crate::token::TokenKey;

/// How long a lease lasts that nobody renews.
pub const LEASE: Seconds = Seconds(60);

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The run.
    pub holder: String,
    /// On whose behalf.
    pub by: String,
    /// Until when.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub until: Timestamp,
}

/// Why a lease was not granted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another run has it.
    #[error("another run holds the lease until {:.0}: {}", .0.until, .0.by)]
    Held(Lease),
    /// The caller does not run the manifest.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// Takes or renews the lease of a manifest for 60 seconds.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run has it, unless it is to be stolen.
    pub async fn take_lease(
        &self,
        caller: &Caller,
        manifest: &ManifestName,
        holder: &str,
        steal: bool,
    ) -> Result<Lease, LeaseError> {
        caller.must_run(manifest)?;
        self.write_lease(caller, manifest, holder, steal).await
    }

    /// Takes or renews the lease of a manifest from which the caller takes a token: that manifest has agreed to move it
    /// to one that the caller runs. Nothing is stolen.
    ///
    /// # Errors
    /// [`Denied::Hidden`] unless it has agreed, [`LeaseError::Held`] while another run has the lease.
    pub async fn take_lease_to_move(
        &self,
        caller: &Caller,
        manifest: &ManifestName,
        holder: &str,
        token: &TokenKey,
    ) -> Result<Lease, LeaseError> {
        if !caller.runs(manifest) && !self.is_leased_by(caller, manifest, holder).await? {
            let found = self.load(token).await?.filter(|token| token.managed_by.as_ref() == Some(manifest));
            let agreed = found.and_then(|token| token.moved_to).is_some_and(|taker| caller.runs(&taker));
            if !agreed {
                return Err(Denied::Hidden.into());
            }
        }
        self.write_lease(caller, manifest, holder, false).await
    }

    /// Whether a run of the caller has the lease, by the word that only it knows: it took the token meanwhile.
    async fn is_leased_by(&self, caller: &Caller, manifest: &ManifestName, holder: &str) -> Result<bool, TableError> {
        Ok(self.lease(manifest).await?.is_some_and(|lease| lease.holder == holder && lease.by == caller.actor))
    }

    async fn write_lease(
        &self,
        caller: &Caller,
        manifest: &ManifestName,
        holder: &str,
        steal: bool,
    ) -> Result<Lease, LeaseError> {
        for race in 0..RACE_RETRIES {
            let now = self.now();
            let held = self.lease(manifest).await?;
            let renews = held.as_ref().is_some_and(|held| held.holder == holder);
            let kind = if held.is_some() && !renews { EventKind::LeaseSteal } else { EventKind::LeaseTake };
            let lease = Lease { holder: holder.to_owned(), by: caller.actor.clone(), until: LEASE.after(now) };
            let mut update = Update::default();
            update.set("holder", Value::S(lease.holder.clone()));
            update.set("by", Value::S(lease.by.clone()));
            update.set("until", count(lease.until.as_millisecond()));
            let condition = if steal {
                Condition::Always
            } else {
                Condition::absent("until")
                    .or(Condition::at_most("until", count(now.as_millisecond())))
                    .or(Condition::is("holder", Value::S(holder.to_owned())))
            };
            let mut transaction = Transaction::default();
            transaction.add(Write::Update { key: keys::lease(manifest), update, condition });
            if !renews {
                let from = held.map(|held| format!("{manifest}, from {}", held.by));
                let detail = from.unwrap_or_else(|| manifest.to_string());
                transaction.add(self.event(&Event::on_role(caller, kind, &detail, now))?);
            }
            match self.table.transact(transaction).await {
                Ok(()) => return Ok(lease),
                Err(TransactError::Table(error)) => return Err(error.into()),
                Err(TransactError::Cancelled(_)) => {}
            }
            if let Some(held) = self.lease(manifest).await? {
                return Err(LeaseError::Held(held));
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests take the same lease".to_owned()).into())
    }

    /// Releases a lease; nothing happens unless this run has it.
    ///
    /// # Errors
    /// When the caller does not run the manifest, or the table cannot be written.
    pub async fn free_lease(&self, caller: &Caller, manifest: &ManifestName, holder: &str) -> Result<(), LeaseError> {
        if !caller.runs(manifest) && !self.is_leased_by(caller, manifest, holder).await? {
            return Err(Denied::Hidden.into());
        }
        let mut update = Update::default();
        update.set("until", Value::N("0".to_owned()));
        let mine = Condition::is("holder", Value::S(holder.to_owned()));
        self.table.update(&keys::lease(manifest), &update, &mine).await?;
        Ok(())
    }

    /// Who has the lease of a manifest now.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn lease(&self, manifest: &ManifestName) -> Result<Option<Lease>, TableError> {
        let lease: Option<Lease> = self.table.get(&keys::lease(manifest)).await?.map(decode).transpose()?;
        Ok(lease.filter(|lease| lease.until > self.now()))
    }
}
