//! What a manifest publishes for the scheduled job.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{TokenName, UserName};
use crate::service::{ManifestTurn, Publication, PublishedToken};

/// What a manifest has published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicationSummary {
    /// The manifest's revision, where the publisher gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Its number: each publication has a higher one.
    pub number: u64,
    /// How many tokens it has.
    pub tokens: u32,
    /// When it was completed.
    pub published: Timestamp,
    /// By whom.
    pub by: String,
}

impl From<&Publication> for PublicationSummary {
    fn from(publication: &Publication) -> Self {
        Self {
            revision: publication.revision,
            number: publication.number,
            tokens: publication.tokens,
            published: publication.published,
            by: publication.by.clone(),
        }
    }
}

/// What a manifest has published, with its sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Publication")]
pub struct PublicationView {
    /// What is known of it.
    pub publication: PublicationSummary,
    /// The sinks, as TOML: the tables `[sinks.NAME]`, and `[rotation]` where there is one.
    pub sinks: String,
    /// When the scheduled job ended its last turn over all manifests, if it has ever run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_turn: Option<Timestamp>,
    /// What it did with this manifest when it last had to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<ManifestTurn>,
}

/// A publication to begin.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginPublication {
    /// The manifest's revision, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Publishes it even if it is older than what was published or applied.
    #[serde(default)]
    pub force: bool,
}

/// A publication that was begun.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BegunPublication {
    /// Its number.
    pub number: u64,
}

/// A publication to complete.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompletePublication {
    /// Its number.
    pub number: u64,
    /// The sinks, as TOML: the tables `[sinks.NAME]`, and `[rotation]` where there is one; at most 48 KB.
    pub sinks: String,
    /// How many tokens it has.
    pub tokens: u32,
}

/// A page of a publication's tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PublishedTokens {
    /// The tokens.
    pub tokens: Vec<PublishedTokenEntry>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A token of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishedTokenEntry {
    /// Whose it is.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// Its pushes, as TOML: the list `push`.
    pub push: String,
    /// The publication that wrote it; higher than the manifest's where that one was not completed.
    pub number: u64,
}

impl From<PublishedToken> for PublishedTokenEntry {
    fn from(token: PublishedToken) -> Self {
        let PublishedToken { user, name, push, number } = token;
        Self { user, name, push, number }
    }
}

/// Tokens to write into a publication that was begun, all or none of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishTokens {
    /// The publication's number.
    pub number: u64,
    /// 1 to 99 tokens, each once.
    #[serde(deserialize_with = "super::super::object::many")]
    #[schemars(length(min = 1, max = 99))]
    pub tokens: Vec<PublishToken>,
}

/// A token to write into a publication, or to remove from it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishToken {
    /// Whose it is.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// Its pushes, as TOML: the list `push`, at most 8 KB. Absent, the token is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub push: Option<String>,
}
