//! The one table: what the service asks of it, in types of our own. Below [`Engine`] is DynamoDB on AWS, or `SQLite` where
//! there is no AWS; nothing above knows which.

mod codec;
pub mod condition;
mod copy;
pub mod counters;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod engine;
mod failure;
pub mod item;
pub mod keys;
mod retry;
#[cfg(feature = "embedded")]
pub mod sqlite;
mod transact;
pub mod update;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use codec::{ADDRESSES, decode, decode_token, encode, encode_token, use_attribute, with_key};
pub(crate) use condition::{Condition, Path};
pub use copy::{Copied, CopyError, CopyNames};
pub use counters::{Counted, Counters};
pub(crate) use engine::{Consistency, Page, Range, Write};
use engine::{Engine, Failure};
pub use failure::TableError;
#[cfg(feature = "dynamodb")]
pub(crate) use failure::chain;
pub(crate) use item::{Item, Value, count, number, text};
use keys::Key;
use retry::RETRY_FOR;
pub(crate) use transact::Transaction;
pub use transact::{Cancelled, TransactError};
pub(crate) use update::Update;

use crate::entropy::{Entropy, SystemEntropy};

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    engine: Arc<dyn Engine>,
    entropy: Arc<dyn Entropy>,
    retry_for: Duration,
}

impl Table {
    /// A table that an engine stores.
    pub fn on(engine: Arc<dyn Engine>) -> Self {
        Self { engine, entropy: Arc::new(SystemEntropy), retry_for: RETRY_FOR }
    }

    /// A table on AWS that a client reaches. Retries are this type's own: configure the client without any.
    #[cfg(feature = "dynamodb")]
    pub fn new(client: aws_sdk_dynamodb::Client, name: &str) -> Self {
        Self::on(Arc::new(dynamodb::DynamoDb::new(client, name)))
    }

    /// The same table, whose requests are tried again for so long at the most.
    #[must_use]
    pub fn retrying_for(self, retry_for: Duration) -> Self {
        Self { retry_for, ..self }
    }

    /// What it is called: its name on AWS, or its file.
    pub fn name(&self) -> &str {
        self.engine.name()
    }

    /// Whether requests that are under way at the same time may refuse each other for an item that both touch.
    pub fn has_conflicts(&self) -> bool {
        self.engine.has_conflicts()
    }

    /// What stores it.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Calls and capacity units so far.
    pub fn counted(&self) -> Counted {
        self.engine.counters().get()
    }

    /// Creates the table unless it exists.
    ///
    /// # Errors
    /// Whatever the table answers.
    pub async fn create_if_absent(&self) -> Result<(), TableError> {
        Ok(self.retry(|| self.engine.create()).await?)
    }

    /// One strongly consistent read of one item.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        Ok(self.retry(|| self.engine.get(key)).await?)
    }

    /// Strongly consistent reads of many items, 100 a call; the answer is in no particular order, and what does not
    /// exist is missing from it.
    pub(crate) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.get_each(keys, Ok).await
    }

    /// The same, each item decoded as its page comes: thousands of items as they are stored take a hundred megabytes.
    pub(crate) async fn get_each<T>(
        &self,
        keys: &[Key],
        decode: impl Fn(Item) -> Result<T, TableError>,
    ) -> Result<Vec<T>, TableError> {
        self.get_each_with(keys, Consistency::Strong, decode).await
    }

    /// The same; an eventually consistent read may be some seconds old, and costs half.
    pub(crate) async fn get_each_with<T>(
        &self,
        keys: &[Key],
        consistency: Consistency,
        decode: impl Fn(Item) -> Result<T, TableError>,
    ) -> Result<Vec<T>, TableError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut seen = HashSet::with_capacity(keys.len());
        // One request must not name a key twice.
        let keys: Vec<Key> = keys.iter().filter(|key| seen.insert(*key)).cloned().collect();
        for chunk in keys.chunks(100) {
            let mut wanted = chunk.to_vec();
            let mut attempt = 0;
            let deadline = tokio::time::Instant::now() + self.retry_for;
            while !wanted.is_empty() {
                let many = self.retry(|| self.engine.get_many(&wanted, consistency)).await?;
                for item in many.items {
                    found.push(decode(item)?);
                }
                wanted = many.left;
                if !wanted.is_empty() {
                    self.pause(attempt, deadline, "keys were left unprocessed").await?;
                    attempt += 1;
                }
            }
        }
        Ok(found)
    }

    /// Changes some attributes of one item if `condition` holds; false when it does not. Only for changes that may
    /// happen twice.
    pub(crate) async fn update(&self, key: &Key, update: &Update, condition: &Condition) -> Result<bool, TableError> {
        Ok(self.update_to(key, update, condition).await?.is_some())
    }

    /// The same, with what the changed attributes are now; `None` when the condition does not hold.
    pub(crate) async fn update_to(
        &self,
        key: &Key,
        update: &Update,
        condition: &Condition,
    ) -> Result<Option<Item>, TableError> {
        match self.retry(|| self.engine.update(key, update, condition)).await {
            Ok(changed) => Ok(Some(changed)),
            Err(Failure::Condition) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// One page of a query.
    pub(crate) async fn query(&self, range: &Range<'_>) -> Result<Page, TableError> {
        Ok(self.retry(|| self.engine.query(range)).await?)
    }

    /// All pages of a query.
    pub(crate) async fn query_all(&self, mut range: Range<'_>) -> Result<Vec<Item>, TableError> {
        let mut items = Vec::new();
        loop {
            let page = self.query(&range).await?;
            items.extend(page.items);
            let Some(next) = page.next else { return Ok(items) };
            range.start = Some(next);
        }
    }
}
