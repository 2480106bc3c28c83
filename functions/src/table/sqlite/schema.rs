//! What is in the file: one table of items, and a table for each index, with a row where an item has its attributes.

use rusqlite::{Connection, TransactionBehavior};

/// `LkTb`, by which tools such as `file` tell what it is.
pub(super) const APPLICATION_ID: u32 = 0x4c6b_5462;
/// The form of what is in it.
pub(super) const VERSION: u32 = 1;

// An item is its attributes in DynamoDB's own JSON, keys included, so that `sqlite3` shows what is there.
const TABLES: &str = "
CREATE TABLE items (pk TEXT NOT NULL, sk TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (pk, sk)) STRICT, WITHOUT ROWID;
CREATE TABLE managed (managed TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, PRIMARY KEY (managed, pk, sk))
    STRICT, WITHOUT ROWID;
CREATE TABLE due (due TEXT NOT NULL, due_at TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL,
    PRIMARY KEY (due, due_at, pk, sk)) STRICT, WITHOUT ROWID;
CREATE TABLE ending (ttl INTEGER NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, PRIMARY KEY (ttl, pk, sk))
    STRICT, WITHOUT ROWID;
";

/// Makes the tables unless they are there: whoever comes second finds those of the first.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    if application_id(connection)? == APPLICATION_ID {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if application_id(&transaction)? != APPLICATION_ID {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()
}

pub(super) fn application_id(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
