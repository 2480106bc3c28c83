//! When a write may happen: conditions on the item that is there, the same for every engine.
//!
//! They mean what DynamoDB's condition expressions mean
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>): a
//! comparison with an attribute that is not there, or of another type, does not hold.

use std::cmp::Ordering;

use super::item::{Item, Value};

/// Where in an item: an attribute, or one within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// An attribute within this one.
    #[must_use]
    pub fn then(mut self, name: &str) -> Self {
        self.0.push(name.to_owned());
        self
    }

    /// The names on the way, the attribute's first.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// What is there.
    pub fn of<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(item.get(first)?, |value, name| match value {
            Value::M(map) => map.get(name),
            _ => None,
        })
    }
}

impl From<&str> for Path {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

/// What must hold of the item that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Nothing need.
    Always,
    /// The attribute is there; of a key, the item.
    Exists(Path),
    /// It is not.
    Absent(Path),
    /// It has this value.
    Is(Path, Value),
    /// It is lower, of numbers or of texts.
    Below(Path, Value),
    /// It is not higher.
    AtMost(Path, Value),
    /// It is a set of texts with this one, or a text with this part.
    Contains(Path, String),
    /// It is a set of fewer texts.
    Fewer(Path, usize),
    /// This one does not hold.
    Not(Box<Condition>),
    /// All of them do.
    All(Vec<Condition>),
    /// One of them does.
    Any(Vec<Condition>),
}

impl Condition {
    /// The attribute is there.
    pub fn exists(path: impl Into<Path>) -> Self {
        Self::Exists(path.into())
    }

    /// The attribute is not there.
    pub fn absent(path: impl Into<Path>) -> Self {
        Self::Absent(path.into())
    }

    /// The attribute has this value.
    pub fn is(path: impl Into<Path>, value: Value) -> Self {
        Self::Is(path.into(), value)
    }

    /// The attribute is lower than this.
    pub fn below(path: impl Into<Path>, value: Value) -> Self {
        Self::Below(path.into(), value)
    }

    /// The attribute is this or lower.
    pub fn at_most(path: impl Into<Path>, value: Value) -> Self {
        Self::AtMost(path.into(), value)
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::Always => other,
            Self::All(mut all) => {
                all.push(other);
                Self::All(all)
            }
            one => Self::All(vec![one, other]),
        }
    }

    /// One of them holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Any(mut any) => {
                any.push(other);
                Self::Any(any)
            }
            one => Self::Any(vec![one, other]),
        }
    }

    /// Whether it holds of an item, or of none.
    pub fn holds(&self, item: Option<&Item>) -> bool {
        let at = |path: &Path| item.and_then(|item| path.of(item));
        match self {
            Self::Always => true,
            Self::Exists(path) => at(path).is_some(),
            Self::Absent(path) => at(path).is_none(),
            Self::Is(path, value) => at(path).is_some_and(|held| same(held, value)),
            Self::Below(path, value) => at(path).and_then(|held| order(held, value)) == Some(Ordering::Less),
            Self::AtMost(path, value) => {
                at(path).and_then(|held| order(held, value)).is_some_and(|order| order != Ordering::Greater)
            }
            Self::Contains(path, part) => match at(path) {
                Some(Value::Ss(texts)) => texts.contains(part),
                Some(Value::S(text)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::Fewer(path, most) => matches!(at(path), Some(Value::Ss(texts)) if texts.len() < *most),
            Self::Not(one) => !one.holds(item),
            Self::All(all) => all.iter().all(|one| one.holds(item)),
            Self::Any(any) => any.iter().any(|one| one.holds(item)),
        }
    }
}

/// Whether two values are equal: numbers by what they count, sets whatever their order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::N(_), Value::N(_)) => order(one, other) == Some(Ordering::Equal),
        (Value::Ss(one), Value::Ss(other)) => one.len() == other.len() && one.iter().all(|text| other.contains(text)),
        _ => one == other,
    }
}

/// Which of two values of one type is higher. Only whole numbers occur.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::S(one), Value::S(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Value::N(one), Value::N(other)) => Some(one.parse::<i128>().ok()?.cmp(&other.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::item::count;

    fn item() -> Item {
        let used = Item::from([("last".to_owned(), count(5))]);
        Item::from([
            ("name".to_owned(), Value::S("b".to_owned())),
            ("revision".to_owned(), count(10)),
            ("use_1".to_owned(), Value::M(used)),
            ("from".to_owned(), Value::Ss(vec!["x".to_owned(), "y".to_owned()])),
        ])
    }

    #[test]
    fn numbers_are_compared_by_what_they_count_and_texts_by_their_bytes() {
        let item = item();
        let holds = |condition: Condition| condition.holds(Some(&item));
        assert!(holds(Condition::is("revision", count(10))));
        assert!(!holds(Condition::is("revision", Value::S("10".to_owned()))));
        assert!(!holds(Condition::below("revision", count(9))), "as texts 10 would be lower");
        assert!(holds(Condition::at_most("revision", count(10))) && !holds(Condition::below("revision", count(10))));
        assert!(holds(Condition::below("name", Value::S("c".to_owned()))));
        let last = || Path::from("use_1").then("last");
        assert!(holds(Condition::Is(last(), count(5))) && holds(Condition::Absent(last().then("deeper"))));
        assert!(holds(Condition::Contains("from".into(), "x".to_owned())));
        assert!(holds(Condition::Fewer("from".into(), 3)) && !holds(Condition::Fewer("from".into(), 2)));
    }

    #[test]
    fn what_is_not_there_is_equal_to_nothing_and_neither_higher_nor_lower() {
        for held in [None, Some(&Item::new())] {
            for condition in [
                Condition::exists("name"),
                Condition::is("name", Value::Null(true)),
                Condition::below("name", count(1)),
                Condition::at_most("name", count(1)),
                Condition::Contains("name".into(), String::new()),
                Condition::Fewer("name".into(), 9),
            ] {
                assert!(!condition.holds(held), "{condition:?}");
                assert!(Condition::Not(Box::new(condition)).holds(held));
            }
            assert!(Condition::absent("name").holds(held) && Condition::Always.holds(held));
        }
    }

    #[test]
    fn all_and_any_are_what_they_say() {
        let item = item();
        let (yes, no) = (|| Condition::exists("name"), || Condition::exists("nothing"));
        assert!(yes().and(yes()).holds(Some(&item)) && !yes().and(no()).holds(Some(&item)));
        assert!(no().or(yes()).holds(Some(&item)) && !no().or(no()).holds(Some(&item)));
        assert_eq!(Condition::Always.and(yes()), yes());
    }
}
