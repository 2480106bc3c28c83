//! Rows whose time has come go by themselves, in small steps, from indexes too.

use std::sync::Arc;

use latchkey::lifetime::Seconds;
use latchkey::table::condition::Condition;
use latchkey::table::engine::{Engine, Range, Write};
use latchkey::table::item::{Value, count};
use latchkey::table::keys::{DUE, DUE_PK, DUE_SK, Key, MANAGED, MANAGED_PK};
use latchkey::table::sqlite::Sqlite;
use tests::clock::ManualClock;
use tests::engine::Raw;
use tests::world::START;

fn put(sk: &str, ttl: Option<i64>) -> Write {
    let mut item = Key { pk: "Y".to_owned(), sk: sk.to_owned() }.item();
    item.insert(DUE_PK.to_owned(), Value::S("YD#0".to_owned()));
    item.insert(DUE_SK.to_owned(), Value::S("001".to_owned()));
    item.insert(MANAGED_PK.to_owned(), Value::S("M#acme".to_owned()));
    if let Some(ttl) = ttl {
        item.insert("ttl".to_owned(), count(ttl));
    }
    Write::Put { item, condition: Condition::Always }
}

#[tokio::test]
async fn rows_whose_time_has_come_go_in_steps_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let file = Sqlite::open(&folder.path().join("latchkey.db"), clock.clone()).unwrap();
    let memory = Sqlite::memory(clock.clone()).unwrap();
    let tables: [Arc<dyn Engine>; 2] = [Arc::new(file), Arc::new(memory)];
    let now = latchkey::clock::Clock::now(&*clock).as_second();
    for table in &tables {
        for number in 0..250 {
            let write = put(&format!("ends-{number:03}"), Some(now + 60 + number));
            table.transact(&format!("ends-{number}"), &[write]).await.unwrap();
        }
        let others = [put("later", Some(now + 40 * 86_400)), put("never", None)];
        table.transact("others", &others).await.unwrap();
    }
    clock.advance(Seconds::days(1));
    for table in &tables {
        let (raw, index) =
            (Raw::of(table.clone()), |name| Range { index: Some(name), ..Range::of(String::new(), None) });
        assert_eq!(raw.items().await.len(), 252, "nobody has written since");
        let mut left = Vec::new();
        for number in 0..5 {
            table.transact(&format!("after-{number}"), &[put("never", None)]).await.unwrap();
            left.push(raw.items().await.len());
        }
        // In a file they go after the answer, before the next one.
        assert!(left[0] >= 152 && left.is_sorted_by(|one, other| one >= other), "{left:?}");
        assert_eq!(left[4], 2, "{left:?}");
        for (name, partition) in [(DUE, "YD#0"), (MANAGED, "M#acme")] {
            let range = Range { partition: partition.to_owned(), ..index(name) };
            assert_eq!(table.query(&range).await.unwrap().items.len(), 2, "{name}");
        }
    }
}
