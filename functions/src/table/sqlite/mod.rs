//! The engine where there is no AWS: `SQLite` in this process, on one file or in memory.
//!
//! Reads run in the caller's thread, each on a connection of its own, and wait for no writer (WAL). One thread writes: it
//! takes all that is queued, runs each request in a savepoint and commits once, so that one sync serves many, and
//! nothing is answered before that commit returned (`synchronous = EXTRA`, which with a log is `FULL`).

mod failure;
mod file;
mod former;
mod ownership;
mod read;
mod schema;
mod write;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::condition::Condition;
use super::counters::Counters;
use super::engine::{Answer, Consistency, Engine, Failure, Many, Page, Plain, Range, Write};
use super::item::Item;
use super::keys::Key;
use super::update::Update;
use crate::clock::Clock;
use crate::mutex::Mutex;
pub use file::OpenError;
use file::{File, Readers};
pub use former::Former;
pub use ownership::{Danger, files_of};
use writer::{Work, Writer};

/// A table in `SQLite`. It is closed when it is dropped, after what is under way.
#[derive(Debug)]
pub struct Sqlite {
    name: String,
    counters: Counters,
    readers: Readers,
    writer: Writer,
}

impl Sqlite {
    /// Opens the table in a file, and makes both where there are none. By the clock rows go whose time has come.
    ///
    /// # Errors
    /// See [`OpenError`]. What is something else is not changed.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (file, connection) = File::claim(path)?;
        let writer = Writer::on_file((file.clone(), connection), clock)?;
        let name = path.display().to_string();
        Ok(Self { name, counters: Counters::default(), readers: Readers::of(file), writer })
    }

    /// A table in memory, gone with this.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn memory(clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let connection = file::in_memory()?;
        let connection = Arc::new(Mutex::new(connection));
        let writer = Writer::inline(connection.clone(), clock);
        Ok(Self {
            name: ":memory:".to_owned(),
            counters: Counters::default(),
            readers: Readers::One(connection),
            writer,
        })
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let answer = self.readers.with(read);
        self.counters.note(0.0, 0.0);
        answer
    }

    async fn written(&self, work: Work) -> Result<writer::Done, Failure> {
        let answer = self.writer.write(work).await;
        self.counters.note(0.0, 0.0);
        answer
    }
}

/// An answer that is there already.
fn at_once<'a, T: Send + 'a>(answer: Result<T, Failure>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Engine for Sqlite {
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
        // It was made when it was opened.
        at_once(Ok(()))
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        at_once(self.read(|connection| read::get(connection, key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], _: Consistency) -> Answer<'a, Many> {
        at_once(self.read(|connection| {
            let found = keys.iter().map(|key| read::get(connection, key)).collect::<Result<Vec<_>, _>>()?;
            Ok(Many { items: found.into_iter().flatten().collect(), left: Vec::new() })
        }))
    }

    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page> {
        at_once(self.read(|connection| read::query(connection, range)))
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        at_once(self.read(|connection| read::scan(connection, start.as_ref(), limit)))
    }

    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item> {
        Box::pin(async move {
            let work = Work::Update { key: key.clone(), update: update.clone(), condition: condition.clone() };
            Ok(self.written(work).await?.changed)
        })
    }

    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()> {
        Box::pin(async move {
            let work = Work::Transact { request: request.to_owned(), writes: writes.to_vec() };
            self.written(work).await.map(drop)
        })
    }

    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        Box::pin(async move { self.written(Work::Plain(writes)).await.map(|_| Vec::new()) })
    }
}
