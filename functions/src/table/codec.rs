//! Records to items and back, and the difference between two items as an update.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TableError;
use super::item::{Item, Value};
use super::keys::{self, DUE_PK, DUE_SK, Key, MANAGED_PK};
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
    serde_dynamo::to_item(record)
        .map(serde_dynamo::Item::into_inner)
        .map_err(|error| TableError::Codec(error.to_string()))
}

/// An item as a record. Attributes that the record does not know are passed over.
///
/// # Errors
/// [`TableError::Codec`] when the item is not what this version writes.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T, TableError> {
    // Made from a map, each attribute would move into another one.
    let mut whole = serde_dynamo::Item::default();
    *whole.inner_mut() = item;
    serde_dynamo::from_item(whole).map_err(|error| TableError::Codec(error.to_string()))
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
fn rename(value: &mut Value, to: fn(&str) -> Option<&'static str>) {
    match value {
        Value::M(map) => {
            let renamed = std::mem::take(map).into_iter().map(|(name, mut value)| {
                rename(&mut value, to);
                (to(&name).map_or(name, str::to_owned), value)
            });
            *map = renamed.collect();
        }
        Value::L(list) => list.iter_mut().for_each(|value| rename(value, to)),
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
        item.insert(use_attribute(number), Value::M(encode(used)?));
    }
    if !token.addresses.is_empty() {
        item.insert(ADDRESSES.to_owned(), Value::Ss(token.addresses.iter().cloned().collect()));
    }
    if token.ended.is_none() {
        if let Some(manifest) = &token.managed_by {
            item.insert(MANAGED_PK.to_owned(), Value::S(format!("M#{manifest}")));
        }
        if let Some(next) = token.next_deadline() {
            let partition = keys::due_partition(keys::due_shard(&token.id));
            item.insert(DUE_PK.to_owned(), Value::S(partition));
            item.insert(DUE_SK.to_owned(), Value::S(keys::due_at(next)));
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
        Some(Value::Ss(addresses)) => addresses.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let numbers: Vec<String> = item.keys().filter_map(|name| name.strip_prefix(USE).map(str::to_owned)).collect();
    let mut uses = BTreeMap::new();
    for number in numbers {
        if let Some(Value::M(used)) = item.remove(&use_attribute(&number)) {
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

/// An item with its key.
pub(crate) fn with_key(mut item: Item, key: &Key) -> Item {
    item.extend(key.item());
    item
}

#[cfg(test)]
mod tests;
