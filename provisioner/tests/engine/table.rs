//! The table of one run: the engine behind its gate.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use latchkey::event::EventKind;
use latchkey::table::condition::Condition;
use latchkey::table::counters::Counters;
use latchkey::table::engine::{Answer, Consistency, Engine, Failure, Many, Page, Plain, Range, Write};
use latchkey::table::item::{Item, text};
use latchkey::table::keys::Key;
use latchkey::table::sqlite::Sqlite;
use latchkey::table::update::Update;

use crate::gate::{Gate, Kind};

/// Answers at once, on the caller's thread, so that every order of calls can be repeated.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) engine: Arc<Sqlite>,
    pub(crate) gate: Option<Arc<Gate>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Wire")
    }
}

impl Wire {
    /// Asks when the gate lets it through.
    fn pass<'a, T: Send + 'a>(&'a self, kind: Kind, ask: impl FnOnce() -> Answer<'a, T> + Send + 'a) -> Answer<'a, T> {
        Box::pin(async move {
            match &self.gate {
                Some(gate) => gate.pass(kind, "", |_| at_once(ask())).await,
                None => at_once(ask()),
            }
        })
    }
}

/// A table in memory answers when it is asked.
pub(crate) fn at_once<T>(mut answer: Answer<'_, T>) -> Result<T, Failure> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a table in memory let somebody wait"),
    }
}

/// The event that a transaction writes.
fn event(writes: &[Write]) -> Option<(&str, &str)> {
    writes.iter().find_map(|write| match write {
        Write::Put { item, .. } => Some((text(item, "action")?, text(item, "detail").unwrap_or_default())),
        _ => None,
    })
}

/// The version that a transaction makes current, told by its event, which may name places after it.
fn promoted(writes: &[Write]) -> Option<u32> {
    let (_, detail) = event(writes).filter(|(action, _)| *action == EventKind::VersionPromote.as_str())?;
    let number = detail.strip_prefix("version ").and_then(|rest| rest.split(' ').next());
    Some(number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no version in `{detail}`")))
}

impl Engine for Wire {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn counters(&self) -> &Counters {
        self.engine.counters()
    }

    fn has_conflicts(&self) -> bool {
        self.engine.has_conflicts()
    }

    fn create(&self) -> Answer<'_, ()> {
        self.engine.create()
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        self.pass(Kind::Load, move || self.engine.get(key))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], consistency: Consistency) -> Answer<'a, Many> {
        self.pass(Kind::Read, move || self.engine.get_many(keys, consistency))
    }

    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page> {
        self.pass(Kind::Read, move || self.engine.query(range))
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        self.pass(Kind::Read, move || self.engine.scan(start, limit))
    }

    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item> {
        self.pass(Kind::Change, move || self.engine.update(key, update, condition))
    }

    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()> {
        Box::pin(async move {
            let answer = self.engine.transact(request, writes);
            let Some(gate) = &self.gate else { return at_once(answer) };
            let note = event(writes).map_or_else(String::new, |(action, detail)| format!("{action} {detail}"));
            let answer = gate.pass(Kind::Change, &note, |_| at_once(answer)).await;
            if let Some(number) = promoted(writes).filter(|_| answer.is_ok()) {
                gate.world().promoted(number).await;
            }
            answer
        })
    }

    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        self.pass(Kind::Change, move || self.engine.write(writes))
    }
}
