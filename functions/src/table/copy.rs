//! Copying a whole table into another: between embedded and AWS, as a backup and back. The only place that scans.
//!
//! The target is empty at first and gets a mark that says what is copied into it. While the mark says so, nobody uses
//! the target, and whatever differs from the source is made like it: a copy that was cut short goes on by doing the
//! same again. When a whole pass finds no difference, the mark is set to done, and from then on nothing is ever written
//! there by a copy: an older record could bring a dead secret back to life.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::engine::Plain;
use super::keys::Key;
use super::{Condition, Item, RETRY_FOR, Table, TableError, Update, Value, count, number, text};

/// How often all is compared before a source that keeps changing is given up.
const PASSES: usize = 4;
/// How many items one read compares, and one request writes.
const READ: usize = 100;
const WRITE: usize = 25;

/// What the two tables of a copy are called: the same in every run, as the mark holds it.
#[derive(Debug, Clone, Copy)]
pub struct CopyNames<'a> {
    /// The one that is copied.
    pub source: &'a str,
    /// The one that becomes its copy.
    pub target: &'a str,
}

/// What a copy has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// How many items the source contains, and so does the target.
    pub items: u64,
    /// How many of which kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How many were written by this run.
    pub written: u64,
    /// How many were removed, as the source has dropped them since an earlier run.
    pub removed: u64,
    /// Whether it went on with an earlier run.
    pub resumed: bool,
}

/// Why a table was not copied, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target contains a service of its own.
    #[error("`{0}` already contains a service")]
    Foreign(String),
    /// The target is another source's copy.
    #[error("`{target}` is already an unfinished copy of `{source_name}`")]
    OtherSource {
        /// The target.
        target: String,
        /// What is copied into it.
        source_name: String,
    },
    /// The copy was done before; the target may be in use since.
    #[error("`{target}` was already copied from this service at {at:.0}, and {differing} items differ now")]
    Done {
        /// The target.
        target: String,
        /// When it was done.
        at: Timestamp,
        /// How many items differ.
        differing: u64,
    },
    /// The source is itself a copy that was cut short.
    #[error("`{0}` is an unfinished copy")]
    Unfinished(String),
    /// Somebody used the target while it was being made.
    #[error("`{target}` was used before the copy was finished: `{key}` is newer there")]
    Used {
        /// The target.
        target: String,
        /// What shows it.
        key: String,
    },
    /// The source changed during every pass.
    #[error("the service keeps changing: {0} items differed at the last comparison")]
    Changing(u64),
    /// One of the tables.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The mark of a copy.
struct Mark {
    source: String,
    done: Option<Timestamp>,
}

fn mark_key() -> Key {
    Key { pk: "C".to_owned(), sk: "C".to_owned() }
}

impl Mark {
    fn of(item: &Item) -> Option<Self> {
        let done = number(item, "done").and_then(|millis| Timestamp::from_millisecond(millis).ok());
        Some(Self { source: text(item, "source")?.to_owned(), done })
    }
}

/// What a pass found.
#[derive(Default)]
struct Pass {
    items: u64,
    kinds: BTreeMap<&'static str, u64>,
    differing: u64,
    removed: u64,
}

impl Table {
    /// Makes `target` a copy of this table, or continues it. `progress` gets the number of items that were compared.
    ///
    /// # Errors
    /// See [`CopyError`]. Nothing in this table is ever changed, and nothing in a target that was in use.
    pub async fn copy_to(
        &self,
        target: &Self,
        names: CopyNames<'_>,
        now: Timestamp,
        progress: impl Fn(u64),
    ) -> Result<Copied, CopyError> {
        if self.mark().await?.is_some_and(|mark| mark.done.is_none()) {
            return Err(CopyError::Unfinished(names.source.to_owned()));
        }
        let target_name = || names.target.to_owned();
        let mut copied = Copied::default();
        match target.mark().await? {
            None => {
                if !target.is_empty().await? {
                    return Err(CopyError::Foreign(target_name()));
                }
                target.set_mark(names.source, None).await?;
            }
            Some(mark) if mark.source != names.source => {
                return Err(CopyError::OtherSource { target: target_name(), source_name: mark.source });
            }
            Some(Mark { done: Some(at), .. }) => {
                let found = self.pass(target, &target_name(), false, &progress).await?;
                let differing = found.differing + found.removed;
                return Err(CopyError::Done { target: target_name(), at, differing });
            }
            Some(_) => copied.resumed = true,
        }
        let mut left = 0;
        for _ in 0..PASSES {
            let found = self.pass(target, &target_name(), true, &progress).await?;
            copied.written += found.differing;
            copied.removed += found.removed;
            left = found.differing + found.removed;
            if left == 0 {
                // The counts agree too: no item of one is missing in the other.
                (copied.items, copied.kinds) = (found.items, found.kinds);
                target.set_mark(names.source, Some(now)).await?;
                return Ok(copied);
            }
        }
        Err(CopyError::Changing(left))
    }

    async fn mark(&self) -> Result<Option<Mark>, TableError> {
        Ok(self.get(&mark_key()).await?.as_ref().and_then(Mark::of))
    }

    async fn set_mark(&self, source: &str, done: Option<Timestamp>) -> Result<(), CopyError> {
        let mut update = Update::default();
        let source_value = Value::S(source.to_owned());
        update.set("source", source_value.clone());
        if let Some(done) = done {
            update.set("done", count(done.as_millisecond()));
        }
        let condition = Condition::absent("source").or(Condition::is("source", source_value));
        if self.update(&mark_key(), &update, &condition).await? {
            return Ok(());
        }
        let source_name = self.mark().await?.map_or_else(String::new, |mark| mark.source);
        Err(CopyError::OtherSource { target: self.name().to_owned(), source_name })
    }

    async fn is_empty(&self) -> Result<bool, TableError> {
        Ok(self.page_of_all(None, Some(1)).await?.0.is_empty())
    }

    /// Goes over all items once. With `write`, what differs is made like the source.
    async fn pass(
        &self,
        target: &Self,
        target_name: &str,
        write: bool,
        progress: &impl Fn(u64),
    ) -> Result<Pass, CopyError> {
        let mut pass = Pass::default();
        let mut start = None;
        loop {
            let (items, next) = self.page_of_all(start, None).await?;
            let items: Vec<Item> = items.into_iter().filter(|item| Key::of(item) != Some(mark_key())).collect();
            for items in items.chunks(READ) {
                let keys: Vec<Key> = items.iter().filter_map(Key::of).collect();
                let held = by_key(target.get_many(&keys).await?);
                let differs = |item: &&Item| Key::of(item).is_none_or(|key| held.get(&key) != Some(*item));
                let differing: Vec<&Item> = items.iter().filter(differs).collect();
                if write {
                    for item in &differing {
                        refuse_newer(item, &held, target_name)?;
                    }
                    let items = differing.iter().map(|item| Plain::Put((*item).clone()));
                    target.write_items(items.collect()).await?;
                }
                pass.differing += differing.len() as u64;
                pass.items += items.len() as u64;
                for key in &keys {
                    *pass.kinds.entry(kind(key)).or_default() += 1;
                }
                progress(pass.items);
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        self.drop_extra(target, target_name, write, &mut pass).await?;
        Ok(pass)
    }

    /// Removes what only the target has: the source has dropped it since an earlier run.
    async fn drop_extra(
        &self,
        target: &Self,
        target_name: &str,
        write: bool,
        pass: &mut Pass,
    ) -> Result<(), CopyError> {
        let mut start = None;
        loop {
            let (items, next) = target.page_of_all(start, None).await?;
            let keys: Vec<Key> = items.iter().filter_map(Key::of).filter(|key| *key != mark_key()).collect();
            for keys in keys.chunks(READ) {
                let held = by_key(self.get_many(keys).await?);
                let extra: Vec<&Key> = keys.iter().filter(|key| !held.contains_key(*key)).collect();
                pass.removed += extra.len() as u64;
                if write {
                    // What a check reads stays for ever, as a tombstone: one that the source lacks was created there.
                    // So does the record of a token that was deleted there.
                    let made_there = |key: &&&Key| key.pk.starts_with("K#") || key.sk.starts_with(super::keys::ENDED);
                    if let Some(key) = extra.iter().find(made_there) {
                        return Err(CopyError::Used { target: target_name.to_owned(), key: key.pk.clone() });
                    }
                    let keys = extra.into_iter().map(|key| Plain::Delete(key.clone()));
                    target.write_items(keys.collect()).await?;
                }
            }
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn page_of_all(
        &self,
        start: Option<Item>,
        limit: Option<i32>,
    ) -> Result<(Vec<Item>, Option<Item>), TableError> {
        let page = self.retry(|| self.engine.scan(start.clone(), limit)).await?;
        Ok((page.items, page.next))
    }

    async fn write_items(&self, writes: Vec<Plain>) -> Result<(), TableError> {
        for chunk in writes.chunks(WRITE) {
            let mut wanted = chunk.to_vec();
            let mut attempt = 0;
            let deadline = tokio::time::Instant::now() + RETRY_FOR;
            while !wanted.is_empty() {
                wanted = self.retry(|| self.engine.write(wanted.clone())).await?;
                if !wanted.is_empty() {
                    self.pause(attempt, deadline, "items were left unprocessed").await?;
                    attempt += 1;
                }
            }
        }
        Ok(())
    }
}

fn by_key(items: Vec<Item>) -> HashMap<Key, Item> {
    items.into_iter().filter_map(|item| Some((Key::of(&item)?, item))).collect()
}

/// A record that was changed more often in the target was changed there.
fn refuse_newer(item: &Item, held: &HashMap<Key, Item>, target: &str) -> Result<(), CopyError> {
    let Some(key) = Key::of(item) else { return Ok(()) };
    let revision = |item: &Item| number::<u64>(item, "revision");
    let newer = held.get(&key).and_then(revision) > revision(item);
    // A tombstone that would come back to life: the token was deleted there.
    let ended = |item: &Item| item.contains_key("ended");
    if key.pk.starts_with("K#") && held.get(&key).is_some_and(ended) && !ended(item) {
        return Err(CopyError::Used { target: target.to_owned(), key: key.pk });
    }
    // A name that was used again begins anew, with another id.
    let same = held.get(&key).is_some_and(|held| held.get("id") == item.get("id"));
    if newer && same {
        return Err(CopyError::Used { target: target.to_owned(), key: format!("{} {}", key.pk, key.sk) });
    }
    Ok(())
}

/// What an item is, in words.
fn kind(key: &Key) -> &'static str {
    match (key.pk.split('#').next().unwrap_or_default(), key.sk.as_str()) {
        ("U", "U") => "users",
        ("U", sk) if sk.starts_with(super::keys::ACTIVE) => "tokens",
        ("U", _) => "ended tokens",
        ("R", _) => "roles",
        ("E", _) => "events",
        ("Y", _) => "days of use",
        ("M", "M") => "manifests",
        _ => "others",
    }
}
