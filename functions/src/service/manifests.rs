//! Manifests: what a plan needs about their tokens.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verify::Verification;
use super::{Caller, Denied, Event, Grant, RACE_RETRIES, Service};
use crate::event::EventKind;
use crate::name::{ManifestName, TokenName, UserName};
use crate::secret::{Fingerprint, TokenId};
use crate::table::keys::{self, Key};
use crate::table::{
    Range, TableError, TransactError, Transaction, Value, Write, decode, decode_token, encode, with_key,
};
use crate::token::{Token, TokenKey};

/// What the service knows of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestRecord {
    /// Its name.
    pub name: ManifestName,
    /// The highest revision that was applied, where the applier gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// When it was applied last with something to change, as far as that was noted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub applied_at: Option<Timestamp>,
    /// Who applied it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
    /// In which hours what is due is rotated, as its file said when that was noted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// What it may grant, when an admin has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Counts changes.
    pub revision: u64,
}

/// Why it was not noted that a revision is applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The caller does not run the manifest.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A page of a manifest's tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManagedPage {
    /// Their records, in no particular order.
    pub tokens: Vec<Token>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<TokenKey>,
}

/// Where a token id comes from, known also after the token ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "OriginRecord"))]
pub struct Origin {
    /// The id.
    pub id: TokenId,
    /// Whose it is or was.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// The manifest that declares or declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// Whether it has ended.
    pub ended: bool,
    /// Of an ended token, the fingerprints that were its.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
}

impl Service {
    /// All tokens of a manifest, those that expired but were not moved included. Calls grow with pages: the index
    /// gives keys, and the records are read consistently, 100 a call.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Vec<Token>, TableError> {
        let mut range = Range::of(format!("M#{manifest}"), None);
        range.index = Some(keys::MANAGED);
        let mut tokens = Vec::new();
        loop {
            let page = self.table.query(&range).await?;
            let keys: Vec<Key> = page.items.iter().filter_map(Key::of).collect();
            tokens.extend(self.table.get_each(&keys, decode_token).await?);
            let Some(next) = page.next else { break };
            range.start = Some(next);
        }
        tokens.retain(|token| token.managed_by.as_ref() == Some(manifest) && token.ended.is_none());
        tokens.sort_by(|one, other| (&one.user, &one.name).cmp(&(&other.user, &other.name)));
        Ok(tokens)
    }

    /// Tokens by user and name, whoever manages them; those that do not exist are missing.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn holders(&self, wanted: &[TokenKey]) -> Result<Vec<Token>, TableError> {
        let keys: Vec<Key> = wanted.iter().map(keys::token).collect();
        self.table.get_each(&keys, decode_token).await
    }

    /// Where token ids come from; unknown ones are missing.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn origins(&self, ids: &[TokenId]) -> Result<Vec<Origin>, TableError> {
        let keys: Vec<Key> = ids.iter().map(keys::verification).collect();
        let found = self.table.get_each(&keys, |item| {
            let id = Key::of(&item).and_then(|key| keys::verified_id(&key));
            Ok((id, decode::<Verification>(item)?))
        });
        let mut origins = Vec::new();
        for (id, verification) in found.await? {
            let Some(id) = id else { continue };
            origins.push(Origin {
                id,
                user: verification.user,
                name: verification.name,
                managed_by: verification.managed_by,
                ended: verification.ended.is_some(),
                fingerprints: verification.fingerprints,
            });
        }
        Ok(origins)
    }

    /// What is known of a manifest.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestRecord>, TableError> {
        self.table.get(&keys::manifest(name)).await?.map(decode).transpose()
    }

    /// Notes that a manifest is about to be applied, by whom, and at which revision; the revision never goes back. The
    /// window is the one that its file has now.
    ///
    /// # Errors
    /// When the caller does not run the manifest, or the table cannot be written.
    pub async fn note_applied(
        &self,
        caller: &Caller,
        name: &ManifestName,
        applied: Option<u64>,
        window: Option<&str>,
    ) -> Result<(), NoteError> {
        caller.must_run(name)?;
        for race in 0..RACE_RETRIES {
            if self.note_applied_once(caller, name, (applied, window)).await? {
                return Ok(());
            }
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests apply the same manifest".to_owned()).into())
    }

    /// False when another run was faster: perhaps with a lower revision.
    async fn note_applied_once(
        &self,
        caller: &Caller,
        name: &ManifestName,
        (applied, window): (Option<u64>, Option<&str>),
    ) -> Result<bool, TableError> {
        let old = self.manifest(name).await?;
        let now = self.now();
        let revision = old.as_ref().map_or(0, |old| old.revision) + 1;
        let grant = old.as_ref().and_then(|old| old.grant.clone());
        let highest = applied.max(old.as_ref().and_then(|old| old.applied));
        let new = ManifestRecord {
            name: name.clone(),
            applied: highest,
            applied_at: Some(now),
            applied_by: Some(caller.actor.clone()),
            window: window.map(str::to_owned),
            grant,
            revision,
        };
        let detail = applied.map_or_else(|| format!("{name}"), |applied| format!("{name} at revision {applied}"));
        self.save_manifest(old.as_ref(), &new, &Event::on_role(caller, EventKind::ManifestApply, &detail, now)).await
    }

    /// False when somebody else changed it meanwhile.
    pub(super) async fn save_manifest(
        &self,
        old: Option<&ManifestRecord>,
        new: &ManifestRecord,
        event: &Event,
    ) -> Result<bool, TableError> {
        let mut transaction = Transaction::default();
        let key = keys::manifest(&new.name);
        match old {
            None => {
                transaction.add(Write::new_item(with_key(encode(new)?, &key)));
                let item = keys::manifest_in_list(&new.name).item();
                transaction.add(Write::item(item));
            }
            Some(old) => {
                let write = Write::change(key, &encode(old)?, &encode(new)?, old.revision);
                write.map(|write| transaction.add(write));
            }
        }
        transaction.add(self.event(event)?);
        match self.table.transact(transaction).await {
            Ok(()) => Ok(true),
            Err(TransactError::Cancelled(_)) => Ok(false),
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// One page of a manifest's tokens, at most `limit`, from after `from`. Which tokens there are comes from an index,
    /// a hint; their records are read consistently.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn managed_page(
        &self,
        manifest: &ManifestName,
        limit: i32,
        from: Option<&TokenKey>,
    ) -> Result<ManagedPage, TableError> {
        let partition = format!("M#{manifest}");
        let mut range = Range::of(partition.clone(), None);
        range.index = Some(keys::MANAGED);
        range.limit = Some(limit);
        range.start = from.map(|key| {
            // An index's position is the keys of the index and of the table.
            let mut start = keys::token(key).item();
            start.insert(keys::MANAGED_PK.to_owned(), Value::S(partition));
            start
        });
        let page = self.table.query(&range).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(Key::of).collect();
        let mut tokens = self.table.get_each(&keys, decode_token).await?;
        tokens.retain(|token| token.managed_by.as_ref() == Some(manifest) && token.ended.is_none());
        let next = page.next.as_ref().and_then(Key::of);
        Ok(ManagedPage { tokens, next: next.and_then(|key| keys::token_of(&key)) })
    }
}
