//! Usage and events.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TokenName;
use crate::secret::TokenId;

/// Uses of a token by day.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenUsage {
    /// The token's id.
    pub id: TokenId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TokenName>,
    /// Days with uses.
    pub days: Vec<UsageEntry>,
    /// All of them together.
    pub uses: u64,
}

/// Uses on a day.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UsageEntry {
    /// The day, UTC.
    pub day: Date,
    /// How often.
    pub uses: u64,
    /// The last use on it.
    pub last: Timestamp,
}

/// Uses of a user's active tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserUsage {
    /// By token name.
    pub tokens: Vec<TokenUsage>,
    /// What to give as `cursor` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of events.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// Newest first.
    pub events: Vec<EventRecord>,
    /// What to give as `cursor` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What, for instance `token.create`.
    pub action: String,
    /// Whose; `:roles` for roles and manifests.
    pub user: String,
    /// Which token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenName>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TokenId>,
    /// What more there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
