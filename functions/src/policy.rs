//! What a deployment decides for all its users.

mod change;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bounds::{BoundsError, check_receivers};
use crate::lifetime::{EXPIRY_DEFAULT, EXPIRY_MAX, Seconds};
use crate::secret::Prefix;

pub use change::{LIFE_MIN, MAX_TOKENS_MAX, NAME_MAX, OLDER_PREFIXES_MAX, PolicyChange, PolicyError};

/// The settings of one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// What new secrets start with.
    pub prefix: Prefix,
    /// What older secrets start with; still accepted.
    pub older_prefixes: Vec<Prefix>,
    /// The limit of active tokens of a user who has none of their own.
    pub max_tokens: u32,
    /// The life of a token that is created without an expiry.
    pub expiry_default: Seconds,
    /// The longest life of a token.
    pub expiry_max: Seconds,
    /// The longest token name, at most 64.
    pub name_max: usize,
    /// Who is told of changes.
    pub notices: Notices,
    /// Counts changes.
    pub revision: u64,
}

/// Whether notices are queued, and who gets those of every token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notices {
    /// Whether a change queues its notice. While it does not, a change writes and costs what it would without notices.
    pub on: bool,
    /// Each receiver's settings by its name, as the text of a TOML table that nothing here reads.
    pub receivers: BTreeMap<String, String>,
}

impl Notices {
    /// Sets a receiver and turns notices on.
    ///
    /// # Errors
    /// [`BoundsError::Receiver`], [`BoundsError::Receivers`]; nothing has changed then.
    pub fn set(&mut self, name: &str, table: &str) -> Result<(), BoundsError> {
        let mut receivers = self.receivers.clone();
        receivers.insert(name.to_owned(), table.to_owned());
        check_receivers(&receivers)?;
        (self.on, self.receivers) = (true, receivers);
        Ok(())
    }
}

impl Policy {
    /// Whether secrets may start with a prefix.
    pub fn accepts(&self, prefix: &str) -> bool {
        self.prefix.as_str() == prefix || self.older_prefixes.iter().any(|older| older.as_str() == prefix)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            older_prefixes: Vec::new(),
            max_tokens: 10,
            expiry_default: EXPIRY_DEFAULT,
            expiry_max: EXPIRY_MAX,
            name_max: 64,
            notices: Notices::default(),
            revision: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{RECEIVER_MAX, RECEIVERS_MAX};

    #[test]
    fn a_receiver_turns_notices_on_and_one_beyond_the_bounds_changes_nothing() {
        let mut notices = Notices::default();
        for name in ["", "Ops", "a b", "-ops", &"o".repeat(65)] {
            assert_eq!(notices.set(name, ""), Err(BoundsError::Receiver), "{name:?}");
        }
        assert_eq!(notices.set("ops", &"t".repeat(RECEIVER_MAX + 1)), Err(BoundsError::Receiver));
        assert_eq!(notices, Notices::default());
        for number in 0..RECEIVERS_MAX {
            notices.set(&format!("ops-{number}"), &"t".repeat(RECEIVER_MAX)).unwrap();
        }
        assert!(notices.on);
        assert_eq!(notices.set("one-more", ""), Err(BoundsError::Receivers(RECEIVERS_MAX + 1)));
        assert_eq!(notices.set("ops-0", "type = \"slack\""), Ok(()), "it takes the place of what it was");
        assert_eq!(notices.receivers.len(), RECEIVERS_MAX);
    }
}
