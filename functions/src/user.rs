//! Users and their quotas.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{ManifestName, RoleName, UserName};

/// What kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// A human being.
    Person,
    /// An account that software acts as.
    Service,
}

impl UserKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }
}

/// Whoever owns tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// Person or service account.
    pub kind: UserKind,
    /// The user's roles, in order.
    #[serde(default)]
    pub roles: Vec<RoleName>,
    /// While true none of the user's tokens is valid and none can be created.
    #[serde(default)]
    pub suspended: bool,
    /// Since when the user is suspended, as far as that was noted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub suspended_at: Option<Timestamp>,
    /// Who suspended the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_by: Option<String>,
    /// The limit of active tokens; the policy's default when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How many active tokens there are; expired ones count until a create meets them.
    #[serde(default)]
    pub active: u32,
    /// Where notices of the user's tokens are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The manifest that declared the user first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take the user: the one that declares the user has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
    /// When the user was created.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created: Timestamp,
    /// When the last user who had the name before was deleted: what was before it was somebody else's.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub former: Option<Timestamp>,
    /// True from a change of roles or suspension until all tokens have it.
    #[serde(default)]
    pub sweeping: bool,
    /// Roles that were removed and that some tokens may still have, while `sweeping`: the user counts as a holder of
    /// them until none has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losing: Vec<RoleName>,
    /// Counts changes of this record; not changes of the count of tokens.
    pub revision: u64,
}
