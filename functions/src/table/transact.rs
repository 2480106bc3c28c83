//! Transactions, and their failures told apart.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put as PutItem, ReturnConsumedCapacity, TransactWriteItem,
    Update as UpdateItem,
};
use jiff::Timestamp;

use super::codec::{Update, encode, use_attribute};
use super::keys::{Item, Key, PK};
use super::{Table, TableError};
use crate::secret::hex;
use crate::token::Told;

/// Why a transaction did not happen. Nothing of it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactError {
    /// The condition of one of its writes did not hold.
    #[error("condition {0:?} of a transaction did not hold")]
    Cancelled(Cancelled),
    /// The table itself.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Which writes' conditions did not hold, by their index in the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled(pub Vec<usize>);

impl Cancelled {
    /// Whether the write at this index was one of them.
    pub fn includes(&self, index: usize) -> bool {
        self.0.contains(&index)
    }
}

/// How a put treats an item that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// There must be none.
    New,
    /// Whatever is there is replaced.
    Over,
}

/// One write of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// A whole item.
    Put {
        /// The item with its key.
        item: Item,
        /// How.
        how: Put,
    },
    /// Some attributes, if `condition` holds; placeholders are those of `update`.
    Update {
        /// The item.
        key: Key,
        /// What changes.
        update: Update,
        /// When it may.
        condition: String,
    },
    /// A removal, guarded by the record's revision when there is one.
    Delete {
        /// The item.
        key: Key,
        /// The revision that it must have.
        revision: Option<u64>,
    },
    /// No write: the record must be there at the revision.
    Check {
        /// The item.
        key: Key,
        /// The revision that it must have.
        revision: u64,
    },
    /// The removal of a row that counts, while it counts this much.
    DeleteCounted {
        /// The item.
        key: Key,
        /// What it must count.
        uses: u64,
    },
    /// The removal of a user without active tokens, under the revision.
    DeleteIdle {
        /// The item.
        key: Key,
        /// The revision that it must have.
        revision: u64,
    },
}

impl Write {
    /// An update that turns `old` into `new` if the revision is still `revision`; `None` when nothing differs.
    pub(crate) fn change(key: Key, old: &Item, new: &Item, revision: u64) -> Option<Self> {
        let mut update = Update::between(old, new);
        update.expression()?;
        let placeholder = update.name("revision");
        update.values.insert(":rev".to_owned(), AttributeValue::N(revision.to_string()));
        Some(Self::Update { key, update, condition: format!("{placeholder} = :rev") })
    }

    /// Adds to an update's condition that the noted last use of a version is still `last`.
    pub(crate) fn also_unused(&mut self, number: &str, last: Option<Timestamp>) {
        let Self::Update { update, condition, .. } = self else { return };
        let used = update.name(&use_attribute(number));
        let more = match last {
            None => format!("attribute_not_exists({used})"),
            Some(last) => {
                let part = update.name("last");
                let value = update.value(AttributeValue::N(last.as_millisecond().to_string()));
                format!("{used}.{part} = {value}")
            }
        };
        *condition = format!("({condition}) AND {more}");
    }

    /// Adds to an update's condition that what was told of a token is still `told`: telling does not touch the revision.
    ///
    /// # Errors
    /// [`TableError::Codec`], which is a defect.
    pub(crate) fn also_told(&mut self, told: Option<&Told>) -> Result<(), TableError> {
        let Self::Update { update, condition, .. } = self else { return Ok(()) };
        let name = update.name("told");
        let more = match told {
            None => format!("attribute_not_exists({name})"),
            Some(told) => format!("{name} = {}", update.value(AttributeValue::M(encode(told)?))),
        };
        *condition = format!("({condition}) AND {more}");
        Ok(())
    }

    fn into_item(self, table: &str) -> Result<TransactWriteItem, TableError> {
        let invalid = |error: aws_sdk_dynamodb::error::BuildError| TableError::Invalid(error.to_string());
        let item = TransactWriteItem::builder();
        Ok(match self {
            Self::Put { item: attributes, how } => {
                let mut put = PutItem::builder().table_name(table).set_item(Some(attributes));
                if how == Put::New {
                    put = put.condition_expression("attribute_not_exists(#k)").expression_attribute_names("#k", PK);
                }
                item.put(put.build().map_err(invalid)?)
            }
            Self::Update { key, update, condition } => {
                let expression = update.expression();
                let built = UpdateItem::builder()
                    .table_name(table)
                    .set_key(Some(key.item()))
                    .set_update_expression(expression)
                    .condition_expression(condition)
                    .set_expression_attribute_names(Some(update.names))
                    .set_expression_attribute_values(Some(update.values).filter(|values| !values.is_empty()));
                item.update(built.build().map_err(invalid)?)
            }
            Self::Delete { key, revision } => {
                let mut delete = Delete::builder().table_name(table).set_key(Some(key.item()));
                if let Some(revision) = revision {
                    delete = delete
                        .condition_expression("#r = :r")
                        .expression_attribute_names("#r", "revision")
                        .expression_attribute_values(":r", AttributeValue::N(revision.to_string()));
                }
                item.delete(delete.build().map_err(invalid)?)
            }
            Self::Check { key, revision } => {
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key.item()))
                    .condition_expression("#r = :r")
                    .expression_attribute_names("#r", "revision")
                    .expression_attribute_values(":r", AttributeValue::N(revision.to_string()));
                item.condition_check(check.build().map_err(invalid)?)
            }
            Self::DeleteCounted { key, uses } => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.item()))
                    .condition_expression("#u = :u")
                    .expression_attribute_names("#u", "uses")
                    .expression_attribute_values(":u", AttributeValue::N(uses.to_string()));
                item.delete(delete.build().map_err(invalid)?)
            }
            Self::DeleteIdle { key, revision } => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.item()))
                    .condition_expression("#r = :r AND #a = :none")
                    .expression_attribute_names("#r", "revision")
                    .expression_attribute_names("#a", "active")
                    .expression_attribute_values(":r", AttributeValue::N(revision.to_string()))
                    .expression_attribute_values(":none", AttributeValue::N("0".to_owned()));
                item.delete(delete.build().map_err(invalid)?)
            }
        }
        .build())
    }
}

/// Writes that happen together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    writes: Vec<Write>,
}

impl Transaction {
    /// Adds a write and answers its index, by which a failed condition is known.
    pub(crate) fn add(&mut self, write: Write) -> usize {
        self.writes.push(write);
        self.writes.len() - 1
    }
}

impl Table {
    /// Runs a transaction. It carries a token, so that one whose outcome stays unknown can be tried again.
    ///
    /// # Errors
    /// [`TransactError::Cancelled`] when a condition did not hold; conflicts with other transactions are retried.
    pub(crate) async fn transact(&self, transaction: Transaction) -> Result<(), TransactError> {
        let mut token = [0_u8; 16];
        self.entropy.fill(&mut token).map_err(|error| TableError::Unreachable(error.to_string()))?;
        let token = hex(&token);
        let items: Vec<TransactWriteItem> =
            transaction.writes.into_iter().map(|write| write.into_item(&self.name)).collect::<Result<_, _>>()?;
        let deadline = tokio::time::Instant::now() + self.retry_for;
        let mut attempt = 0;
        // Once an answer was lost, nobody knows whether it was done, whatever the later ones say.
        let mut unknown = false;
        loop {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token)
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await;
            let error = match sent {
                Ok(output) => {
                    self.counters.note(output.consumed_capacity());
                    return Ok(());
                }
                Err(error) => error,
            };
            if let Some(cancelled) = cancelled(&error) {
                return Err(TransactError::Cancelled(cancelled));
            }
            let conflict = is_conflict(&error).then(|| TableError::Busy("transactions conflict".to_owned()).into());
            let failure = conflict.unwrap_or_else(|| self.classify(&error));
            if !failure.is_passing() {
                return Err(TableError::from(failure).into());
            }
            unknown |= failure.is_unknown();
            tracing::debug!(attempt, error = %failure, "a transaction is tried again");
            if self.pause(attempt, deadline, "").await.is_err() {
                let error = TableError::from(failure);
                return Err(if unknown { TableError::Unreachable(error.to_string()).into() } else { error.into() });
            }
            attempt += 1;
        }
    }
}

fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<&str>> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    Some(cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect())
}

/// The failed conditions, if there is one: nothing that is tried again would go better.
fn cancelled<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Cancelled> {
    let failed: Vec<usize> = reasons(error)?
        .iter()
        .enumerate()
        .filter(|(_, code)| **code == "ConditionalCheckFailed")
        .map(|(index, _)| index)
        .collect();
    (!failed.is_empty()).then_some(Cancelled(failed))
}

fn is_conflict<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "TransactionInProgress"];
    reasons(error).is_some_and(|codes| codes.iter().any(|code| passing.contains(code)))
}
