//! The one table: DynamoDB through its SDK, in the same words embedded and on AWS.

mod codec;
mod copy;
pub mod keys;
mod schema;
mod transact;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

pub(crate) use codec::{Update, decode, decode_token, encode, encode_token, use_attribute, with_key};
pub use copy::{Copied, CopyError};
use keys::{Item, Key};
pub use transact::{Cancelled, TransactError};
pub(crate) use transact::{Put, Transaction, Write};

use crate::entropy::{Entropy, SystemEntropy};

/// Trouble with the table. Never a reason to call a token valid, and never one to call it not valid.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There is no such table.
    #[error("the table `{0}` does not exist")]
    Missing(String),
    /// The login may not do this.
    #[error("the table refused: {0}")]
    Denied(String),
    /// It throttled or met conflicts for as long as we tried.
    #[error("the table is busy: {0}")]
    Busy(String),
    /// Nothing answered, or something broke on the way.
    #[error("the table did not answer: {0}")]
    Unreachable(String),
    /// The table refused a request as malformed: a defect.
    #[error("the table refused a request: {0}")]
    Invalid(String),
    /// An item is not what this version writes.
    #[error("an item could not be read or written: {0}")]
    Codec(String),
}

/// Calls and capacity units since the table was opened.
#[derive(Debug, Default)]
pub struct Counters {
    calls: AtomicU64,
    retries: AtomicU64,
    throttles: AtomicU64,
    // Half units occur, so halves are counted.
    halves: AtomicU64,
    index_halves: AtomicU64,
}

/// What [`Counters`] stood at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Requests that were answered.
    pub calls: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that the table refused because there were too many.
    pub throttles: u64,
    /// Capacity units, read and write together.
    pub units: f64,
    /// Those of `units` that writes to the indexes took.
    pub index_units: f64,
}

impl Counters {
    /// Where they stand.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn get(&self) -> Counted {
        Counted {
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            throttles: self.throttles.load(Ordering::Relaxed),
            units: self.halves.load(Ordering::Relaxed) as f64 / 2.0,
            index_units: self.index_halves.load(Ordering::Relaxed) as f64 / 2.0,
        }
    }

    fn note<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        for consumed in capacity {
            self.halves.fetch_add(halves(consumed.capacity_units()), Ordering::Relaxed);
            for index in consumed.global_secondary_indexes().into_iter().flat_map(HashMap::values) {
                self.index_halves.fetch_add(halves(index.capacity_units()), Ordering::Relaxed);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn halves(units: Option<f64>) -> u64 {
    (units.unwrap_or(0.0) * 2.0).round() as u64
}

/// How long a request is tried again at the most, unless the table is told otherwise.
const RETRY_FOR: Duration = Duration::from_secs(8);
const RETRY_BASE: Duration = Duration::from_millis(20);
const RETRY_CAP: Duration = Duration::from_millis(800);
/// The first and the longest pause after a lost race: whoever won it is done by then.
const RACE_PAUSE_BASE: Duration = Duration::from_millis(2);
const RACE_PAUSE_CAP: Duration = Duration::from_millis(200);

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
        Self { index: None, partition, prefix, backwards: false, limit: None, start: None }
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
        let mut found = Vec::with_capacity(keys.len());
        let mut seen = HashSet::with_capacity(keys.len());
        // One request must not name a key twice.
        let keys: Vec<&Key> = keys.iter().filter(|key| seen.insert(*key)).collect();
        for chunk in keys.chunks(100) {
            let mut wanted: Vec<Item> = chunk.iter().map(|key| key.item()).collect();
            let mut attempt = 0;
            let deadline = tokio::time::Instant::now() + self.retry_for;
            while !wanted.is_empty() {
                let request = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(wanted)).build();
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
                    .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                    .send()
            })
            .await;
        match sent {
            Ok(output) => {
                self.counters.note(output.consumed_capacity());
                Ok(true)
            }
            Err(TableError::Invalid(text)) if text.starts_with("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One page of a query.
    pub(crate) async fn query(&self, range: &Range<'_>) -> Result<Page, TableError> {
        let (pk, sk) = match range.index {
            None => (keys::PK, keys::SK),
            Some(keys::MANAGED) => (keys::MANAGED_PK, keys::PK),
            Some(_) => (keys::DUE_PK, keys::DUE_SK),
        };
        let condition = if range.prefix.is_some() { "#p = :p AND begins_with(#s, :s)" } else { "#p = :p" };
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
                if let Some(prefix) = range.prefix {
                    query = query.expression_attribute_names("#s", sk).expression_attribute_values(
                        ":s",
                        aws_sdk_dynamodb::types::AttributeValue::S(prefix.to_owned()),
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

    /// Runs a request until it succeeds, fails for good, or has been tried for long enough. Every request
    /// that comes here may be repeated.
    async fn retry<T, E, F>(&self, mut request: impl FnMut() -> F) -> Result<T, TableError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let deadline = tokio::time::Instant::now() + self.retry_for;
        let mut attempt = 0;
        loop {
            let error = match request().await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let error = self.classify(&error);
            let passing = matches!(error, TableError::Busy(_) | TableError::Unreachable(_));
            if !passing {
                return Err(error);
            }
            tracing::debug!(attempt, error = %error, "the table's answer asks for another try");
            if self.pause(attempt, deadline, "").await.is_err() {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Waits before the next try: exponential, with full jitter.
    async fn pause(&self, attempt: u32, deadline: tokio::time::Instant, why: &str) -> Result<(), TableError> {
        let wait = self.jitter(RETRY_BASE.saturating_mul(1 << attempt.min(10)).min(RETRY_CAP))?;
        if tokio::time::Instant::now() + wait >= deadline {
            return Err(TableError::Busy(why.to_owned()));
        }
        self.counters.retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Waits after a lost race, so that not everybody meets again at once.
    pub(crate) async fn pause_after_race(&self, race: usize) -> Result<(), TableError> {
        let most = RACE_PAUSE_BASE.saturating_mul(1 << race.min(10)).min(RACE_PAUSE_CAP);
        tokio::time::sleep(self.jitter(most)?).await;
        Ok(())
    }

    fn jitter(&self, most: Duration) -> Result<Duration, TableError> {
        let mut bytes = [0_u8; 2];
        self.entropy.fill(&mut bytes).map_err(|error| TableError::Unreachable(error.to_string()))?;
        Ok(most.mul_f64(f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)))
    }

    fn classify<E>(&self, error: &SdkError<E, HttpResponse>) -> TableError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            return TableError::Unreachable(chain(error));
        };
        let code = service.err().code().unwrap_or("unknown");
        let message = service.err().message().unwrap_or("no message");
        let text = format!("{code}: {message}");
        if matches!(code, "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded") {
            self.counters.throttles.fetch_add(1, Ordering::Relaxed);
        }
        match code {
            "ResourceNotFoundException" => TableError::Missing(self.name.to_string()),
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "ExpiredTokenException"
            | "MissingAuthenticationTokenException" => TableError::Denied(text),
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "TransactionConflictException"
            | "TransactionInProgressException" => TableError::Busy(text),
            _ if service.raw().status().as_u16() >= 500 => TableError::Unreachable(text),
            // An answer that says yes and cannot be read was cut on its way.
            _ if service.raw().status().is_success() => TableError::Unreachable("half an answer came".to_owned()),
            _ => TableError::Invalid(text),
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
