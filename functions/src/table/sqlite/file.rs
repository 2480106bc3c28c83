//! Opening the file, and the connections to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::{failure, words};
use super::ownership::{self, Danger};
use super::schema;
use crate::mutex::Mutex;
use crate::table::TableError;
use crate::table::engine::Failure;

/// How long a connection waits for another program.
const BUSY: Duration = Duration::from_secs(2);
/// How many readers wait for work.
const IDLE: usize = 8;

/// Why a table's file could not be opened. It was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused.
    #[error("cannot open `{}`: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else, or damaged.
    #[error("`{}` is not a table of Latchkey, or is damaged: {reason}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What shows it.
        reason: String,
    },
    /// It is a table as versions before this one wrote it.
    #[error("`{}` is a table of an older form, which this version only copies", path.display())]
    Former {
        /// Which.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("`{}` was written by a later version: its form is {version}, and this one knows {known}", path.display())]
    Later {
        /// Which.
        path: PathBuf,
        /// Its form.
        version: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// It, or what is beside it, may be somebody else's.
    #[error("`{}` {danger}, so the table was not opened", path.display())]
    NotOurs {
        /// The file, or the companion.
        path: PathBuf,
        /// How.
        danger: Danger,
    },
    /// The engine.
    #[error("the table in `{}` cannot be used: {reason}", path.display())]
    Engine {
        /// Which.
        path: PathBuf,
        /// What it reported.
        reason: String,
    },
}

/// A file that is ours to open. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct File(Arc<PathBuf>);

impl File {
    /// Claims a file, and makes one where there is none; with its first connection, so that nothing else opens it before
    /// it is a table.
    pub(super) fn claim(path: &Path) -> Result<(Self, Connection), OpenError> {
        ownership::claim(path, |real| {
            let file = Self(Arc::new(real.to_owned()));
            let connection = file.connect()?;
            Ok((file, connection))
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A connection that writes.
    pub(super) fn connect(&self) -> Result<Connection, OpenError> {
        let failed = |error: rusqlite::Error| self.engine(&error);
        let mut connection = self.open().map_err(failed)?;
        // `FULL`, and while there is no log yet what is removed is safe, too.
        connection.pragma_update(None, "synchronous", "EXTRA").map_err(failed)?;
        schema::create(&mut connection).map_err(failed)?;
        let version = schema::version(&connection).map_err(failed)?;
        if version > schema::VERSION {
            return Err(OpenError::Later { path: self.path().to_owned(), version, known: schema::VERSION });
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // A log that one large change has grown does not stay so.
        connection.pragma_update(None, "journal_size_limit", 16 << 20).map_err(failed)?;
        // On macOS a sync that does not reach the disk is the default. Elsewhere these change nothing.
        connection.pragma_update(None, "fullfsync", true).map_err(failed)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true).map_err(failed)?;
        Ok(connection)
    }

    /// A connection that only reads.
    fn reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.open()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        // It was made by whoever claimed it; one that went meanwhile is not made anew.
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(self.path(), flags)?;
        settle(&connection)?;
        Ok(connection)
    }

    fn engine(&self, error: &rusqlite::Error) -> OpenError {
        OpenError::Engine { path: self.path().to_owned(), reason: words(error) }
    }
}

/// What every connection is told: nothing that stands in the file is run, and nothing of its structure is written to.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A table in memory.
pub(super) fn in_memory() -> Result<Connection, OpenError> {
    let open = || {
        let mut connection = Connection::open_in_memory()?;
        settle(&connection)?;
        schema::create(&mut connection)?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| OpenError::Engine { path: ":memory:".into(), reason: words(&error) })
}

/// Connections for reads.
#[derive(Debug)]
pub(super) enum Readers {
    /// Some of a file, made as they are needed.
    Many(File, Mutex<Vec<Connection>>),
    /// The only one of a table in memory.
    One(Arc<Mutex<Connection>>),
}

impl Readers {
    pub(super) fn of(file: File) -> Self {
        Self::Many(file, Mutex::default())
    }

    /// Reads by one of them.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let (file, idle) = match self {
            Self::One(connection) => return read(&connection.lock()),
            Self::Many(file, idle) => (file, idle),
        };
        let waiting = idle.lock().pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => file.reader().map_err(failure)?,
        };
        let answer = read(&connection);
        // One that met trouble of the file is not used again.
        if !matches!(answer, Err(Failure::Table(TableError::Storage(_)))) {
            let mut idle = idle.lock();
            if idle.len() < IDLE {
                idle.push(connection);
            }
        }
        answer
    }
}
