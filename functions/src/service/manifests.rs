//! Manifests: what a plan needs about their tokens.

use serde::{Deserialize, Serialize};

use super::verify::Verification;
use super::{Caller, Event, RACES, Service};
use crate::name::{ManifestName, TokenName, UserName};
use crate::secret::{Fingerprint, TokenId};
use crate::table::keys::{self, Key};
use crate::table::{Put, Range, TableError, TransactError, Transaction, Write, decode, decode_token, encode, with_key};
use crate::token::Token;

/// What the service knows of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// Its name.
    pub name: ManifestName,
    /// The highest revision that was applied, where the applier gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// Counts changes.
    pub revision: u64,
}

/// Where a token id comes from, told also after the token ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is or was.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// The manifest that declares or declared it.
    pub managed_by: Option<ManifestName>,
    /// Whether it has ended.
    pub ended: bool,
    /// Of an ended token, the fingerprints that were its.
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
        let hints = self.table.query_all(range).await?;
        let keys: Vec<Key> = hints.iter().filter_map(Key::of).collect();
        let items = self.table.get_many(&keys).await?;
        let tokens: Result<Vec<Token>, _> = items.into_iter().map(decode_token).collect();
        let mut tokens = tokens?;
        tokens.retain(|token| token.managed_by.as_ref() == Some(manifest) && token.ended.is_none());
        tokens.sort_by(|one, other| (&one.user, &one.name).cmp(&(&other.user, &other.name)));
        Ok(tokens)
    }

    /// Tokens by user and name, whoever manages them; those that do not exist are missing.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn holders(&self, wanted: &[(UserName, TokenName)]) -> Result<Vec<Token>, TableError> {
        let keys: Vec<Key> = wanted.iter().map(|(user, name)| keys::token(user, name)).collect();
        self.table.get_many(&keys).await?.into_iter().map(decode_token).collect()
    }

    /// Where token ids come from; unknown ones are missing.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn origins(&self, ids: &[TokenId]) -> Result<Vec<(TokenId, Origin)>, TableError> {
        let keys: Vec<Key> = ids.iter().map(keys::verification).collect();
        let items = self.table.get_many(&keys).await?;
        let mut origins = Vec::new();
        for item in items {
            let id = Key::of(&item).and_then(|key| key.pk.strip_prefix("K#")?.parse().ok());
            let verification: Verification = decode(item)?;
            let origin = Origin {
                user: verification.user,
                name: verification.name,
                managed_by: verification.managed_by,
                ended: verification.ended.is_some(),
                fingerprints: verification.fingerprints,
            };
            origins.extend(id.map(|id| (id, origin)));
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

    /// Notes that a revision of a manifest is about to be applied; never goes back.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn note_applied(
        &self,
        caller: &Caller,
        name: &ManifestName,
        applied: Option<u64>,
    ) -> Result<(), TableError> {
        for race in 0..RACES {
            if self.note_applied_once(caller, name, applied).await? {
                return Ok(());
            }
            self.table.breathe(race).await?;
        }
        Err(TableError::Busy("others apply the same manifest".to_owned()))
    }

    /// False when another run was faster: perhaps with a lower revision.
    async fn note_applied_once(
        &self,
        caller: &Caller,
        name: &ManifestName,
        applied: Option<u64>,
    ) -> Result<bool, TableError> {
        let old = self.manifest(name).await?;
        if old.as_ref().is_some_and(|old| old.applied >= applied) {
            return Ok(true);
        }
        let revision = old.as_ref().map_or(0, |old| old.revision) + 1;
        let new = ManifestRecord { name: name.clone(), applied, revision };
        let mut transaction = Transaction::default();
        match &old {
            None => {
                let item = with_key(encode(&new)?, &keys::manifest(name));
                transaction.add(Write::Put { item, how: Put::New });
                let item = keys::manifest_in_list(name).item();
                transaction.add(Write::Put { item, how: Put::Over });
            }
            Some(old) => {
                let write = Write::change(keys::manifest(name), &encode(old)?, &encode(&new)?, old.revision);
                write.map(|write| transaction.add(write));
            }
        }
        let detail = applied.map_or_else(|| format!("{name}"), |applied| format!("{name} at revision {applied}"));
        let event = Event::on_role(caller, "manifest.apply", &detail, self.now());
        transaction.add(self.event(&event)?);
        match self.table.transact(transaction).await {
            Ok(()) => Ok(true),
            Err(TransactError::Cancelled(_)) => Ok(false),
            Err(TransactError::Table(error)) => Err(error),
        }
    }
}
