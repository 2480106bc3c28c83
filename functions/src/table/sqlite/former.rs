//! A file as versions before this one wrote it, by the emulator of `DynamoDB` that they contained: only to be copied.
//!
//! Its items are in a table of their own, in the JSON that is stored here too. For one release.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::failure::{failure, unreadable, words};
use super::file::OpenError;
use crate::mutex::Mutex;
use crate::table::TableError;
use crate::table::condition::Condition;
use crate::table::counters::Counters;
use crate::table::engine::{Answer, Consistency, Engine, Failure, Many, Page, Plain, Range, Write};
use crate::table::item::Item;
use crate::table::keys::Key;
use crate::table::update::Update;

/// A table of the older form, which is never changed.
#[derive(Debug)]
pub struct Former {
    name: String,
    items: String,
    counters: Counters,
    connection: Mutex<Connection>,
}

/// A key as its columns have it: with its type.
fn typed(text: &str) -> String {
    format!("S:{text}")
}

/// How many items a page has.
const PAGE: i64 = 500;

impl Former {
    /// Opens one.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let engine = |error: rusqlite::Error| OpenError::Engine { path: path.to_owned(), reason: words(&error) };
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(engine)?;
        let items: Option<String> = connection
            .query_row(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%item_json%' \
                 AND name NOT LIKE '%::gsi::%' ORDER BY length(name) LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(engine)?;
        let items = items.ok_or_else(|| OpenError::Foreign {
            path: path.to_owned(),
            reason: "it has no items of an older form".to_owned(),
        })?;
        let items = format!("\"{}\"", items.replace('"', "\"\""));
        let name = path.display().to_string();
        Ok(Self { name, items, counters: Counters::default(), connection: Mutex::new(connection) })
    }

    fn one(&self, key: &Key) -> Result<Option<Item>, Failure> {
        let sql = format!("SELECT item_json FROM {} WHERE pk = ?1 AND sk = ?2", self.items);
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&sql).map_err(failure)?;
        let found: Option<String> = statement
            .query_row(params![typed(&key.pk), typed(&key.sk)], |row| row.get(0))
            .optional()
            .map_err(failure)?;
        found.map(|json| serde_json::from_str(&json).map_err(unreadable)).transpose()
    }

    fn page(&self, start: Option<&Item>, limit: Option<i32>) -> Result<Page, Failure> {
        let start = start.and_then(Key::of).map_or_else(Default::default, |key| (typed(&key.pk), typed(&key.sk)));
        let most = limit.map_or(PAGE, i64::from).min(PAGE);
        let sql = format!("SELECT item_json FROM {} WHERE (pk, sk) > (?1, ?2) ORDER BY pk, sk LIMIT ?3", self.items);
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&sql).map_err(failure)?;
        let rows =
            statement.query_map(params![start.0, start.1, most], |row| row.get::<_, String>(0)).map_err(failure)?;
        let rows: Vec<String> = rows.collect::<rusqlite::Result<_>>().map_err(failure)?;
        let items: Vec<Item> =
            rows.iter().map(|json| serde_json::from_str(json).map_err(unreadable)).collect::<Result<_, _>>()?;
        let next = items.last().and_then(Key::of).map(|key| key.item());
        Ok(Page { items, next })
    }

    fn refused<'a, T: Send + 'a>() -> Answer<'a, T> {
        let why = "a table of an older form is only copied: `provision copy` makes one of this form".to_owned();
        super::at_once(Err(TableError::Storage(why).into()))
    }
}

impl Engine for Former {
    fn name(&self) -> &str {
        &self.name
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn has_conflicts(&self) -> bool {
        false
    }

    fn create(&self) -> Answer<'_, ()> {
        Self::refused()
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        super::at_once(self.one(key))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], _: Consistency) -> Answer<'a, Many> {
        let found = keys.iter().map(|key| self.one(key)).collect::<Result<Vec<_>, _>>();
        super::at_once(found.map(|found| Many { items: found.into_iter().flatten().collect(), left: Vec::new() }))
    }

    fn query<'a>(&'a self, _: &'a Range<'a>) -> Answer<'a, Page> {
        Self::refused()
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        super::at_once(self.page(start.as_ref(), limit))
    }

    fn update<'a>(&'a self, _: &'a Key, _: &'a Update, _: &'a Condition) -> Answer<'a, Item> {
        Self::refused()
    }

    fn transact<'a>(&'a self, _: &'a str, _: &'a [Write]) -> Answer<'a, ()> {
        Self::refused()
    }

    fn write(&self, _: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        Self::refused()
    }
}
