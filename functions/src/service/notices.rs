//! The queue of notices.
//!
//! A notice is the event that it tells of: while some receiver still has to take it, the event's row is in the index
//! `due`, in partitions of its own, at the instant of its next try. It enters the index in the transaction of the change,
//! so that none is lost, and leaves it by the same row.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Service};
use crate::name::ManifestName;
use crate::notice::{Next, Notice, NoticeKind, Waiting};
use crate::table::keys::{self, Key};
use crate::table::{Condition, Item, Range, TableError, Update, Value, count, decode, encode, text};
use crate::token::{Token, TokenKey};

/// The attribute that counts tries.
const TRIES: &str = "tries";
/// The attribute that names the receivers which took it.
const TAKEN: &str = "taken";

/// What an event's row contains beside the event, where it is a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct News {
    kind: NoticeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<ManifestName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    expires: Option<Timestamp>,
}

/// How far it is.
#[derive(Debug, Deserialize)]
struct Progress {
    #[serde(default)]
    tries: u32,
    #[serde(default)]
    taken: BTreeSet<String>,
    due_at: String,
}

impl News {
    /// News of a token as it is after the change.
    pub(super) fn of(kind: NoticeKind, token: &Token, version: Option<u32>) -> Self {
        let live = version.and_then(|number| token.version(number));
        let expires = live.map(|version| token.deadline(version));
        Self { kind, manifest: token.managed_by.clone(), version, expires }
    }

    /// News of a use of a token's version, whose record nobody reads for it.
    pub(super) fn of_use(manifest: Option<ManifestName>, version: u32, expires: Timestamp) -> Self {
        Self { kind: NoticeKind::UsedFromNewAddress, manifest, version: Some(version), expires: Some(expires) }
    }

    /// The attributes that queue it, to be tried at once.
    pub(super) fn queued(&self, ulid: &str, at: Timestamp) -> Result<Item, TableError> {
        let mut item = encode(self)?;
        let partition = keys::notice_partition(keys::notice_shard(ulid));
        item.insert(keys::DUE_PK.to_owned(), Value::S(partition));
        item.insert(keys::DUE_SK.to_owned(), Value::S(keys::due_at(at)));
        Ok(item)
    }
}

/// The key of a notice's row.
fn row(notice: &Notice) -> Key {
    keys::event(notice.token.user.as_str(), notice.at, &notice.id)
}

/// A row as the notice that waits; `None` when it waits no longer.
fn waiting(item: Item) -> Result<Option<Waiting>, TableError> {
    let broken = || TableError::Codec("a notice without its token".to_owned());
    if !item.contains_key(keys::DUE_SK) {
        return Ok(None);
    }
    let id = Key::of(&item).ok_or_else(broken)?.sk;
    let news: News = decode(item.clone())?;
    let progress: Progress = decode(item.clone())?;
    let next = keys::due_instant(&progress.due_at).ok_or_else(broken)?;
    let event = Event::from_item(item)?;
    let (Some(name), Some(token_id)) = (event.token, event.id) else { return Err(broken()) };
    let user = event.user.parse().map_err(|_| broken())?;
    let notice = Notice {
        id,
        kind: news.kind,
        at: event.at,
        actor: event.actor,
        from: event.from,
        token: TokenKey::new(user, name),
        token_id,
        manifest: news.manifest,
        version: news.version,
        expires: news.expires,
        detail: event.detail,
    };
    Ok(Some(Waiting { notice, tries: progress.tries, taken: progress.taken, next }))
}

impl Service {
    /// Notices whose next try is at or before `until`, those that wait longest first, at most `limit`. The index is a
    /// hint: the rows are read consistently, and one that this version cannot read is passed over, so that it holds up
    /// no other.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn notices(&self, until: Timestamp, limit: usize) -> Result<Vec<Waiting>, TableError> {
        self.waiting((0..keys::NOTICE_SHARDS).map(keys::notice_partition).collect(), until, limit).await
    }

    /// The same of those that wait for whoever has the file of a manifest.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn notices_with_file(
        &self,
        manifest: &ManifestName,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Waiting>, TableError> {
        self.waiting(vec![keys::held_partition(manifest)], until, limit).await
    }

    async fn waiting(
        &self,
        partitions: Vec<String>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Waiting>, TableError> {
        let mut hints: Vec<(String, Key)> = Vec::new();
        for partition in &partitions {
            let mut range = Range::of(partition.clone(), None);
            range.index = Some(keys::DUE);
            range.up_to = Some(keys::due_at(until));
            range.limit = Some(i32::try_from(limit.max(1)).unwrap_or(i32::MAX));
            let page = self.table.query(&range).await?;
            hints
                .extend(page.items.iter().filter_map(|row| Some((text(row, keys::DUE_SK)?.to_owned(), Key::of(row)?))));
        }
        hints.sort_by(|(one, left), (other, right)| (one, &left.sk).cmp(&(other, &right.sk)));
        hints.truncate(limit);
        let found: Vec<Key> = hints.into_iter().map(|(_, key)| key).collect();
        let mut notices = Vec::with_capacity(found.len());
        for item in self.table.get_many(&found).await? {
            // The index lags: one that waits elsewhere by now is not this caller's.
            let is_in = |held: &str| partitions.iter().any(|partition| partition == held);
            if !text(&item, keys::DUE_PK).is_some_and(is_in) {
                continue;
            }
            match waiting(item) {
                Ok(found) => notices.extend(found.filter(|waiting| waiting.next <= until)),
                Err(error) => tracing::warn!(%error, "a notice cannot be read"),
            }
        }
        notices.sort_by(|one, other| (one.next, &one.notice.id).cmp(&(other.next, &other.notice.id)));
        Ok(notices)
    }

    /// Claims a notice until an instant, at which it is tried again unless it was settled before. False when somebody
    /// else has it, or it waits no longer. The claim is the new [`Waiting::next`].
    ///
    /// # Errors
    /// When the table cannot be written. It may be claimed all the same; then it waits until the claim is over.
    pub async fn claim_notice(&self, waiting: &Waiting, until: Timestamp) -> Result<bool, TableError> {
        let mut update = Update::default();
        update.set(keys::DUE_SK, Value::S(keys::due_at(until)));
        self.update_notice(waiting, &update).await
    }

    /// Notes who took a notice, whether somebody was asked who did not, which makes it a try, and what comes of it. Nothing
    /// is noted where the claim, which is [`Waiting::next`], is no longer ours.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn settle_notice(
        &self,
        waiting: &Waiting,
        (taken, has_failed): (&BTreeSet<String>, bool),
        next: &Next,
    ) -> Result<(), TableError> {
        let mut update = Update::default();
        if has_failed {
            update.set(TRIES, count(waiting.tries.saturating_add(1)));
        }
        update.add_to_set(TAKEN, taken.iter().cloned());
        match next {
            Next::At(next) => update.set(keys::DUE_SK, Value::S(keys::due_at(*next))),
            Next::WithFile(manifest) => {
                update.set(keys::DUE_PK, Value::S(keys::held_partition(manifest)));
                update.set(keys::DUE_SK, Value::S(keys::due_at(self.now())));
            }
            Next::Done => {
                update.remove(keys::DUE_PK);
                update.remove(keys::DUE_SK);
            }
        }
        self.update_notice(waiting, &update).await.map(drop)
    }

    /// Changes the row of a notice if its next try is still what was read.
    async fn update_notice(&self, waiting: &Waiting, update: &Update) -> Result<bool, TableError> {
        let unchanged = Condition::is(keys::DUE_SK, Value::S(keys::due_at(waiting.next)));
        self.table.update(&row(&waiting.notice), update, &unchanged).await
    }
}
