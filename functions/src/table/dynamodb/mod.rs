//! The engine on AWS: `DynamoDB` through its SDK. Nothing above it knows of the SDK.

mod expression;
mod refusal;
mod schema;

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ConsumedCapacity, Delete, DeleteRequest, KeysAndAttributes, Put, PutRequest,
    ReturnConsumedCapacity, ReturnValue, Select, TransactWriteItem, Update as UpdateItem, WriteRequest,
};

use super::TableError;
use super::condition::Condition;
use super::counters::Counters;
use super::engine::{Answer, Consistency, Engine, Failure, Many, Page, Plain, Range, Write};
use super::item::Item;
use super::keys::{self, Key};
use super::update::Update;
use expression::Expression;

/// The attributes of an item, as the SDK has them.
type Attributes = HashMap<String, AttributeValue>;

/// A table in `DynamoDB`.
#[derive(Debug)]
pub struct DynamoDb {
    client: Client,
    name: Arc<str>,
    counters: Counters,
}

impl DynamoDb {
    /// A table that a client reaches. Each request is sent once: configure the client without retries.
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into(), counters: Counters::default() }
    }

    fn note<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        let (mut units, mut index_units) = (0.0, 0.0);
        for consumed in capacity {
            units += consumed.capacity_units().unwrap_or_default();
            let indexes = consumed.global_secondary_indexes().into_iter().flat_map(HashMap::values);
            index_units += indexes.filter_map(aws_sdk_dynamodb::types::Capacity::capacity_units).sum::<f64>();
        }
        self.counters.note(units, index_units);
    }

    async fn query_page(&self, range: &Range<'_>) -> Result<Page, Failure> {
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
        let mut query = self
            .client
            .query()
            .table_name(&*self.name)
            .key_condition_expression(condition)
            .expression_attribute_names("#p", pk)
            .expression_attribute_values(":p", AttributeValue::S(range.partition.clone()))
            .set_index_name(range.index.map(str::to_owned))
            // An index cannot be read consistently; its rows are hints.
            .consistent_read(range.index.is_none())
            .scan_index_forward(!range.backwards)
            .set_limit(range.limit)
            .set_exclusive_start_key(range.start.clone().map(attributes))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(bound) = bound {
            query = query
                .expression_attribute_names("#s", sk)
                .expression_attribute_values(":s", AttributeValue::S(bound.to_owned()));
        }
        let output = query.send().await.map_err(|error| self.classify(&error))?;
        self.note(output.consumed_capacity());
        Ok(page(output.items, output.last_evaluated_key))
    }

    async fn get_some(&self, keys: &[Key], consistency: Consistency) -> Result<Many, Failure> {
        let wanted = keys.iter().map(|key| attributes(key.item())).collect();
        let strong = consistency == Consistency::Strong;
        let request = KeysAndAttributes::builder().consistent_read(strong).set_keys(Some(wanted)).build();
        let output = self
            .client
            .batch_get_item()
            .request_items(&*self.name, request.map_err(invalid)?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.classify(&error))?;
        self.note(output.consumed_capacity());
        let found = output.responses.and_then(|mut tables| tables.remove(&*self.name)).unwrap_or_default();
        let left = output.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.name));
        let left = left.map(|left| left.keys).unwrap_or_default().into_iter().map(item);
        Ok(Many { items: found.into_iter().map(item).collect(), left: left.filter_map(|key| Key::of(&key)).collect() })
    }

    async fn write_some(&self, writes: Vec<Plain>) -> Result<Vec<Plain>, Failure> {
        let requests: Vec<WriteRequest> = writes.into_iter().map(request).collect::<Result<_, _>>().map_err(invalid)?;
        let output = self
            .client
            .batch_write_item()
            .request_items(&*self.name, requests)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(|error| self.classify(&error))?;
        self.note(output.consumed_capacity());
        let left = output.unprocessed_items.and_then(|mut tables| tables.remove(&*self.name)).unwrap_or_default();
        Ok(left.into_iter().filter_map(plain).collect())
    }

    fn write_item(&self, write: &Write) -> Result<TransactWriteItem, Failure> {
        let table = &*self.name;
        let item = TransactWriteItem::builder();
        Ok(match write {
            Write::Put { item: whole, condition } => {
                let mut expression = Expression::default();
                let condition = expression.condition(condition);
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(attributes(whole.clone())))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.put(put.build().map_err(invalid)?)
            }
            Write::Update { key, update, condition } => {
                let mut expression = Expression::default();
                let (update, condition) = (expression.update(update), expression.condition(condition));
                let built = UpdateItem::builder()
                    .table_name(table)
                    .set_key(Some(attributes(key.item())))
                    .set_update_expression(update)
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.update(built.build().map_err(invalid)?)
            }
            Write::Delete { key, condition } => {
                let mut expression = Expression::default();
                let condition = expression.condition(condition);
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(attributes(key.item())))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.delete(delete.build().map_err(invalid)?)
            }
            Write::Check { key, condition } => {
                let mut expression = Expression::default();
                let condition = expression.condition(condition);
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(attributes(key.item())))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values());
                item.condition_check(check.build().map_err(invalid)?)
            }
        }
        .build())
    }
}

impl Engine for DynamoDb {
    fn name(&self) -> &str {
        &self.name
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn has_conflicts(&self) -> bool {
        true
    }

    fn create(&self) -> Answer<'_, ()> {
        Box::pin(self.create_if_absent())
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        Box::pin(async move {
            let output = self
                .client
                .get_item()
                .table_name(&*self.name)
                .set_key(Some(attributes(key.item())))
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.classify(&error))?;
            self.note(output.consumed_capacity());
            Ok(output.item.map(item))
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], consistency: Consistency) -> Answer<'a, Many> {
        Box::pin(self.get_some(keys, consistency))
    }

    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page> {
        Box::pin(self.query_page(range))
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        Box::pin(async move {
            let output = self
                .client
                .scan()
                .table_name(&*self.name)
                .consistent_read(true)
                .select(Select::AllAttributes)
                .set_limit(limit)
                .set_exclusive_start_key(start.map(attributes))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.classify(&error))?;
            self.note(output.consumed_capacity());
            Ok(page(output.items, output.last_evaluated_key))
        })
    }

    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item> {
        Box::pin(async move {
            let mut expression = Expression::default();
            let (update, condition) = (expression.update(update), expression.condition(condition));
            let output = self
                .client
                .update_item()
                .table_name(&*self.name)
                .set_key(Some(attributes(key.item())))
                .set_update_expression(update)
                .set_condition_expression(condition)
                .set_expression_attribute_names(expression.names())
                .set_expression_attribute_values(expression.values())
                .return_values(ReturnValue::UpdatedNew)
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await
                .map_err(|error| self.classify(&error))?;
            self.note(output.consumed_capacity());
            Ok(output.attributes.map(item).unwrap_or_default())
        })
    }

    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()> {
        Box::pin(async move {
            let items: Vec<TransactWriteItem> =
                writes.iter().map(|write| self.write_item(write)).collect::<Result<_, _>>()?;
            let output = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items))
                .client_request_token(request)
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await
                .map_err(|error| refusal::of_transaction(&error).unwrap_or_else(|| self.classify(&error)))?;
            self.note(output.consumed_capacity());
            Ok(())
        })
    }

    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        Box::pin(self.write_some(writes))
    }
}

fn page(items: Option<Vec<Attributes>>, next: Option<Attributes>) -> Page {
    let items = items.unwrap_or_default().into_iter().map(item).collect();
    Page { items, next: next.filter(|key| !key.is_empty()).map(item) }
}

/// An item as the SDK has it.
fn attributes(item: Item) -> Attributes {
    item.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// What the SDK has as an item.
fn item(attributes: Attributes) -> Item {
    attributes.into_iter().map(|(name, value)| (name, value.into())).collect()
}

fn request(write: Plain) -> Result<WriteRequest, aws_sdk_dynamodb::error::BuildError> {
    let request = WriteRequest::builder();
    Ok(match write {
        Plain::Put(item) => {
            request.put_request(PutRequest::builder().set_item(Some(attributes(item))).build()?).build()
        }
        Plain::Delete(key) => {
            request.delete_request(DeleteRequest::builder().set_key(Some(attributes(key.item()))).build()?).build()
        }
    })
}

fn plain(request: WriteRequest) -> Option<Plain> {
    match (request.put_request, request.delete_request) {
        (Some(put), _) => Some(Plain::Put(item(put.item))),
        (None, Some(delete)) => Key::of(&item(delete.key)).map(Plain::Delete),
        (None, None) => None,
    }
}

fn invalid(error: aws_sdk_dynamodb::error::BuildError) -> Failure {
    TableError::Invalid(error.to_string()).into()
}
