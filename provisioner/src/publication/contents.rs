//! What a manifest publishes: its sinks, when they are rotated, and each token's pushes, as the file has them, but for what
//! the job cannot reach.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::service::PUBLISHED_PUSH_MAX;
use latchkey::token::TokenKey;
use toml::{Table, Value};

use crate::manifest::{Manifest, TokenDeclaration};

/// A publication as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The tables `[sinks.NAME]` that its tokens use, `[notify.NAME]` and `[rotation]`, as TOML.
    pub sinks: String,
    /// Each token's list `push`, as TOML.
    pub tokens: BTreeMap<TokenKey, String>,
    /// The tokens that the job skips.
    pub skipped: Vec<Skipped>,
    /// The receivers of notices that the job cannot reach, each with why.
    pub left_out: BTreeMap<String, String>,
}

/// A token that the job skips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which.
    pub token: TokenKey,
    /// Why, in words.
    pub reason: String,
}

impl Publication {
    /// What a manifest publishes. Values are taken from the file itself, in an order of our own, so that nothing else
    /// than a changed value is a change.
    pub fn of(manifest: &Manifest) -> Self {
        // It was read without a fault already.
        let document: Table = manifest.text.parse().unwrap_or_default();
        let pushes = pushes(&document);
        let (mut tokens, mut skipped, mut used) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for declared in &manifest.tokens {
            let token = TokenKey::new(declared.user.clone(), declared.name.clone());
            match row(manifest, declared, pushes.get(&(token.user.as_str(), token.name.as_str())).copied()) {
                Ok(row) => {
                    used.extend(declared.pushes.iter().map(|push| push.sink.as_str()));
                    tokens.insert(token, row);
                }
                Err(reason) => skipped.push(Skipped { token, reason }),
            }
        }
        let declared = document.get("sinks").and_then(Value::as_table);
        let sinks: Table =
            used.into_iter().filter_map(|name| Some((name.to_owned(), in_order(declared?.get(name)?)))).collect();
        let rotation = document.get("rotation").map(|rotation| ("rotation", in_order(rotation)));
        let (notify, left_out) = receivers(manifest, &document);
        let notify = (!notify.is_empty()).then_some(("notify", Value::Table(notify)));
        let tables: Vec<_> = notify.into_iter().chain(rotation).chain([("sinks", Value::Table(sinks))]).collect();
        Self { sinks: printed(&tables), tokens, skipped, left_out }
    }
}

/// The receivers that the job reaches, and why it does not reach others.
fn receivers(manifest: &Manifest, document: &Table) -> (Table, BTreeMap<String, String>) {
    let declared = document.get("notify").and_then(Value::as_table);
    let (mut published, mut left_out) = (Table::new(), BTreeMap::new());
    for (name, receiver) in &manifest.notify {
        match (receiver.unpublishable(), declared.and_then(|declared| declared.get(name))) {
            (Some(reason), _) => drop(left_out.insert(name.clone(), reason)),
            (None, Some(table)) => drop(published.insert(name.clone(), in_order(table))),
            (None, None) => {}
        }
    }
    (published, left_out)
}

/// A token's row, or why the job skips it.
fn row(manifest: &Manifest, token: &TokenDeclaration, push: Option<&Value>) -> Result<String, String> {
    for push in &token.pushes {
        let sink = manifest.sinks.get(&push.sink);
        if let Some(reason) = sink.and_then(|sink| sink.settings.facts().unpublishable()) {
            return Err(format!("the job cannot reach the sink `{}`: {reason}", push.sink));
        }
    }
    let Some(Value::Array(list)) = push else { return Err("its pushes could not be read".to_owned()) };
    let list = list.iter().map(|push| {
        let mut push = in_order(push);
        // It is for what is not ours yet, and the job takes over nothing.
        push.as_table_mut().map(|push| push.remove("adopt"));
        push
    });
    let row = printed(&[("push", Value::Array(list.collect()))]);
    if row.len() > PUBLISHED_PUSH_MAX {
        return Err(format!("its pushes take more than {PUBLISHED_PUSH_MAX} bytes"));
    }
    Ok(row)
}

/// The list `push` of each token, by user and name.
fn pushes(document: &Table) -> BTreeMap<(&str, &str), &Value> {
    let default = document.get("defaults").and_then(|defaults| defaults.get("user")).and_then(Value::as_str);
    let tokens = document.get("tokens").and_then(Value::as_table).into_iter().flatten();
    let mut found = BTreeMap::new();
    for (key, token) in tokens {
        let user = token.get("user").and_then(Value::as_str).or(default);
        let name = token.get("name").and_then(Value::as_str).unwrap_or(key);
        if let (Some(user), Some(push)) = (user, token.get("push")) {
            found.insert((user, name), push);
        }
    }
    found
}

/// A value whose tables are in the order of their keys.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Table(table) => {
            let sorted: BTreeMap<&String, &Value> = table.iter().collect();
            Value::Table(sorted.into_iter().map(|(key, value)| (key.clone(), in_order(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(in_order).collect()),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            value.clone()
        }
    }
}

/// Fields as TOML. Empty where they cannot be written, which nobody takes for a publication.
fn printed(fields: &[(&str, Value)]) -> String {
    let table: Table = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    toml::to_string(&table).unwrap_or_default()
}
