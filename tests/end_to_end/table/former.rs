//! Files that versions before this one wrote, by the emulator of DynamoDB that they contained.

use std::path::Path;

use latchkey::table::item::Item;
use latchkey::table::keys::Key;
use rusqlite::{Connection, params};
use tests::provision::World;

use super::everything;

/// The schema of such a file, as far as items are in it.
const SCHEMA: &str = r#"
CREATE TABLE _tables (table_name TEXT PRIMARY KEY, key_schema TEXT NOT NULL);
CREATE TABLE "latchkey" (pk TEXT NOT NULL, sk TEXT NOT NULL DEFAULT '', item_json TEXT NOT NULL, item_size INTEGER NOT NULL,
    cached_at REAL, hash_prefix TEXT NOT NULL DEFAULT '', PRIMARY KEY (pk, sk));
CREATE TABLE "latchkey::gsi::due" (gsi_pk TEXT NOT NULL, gsi_sk TEXT NOT NULL DEFAULT '', table_pk TEXT NOT NULL,
    table_sk TEXT NOT NULL DEFAULT '', item_json TEXT NOT NULL, PRIMARY KEY (gsi_pk, gsi_sk, table_pk, table_sk));
"#;

/// Writes items as such a file has them: keys with their type, and JSON.
fn write(path: &Path, items: &[Item]) {
    let file = Connection::open(path).unwrap();
    file.execute_batch(SCHEMA).unwrap();
    for item in items {
        let (key, json) = (Key::of(item).unwrap(), serde_json::to_string(item).unwrap());
        let sql = "INSERT INTO latchkey (pk, sk, item_json, item_size) VALUES (?1, ?2, ?3, 0)";
        file.execute(sql, params![format!("S:{}", key.pk), format!("S:{}", key.sk), json]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_an_earlier_version_is_copied_and_all_that_was_valid_stays_so() {
    let world = World::new();
    let made = world.run("token create laptop --service embedded:first.db").exits(0);
    let secret = made.stdout.split_whitespace().find(|word| word.starts_with("lk_")).unwrap().to_owned();
    let held = everything(&world.path("first.db")).await;
    write(&world.path("old.db"), &held);
    let before = std::fs::read(world.path("old.db")).unwrap();
    let refused = world.run("token list --service embedded:old.db").exits(1);
    assert!(refused.stderr.contains("older form") && refused.stderr.contains("provision copy"), "{}", refused.stderr);
    let copied = world.run("copy embedded:old.db embedded:new.db").exits(0);
    assert!(copied.stdout.contains(&format!("{} items, the same in both", held.len())), "{}", copied.stdout);
    world.pipe("token verify --service embedded:new.db", &secret).exits(0);
    assert_eq!(std::fs::read(world.path("old.db")).unwrap(), before, "the former file was changed");
    // Nothing is copied into one.
    world.run("copy embedded:new.db embedded:old.db").exits(1);
    assert_eq!(std::fs::read(world.path("old.db")).unwrap(), before);
}
