//! Which token is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{TokenName, UserName};
use crate::secret::TokenId;

/// A token by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// Whose.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
}

impl TokenKey {
    /// The token of `user` that is called `name`.
    pub fn new(user: UserName, name: TokenName) -> Self {
        Self { user, name }
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A user's name has no `/`.
        write!(formatter, "{}/{}", self.user, self.name)
    }
}

/// One token and no later one of the same name: once a token has ended, its name may be used again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenRef {
    /// Its name.
    pub key: TokenKey,
    /// Its id.
    pub id: TokenId,
}

impl TokenRef {
    /// The token that is called `key` and has the id.
    pub fn new(key: TokenKey, id: TokenId) -> Self {
        Self { key, id }
    }
}
