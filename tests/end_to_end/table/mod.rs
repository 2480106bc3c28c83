//! The table below the service: both engines answer alike, and what the embedded one has answered survives.

mod ending;
mod equal;
mod former;
mod kills;
mod power;
mod requests;
mod trouble;

use std::path::Path;
use std::sync::Arc;

use latchkey::table::item::Item;
use latchkey::table::sqlite::{OpenError, Sqlite};
use tests::clock::ManualClock;
use tests::engine::Raw;
use tests::world::START;

fn open(path: &Path) -> Result<Sqlite, OpenError> {
    Sqlite::open(path, Arc::new(ManualClock::at(START)))
}

/// All that is in a file, by a table that is opened for that.
async fn everything(path: &Path) -> Vec<Item> {
    Raw::of(Arc::new(open(path).unwrap_or_else(|error| panic!("{error}")))).items().await
}
