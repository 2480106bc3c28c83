//! Requests at random: keys that meet, conditions that hold and do not, changes that are possible and are not.

use latchkey::table::condition::{Condition, Path};
use latchkey::table::engine::{Range, Write};
use latchkey::table::item::{Item, Value, count};
use latchkey::table::keys::{DUE, DUE_PK, DUE_SK, Key, MANAGED, MANAGED_PK, PK};
use latchkey::table::update::Update;
use tests::chaos::Random;

/// Makes them.
pub(super) struct Requests(Random);

impl Requests {
    /// The same in each run, or by `LATCHKEY_SEED`.
    pub(super) fn seeded() -> Self {
        Self(Random::seeded())
    }

    pub(super) fn upto(&mut self, most: usize) -> usize {
        self.0.below(most)
    }

    fn one_in(&mut self, most: usize) -> bool {
        self.0.below(most) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.0.below(all.len())]
    }

    pub(super) fn key(&mut self) -> Key {
        let pk = *self.pick(&["U#ana", "U#ben", "M#acme"]);
        let sk = *self.pick(&["A#a", "A#aa", "A#b", "A#c", "D#1", "D#2", "U", "ü"]);
        Key { pk: pk.to_owned(), sk: sk.to_owned() }
    }

    fn text(&mut self) -> Value {
        Value::S((*self.pick(&["", "a", "b", "ab", "x\"y\\z", "ü\u{10ffff}", "10", "9"])).to_owned())
    }

    fn number(&mut self) -> Value {
        count(*self.pick(&[0_i64, 1, 2, 9, 10, -3, 1_772_366_400_000]))
    }

    fn set(&mut self) -> Vec<String> {
        let all = ["ops", "dev", "x"];
        let some: Vec<String> = all.iter().filter(|_| self.one_in(2)).map(|text| (*text).to_owned()).collect();
        if some.is_empty() { vec!["ops".to_owned()] } else { some }
    }

    fn value(&mut self) -> Value {
        match self.upto(6) {
            0 => self.number(),
            1 => Value::Bool(self.one_in(2)),
            2 => Value::M([("last".to_owned(), self.number()), ("ip".to_owned(), self.text())].into()),
            3 => Value::L(vec![self.text(), self.number(), Value::B(vec![0, 255])]),
            4 => Value::Null(true),
            _ => self.text(),
        }
    }

    /// The attributes of the indexes, or some of them.
    fn indexed(&mut self, item: &mut Item) {
        if self.one_in(2) {
            item.insert(MANAGED_PK.to_owned(), Value::S((*self.pick(&["M#acme", "M#beta"])).to_owned()));
        }
        if self.one_in(2) {
            item.insert(DUE_PK.to_owned(), Value::S((*self.pick(&["DUE#1", "N#0"])).to_owned()));
        }
        if self.one_in(2) {
            item.insert(DUE_SK.to_owned(), Value::S((*self.pick(&["001", "002", "010"])).to_owned()));
        }
    }

    pub(super) fn item(&mut self) -> Item {
        let mut item = self.key().item();
        if self.one_in(2) {
            item.insert("revision".to_owned(), self.number());
        }
        if self.one_in(2) {
            item.insert("from".to_owned(), Value::Ss(self.set()));
        }
        for name in ["name", "use_1", "told"] {
            if self.one_in(3) {
                item.insert(name.to_owned(), self.value());
            }
        }
        self.indexed(&mut item);
        item
    }

    fn path(&mut self) -> Path {
        match self.upto(6) {
            0 => Path::from("use_1").then("last"),
            1 => Path::from("told").then("ip"),
            2 => PK.into(),
            _ => (*self.pick(&["revision", "name", "from", "use_1", "nothing"])).into(),
        }
    }

    pub(super) fn condition(&mut self, depth: usize) -> Condition {
        match self.upto(if depth == 0 { 8 } else { 11 }) {
            0 | 1 => Condition::Always,
            2 => Condition::Exists(self.path()),
            3 => Condition::Absent(self.path()),
            4 => {
                let value = if self.one_in(2) { self.number() } else { self.value() };
                Condition::Is(self.path(), value)
            }
            5 => Condition::Below(self.path(), if self.one_in(2) { self.number() } else { self.text() }),
            6 => Condition::AtMost("revision".into(), self.number()),
            7 if self.one_in(2) => Condition::Fewer("from".into(), 2),
            7 => Condition::Contains("from".into(), "ops".to_owned()),
            8 => Condition::Not(Box::new(self.condition(0).or(Condition::exists("name")))),
            9 => self.condition(depth - 1).and(self.condition(depth - 1)),
            _ => self.condition(depth - 1).or(self.condition(depth - 1)),
        }
    }

    /// Changes of different attributes.
    pub(super) fn update(&mut self) -> Update {
        let mut update = Update::default();
        if self.one_in(3) {
            update.add("revision", i64::try_from(self.upto(5)).unwrap() - 2);
        } else if self.one_in(2) {
            update.set("revision", self.number());
        }
        if self.one_in(3) {
            update.add_to_set("from", self.set());
        } else if self.one_in(4) {
            update.remove("from");
        }
        match self.upto(5) {
            0 => update.set(Path::from("use_1").then("last"), self.number()),
            1 => update.remove(Path::from("use_1").then("ip")),
            2 => update.set_if_absent("use_1", Value::M([("last".to_owned(), self.number())].into())),
            3 => update.set("use_1", self.value()),
            _ => {}
        }
        let mut indexed = Item::new();
        self.indexed(&mut indexed);
        for (name, value) in indexed {
            update.set(name.as_str(), value);
        }
        if self.one_in(4) {
            update.remove("told");
        }
        if update.is_empty() {
            update.set("name", self.text());
        }
        update
    }

    pub(super) fn write(&mut self) -> Write {
        match self.upto(5) {
            0 => Write::Delete { key: self.key(), condition: self.condition(1) },
            1 => Write::Check { key: self.key(), condition: self.condition(1).and(Condition::absent("nothing")) },
            2 => Write::Update { key: self.key(), update: self.update(), condition: self.condition(1) },
            _ => Write::Put { item: self.item(), condition: self.condition(1) },
        }
    }

    pub(super) fn range(&mut self) -> Range<'static> {
        let (index, partition, prefixes): (_, _, &[Option<&str>]) = match self.upto(4) {
            0 => (Some(MANAGED), *self.pick(&["M#acme", "M#beta"]), &[None, Some("U#")]),
            1 => (Some(DUE), *self.pick(&["DUE#1", "N#0", "nobody"]), &[None]),
            _ => (
                None,
                *self.pick(&["U#ana", "U#ben", "M#acme", "nobody"]),
                &[None, Some("A#"), Some("A#a"), Some("D#")],
            ),
        };
        let prefix = *self.pick(prefixes);
        let up_to =
            (prefix.is_none() && self.one_in(2)).then(|| if index == Some(DUE) { "002" } else { "A#b" }.to_owned());
        Range {
            index,
            prefix,
            up_to,
            backwards: self.one_in(2),
            limit: self.one_in(2).then(|| 1 + i32::try_from(self.upto(3)).unwrap()),
            ..Range::of(partition.to_owned(), None)
        }
    }
}
