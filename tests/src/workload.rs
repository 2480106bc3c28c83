//! What the program `workload` writes, so that whoever finds a file after an end knows what must be in it.

use latchkey::table::condition::Condition;
use latchkey::table::engine::Write;
use latchkey::table::item::{Item, Value, count};
use latchkey::table::keys::{DUE_PK, DUE_SK, Key, MANAGED_PK, PK};
use latchkey::table::update::Update;

fn key(pk: String, sk: String) -> Key {
    Key { pk, sk }
}

fn total() -> Key {
    key("COUNT".to_owned(), "C".to_owned())
}

/// A number that follows from two others, anyhow.
fn mixed(seed: u64, number: u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd134_2543_de82_ef95);
    state ^= state >> 29;
    state.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (state >> 32)
}

/// The count of all, begun.
pub fn count_first() -> Vec<Write> {
    let mut item = total().item();
    item.insert("writes".to_owned(), count(0));
    vec![Write::Put { item, condition: Condition::absent(PK) }]
}

/// The item of a number: what it must contain, whenever it is found.
pub fn item_of(seed: u64, number: u64) -> Item {
    let mut item = key(format!("W#{}", number % 7), format!("{seed:04}-{number:08}")).item();
    let random = mixed(seed, number);
    let text: String =
        (0..random % 400).map(|at| char::from(b'a' + u8::try_from((random >> (at % 48)) % 26).unwrap_or(0))).collect();
    item.insert("text".to_owned(), Value::S(text));
    item.insert("number".to_owned(), count(number));
    if random.is_multiple_of(2) {
        item.insert(MANAGED_PK.to_owned(), Value::S(format!("M#{}", random % 3)));
    }
    if random.is_multiple_of(3) {
        item.insert(DUE_PK.to_owned(), Value::S(format!("DUE#{}", random % 5)));
        item.insert(DUE_SK.to_owned(), Value::S(format!("{:015}", random % 1_000_000)));
    }
    item
}

/// The transaction of a number.
pub fn write_of(seed: u64, number: u64) -> Vec<Write> {
    let mut update = Update::default();
    update.add("writes", 1);
    let counted = Write::Update { key: total(), update, condition: Condition::exists(PK) };
    vec![Write::Put { item: item_of(seed, number), condition: Condition::absent(PK) }, counted]
}

/// What is wrong with all items of a file: one that differs, a count that is not theirs. The numbers that are there.
pub fn check(seeds: &[u64], items: &[Item]) -> Result<Vec<(u64, u64)>, String> {
    let (mut found, mut counted) = (Vec::new(), 0);
    for item in items {
        let Some(key) = Key::of(item) else { return Err(format!("an item without a key: {item:?}")) };
        if key == total() {
            counted = latchkey::table::item::number(item, "writes").unwrap_or(u64::MAX);
            continue;
        }
        let numbers =
            key.sk.split_once('-').and_then(|(seed, number)| Some((seed.parse().ok()?, number.parse().ok()?)));
        let Some((seed, number)) = numbers else { return Err(format!("a key that nobody wrote: {key:?}")) };
        if !seeds.contains(&seed) || item_of(seed, number) != *item {
            return Err(format!("{number} of {seed} is not as it was written: {item:?}"));
        }
        found.push((seed, number));
    }
    if counted == found.len() as u64 { Ok(found) } else { Err(format!("{} items, counted {counted}", found.len())) }
}
