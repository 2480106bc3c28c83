//! Conditions and updates as `DynamoDB`'s expressions. Many names are reserved words, so each has a placeholder.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::table::condition::{Condition, Path};
use crate::table::item::{Value, count};
use crate::table::update::{Change, Update};

/// The names and values of one request's expressions.
#[derive(Debug, Default)]
pub(super) struct Expression {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Expression {
    /// The condition expression; `None` where nothing need hold.
    pub(super) fn condition(&mut self, condition: &Condition) -> Option<String> {
        (*condition != Condition::Always).then(|| self.write(condition))
    }

    fn write(&mut self, condition: &Condition) -> String {
        match condition {
            // Nothing else can be said of it in the middle of others.
            Condition::Always => {
                let key = self.name(crate::table::keys::PK);
                format!("attribute_exists({key}) OR attribute_not_exists({key})")
            }
            Condition::Exists(path) => format!("attribute_exists({})", self.path(path)),
            Condition::Absent(path) => format!("attribute_not_exists({})", self.path(path)),
            Condition::Is(path, value) => self.compare(path, "=", value.clone()),
            Condition::Below(path, value) => self.compare(path, "<", value.clone()),
            Condition::AtMost(path, value) => self.compare(path, "<=", value.clone()),
            Condition::Contains(path, part) => {
                let (path, part) = (self.path(path), self.value(Value::S(part.clone())));
                format!("contains({path}, {part})")
            }
            Condition::Fewer(path, most) => {
                let (path, most) = (self.path(path), self.value(count(*most as u64)));
                format!("size({path}) < {most}")
            }
            Condition::Not(one) => format!("NOT {}", self.part(one)),
            Condition::All(all) => self.join(all, " AND "),
            Condition::Any(any) => self.join(any, " OR "),
        }
    }

    fn compare(&mut self, path: &Path, operator: &str, value: Value) -> String {
        let (path, value) = (self.path(path), self.value(value));
        format!("{path} {operator} {value}")
    }

    fn join(&mut self, conditions: &[Condition], word: &str) -> String {
        match conditions {
            [one] => self.write(one),
            many => many.iter().map(|one| self.part(one)).collect::<Vec<_>>().join(word),
        }
    }

    /// A condition within another one. Parentheses that change nothing are refused.
    fn part(&mut self, condition: &Condition) -> String {
        let joined = match condition {
            Condition::Always => true,
            Condition::All(many) | Condition::Any(many) => many.len() > 1,
            _ => false,
        };
        let written = self.write(condition);
        if joined { format!("({written})") } else { written }
    }

    /// The update expression; `None` when nothing changes.
    pub(super) fn update(&mut self, update: &Update) -> Option<String> {
        let (mut sets, mut removes, mut adds) = (Vec::new(), Vec::new(), Vec::new());
        for change in update.changes() {
            let path = self.path(&change.path());
            match change {
                Change::Set(_, value) => sets.push(format!("{path} = {}", self.value(value.clone()))),
                Change::SetIfAbsent(_, value) => {
                    sets.push(format!("{path} = if_not_exists({path}, {})", self.value(value.clone())));
                }
                Change::Add(_, by) => {
                    let sign = if *by < 0 { '-' } else { '+' };
                    sets.push(format!("{path} = {path} {sign} {}", self.value(count(by.unsigned_abs()))));
                }
                Change::AddToSet(_, texts) => adds.push(format!("{path} {}", self.value(Value::Ss(texts.clone())))),
                Change::Remove(_) => removes.push(path),
            }
        }
        let part = |word: &str, list: &[String]| (!list.is_empty()).then(|| format!("{word} {}", list.join(", ")));
        let clauses = [part("SET", &sets), part("REMOVE", &removes), part("ADD", &adds)];
        let parts: Vec<String> = clauses.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn path(&mut self, path: &Path) -> String {
        path.names().iter().map(|name| self.name(name)).collect::<Vec<_>>().join(".")
    }

    fn name(&mut self, name: &str) -> String {
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{at}")
    }

    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!(":v{}", self.values.len() - 1)
    }

    /// The names by placeholder; `None` where none is used, which requests must not say.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        let names = self.names.iter().enumerate().map(|(at, name)| (format!("#n{at}"), name.clone()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    /// The values by placeholder; `None` where none is used.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self.values.iter().enumerate().map(|(at, value)| (format!(":v{at}"), value.clone().into()));
        (!self.values.is_empty()).then(|| values.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_placeholders_once_and_conditions_their_parentheses() {
        let mut expression = Expression::default();
        let mut update = Update::default();
        update.set("name", count(1));
        update.set(Path::from("use_1").then("name"), count(2));
        update.set_if_absent("due", count(3));
        update.add("active", -1);
        update.add_to_set("from", ["x".to_owned()]);
        update.remove("told");
        assert_eq!(
            expression.update(&update).unwrap(),
            "SET #n0 = :v0, #n1.#n0 = :v1, #n2 = if_not_exists(#n2, :v2), #n3 = #n3 - :v3 REMOVE #n5 ADD #n4 :v4"
        );
        let condition = Condition::at_most("due", count(4))
            .or(Condition::absent("due"))
            .and(Condition::Not(Box::new(Condition::Contains("from".into(), "y".to_owned()))));
        assert_eq!(
            expression.condition(&condition).unwrap(),
            "(#n2 <= :v5 OR attribute_not_exists(#n2)) AND NOT contains(#n4, :v6)"
        );
        assert_eq!(expression.names().unwrap().len(), 6);
        assert_eq!(expression.values().unwrap()[":v6"], AttributeValue::S("y".to_owned()));
        let nothing = Expression::default();
        assert_eq!((nothing.names(), nothing.values()), (None, None));
        assert_eq!(Expression::default().condition(&Condition::Always), None);
        assert_eq!(Expression::default().update(&Update::default()), None);
    }
}
