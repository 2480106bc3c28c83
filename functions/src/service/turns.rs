//! What the scheduled job did last: of all manifests, where it goes on, and of each manifest what its runner should know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, Denied, DuePosition, Service};
use crate::name::{ManifestName, TokenName, UserName};
use crate::table::{Condition, Item, Range, TableError, Update, decode, encode, keys};
use crate::token::TokenKey;

/// How many troubles of a manifest are kept: a record stays small.
pub const TROUBLES_KEPT: usize = 20;
/// The longest reason and the longest hint that are kept, in characters.
const TEXT_MAX: usize = 300;

/// The last turn of the job over everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When it ended.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// Who ran it.
    pub by: String,
    /// How many tokens were due; not `due`, which is an attribute of an index.
    pub tokens_due: u32,
    /// How many of them were brought in sync.
    pub done: u32,
    /// How many could not be.
    pub failed: u32,
    /// Since when the token is due that is due longest and was not brought in sync.
    #[serde(default, with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub oldest: Option<Timestamp>,
    /// It was stopped before it was through: the next one goes on.
    pub stopped: bool,
    /// The shard of the index in which the next one begins, as what was due there was not gone through.
    #[serde(default)]
    pub due_from: u8,
    /// By which rules the rows of the index are written, once all of them are: see [`super::DUE_RULES`].
    #[serde(default)]
    pub due_rules: u32,
    /// Until then, where the next one goes on to write them.
    #[serde(default)]
    pub due_rows: Option<DuePosition>,
    /// Where it looks for drift next; from the beginning when `None`.
    #[serde(default)]
    pub drift: Option<DriftPosition>,
}

/// Where the job looks for drift next: after this token of a manifest, and in the manifests after that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftPosition {
    /// The manifest.
    pub manifest: ManifestName,
    /// The last token that was looked at; all of them were when `None`.
    #[serde(default)]
    pub after: Option<TokenKey>,
}

/// The last turn of the job in which it had to do with a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "ManifestTurn"))]
pub struct ManifestTurn {
    /// When it ended.
    pub at: Timestamp,
    /// How many tokens were brought in sync.
    pub done: u32,
    /// How many of them have a new version.
    pub rotated: u32,
    /// How many rotations wait for a window, or for a later run.
    pub waiting: u32,
    /// What could not be done, and what was left to others: the first 20.
    pub troubles: Vec<TurnTrouble>,
    /// How many more there were.
    pub more: u32,
}

impl ManifestTurn {
    /// This part of a turn and a later one: of a token that both had trouble with the later one counts.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.troubles.retain(|trouble| later.troubles.iter().all(|other| other.key() != trouble.key()));
        self.troubles.extend(later.troubles);
        Self {
            at: later.at,
            done: self.done.saturating_add(later.done),
            rotated: self.rotated.saturating_add(later.rotated),
            waiting: self.waiting.saturating_add(later.waiting),
            troubles: self.troubles,
            more: self.more.saturating_add(later.more),
        }
    }
}

/// A token that the job could not bring in sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "TurnTrouble"))]
pub struct TurnTrouble {
    /// Whose.
    pub user: UserName,
    /// Which.
    pub name: TokenName,
    /// It is not the job's to do: it was left alone.
    pub skipped: bool,
    /// Why.
    pub reason: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl TurnTrouble {
    /// The token by name.
    pub fn key(&self) -> TokenKey {
        TokenKey::new(self.user.clone(), self.name.clone())
    }
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

impl Service {
    /// Notes a turn of the job; only its operator does.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn note_turn(&self, turn: &Turn) -> Result<(), TableError> {
        self.overwrite(&keys::turn(), encode(turn)?).await
    }

    /// The last turn of the job; `None` when there has been none.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn last_turn(&self) -> Result<Option<Turn>, TableError> {
        self.table.get(&keys::turn()).await?.map(decode).transpose()
    }

    /// Notes what a turn did with a manifest: of many troubles the first.
    ///
    /// # Errors
    /// When the caller does not run the manifest, or the table cannot be written.
    pub async fn note_manifest_turn(
        &self,
        caller: &Caller,
        manifest: &ManifestName,
        turn: &ManifestTurn,
    ) -> Result<(), NoteTurnError> {
        caller.must_run(manifest)?;
        let mut kept = turn.clone();
        let more = kept.troubles.len().saturating_sub(TROUBLES_KEPT);
        kept.troubles.truncate(TROUBLES_KEPT);
        kept.more = kept.more.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        for trouble in &mut kept.troubles {
            trouble.reason = cut(&trouble.reason);
            trouble.hint = trouble.hint.as_deref().map(cut);
        }
        Ok(self.overwrite(&keys::manifest_turn(manifest), encode(&kept)?).await?)
    }

    /// What the job did with a manifest last; `None` when it never had to do with it.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn manifest_turn(&self, manifest: &ManifestName) -> Result<Option<ManifestTurn>, TableError> {
        self.table.get(&keys::manifest_turn(manifest)).await?.map(decode).transpose()
    }

    async fn overwrite(&self, key: &keys::Key, fields: Item) -> Result<(), TableError> {
        let mut update = Update::default();
        for (name, value) in fields {
            update.set(name.as_str(), value);
        }
        self.table.update(key, &update, &Condition::Always).await.map(drop)
    }

    /// The names of manifests, in order, at most `limit` from after `after`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn manifest_names(
        &self,
        limit: i32,
        after: Option<&ManifestName>,
    ) -> Result<Vec<ManifestName>, TableError> {
        let mut range = Range::of(keys::LISTS.to_owned(), Some(keys::LISTED_MANIFEST));
        range.limit = Some(limit);
        range.start = after.map(|after| keys::manifest_in_list(after).item());
        let page = self.table.query(&range).await?;
        Ok(page.items.iter().filter_map(|item| keys::listed_manifest(&keys::Key::of(item)?)).collect())
    }
}

/// Why a turn was not noted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteTurnError {
    /// The caller does not run the manifest.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}
