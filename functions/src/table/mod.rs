//! The one table: DynamoDB through its SDK, in the same words embedded and on AWS.

mod codec;
mod copy;
mod counters;
mod failure;
pub mod keys;
mod retry;
mod schema;
mod transact;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity, ReturnValue};

pub(crate) use codec::{ADDRESSES, Update, decode, decode_token, encode, encode_token, use_attribute, with_key};
pub use copy::{Copied, CopyError, CopyNames};
pub use counters::{Counted, Counters};
use failure::Failure;
pub use failure::TableError;
pub(crate) use failure::chain;
use keys::{Item, Key};
use retry::RETRY_FOR;
pub use transact::{Cancelled, TransactError};
pub(crate) use transact::{Put, Transaction, Write};

use crate::entropy::{Entropy, SystemEntropy};

/// Whether a read sees every write before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// Each.
    Strong,
    /// Those of some seconds ago.
    Eventual,
}

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: Arc<str>,
    counters: Arc<Counters>,
    entropy: Arc<dyn Entropy>,
    retry_for: Duration,
}

/// A page of a query.
#[derive(Debug)]
pub(crate) struct Page {
    /// The items.
    pub(crate) items: Vec<Item>,
    /// Where the next page starts; `None` when this was the last.
    pub(crate) next: Option<Item>,
}

/// What a query asks for.
#[derive(Debug, Clone)]
pub(crate) struct Range<'a> {
    /// The index; the table itself when `None`.
    pub(crate) index: Option<&'a str>,
    /// The partition key's value.
    pub(crate) partition: String,
    /// What the sort key starts with.
    pub(crate) prefix: Option<&'a str>,
    /// The highest sort key, in place of a prefix.
    pub(crate) up_to: Option<String>,
    /// Highest sort key first.
    pub(crate) backwards: bool,
    /// At most so many items a page.
    pub(crate) limit: Option<i32>,
    /// Where to start.
    pub(crate) start: Option<Item>,
}

impl<'a> Range<'a> {
    /// All of a partition, or what starts with `prefix` in it.
    pub(crate) fn of(partition: String, prefix: Option<&'a str>) -> Self {
        Self { index: None, partition, prefix, up_to: None, backwards: false, limit: None, start: None }
    }
}

impl Table {
    /// A table that a client reaches. Retries are this type's own: configure the client without any.
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.into(),
            counters: Arc::default(),
            entropy: Arc::new(SystemEntropy),
            retry_for: RETRY_FOR,
        }
    }

    /// The same table, whose requests are tried again for so long at the most.
    #[must_use]
    pub fn retrying_for(self, retry_for: Duration) -> Self {
        Self { retry_for, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls and capacity units so far.
    pub fn counted(&self) -> Counted {
        self.counters.get()
    }

    /// One strongly consistent read of one item.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let output = self
            .retry(|| {
                self.client
                    .get_item()
                    .table_name(&*self.name)
                    .set_key(Some(key.item()))
                    .consistent_read(true)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
            })
            .await?;
        self.counters.note(output.consumed_capacity());
        Ok(output.item)
    }

    /// Strongly consistent reads of many items, 100 a call; the answer is in no particular order, and what does not
    /// exist is missing from it.
    pub(crate) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.get_each(keys, Ok).await
    }

    /// The same, each item decoded as its page comes: thousands of items as the SDK has them take a hundred megabytes.
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
        let keys: Vec<&Key> = keys.iter().filter(|key| seen.insert(*key)).collect();
        for chunk in keys.chunks(100) {
            let mut wanted: Vec<Item> = chunk.iter().map(|key| key.item()).collect();
            let mut attempt = 0;
            let deadline = tokio::time::Instant::now() + self.retry_for;
            while !wanted.is_empty() {
                let strong = consistency == Consistency::Strong;
                let request = KeysAndAttributes::builder().consistent_read(strong).set_keys(Some(wanted)).build();
                let request = request.map_err(|error| TableError::Invalid(error.to_string()))?;
                let output = self
                    .retry(|| {
                        self.client
                            .batch_get_item()
                            .request_items(&*self.name, request.clone())
                            .return_consumed_capacity(ReturnConsumedCapacity::Total)
                            .send()
                    })
                    .await?;
                self.counters.note(output.consumed_capacity());
                let items = output.responses.and_then(|mut tables| tables.remove(&*self.name)).unwrap_or_default();
                for item in items {
                    found.push(decode(item)?);
                }
                let rest = output.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.name));
                wanted = rest.map(|rest| rest.keys).unwrap_or_default();
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
    pub(crate) async fn update(&self, key: &Key, update: Update, condition: &str) -> Result<bool, TableError> {
        Ok(self.update_returning(key, update, condition, ReturnValue::None).await?.is_some())
    }

    /// The same, with what the changed attributes are now; `None` when the condition does not hold.
    pub(crate) async fn update_to(
        &self,
        key: &Key,
        update: Update,
        condition: &str,
    ) -> Result<Option<Item>, TableError> {
        self.update_returning(key, update, condition, ReturnValue::UpdatedNew).await
    }

    async fn update_returning(
        &self,
        key: &Key,
        update: Update,
        condition: &str,
        returned: ReturnValue,
    ) -> Result<Option<Item>, TableError> {
        let expression = update.expression();
        let sent = self
            .retry(|| {
                self.client
                    .update_item()
                    .table_name(&*self.name)
                    .set_key(Some(key.item()))
                    .set_update_expression(expression.clone())
                    .condition_expression(condition)
                    .set_expression_attribute_names(Some(update.names.clone()))
                    .set_expression_attribute_values(Some(update.values.clone()).filter(|values| !values.is_empty()))
                    .return_values(returned.clone())
                    .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                    .send()
            })
            .await;
        match sent {
            Ok(output) => {
                self.counters.note(output.consumed_capacity());
                Ok(Some(output.attributes.unwrap_or_default()))
            }
            Err(Failure::Condition(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// One page of a query.
    pub(crate) async fn query(&self, range: &Range<'_>) -> Result<Page, TableError> {
        let (pk, sk) = match range.index {
            None => (keys::PK, keys::SK),
            Some(keys::MANAGED) => (keys::MANAGED_PK, keys::PK),
            Some(_) => (keys::DUE_PK, keys::DUE_SK),
        };
        let (condition, bound) = match (range.prefix, &range.up_to) {
            (Some(prefix), _) => ("#p = :p AND begins_with(#s, :s)", Some(prefix)),
            (None, Some(up_to)) => ("#p = :p AND #s <= :s", Some(up_to.as_str())),
            (None, None) => ("#p = :p", None),
        };
        let output = self
            .retry(|| {
                let mut query = self
                    .client
                    .query()
                    .table_name(&*self.name)
                    .key_condition_expression(condition)
                    .expression_attribute_names("#p", pk)
                    .expression_attribute_values(
                        ":p",
                        aws_sdk_dynamodb::types::AttributeValue::S(range.partition.clone()),
                    )
                    .set_index_name(range.index.map(str::to_owned))
                    // An index cannot be read consistently; its rows are hints.
                    .consistent_read(range.index.is_none())
                    .scan_index_forward(!range.backwards)
                    .set_limit(range.limit)
                    .set_exclusive_start_key(range.start.clone())
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                if let Some(bound) = bound {
                    query = query.expression_attribute_names("#s", sk).expression_attribute_values(
                        ":s",
                        aws_sdk_dynamodb::types::AttributeValue::S(bound.to_owned()),
                    );
                }
                query.send()
            })
            .await?;
        self.counters.note(output.consumed_capacity());
        let next = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok(Page { items: output.items.unwrap_or_default(), next })
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
