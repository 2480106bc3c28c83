//! Transactions, and their failures told apart.

use jiff::Timestamp;

use super::codec::{encode, use_attribute};
use super::condition::{Condition, Path};
use super::engine::{Failure, Write};
use super::item::{Item, Value, count};
use super::keys::{Key, PK};
use super::update::Update;
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

impl Condition {
    /// The record is at this revision.
    pub fn at_revision(revision: u64) -> Self {
        Self::is("revision", count(revision))
    }
}

impl Write {
    /// A new item: there must be none.
    pub fn new_item(item: Item) -> Self {
        Self::Put { item, condition: Condition::absent(PK) }
    }

    /// An item, in place of whatever is there.
    pub fn item(item: Item) -> Self {
        Self::Put { item, condition: Condition::Always }
    }

    /// An update that turns `old` into `new` if the revision is still `revision`; `None` when nothing differs.
    pub fn change(key: Key, old: &Item, new: &Item, revision: u64) -> Option<Self> {
        let update = Update::between(old, new);
        (!update.is_empty()).then(|| Self::Update { key, update, condition: Condition::at_revision(revision) })
    }

    /// Adds to an update's condition that the noted last use of a version is still `last`.
    pub(crate) fn also_unused(&mut self, number: &str, last: Option<Timestamp>) {
        let used = Path::from(use_attribute(number).as_str());
        self.also(match last {
            None => Condition::Absent(used),
            Some(last) => Condition::Is(used.then("last"), count(last.as_millisecond())),
        });
    }

    /// Adds to an update's condition that what was told of a token is still `told`: telling does not touch the revision.
    ///
    /// # Errors
    /// [`TableError::Codec`], which is a defect.
    pub(crate) fn also_told(&mut self, told: Option<&Told>) -> Result<(), TableError> {
        self.also(match told {
            None => Condition::absent("told"),
            Some(told) => Condition::is("told", Value::M(encode(told)?)),
        });
        Ok(())
    }

    fn also(&mut self, more: Condition) {
        if let Self::Update { condition, .. } = self {
            *condition = std::mem::replace(condition, Condition::Always).and(more);
        }
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
        let deadline = tokio::time::Instant::now() + self.retry_for;
        let mut attempt = 0;
        // Once an answer was lost, nobody knows whether it was done, whatever the later ones say.
        let mut unknown = false;
        loop {
            let failure = match self.engine.transact(&token, &transaction.writes).await {
                Ok(()) => return Ok(()),
                Err(Failure::Cancelled(failed)) => return Err(TransactError::Cancelled(Cancelled(failed))),
                Err(failure) => failure,
            };
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
