//! Records to items and back, and the difference between two items as an update.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TableError;
use super::keys::{self, DUE_PK, DUE_SK, Item, Key, MANAGED_PK, PK, SK};
use crate::token::{Token, Use};

/// Uses stand in attributes of their own, `use_<version>`, so that noting one never meets another write.
const USE: &str = "use_";
/// So do the networks that a token was used from. Whoever only notes uses may write attributes of this beginning.
pub(crate) const ADDRESSES: &str = "use_addresses";

/// A record as an item, without its key.
///
/// # Errors
/// [`TableError::Codec`], which is a defect.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Item, TableError> {
    serde_dynamo::to_item(record).map_err(|error| TableError::Codec(error.to_string()))
}

/// An item as a record. Attributes that the record does not know are passed over.
///
/// # Errors
/// [`TableError::Codec`] when the item is not what this version writes.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T, TableError> {
    serde_dynamo::from_item(item).map_err(|error| TableError::Codec(error.to_string()))
}

/// Attributes that every version and place of a token repeats, and what they are called in the item: a record is paid for by size.
const SHORT: [(&str, &str); 25] = [
    ("number", "n"),
    ("digest", "d"),
    ("state", "s"),
    ("created", "c"),
    ("promoted", "p"),
    ("expiry", "x"),
    ("overlap_ends", "o"),
    ("announced", "a"),
    ("terms", "t"),
    ("deliveries", "l"),
    ("delivered", "e"),
    ("fingerprint", "f"),
    ("expires_in", "i"),
    ("rotate_every", "r"),
    ("overlap", "v"),
    ("place", "w"),
    ("kind", "k"),
    ("parts", "g"),
    ("readable", "b"),
    ("declared", "y"),
    ("receipt", "z"),
    ("version", "u"),
    ("stands", "h"),
    ("open", "q"),
    ("identity", "j"),
];

/// Renames attributes, however deep.
fn rename(value: &mut AttributeValue, to: fn(&str) -> Option<&'static str>) {
    match value {
        AttributeValue::M(map) => {
            let renamed = std::mem::take(map).into_iter().map(|(name, mut value)| {
                rename(&mut value, to);
                (to(&name).map_or(name, str::to_owned), value)
            });
            *map = renamed.collect();
        }
        AttributeValue::L(list) => list.iter_mut().for_each(|value| rename(value, to)),
        _ => {}
    }
}

fn shorter(name: &str) -> Option<&'static str> {
    SHORT.iter().find(|(long, _)| *long == name).map(|(_, short)| *short)
}

fn longer(name: &str) -> Option<&'static str> {
    SHORT.iter().find(|(_, short)| *short == name).map(|(long, _)| *long)
}

/// What has short names.
const SHORTENED: [&str; 3] = ["versions", "retired", "places"];

/// A token as its item, index attributes included.
pub(crate) fn encode_token(token: &Token) -> Result<Item, TableError> {
    let mut item = encode(token)?;
    item.remove("uses");
    item.remove("addresses");
    for part in SHORTENED {
        item.entry(part.to_owned()).and_modify(|part| rename(part, shorter));
    }
    for (number, used) in &token.uses {
        item.insert(use_attribute(number), AttributeValue::M(encode(used)?));
    }
    if !token.addresses.is_empty() {
        item.insert(ADDRESSES.to_owned(), AttributeValue::Ss(token.addresses.iter().cloned().collect()));
    }
    if token.ended.is_none() {
        if let Some(manifest) = &token.managed_by {
            item.insert(MANAGED_PK.to_owned(), AttributeValue::S(format!("M#{manifest}")));
        }
        if let Some(next) = token.next_deadline() {
            let partition = keys::due_partition(keys::due_shard(&token.id));
            item.insert(DUE_PK.to_owned(), AttributeValue::S(partition));
            item.insert(DUE_SK.to_owned(), AttributeValue::S(keys::due_at(next)));
        }
    }
    Ok(item)
}

/// A token's item as the token.
pub(crate) fn decode_token(mut item: Item) -> Result<Token, TableError> {
    for part in SHORTENED {
        item.entry(part.to_owned()).and_modify(|part| rename(part, longer));
    }
    let addresses = match item.remove(ADDRESSES) {
        Some(AttributeValue::Ss(addresses)) => addresses.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let numbers: Vec<String> = item.keys().filter_map(|name| name.strip_prefix(USE).map(str::to_owned)).collect();
    let mut uses = BTreeMap::new();
    for number in numbers {
        if let Some(AttributeValue::M(used)) = item.remove(&use_attribute(&number)) {
            uses.insert(number, decode::<Use>(used)?);
        }
    }
    let mut token: Token = decode(item)?;
    (token.uses, token.addresses) = (uses, addresses);
    Ok(token)
}

/// The attribute that holds the uses of one version.
pub(crate) fn use_attribute(number: &str) -> String {
    format!("{USE}{number}")
}

/// An update that turns `old` into `new` and leaves attributes alone that neither knows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Update {
    sets: Vec<String>,
    removes: Vec<String>,
    adds: Vec<String>,
    /// Names of attributes by placeholder.
    pub(crate) names: std::collections::HashMap<String, String>,
    /// Values by placeholder.
    pub(crate) values: std::collections::HashMap<String, AttributeValue>,
}

impl Update {
    /// The difference of two encoded records.
    pub(crate) fn between(old: &Item, new: &Item) -> Self {
        let mut update = Self::default();
        let mut names: Vec<&String> = new.keys().filter(|name| old.get(*name) != new.get(*name)).collect();
        names.sort();
        for name in names {
            update.set(name, new[name].clone());
        }
        let mut gone: Vec<&String> =
            old.keys().filter(|name| !new.contains_key(*name) && *name != PK && *name != SK).collect();
        gone.sort();
        for name in gone {
            update.remove(name);
        }
        update
    }

    /// Sets one attribute.
    pub(crate) fn set(&mut self, name: &str, value: AttributeValue) {
        let (placeholder, held) = (self.name(name), self.value(value));
        self.sets.push(format!("{placeholder} = {held}"));
    }

    /// Sets one attribute unless it is there.
    pub(crate) fn set_if_absent(&mut self, name: &str, value: AttributeValue) {
        let (placeholder, held) = (self.name(name), self.value(value));
        self.sets.push(format!("{placeholder} = if_not_exists({placeholder}, {held})"));
    }

    /// Sets a document path made of placeholders that [`Update::name`] gave.
    pub(crate) fn set_path(&mut self, path: &str, value: AttributeValue) {
        let held = self.value(value);
        self.sets.push(format!("{path} = {held}"));
    }

    /// Removes a document path made of placeholders.
    pub(crate) fn remove_path(&mut self, path: &str) {
        self.removes.push(path.to_owned());
    }

    /// Adds to a number that is there; `by` may be negative.
    pub(crate) fn add(&mut self, name: &str, by: i32) {
        let value = AttributeValue::N(by.unsigned_abs().to_string());
        let (placeholder, held) = (self.name(name), self.value(value));
        let sign = if by < 0 { '-' } else { '+' };
        self.sets.push(format!("{placeholder} = {placeholder} {sign} {held}"));
    }

    /// Adds to a set of texts, which is made where there is none.
    pub(crate) fn add_to_set(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        let texts: Vec<String> = texts.into_iter().collect();
        // No set is empty.
        if texts.is_empty() {
            return;
        }
        let (placeholder, held) = (self.name(name), self.value(AttributeValue::Ss(texts)));
        self.adds.push(format!("{placeholder} {held}"));
    }

    /// A placeholder for a value that a condition compares with.
    pub(crate) fn value(&mut self, value: AttributeValue) -> String {
        let held = format!(":v{}", self.values.len());
        self.values.insert(held.clone(), value);
        held
    }

    /// Removes one attribute.
    pub(crate) fn remove(&mut self, name: &str) {
        let placeholder = self.name(name);
        self.removes.push(placeholder);
    }

    /// A placeholder for an attribute's name, as many names are reserved words.
    pub(crate) fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    /// The update expression; `None` when nothing differs.
    pub(crate) fn expression(&self) -> Option<String> {
        let part = |word: &str, list: &[String]| (!list.is_empty()).then(|| format!("{word} {}", list.join(", ")));
        let clauses = [part("SET", &self.sets), part("REMOVE", &self.removes), part("ADD", &self.adds)];
        let parts: Vec<String> = clauses.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// An item with its key.
pub(crate) fn with_key(mut item: Item, key: &Key) -> Item {
    item.extend(key.item());
    item
}

#[cfg(test)]
mod tests;
