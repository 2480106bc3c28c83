//! What a declarative run needs beyond single tokens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PublicationSummary, RoleRecord, TokenRecord, UserRecord};
use crate::entry::EntryPattern;
use crate::name::{ManifestName, NamePattern, RoleName, TokenName, UserName};
use crate::role::Permission;
use crate::secret::TokenId;
use crate::service::{Grant, Lease, ManifestRecord, Origin, Publication};
use crate::token::TokenKey;

/// A page of a manifest's tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ManifestTokens {
    /// Their records.
    pub tokens: Vec<TokenRecord>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The deployment's default limit of active tokens per user.
    pub max_tokens: u32,
    /// Set while the clock is more than a day behind what the table has seen: nothing is created or ended by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_behind: Option<ClockBehindEntry>,
}

/// A clock, and what its table has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockBehindEntry {
    /// What the clock shows.
    pub now: Timestamp,
    /// The highest time that was seen.
    pub seen: Timestamp,
}

/// What a plan refers to besides the manifest's own tokens. At most 500 of each kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// Users by name; those that are not there, or that the manifest may not name, are missing from the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<UserName>")]
    pub users: Vec<String>,
    /// Whether to list the roles.
    #[serde(default)]
    pub roles: bool,
    /// Tokens by user and name, whoever declares them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::super::object::many")]
    pub tokens: Vec<TokenKey>,
    /// Token ids that were found in places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<TokenId>")]
    pub ids: Vec<String>,
    /// Users whose expired tokens are to be counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<UserName>")]
    pub expired: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct LookedUp {
    /// The users that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserRecord>,
    /// All roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleRecord>,
    /// The tokens that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenRecord>,
    /// Where ids come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// Ids of valid tokens of other manifests, of which this one may see nothing more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<TokenId>,
    /// How many expired tokens still occupy their names, by user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expired: BTreeMap<UserName, u32>,
}

/// A value that was read from a place, to be confirmed by its digest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Whose token.
    #[schemars(with = "UserName")]
    pub user: String,
    /// Its name.
    #[schemars(with = "TokenName")]
    pub name: String,
    /// Its id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// The value's SHA-256, 64 hex digits.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub digest: String,
}

/// Which live version has the digest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Confirmed {
    /// Its number; absent when none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// What is known of a manifest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ManifestView {
    /// Its name.
    pub name: ManifestName,
    /// The highest revision that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// What it is allowed to grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<PutGrant>")]
    pub grant: Option<Grant>,
    /// Who applies it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseRecord>,
    /// What it has published for the scheduled job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<PublicationSummary>,
}

impl ManifestView {
    /// What is known of a manifest, as everybody who may see it may know it.
    pub fn of(
        name: &ManifestName,
        record: Option<ManifestRecord>,
        lease: Option<Lease>,
        publication: Option<&Publication>,
    ) -> Self {
        let applied = record.as_ref().and_then(|record| record.applied);
        let grant = record.and_then(|record| record.grant);
        // Whoever knows the run's word could renew or free its lease.
        let lease = lease.map(|lease| LeaseRecord { holder: String::new(), ..LeaseRecord::from(lease) });
        Self { name: name.clone(), applied, grant, lease, publication: publication.map(PublicationSummary::from) }
    }
}

/// What is about to be applied.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutManifest {
    /// Records that something is applied, at the revision below if there is one; it never goes back.
    #[serde(deserialize_with = "super::super::object::needed")]
    pub applied: Applied,
}

/// A revision that is about to be applied.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// Its number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// What a manifest is allowed to grant. Never `admin:*`, `manifests:*` or `*` as a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Grant")]
#[serde(deny_unknown_fields)]
pub struct PutGrant {
    /// All permissions of its roles and tokens must lie within these.
    #[serde(default)]
    #[schemars(with = "Vec<Permission>")]
    pub permissions: Vec<String>,
    /// Roles that it may use although it does not declare them.
    #[serde(default)]
    #[schemars(with = "Vec<RoleName>")]
    pub roles: Vec<String>,
    /// Users that it may use although it does not declare them.
    #[serde(default)]
    #[schemars(with = "Vec<UserName>")]
    pub users: Vec<String>,
    /// Users that it may create: names, or beginnings of names that end in `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<NamePattern>")]
    pub new_users: Vec<String>,
    /// Roles that it may create: names, or beginnings of names that end in `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<NamePattern>")]
    pub new_roles: Vec<String>,
    /// How many users it may create; by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_users: Option<u32>,
    /// How many roles it may create; by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_roles: Option<u32>,
    /// Entries that the scheduled job may write for it: their texts, or beginnings of such that end in `*`. None means
    /// that the job writes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<EntryPattern>")]
    pub entries: Vec<String>,
    /// When it was set; what is sent is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl From<&Grant> for PutGrant {
    fn from(grant: &Grant) -> Self {
        Self {
            permissions: grant.permissions.iter().map(ToString::to_string).collect(),
            roles: grant.roles.iter().map(ToString::to_string).collect(),
            users: grant.users.iter().map(ToString::to_string).collect(),
            new_users: grant.new_users.iter().map(ToString::to_string).collect(),
            new_roles: grant.new_roles.iter().map(ToString::to_string).collect(),
            max_users: grant.max_users,
            max_roles: grant.max_roles,
            entries: grant.entries.iter().map(ToString::to_string).collect(),
            at: None,
        }
    }
}

/// The form of a run's word, for the document.
pub(in crate::api) const HOLDER: &str = "^[!-~]{1,64}$";

/// A lease to take or renew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeLease {
    /// The run, a random word of at most 64 characters: the same run renews.
    #[schemars(regex(pattern = HOLDER))]
    pub holder: String,
    /// Takes it even if another run has it.
    #[serde(default)]
    pub steal: bool,
    /// A token that the manifest has agreed to move to one that the caller runs: its taker may have the lease too, but
    /// not steal it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::one")]
    pub token: Option<TokenKey>,
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRecord {
    /// The run, shown to itself only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = HOLDER))]
    pub holder: String,
    /// On whose behalf.
    pub by: String,
    /// Until when, by the service's time.
    pub until: Timestamp,
}

impl From<Lease> for LeaseRecord {
    fn from(lease: Lease) -> Self {
        let Lease { holder, by, until } = lease;
        Self { holder, by, until }
    }
}
