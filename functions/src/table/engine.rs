//! The seam under the table: the requests that an engine answers, in types that know no engine.
//!
//! Each request is sent once. What is tried again, and for how long, is decided above, in [`Table`](super::Table), by
//! what a [`Failure`] says.

use std::fmt;
use std::pin::Pin;

use super::TableError;
use super::condition::Condition;
use super::counters::Counters;
use super::item::Item;
use super::keys::Key;
use super::update::Update;

/// An answer to come.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What stores a table's items.
pub trait Engine: fmt::Debug + Send + Sync {
    /// What the table is called: its name on AWS, or its file.
    fn name(&self) -> &str;

    /// What its requests took.
    fn counters(&self) -> &Counters;

    /// Whether requests that are under way at the same time may refuse each other for an item that both touch, although
    /// all their conditions hold.
    fn has_conflicts(&self) -> bool;

    /// Makes the table, unless it is there.
    fn create(&self) -> Answer<'_, ()>;

    /// One item, as the last write before left it.
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>>;

    /// At most 100 items by different keys, in no particular order; what does not exist is missing.
    fn get_many<'a>(&'a self, keys: &'a [Key], consistency: Consistency) -> Answer<'a, Many>;

    /// A page of a partition, of the table or an index.
    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page>;

    /// A page of all items, in no particular order; `start` is where the page before ended.
    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page>;

    /// Changes an item, or makes it, if the condition holds; what the changed attributes are then.
    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item>;

    /// At most 100 writes of different items, all or none. The same writes under the same `request` are done once,
    /// however often they are sent within ten minutes.
    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()>;

    /// At most 25 writes of different items, each for itself; what was not done.
    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>>;
}

/// Whether a read sees every write before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Each.
    Strong,
    /// Those of some seconds ago.
    Eventual,
}

/// Items by keys.
#[derive(Debug, Default)]
pub struct Many {
    /// The items.
    pub items: Vec<Item>,
    /// What was not looked at.
    pub left: Vec<Key>,
}

/// A page of a query.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// The items; of an index their keys.
    pub items: Vec<Item>,
    /// Where the next page starts; `None` when this was the last.
    pub next: Option<Item>,
}

/// What a query asks for.
#[derive(Debug, Clone)]
pub struct Range<'a> {
    /// The index; the table itself when `None`.
    pub index: Option<&'a str>,
    /// The partition key's value.
    pub partition: String,
    /// What the sort key starts with.
    pub prefix: Option<&'a str>,
    /// The highest sort key, in place of a prefix.
    pub up_to: Option<String>,
    /// Highest sort key first.
    pub backwards: bool,
    /// At most so many items a page.
    pub limit: Option<i32>,
    /// Where to start.
    pub start: Option<Item>,
}

impl<'a> Range<'a> {
    /// All of a partition, or what starts with `prefix` in it.
    pub fn of(partition: String, prefix: Option<&'a str>) -> Self {
        Self { index: None, partition, prefix, up_to: None, backwards: false, limit: None, start: None }
    }
}

/// One write of a transaction.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Write {
    /// A whole item, in place of whatever is there.
    Put {
        /// The item with its key.
        item: Item,
        /// When.
        condition: Condition,
    },
    /// Some attributes.
    Update {
        /// The item.
        key: Key,
        /// What changes.
        update: Update,
        /// When.
        condition: Condition,
    },
    /// A removal.
    Delete {
        /// The item.
        key: Key,
        /// When.
        condition: Condition,
    },
    /// No write: only the condition.
    Check {
        /// The item.
        key: Key,
        /// What must hold of it.
        condition: Condition,
    },
}

/// One write that depends on nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// A whole item, in place of whatever is there.
    Put(Item),
    /// A removal.
    Delete(Key),
}

/// Why a request was not done: trouble, or what is an answer to whoever sent it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The condition of an update did not hold.
    #[error("the condition did not hold")]
    Condition,
    /// The conditions of these writes of a transaction did not hold, by their index.
    #[error("the conditions of writes {0:?} did not hold")]
    Cancelled(Vec<usize>),
    /// It met another transaction; nothing of it was done.
    #[error("transactions conflict")]
    Conflict,
    /// An earlier sending of it is under way, whose outcome nobody knows yet.
    #[error("{0}")]
    InProgress(String),
    /// It may have been done or not, and sending it again could do it twice.
    #[error("the table did not answer: {0}; what was asked may or may not have been done")]
    Unknown(String),
    /// Trouble.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Condition | Failure::Cancelled(_) => Self::Invalid(failure.to_string()),
            Failure::Conflict => Self::Busy(failure.to_string()),
            Failure::InProgress(text) => Self::Busy(text),
            Failure::Unknown(text) => {
                Self::Unreachable(format!("{text}; what was asked may or may not have been done"))
            }
            Failure::Table(error) => error,
        }
    }
}

impl Failure {
    /// Whether another try may go better.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::InProgress(_) | Self::Table(TableError::Busy(_) | TableError::Unreachable(_))
        )
    }

    /// Whether the request may have been done all the same.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::InProgress(_) | Self::Unknown(_) | Self::Table(TableError::Unreachable(_)))
    }
}
