//! Publications: what the scheduled job rotates a manifest's tokens by, as it has no file.
//!
//! A publication is the sinks, in one item, and a row a token, as thousands of tokens fit no item. It is written in an
//! order that a crash leaves readable: what differs of the rows, then the sinks, then the removal of rows that are no
//! longer in it. Whoever publishes takes a number first, and each write checks that nobody has taken a later one, so that
//! two at once do not mix. A row whose number is higher than that of the sinks is from a publication that was not
//! completed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, Denied, Event, RACE_RETRIES, Service};
use crate::event::EventKind;
use crate::name::{ManifestName, TokenName, UserName};
use crate::table::{Condition, Range, TableError, TransactError, Transaction, Write, decode, encode, keys, with_key};
use crate::token::TokenKey;

/// The longest text of a publication's sinks, in bytes.
pub const PUBLISHED_SINKS_MAX: usize = 48 * 1024;
/// The longest text of a token's pushes, in bytes.
pub const PUBLISHED_PUSH_MAX: usize = 8 * 1024;
/// The most rows that are written together: with the check of the number, a transaction of 100.
pub const PUBLISHED_ROWS: usize = 99;

/// What a manifest has published, but for its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Publication {
    /// The manifest's revision, where the publisher gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Counts publications; those that were begun and not completed too.
    pub number: u64,
    /// The sinks, and when they are rotated, as TOML.
    pub sinks: String,
    /// How many tokens there are.
    pub tokens: u32,
    /// When it was completed.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub published: Timestamp,
    /// By whom.
    pub by: String,
}

/// A token of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishedToken {
    /// Whose it is.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// Its pushes, as TOML.
    pub push: String,
    /// The publication that wrote it.
    pub number: u64,
}

impl PublishedToken {
    /// The token by name.
    pub fn key(&self) -> TokenKey {
        TokenKey::new(self.user.clone(), self.name.clone())
    }
}

/// A row to write or to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedRow {
    /// The token.
    pub token: TokenKey,
    /// Its pushes, as TOML; `None` removes the row.
    pub push: Option<String>,
}

/// A page of a publication's tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishedPage {
    /// The tokens, by user and name.
    pub tokens: Vec<PublishedToken>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<TokenKey>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The sinks are too long.
    #[error("the sinks of a publication take at most {PUBLISHED_SINKS_MAX} bytes, not {0}")]
    SinksTooLarge(usize),
    /// The pushes of the row at this index are too long, or there are none.
    #[error("the pushes of a token take 1 to {PUBLISHED_PUSH_MAX} bytes, not {size}")]
    PushSize {
        /// Which row.
        index: usize,
        /// How long they are.
        size: usize,
    },
    /// Too many rows at once, or none.
    #[error("1 to {PUBLISHED_ROWS} tokens are written at once, not {0}")]
    Rows(usize),
    /// The row at this index is of the same token as an earlier one.
    #[error("the token `{token}` is there twice")]
    Twice {
        /// Which row.
        index: usize,
        /// The token.
        token: TokenKey,
    },
    /// The manifest was published or applied at a newer revision.
    #[error("revision {revision} of `{manifest}` is older than {newer}, which was published or applied already")]
    OlderRevision {
        /// Which manifest.
        manifest: ManifestName,
        /// The revision that was to be published.
        revision: u64,
        /// The newer one.
        newer: u64,
    },
    /// Somebody began a later publication, or withdrew it.
    #[error("publication {number} was overtaken: a later one was begun, or it was withdrawn")]
    Overtaken {
        /// The number that is no longer the last.
        number: u64,
    },
    /// The caller does not run the manifest.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Whose turn it is to publish. It stays when a publication is withdrawn: no number comes twice.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Turn {
    /// The number of the last publication that was begun, under the name by which a transaction checks it.
    revision: u64,
    /// The manifest's revision that is being published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
}

impl Service {
    /// What a manifest has published, but for its tokens.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn publication(&self, name: &ManifestName) -> Result<Option<Publication>, TableError> {
        let item = self.table.get(&keys::publication(name)).await?;
        // An earlier release stored the whole text there, for a job that never came.
        item.filter(|item| item.contains_key("number")).map(decode).transpose()
    }

    /// One page of a publication's tokens by user and name, at most `limit`, from after `from`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn published_tokens(
        &self,
        name: &ManifestName,
        limit: i32,
        from: Option<&TokenKey>,
    ) -> Result<PublishedPage, TableError> {
        let mut range = Range::of(keys::publication(name).pk, Some(keys::PUBLISHED));
        range.limit = Some(limit);
        range.start = from.map(|token| keys::published(name, token).item());
        let page = self.table.query(&range).await?;
        let tokens: Vec<PublishedToken> = page.items.into_iter().map(decode).collect::<Result<_, _>>()?;
        let next = page.next.and_then(|_| tokens.last().map(PublishedToken::key));
        Ok(PublishedPage { tokens, next })
    }

    /// What is published of some tokens; those that are not are missing. Calls grow with the tokens, 100 a call.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn published_of(
        &self,
        name: &ManifestName,
        tokens: &[TokenKey],
    ) -> Result<Vec<PublishedToken>, TableError> {
        let wanted: Vec<keys::Key> = tokens.iter().map(|token| keys::published(name, token)).collect();
        self.table.get_each(&wanted, decode).await
    }

    /// Begins a publication: earlier ones that are under way cannot go on. Answers its number.
    ///
    /// # Errors
    /// [`PublishError::OlderRevision`] unless it is forced.
    pub async fn begin_publication(
        &self,
        caller: &Caller,
        name: &ManifestName,
        revision: Option<u64>,
        force: bool,
    ) -> Result<u64, PublishError> {
        caller.must_run(name)?;
        let revision_to_check = revision.filter(|_| !force);
        self.check_revision(name, revision_to_check).await?;
        let number = self.begin(caller, name, revision).await?;
        // Who published meanwhile did so before this number was taken; from now on nobody else does.
        self.check_revision(name, revision_to_check).await?;
        Ok(number)
    }

    /// Refuses a revision that is older than the published one or the highest applied.
    async fn check_revision(&self, name: &ManifestName, revision: Option<u64>) -> Result<(), PublishError> {
        let Some(revision) = revision else { return Ok(()) };
        let published = self.publication(name).await?.and_then(|publication| publication.revision);
        let applied = self.manifest(name).await?.and_then(|manifest| manifest.applied);
        match published.max(applied).filter(|newer| revision < *newer) {
            Some(newer) => Err(PublishError::OlderRevision { manifest: name.clone(), revision, newer }),
            None => Ok(()),
        }
    }

    /// Takes the next number.
    async fn begin(&self, caller: &Caller, name: &ManifestName, of: Option<u64>) -> Result<u64, PublishError> {
        for race in 0..RACE_RETRIES {
            let mut transaction = Transaction::default();
            let number = self.take_turn(name, of, &mut transaction).await?;
            let detail = format!("{name}: publication {number} is begun");
            transaction.add(self.event(&Event::on_role(caller, EventKind::ManifestPublish, &detail, self.now()))?);
            match self.table.transact(transaction).await {
                Ok(()) => return Ok(number),
                Err(TransactError::Table(error)) => return Err(error.into()),
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
            }
        }
        Err(TableError::Busy("other requests publish the same manifest".to_owned()).into())
    }

    /// Adds the write that takes the next number.
    async fn take_turn(
        &self,
        name: &ManifestName,
        of: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<u64, TableError> {
        let key = keys::publishing(name);
        let old: Option<Turn> = self.table.get(&key).await?.map(decode).transpose()?;
        let new = Turn { revision: old.map_or(0, |old| old.revision) + 1, of };
        match old {
            None => {
                transaction.add(Write::new_item(with_key(encode(&new)?, &key)));
                // So that it can be listed.
                transaction.add(Write::item(keys::manifest_in_list(name).item()));
            }
            Some(old) => {
                let change = Write::change(key, &encode(&old)?, &encode(&new)?, old.revision);
                change.map(|change| transaction.add(change));
            }
        }
        Ok(new.revision)
    }

    /// Writes and removes rows of a publication that was begun, all or none of them.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish_tokens(
        &self,
        caller: &Caller,
        name: &ManifestName,
        number: u64,
        rows: &[PublishedRow],
    ) -> Result<(), PublishError> {
        caller.must_run(name)?;
        check_rows(rows)?;
        let mut transaction = Transaction::default();
        transaction.add(Write::Check { key: keys::publishing(name), condition: Condition::at_revision(number) });
        for PublishedRow { token, push } in rows {
            let key = keys::published(name, token);
            transaction.add(match push {
                None => Write::Delete { key, condition: Condition::Always },
                Some(push) => {
                    let TokenKey { user, name } = token.clone();
                    let row = PublishedToken { user, name, push: push.clone(), number };
                    Write::item(with_key(encode(&row)?, &key))
                }
            });
        }
        self.in_turn(number, transaction).await
    }

    /// Completes a publication: from now on its sinks are those of the manifest.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn complete_publication(
        &self,
        caller: &Caller,
        name: &ManifestName,
        number: u64,
        (sinks, tokens): (&str, u32),
    ) -> Result<Publication, PublishError> {
        caller.must_run(name)?;
        if sinks.len() > PUBLISHED_SINKS_MAX {
            return Err(PublishError::SinksTooLarge(sinks.len()));
        }
        let turn: Option<Turn> = self.table.get(&keys::publishing(name)).await?.map(decode).transpose()?;
        let turn = turn.filter(|turn| turn.revision == number).ok_or(PublishError::Overtaken { number })?;
        let (published, by) = (self.now(), caller.actor.clone());
        let new = Publication { revision: turn.of, number, sinks: sinks.to_owned(), tokens, published, by };
        let mut transaction = Transaction::default();
        transaction.add(Write::Check { key: keys::publishing(name), condition: Condition::at_revision(number) });
        let item = with_key(encode(&new)?, &keys::publication(name));
        transaction.add(Write::item(item));
        let digest = crate::secret::Digest::of(sinks.as_bytes()).fingerprint();
        let of = new.revision.map(|revision| format!(" of revision {revision}")).unwrap_or_default();
        let detail = format!("{name}: publication {number}{of}: tokens: {tokens}, sinks: {digest}");
        transaction.add(self.event(&Event::on_role(caller, EventKind::ManifestPublish, &detail, published))?);
        self.in_turn(number, transaction).await?;
        Ok(new)
    }

    /// Withdraws a publication: its sinks first, without which no row means anything, then its rows. One that was cut
    /// short goes on when it is called again.
    ///
    /// # Errors
    /// When the caller does not run the manifest, or the table cannot be written.
    pub async fn withdraw_publication(&self, caller: &Caller, name: &ManifestName) -> Result<(), PublishError> {
        caller.must_run(name)?;
        let there = self.publication(name).await?.is_some();
        if !there && self.published_tokens(name, 1, None).await?.tokens.is_empty() {
            return Ok(());
        }
        let number = self.withdraw_sinks(caller, name).await?;
        loop {
            let page = self.published_tokens(name, i32::try_from(PUBLISHED_ROWS).unwrap_or(1), None).await?;
            if page.tokens.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            transaction.add(Write::Check { key: keys::publishing(name), condition: Condition::at_revision(number) });
            for token in &page.tokens {
                let key = keys::published(name, &token.key());
                transaction.add(Write::Delete { key, condition: Condition::Always });
            }
            match self.in_turn(number, transaction).await {
                // Whoever publishes now looks after the rows.
                Err(PublishError::Overtaken { .. }) => return Ok(()),
                done => done?,
            }
        }
    }

    async fn withdraw_sinks(&self, caller: &Caller, name: &ManifestName) -> Result<u64, PublishError> {
        for race in 0..RACE_RETRIES {
            let mut transaction = Transaction::default();
            let number = self.take_turn(name, None, &mut transaction).await?;
            transaction.add(Write::Delete { key: keys::publication(name), condition: Condition::Always });
            let event = Event::on_role(caller, EventKind::ManifestWithdraw, name.as_str(), self.now());
            transaction.add(self.event(&event)?);
            match self.table.transact(transaction).await {
                Ok(()) => return Ok(number),
                Err(TransactError::Table(error)) => return Err(error.into()),
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
            }
        }
        Err(TableError::Busy("other requests publish the same manifest".to_owned()).into())
    }

    /// Runs a transaction whose check is that the number is still the last.
    async fn in_turn(&self, number: u64, transaction: Transaction) -> Result<(), PublishError> {
        match self.table.transact(transaction).await {
            Ok(()) => Ok(()),
            Err(TransactError::Table(error)) => Err(error.into()),
            Err(TransactError::Cancelled(_)) => Err(PublishError::Overtaken { number }),
        }
    }
}

fn check_rows(rows: &[PublishedRow]) -> Result<(), PublishError> {
    if !(1..=PUBLISHED_ROWS).contains(&rows.len()) {
        return Err(PublishError::Rows(rows.len()));
    }
    let mut seen = BTreeSet::new();
    for (index, PublishedRow { token, push }) in rows.iter().enumerate() {
        if !seen.insert(token) {
            return Err(PublishError::Twice { index, token: token.clone() });
        }
        let size = push.as_ref().map_or(1, String::len);
        if !(1..=PUBLISHED_PUSH_MAX).contains(&size) {
            return Err(PublishError::PushSize { index, size });
        }
    }
    Ok(())
}
