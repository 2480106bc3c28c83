//! What changes of an item, attribute by attribute, the same for every engine.

use super::condition::Path;
use super::item::{Item, Value};
use super::keys::{PK, SK};

/// One change of one attribute. All of an update happen at once, each from what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It gets a value.
    Set(Path, Value),
    /// It gets a value unless it has one.
    SetIfAbsent(String, Value),
    /// A number that is there gets more, or less.
    Add(String, i64),
    /// A set of texts gets more; it is made where there is none.
    AddToSet(String, Vec<String>),
    /// It goes.
    Remove(Path),
}

impl Change {
    /// The names of what it changes.
    pub fn path(&self) -> Path {
        match self {
            Self::Set(path, _) | Self::Remove(path) => path.clone(),
            Self::SetIfAbsent(name, _) | Self::Add(name, _) | Self::AddToSet(name, _) => name.as_str().into(),
        }
    }
}

/// Changes of one item, which leave all other attributes alone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Update {
    changes: Vec<Change>,
}

impl Update {
    /// The difference of two encoded records; attributes that neither knows stay.
    pub fn between(old: &Item, new: &Item) -> Self {
        let mut update = Self::default();
        let mut names: Vec<&String> = new.keys().filter(|name| old.get(*name) != new.get(*name)).collect();
        names.sort();
        for name in names {
            update.set(name.as_str(), new[name].clone());
        }
        let mut gone: Vec<&String> =
            old.keys().filter(|name| !new.contains_key(*name) && *name != PK && *name != SK).collect();
        gone.sort();
        for name in gone {
            update.remove(name.as_str());
        }
        update
    }

    /// What changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether nothing does.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Sets an attribute.
    pub fn set(&mut self, path: impl Into<Path>, value: Value) {
        self.changes.push(Change::Set(path.into(), value));
    }

    /// Sets an attribute unless it is there.
    pub fn set_if_absent(&mut self, name: &str, value: Value) {
        self.changes.push(Change::SetIfAbsent(name.to_owned(), value));
    }

    /// Adds to a number that is there; `by` may be negative.
    pub fn add(&mut self, name: &str, by: i64) {
        self.changes.push(Change::Add(name.to_owned(), by));
    }

    /// Adds to a set of texts, which is made where there is none.
    pub fn add_to_set(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        let texts: Vec<String> = texts.into_iter().collect();
        // No set is empty.
        if !texts.is_empty() {
            self.changes.push(Change::AddToSet(name.to_owned(), texts));
        }
    }

    /// Removes an attribute.
    pub fn remove(&mut self, path: impl Into<Path>) {
        self.changes.push(Change::Remove(path.into()));
    }
}
