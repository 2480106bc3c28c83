//! A table's items as they are stored, past the service and past faults.

use std::sync::Arc;

use latchkey::table::condition::Condition;
use latchkey::table::engine::{Engine, Plain};
use latchkey::table::item::{Item, Value};
use latchkey::table::keys::Key;
use latchkey::table::update::Update;

/// The items of one table.
#[derive(Debug, Clone)]
pub struct Raw(pub(crate) Arc<dyn Engine>);

impl Raw {
    /// Those of the table that an engine stores.
    pub fn of(engine: Arc<dyn Engine>) -> Self {
        Self(engine)
    }

    /// What stores them.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.0
    }

    /// The item at a key.
    pub async fn item(&self, key: &Key) -> Option<Item> {
        self.0.get(key).await.expect("an answer")
    }

    /// Every item.
    pub async fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let page = self.0.scan(start, None).await.expect("an answer");
            items.extend(page.items);
            start = page.next;
            if start.is_none() {
                return items;
            }
        }
    }

    /// Puts whole items, whatever is there.
    pub async fn put(&self, items: impl IntoIterator<Item = Item>) {
        let all: Vec<Plain> = items.into_iter().map(Plain::Put).collect();
        for some in all.chunks(25) {
            let mut left = some.to_vec();
            while !left.is_empty() {
                left = self.0.write(left).await.expect("an answer");
            }
        }
    }

    /// Sets one attribute of an item.
    pub async fn set(&self, key: &Key, name: &str, value: Value) {
        let mut update = Update::default();
        update.set(name, value);
        self.0.update(key, &update, &Condition::Always).await.expect("an answer");
    }
}
