//! Usage and events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TokenName;
use crate::secret::TokenId;
use crate::service::{Event, UsageDay};

/// Uses of a token by day.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenUsage {
    /// The token's id.
    pub id: TokenId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TokenName>,
    /// Days with uses.
    pub days: Vec<UsageDay>,
    /// All of them together.
    pub uses: u64,
}

/// Uses of a user's active tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserUsage {
    /// By token name.
    pub tokens: Vec<TokenUsage>,
    /// The `cursor` of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of events.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// Newest first.
    pub events: Vec<Event>,
    /// The `cursor` of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
