//! The same faults at the seam, where an engine is in this process.

use std::sync::Arc;

use latchkey::table::TableError;
use latchkey::table::condition::Condition;
use latchkey::table::counters::Counters;
use latchkey::table::engine::{Answer, Consistency, Engine, Failure, Many, Page, Plain, Range, Write};
use latchkey::table::item::Item;
use latchkey::table::keys::Key;
use latchkey::table::update::Update;

use super::faults::{Fault, Faults};

#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn Engine>,
    pub(super) faults: Faults,
}

impl Faulty {
    fn pass<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        let Some(fault) = self.faults.next() else { return answer };
        let refused = |error: TableError| -> Answer<'a, T> { Box::pin(std::future::ready(Err(error.into()))) };
        let unreachable = |why: &str| TableError::Unreachable(why.to_owned());
        match fault {
            Fault::Cut => refused(TableError::Denied("cut".to_owned())),
            Fault::Throttle => {
                self.counters().note_throttle();
                refused(TableError::Busy("slow down".to_owned()))
            }
            Fault::Silence => refused(unreachable("no answer came in time")),
            Fault::Skew => refused(TableError::Denied("Signature expired: is now earlier than".to_owned())),
            Fault::Partial => refused(unreachable("the answer was cut off")),
            Fault::Conflict => Box::pin(std::future::ready(Err(Failure::Conflict))),
            Fault::Hold => Box::pin(async move {
                self.faults.1.arrived.notify_one();
                self.faults.1.released.notified().await;
                answer.await
            }),
            Fault::AnswerLost => Box::pin(async move {
                let _ = answer.await;
                Err(TableError::Unreachable("the connection broke".to_owned()).into())
            }),
        }
    }
}

impl Engine for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn counters(&self) -> &Counters {
        self.inner.counters()
    }

    fn has_conflicts(&self) -> bool {
        self.inner.has_conflicts()
    }

    fn create(&self) -> Answer<'_, ()> {
        self.pass(self.inner.create())
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        // What an engine in memory does, it does when it is asked, which must not be before a fault.
        self.pass(Box::pin(async move { self.inner.get(key).await }))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], consistency: Consistency) -> Answer<'a, Many> {
        self.pass(Box::pin(async move { self.inner.get_many(keys, consistency).await }))
    }

    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page> {
        self.pass(Box::pin(async move { self.inner.query(range).await }))
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        self.pass(Box::pin(async move { self.inner.scan(start, limit).await }))
    }

    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item> {
        self.pass(self.inner.update(key, update, condition))
    }

    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()> {
        self.pass(self.inner.transact(request, writes))
    }

    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        self.pass(self.inner.write(writes))
    }
}
