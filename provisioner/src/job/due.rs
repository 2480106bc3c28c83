//! What is due, by whose it is.

use std::collections::BTreeMap;

use latchkey::name::ManifestName;
use latchkey::token::Token;

/// What is due, by whose it is.
pub(super) struct Due {
    pub(super) managed: BTreeMap<ManifestName, Vec<Token>>,
    /// Made by hand.
    pub(super) unmanaged: Vec<Token>,
}

impl Due {
    pub(super) fn of(tokens: Vec<Token>) -> Self {
        let mut due = Self { managed: BTreeMap::new(), unmanaged: Vec::new() };
        for token in tokens {
            match token.managed_by.clone() {
                Some(manifest) => due.managed.entry(manifest).or_default().push(token),
                None => due.unmanaged.push(token),
            }
        }
        due
    }
}
