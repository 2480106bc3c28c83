//! The same operations on both engines: every answer is compared, and all that is in the tables.

use std::collections::BTreeMap;

use latchkey::table::TableError;
use latchkey::table::condition::Condition;
use latchkey::table::engine::{Consistency, Engine, Failure, Plain, Range, Write};
use latchkey::table::item::{Item, Value, count};
use latchkey::table::keys::{DUE, DUE_SK, Key, PK, SK};
use latchkey::table::update::Update;
use tests::engine::Store;

use super::open;
use super::requests::Requests;

/// An item as text, whatever the order of its parts.
fn told(item: &Item) -> String {
    fn spelled(value: &Value) -> String {
        match value {
            Value::M(map) => format!("{{{}}}", told(map)),
            Value::L(list) => format!("[{}]", list.iter().map(spelled).collect::<Vec<_>>().join(", ")),
            Value::Ss(texts) => {
                let mut texts = texts.clone();
                texts.sort();
                format!("{texts:?}")
            }
            other => format!("{other:?}"),
        }
    }
    let parts: BTreeMap<&String, String> = item.iter().map(|(name, held)| (name, spelled(held))).collect();
    format!("{parts:?}")
}

/// What an answer says, with the words of engines left out.
fn outcome<T>(answer: Result<T, Failure>, said: impl Fn(T) -> String) -> String {
    match answer {
        Ok(done) => said(done),
        Err(Failure::Condition) => "the condition does not hold".to_owned(),
        Err(Failure::Cancelled(failed)) => format!("cancelled by {failed:?}"),
        Err(Failure::Table(TableError::Invalid(_))) => "invalid".to_owned(),
        Err(error) => panic!("{error:?}"),
    }
}

/// All pages of a query. Keys of an index may tie, so what they have is compared as a set, and their order for itself.
async fn all(engine: &dyn Engine, mut range: Range<'static>) -> Vec<String> {
    let (mut found, mut sorts) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let page = engine.query(&range).await.unwrap();
        let most = range.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        assert!(page.items.len() <= most, "a page has its limit");
        for item in &page.items {
            let sort = if range.index == Some(DUE) {
                DUE_SK
            } else if range.index.is_some() {
                PK
            } else {
                SK
            };
            sorts.push(latchkey::table::item::text(item, sort).unwrap().to_owned());
            found.push(told(item));
        }
        range.start = page.next;
        if range.start.is_none() {
            if range.backwards {
                sorts.reverse();
            }
            assert!(sorts.is_sorted(), "{sorts:?}");
            if range.index.is_some() {
                found.sort();
            }
            return found;
        }
    }
    panic!("pages without end")
}

async fn everything(engine: &dyn Engine) -> Vec<String> {
    let (mut found, mut start) = (Vec::new(), None);
    loop {
        let page = engine.scan(start, None).await.unwrap();
        found.extend(page.items.iter().map(told));
        start = page.next;
        if start.is_none() {
            found.sort();
            return found;
        }
    }
}

/// One operation, on an engine.
enum Asked {
    Update(Key, Update, Condition),
    Transact(Vec<Write>),
    Plain(Vec<Plain>),
    Get(Vec<Key>),
    Query(Range<'static>),
}

impl Asked {
    fn any(requests: &mut Requests) -> Self {
        match requests.upto(10) {
            0..=2 => Self::Update(requests.key(), requests.update(), requests.condition(2)),
            3..=6 => {
                let writes = (0..=requests.upto(4)).map(|_| requests.write()).collect();
                Self::Transact(writes)
            }
            7 => {
                let item = requests.item();
                let other = requests.key();
                let mut plain = vec![Plain::Put(item.clone())];
                if Key::of(&item).as_ref() != Some(&other) {
                    plain.push(Plain::Delete(other));
                }
                Self::Plain(plain)
            }
            8 => {
                let mut keys = vec![requests.key(), requests.key()];
                keys.dedup();
                Self::Get(keys)
            }
            _ => Self::Query(requests.range()),
        }
    }

    async fn ask(&self, engine: &dyn Engine, number: u64) -> String {
        match self {
            Self::Update(key, update, condition) => {
                outcome(engine.update(key, update, condition).await, |changed| told(&changed))
            }
            Self::Transact(writes) => {
                outcome(engine.transact(&format!("request-{number}"), writes).await, |()| "done".to_owned())
            }
            Self::Plain(writes) => outcome(engine.write(writes.clone()).await, |left| format!("{left:?}")),
            Self::Get(keys) => outcome(engine.get_many(keys, Consistency::Strong).await, |many| {
                let mut found: Vec<String> = many.items.iter().map(told).collect();
                found.sort();
                format!("{found:?}")
            }),
            Self::Query(range) => format!("{:?}", all(engine, range.clone()).await),
        }
    }
}

/// `LATCHKEY_OPERATIONS` says how many.
#[tokio::test]
async fn both_engines_answer_every_request_alike_and_end_with_the_same_items() {
    let operations = std::env::var("LATCHKEY_OPERATIONS").ok().and_then(|many| many.parse().ok()).unwrap_or(2000_u64);
    let aws = Store::on(tests::engine::Engine::of_aws()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = open(&folder.path().join("latchkey.db")).unwrap();
    let aws = aws.raw.engine().clone();
    let mut requests = Requests::seeded();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..operations {
        let asked = Asked::any(&mut requests);
        let (one, other) = (asked.ask(&*aws, number).await, asked.ask(&file, number).await);
        let what = match &asked {
            Asked::Update(key, update, condition) => format!("{key:?} {update:?} {condition:?}"),
            Asked::Transact(writes) => format!("{writes:?}"),
            Asked::Plain(writes) => format!("{writes:?}"),
            Asked::Get(keys) => format!("{keys:?}"),
            Asked::Query(range) => format!("{range:?}"),
        };
        assert_eq!(one, other, "operation {number}: {what}");
        let kind = match one.as_str() {
            "invalid" => "invalid",
            "done" => "done",
            text if text.starts_with("cancelled") => "cancelled",
            text if text.starts_with("the condition") => "condition",
            _ => "items",
        };
        *outcomes.entry(kind).or_default() += 1;
        if number % 100 == 0 {
            assert_eq!(everything(&*aws).await, everything(&file).await, "after operation {number}");
        }
    }
    assert_eq!(everything(&*aws).await, everything(&file).await);
    println!("{outcomes:?}");
    for kind in ["invalid", "done", "cancelled", "condition", "items"] {
        assert!(outcomes.get(kind).is_some_and(|times| *times as u64 > operations / 100), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let aws = Store::on(tests::engine::Engine::of_aws()).await;
    let memory = Store::on(tests::engine::Engine::Sqlite).await;
    for engine in [aws.raw.engine(), memory.raw.engine()] {
        let key = Key { pk: "S".to_owned(), sk: "S".to_owned() };
        let mut item = key.item();
        item.insert("uses".to_owned(), count(1));
        let first = [Write::Put { item, condition: Condition::absent(PK) }];
        let mut update = Update::default();
        update.add("uses", 1);
        let second = [Write::Update { key: key.clone(), update, condition: Condition::exists(PK) }];
        for _ in 0..2 {
            engine.transact("the-first-request", &first).await.unwrap();
        }
        for _ in 0..3 {
            engine.transact("the-second-request", &second).await.unwrap();
        }
        assert_eq!(latchkey::table::item::number::<u64>(&engine.get(&key).await.unwrap().unwrap(), "uses"), Some(2));
        let refused = engine.transact("another-request", &first).await;
        assert!(matches!(&refused, Err(Failure::Cancelled(failed)) if *failed == [0]), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_too_many_is_refused_by_both() {
    let aws = Store::on(tests::engine::Engine::of_aws()).await;
    let memory = Store::on(tests::engine::Engine::Sqlite).await;
    for engine in [aws.raw.engine(), memory.raw.engine()] {
        let at = |number: usize| Key { pk: "S".to_owned(), sk: number.to_string() };
        let sized = |length: usize| {
            let mut item = at(0).item();
            item.insert("text".to_owned(), Value::S("x".repeat(length)));
            [Write::Put { item, condition: Condition::Always }]
        };
        // The rest is its names and its key.
        let most = latchkey::table::item::ITEM_MAX - "PKSKtextS0".len();
        engine.transact("as large as may be", &sized(most)).await.unwrap();
        let many = |count: usize| -> Vec<Write> {
            (0..count).map(|number| Write::Put { item: at(number).item(), condition: Condition::Always }).collect()
        };
        engine.transact("a hundred writes", &many(100)).await.unwrap();
        let twice = [many(1), many(1)].concat();
        for (why, writes) in [("one byte more", sized(most + 1).to_vec()), ("one more", many(101)), ("twice", twice)] {
            let refused = engine.transact(why, &writes).await;
            assert!(matches!(&refused, Err(Failure::Table(TableError::Invalid(_)))), "{why}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_page_has_at_most_a_megabyte_and_the_next_one_goes_on_after_it() {
    let aws = Store::on(tests::engine::Engine::of_aws()).await;
    let memory = Store::on(tests::engine::Engine::Sqlite).await;
    for store in [&aws, &memory] {
        for number in 0..9 {
            let mut item = Key { pk: "S".to_owned(), sk: number.to_string() }.item();
            item.insert("text".to_owned(), Value::S("x".repeat(300 * 1024)));
            store.raw.put([item]).await;
        }
        let range = Range::of("S".to_owned(), None);
        let page = store.raw.engine().query(&range).await.unwrap();
        assert!((3..=4).contains(&page.items.len()) && page.next.is_some(), "{}", page.items.len());
        assert_eq!(all(&**store.raw.engine(), range).await.len(), 9);
        assert_eq!(everything(&**store.raw.engine()).await.len(), 9);
    }
}
