//! What a declarative run needs beyond single tokens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{PublicationSummary, RoleRecord, TokenRecord, UserRecord};
use crate::entry::EntryPattern;
use crate::name::{ManifestName, NamePattern, RoleName, TokenName, UserName};
use crate::role::Permission;
use crate::secret::TokenId;
use crate::service::{Grant, Lease, ManifestRecord, ManifestSummary, ManifestTurn, Origin, Publication};
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
    /// When it was applied last with something to change, as far as that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// Who applied it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
    /// In which hours what is due is rotated, as its file said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
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
        let applied_at = record.as_ref().and_then(|record| record.applied_at);
        let (applied_by, window, grant) =
            record.map_or((None, None, None), |record| (record.applied_by, record.window, record.grant));
        let (lease, publication) = (lease.map(LeaseRecord::shown), publication.map(PublicationSummary::from));
        Self { name: name.clone(), applied, applied_at, applied_by, window, grant, lease, publication }
    }
}

/// A manifest in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestEntry {
    /// Its name.
    pub name: ManifestName,
    /// The highest revision that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// When it was applied last with something to change, as far as that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// Who applied it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
    /// Whether an admin has set what it is allowed to grant.
    pub granted: bool,
    /// How many tokens it has; those of the last second may be missing.
    pub tokens: u32,
    /// Who applies it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseRecord>,
    /// What it has published for the scheduled job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<PublicationSummary>,
    /// What the scheduled job did with it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSummary>,
}

/// What the scheduled job did with a manifest last, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobSummary {
    /// When that ended.
    pub at: Timestamp,
    /// How many tokens were brought in sync.
    pub done: u32,
    /// How many of them have a new version.
    pub rotated: u32,
    /// How many rotations wait for a window, or for a later run.
    pub waiting: u32,
    /// How many tokens could not be brought in sync.
    pub failed: u32,
    /// How many were left to whoever has the manifest's file.
    pub skipped: u32,
}

impl From<&ManifestTurn> for JobSummary {
    fn from(turn: &ManifestTurn) -> Self {
        let count = |skipped| turn.troubles.iter().filter(|trouble| trouble.skipped == skipped).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            at: turn.at,
            done: turn.done,
            rotated: turn.rotated,
            waiting: turn.waiting,
            // Of those beyond what is kept it is not known which they are.
            failed: number(count(false)).saturating_add(turn.more),
            skipped: number(count(true)),
        }
    }
}

impl From<ManifestSummary> for ManifestEntry {
    fn from(summary: ManifestSummary) -> Self {
        let view = ManifestView::of(&summary.name, summary.record, summary.lease, summary.publication.as_ref());
        Self {
            name: view.name,
            applied: view.applied,
            applied_at: view.applied_at,
            applied_by: view.applied_by,
            granted: view.grant.is_some(),
            tokens: summary.tokens,
            lease: view.lease,
            publication: view.publication,
            job: summary.turn.as_ref().map(JobSummary::from),
        }
    }
}

/// A page of manifests.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ManifestList {
    /// By name.
    pub manifests: Vec<ManifestEntry>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ManifestName>,
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
    /// In which hours what is due is rotated, as in `[rotation]`; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "window")]
    #[schemars(length(max = WINDOW_MAX))]
    pub window: Option<String>,
}

/// The longest window, in bytes.
const WINDOW_MAX: usize = 200;

fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let window = Option::<String>::deserialize(deserializer)?;
    match window.as_ref().filter(|window| window.len() > WINDOW_MAX) {
        Some(_) => Err(D::Error::custom(format!("a window takes at most {WINDOW_MAX} bytes"))),
        None => Ok(window),
    }
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

impl LeaseRecord {
    /// A lease as others see it: whoever knows the run's word could renew or free it.
    fn shown(lease: Lease) -> Self {
        Self { holder: String::new(), ..Self::from(lease) }
    }
}

impl From<Lease> for LeaseRecord {
    fn from(lease: Lease) -> Self {
        let Lease { holder, by, until } = lease;
        Self { holder, by, until }
    }
}
