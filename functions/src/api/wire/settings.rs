//! The deployment's settings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::token::DURATION;
use crate::policy::{Notices, Policy};
use crate::secret::{Prefix, PrefixError};

/// The form of a prefix, for the document.
const PREFIX: &str = "^[a-z][a-z0-9_]{0,15}$";

/// The settings of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsRecord {
    /// What new secrets start with.
    #[schemars(regex(pattern = PREFIX))]
    pub prefix: String,
    /// What older secrets start with; still accepted.
    #[serde(default)]
    pub older_prefixes: Vec<String>,
    /// The limit of active tokens of a user who has none of their own.
    pub max_tokens: u32,
    /// The life of a token that is created without an expiry: `31d`.
    #[schemars(regex(pattern = DURATION))]
    pub expiry_default: String,
    /// The longest life of a token: `365d`.
    #[schemars(regex(pattern = DURATION))]
    pub expiry_max: String,
    /// The longest token name.
    pub name_max: usize,
    /// Whether changes of tokens queue notices.
    pub notices: bool,
    /// The receivers of notices about every token, each as the TOML of its settings. Addresses and secrets that are logins
    /// are named by it, never contained.
    #[serde(default)]
    pub receivers: BTreeMap<String, String>,
    /// Counts changes.
    pub revision: u64,
}

impl From<&Policy> for SettingsRecord {
    fn from(policy: &Policy) -> Self {
        Self {
            prefix: policy.prefix.as_str().to_owned(),
            older_prefixes: policy.older_prefixes.iter().map(|prefix| prefix.as_str().to_owned()).collect(),
            max_tokens: policy.max_tokens,
            expiry_default: policy.expiry_default.to_string(),
            expiry_max: policy.expiry_max.to_string(),
            name_max: policy.name_max,
            notices: policy.notices.on,
            receivers: policy.notices.receivers.clone(),
            revision: policy.revision,
        }
    }
}

impl SettingsRecord {
    /// The settings; `None` when they are not as this version writes them.
    pub fn policy(&self) -> Option<Policy> {
        let older: Result<Vec<Prefix>, PrefixError> = self.older_prefixes.iter().map(|prefix| prefix.parse()).collect();
        Some(Policy {
            prefix: self.prefix.parse().ok()?,
            older_prefixes: older.ok()?,
            max_tokens: self.max_tokens,
            expiry_default: self.expiry_default.parse().ok()?,
            expiry_max: self.expiry_max.parse().ok()?,
            name_max: self.name_max,
            notices: Notices { on: self.notices, receivers: self.receivers.clone() },
            revision: self.revision,
        })
    }
}

/// What is to change of the settings; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "max_tokens": 20, "expiry_max": "180d" }]))]
pub struct ChangeSettings {
    /// What new secrets start with. What they started with before becomes one of `older_prefixes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = PREFIX))]
    pub prefix: Option<String>,
    /// All that older secrets start with. Secrets with a prefix that is left out are no longer valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_prefixes: Option<Vec<String>>,
    /// The limit of active tokens of a user who has none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The life of a token that is created without an expiry: `31d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub expiry_default: Option<String>,
    /// The longest life of a token: `365d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DURATION))]
    pub expiry_max: Option<String>,
    /// The longest token name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_max: Option<usize>,
    /// Whether changes of tokens queue notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices: Option<bool>,
    /// Receivers by name, each as the TOML of its settings; `null` removes it. Setting one turns notices on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receivers: BTreeMap<String, Option<String>>,
}
