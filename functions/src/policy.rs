//! What a deployment decides for all its users.

use serde::{Deserialize, Serialize};

use crate::lifetime::{EXPIRY_DEFAULT, EXPIRY_MAX, Seconds};
use crate::secret::Prefix;

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
        }
    }
}
