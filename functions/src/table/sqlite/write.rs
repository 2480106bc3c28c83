//! Writing items, with their rows in the indexes. All within a transaction that the writer has begun.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, params};

use super::failure::failure;
use super::read::{get, stored};
use super::writer::{Done, Work};
use crate::table::TableError;
use crate::table::condition::Path;
use crate::table::engine::{Failure, Plain, Write};
use crate::table::item::{ITEM_MAX, Item, Value, count, number, size, text};
use crate::table::keys::{DUE_PK, DUE_SK, Key, MANAGED_PK};
use crate::table::update::{Change, Update};

/// The attribute by which items go.
const TTL: &str = "ttl";
/// How many writes one transaction has at the most, as `DynamoDB` has it.
const WRITES_MAX: usize = 100;

/// Does what one request asks for.
pub(super) fn work(connection: &Connection, work: &Work) -> Result<Done, Failure> {
    match work {
        Work::Update { key, update, condition } => {
            let old = get(connection, key)?;
            if !condition.holds(old.as_ref()) {
                return Err(Failure::Condition);
            }
            let new = changed(key, old.as_ref(), update)?;
            replace(connection, key, old.as_ref(), Some(&new))?;
            Ok(Done { changed: returned(update, &new) })
        }
        Work::Transact { writes, .. } => transact(connection, writes),
        Work::Plain(writes) => {
            for write in writes {
                let (key, new) = match write {
                    Plain::Put(item) => (key_of(item)?, Some(item)),
                    Plain::Delete(key) => (key.clone(), None),
                };
                let old = get(connection, &key)?;
                replace(connection, &key, old.as_ref(), new)?;
            }
            Ok(Done::default())
        }
    }
}

fn transact(connection: &Connection, writes: &[Write]) -> Result<Done, Failure> {
    if writes.len() > WRITES_MAX {
        return Err(invalid(format!("a transaction has at most {WRITES_MAX} writes, not {}", writes.len())));
    }
    let mut seen = BTreeSet::new();
    let mut failed = Vec::new();
    let mut changes = Vec::with_capacity(writes.len());
    for (index, write) in writes.iter().enumerate() {
        let (key, condition) = match write {
            Write::Put { item, condition } => (key_of(item)?, condition),
            Write::Update { key, condition, .. }
            | Write::Delete { key, condition }
            | Write::Check { key, condition } => (key.clone(), condition),
        };
        if !seen.insert((key.pk.clone(), key.sk.clone())) {
            return Err(invalid("a transaction has two writes of one item".to_owned()));
        }
        let old = get(connection, &key)?;
        if condition.holds(old.as_ref()) {
            changes.push((key, old, write));
        } else {
            failed.push(index);
        }
    }
    if !failed.is_empty() {
        return Err(Failure::Cancelled(failed));
    }
    for (key, old, write) in changes {
        match write {
            Write::Put { item, .. } => replace(connection, &key, old.as_ref(), Some(item))?,
            Write::Update { update, .. } => {
                let new = changed(&key, old.as_ref(), update)?;
                replace(connection, &key, old.as_ref(), Some(&new))?;
            }
            Write::Delete { .. } => replace(connection, &key, old.as_ref(), None)?,
            Write::Check { .. } => {}
        }
    }
    Ok(Done::default())
}

fn key_of(item: &Item) -> Result<Key, Failure> {
    Key::of(item).ok_or_else(|| invalid("an item without its key".to_owned()))
}

fn invalid(why: String) -> Failure {
    TableError::Invalid(why).into()
}

/// An item after an update: each change from what was there before.
fn changed(key: &Key, old: Option<&Item>, update: &Update) -> Result<Item, Failure> {
    let empty = Item::new();
    let old = old.unwrap_or(&empty);
    let mut new = old.clone();
    new.extend(key.item());
    for change in update.changes() {
        match change {
            Change::Set(path, value) => {
                let (map, name) = place(&mut new, path)?;
                map.insert(name, value.clone());
            }
            Change::SetIfAbsent(name, value) => {
                if !old.contains_key(name) {
                    new.insert(name.clone(), value.clone());
                }
            }
            Change::Add(name, by) => {
                let held: i128 =
                    number(old, name).ok_or_else(|| invalid(format!("there is no number `{name}` to add to")))?;
                new.insert(name.clone(), count(held + i128::from(*by)));
            }
            Change::AddToSet(name, texts) => {
                let held = match old.get(name) {
                    None => Vec::new(),
                    Some(Value::Ss(held)) => held.clone(),
                    Some(_) => return Err(invalid(format!("`{name}` is no set to add to"))),
                };
                let all: BTreeSet<String> = held.into_iter().chain(texts.iter().cloned()).collect();
                new.insert(name.clone(), Value::Ss(all.into_iter().collect()));
            }
            Change::Remove(path) => {
                let (map, name) = place(&mut new, path)?;
                map.remove(&name);
            }
        }
    }
    Ok(new)
}

/// The attributes that a path ends in, and the name among them: what is on the way must be there.
fn place<'a>(item: &'a mut Item, path: &Path) -> Result<(&'a mut Item, String), Failure> {
    let (last, way) = path.names().split_last().ok_or_else(|| invalid("a path without a name".to_owned()))?;
    let map = way.iter().try_fold(item, |map, name| match map.get_mut(name) {
        Some(Value::M(deeper)) => Ok(deeper),
        _ => Err(invalid(format!("there is nothing at `{name}` to change within"))),
    })?;
    Ok((map, last.clone()))
}

/// What an update changed, as it is now.
fn returned(update: &Update, new: &Item) -> Item {
    let mut found = Item::new();
    for change in update.changes() {
        let path = change.path();
        let Some(value) = path.of(new) else { continue };
        let mut map = &mut found;
        let Some((last, way)) = path.names().split_last() else { continue };
        for name in way {
            let deeper = map.entry(name.clone()).or_insert_with(|| Value::M(HashMap::new()));
            let Value::M(deeper) = deeper else { return found };
            map = deeper;
        }
        map.insert(last.clone(), value.clone());
    }
    found
}

/// Puts `new` where `old` is, in the table and its indexes.
pub(super) fn replace(
    connection: &Connection,
    key: &Key,
    old: Option<&Item>,
    new: Option<&Item>,
) -> Result<(), Failure> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map_err(failure)
    };
    match new {
        Some(item) => {
            let taken = size(item);
            if taken > ITEM_MAX {
                return Err(invalid(format!("an item has at most {ITEM_MAX} bytes, not {taken}")));
            }
            let sql = "INSERT INTO items (pk, sk, item) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (pk, sk) DO UPDATE SET item = excluded.item";
            run(sql, params![key.pk, key.sk, stored(item)?])?;
        }
        None => {
            run("DELETE FROM items WHERE pk = ?1 AND sk = ?2", params![key.pk, key.sk])?;
        }
    }
    let managed = |item: Option<&Item>| item.and_then(|item| text(item, MANAGED_PK)).map(str::to_owned);
    let (was, is) = (managed(old), managed(new));
    if was != is {
        if let Some(was) = was {
            run("DELETE FROM managed WHERE managed = ?1 AND pk = ?2 AND sk = ?3", params![was, key.pk, key.sk])?;
        }
        if let Some(is) = is {
            run("INSERT INTO managed (managed, pk, sk) VALUES (?1, ?2, ?3)", params![is, key.pk, key.sk])?;
        }
    }
    let due = |item: Option<&Item>| {
        item.and_then(|item| Some((text(item, DUE_PK)?.to_owned(), text(item, DUE_SK)?.to_owned())))
    };
    let (was, is) = (due(old), due(new));
    if was != is {
        if let Some((due, at)) = was {
            let sql = "DELETE FROM due WHERE due = ?1 AND due_at = ?2 AND pk = ?3 AND sk = ?4";
            run(sql, params![due, at, key.pk, key.sk])?;
        }
        if let Some((due, at)) = is {
            let sql = "INSERT INTO due (due, due_at, pk, sk) VALUES (?1, ?2, ?3, ?4)";
            run(sql, params![due, at, key.pk, key.sk])?;
        }
    }
    let ends = |item: Option<&Item>| item.and_then(|item| number::<i64>(item, TTL));
    let (was, is) = (ends(old), ends(new));
    if was != is {
        if let Some(was) = was {
            run("DELETE FROM ending WHERE ttl = ?1 AND pk = ?2 AND sk = ?3", params![was, key.pk, key.sk])?;
        }
        if let Some(is) = is {
            run("INSERT INTO ending (ttl, pk, sk) VALUES (?1, ?2, ?3)", params![is, key.pk, key.sk])?;
        }
    }
    Ok(())
}

/// Removes some of the items whose time has come, in seconds since the epoch; whether there may be more.
pub(super) fn sweep(connection: &Connection, now: i64, most: usize) -> Result<bool, Failure> {
    let ended: Vec<Key> = {
        let sql = "SELECT pk, sk FROM ending WHERE ttl < ?1 ORDER BY ttl LIMIT ?2";
        let mut statement = connection.prepare_cached(sql).map_err(failure)?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![now, limit], |row| Ok(Key { pk: row.get(0)?, sk: row.get(1)? }))
            .map_err(failure)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failure)?
    };
    for key in &ended {
        let old = get(connection, key)?;
        replace(connection, key, old.as_ref(), None)?;
    }
    Ok(ended.len() >= most)
}
