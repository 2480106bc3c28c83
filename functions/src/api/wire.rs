//! What requests and replies hold. The names of the API; the records of the service turn into them and back.
//!
//! No reply holds a digest: versions are told apart by their public fingerprints.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::lifetime::Terms;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::place::{Place, PlaceId};
use crate::role::Permissions;
use crate::secret::{Digest, Fingerprint, TokenId};
use crate::service::{Origin, Role};
use crate::token::{EndState, Ended, PlaceRecord, Retired, Token, TokenState, Use};
use crate::user::{User, UserKind};
use crate::version::{Delivery, Version, VersionState};

/// A token's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRecord {
    /// The public id; it stays when the name is used again.
    pub id: TokenId,
    /// Whose.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// Its state.
    pub state: TokenState,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where it may be used from; everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub allowed_ips: Vec<IpNet>,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// When it expires, for a token that no manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The durations of a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<DeclaredTerms>,
    /// When rotation is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Where its secret goes or went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceEntry>,
    /// Its live versions, by number.
    pub versions: Vec<VersionEntry>,
    /// The last retired ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RetiredEntry>,
    /// The highest number ever staged.
    pub highest: u32,
    /// Since when it leaves with its manifest's declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Timestamp>,
    /// When it was deleted or expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Who deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Counts changes; the `ETag` is made of it.
    pub revision: u64,
}

/// One live version of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionEntry {
    /// From 1.
    pub number: u32,
    /// Its state.
    pub state: VersionState,
    /// The first 12 hex digits of the secret's SHA-256.
    pub fingerprint: Fingerprint,
    /// When it was staged.
    pub created: Timestamp,
    /// When it became current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Timestamp>,
    /// When it expires, once that is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Timestamp>,
    /// When it stops working by itself.
    pub works_until: Timestamp,
    /// When its overlap ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ends: Option<Timestamp>,
    /// Its last announcement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Timestamp>,
    /// The durations under which it was promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<DeclaredTerms>,
    /// Its deliveries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryEntry>,
    /// Its noted uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<UseEntry>,
}

/// A version on its way to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryEntry {
    /// The place's id.
    pub place: PlaceId,
    /// When it was last announced.
    pub announced: Timestamp,
    /// When it was reported delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Timestamp>,
}

/// First and last use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UseEntry {
    /// The first.
    pub first: Timestamp,
    /// The last that was noted; it may lag by 75 minutes.
    pub last: Timestamp,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// A place of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceEntry {
    /// Its id.
    pub id: PlaceId,
    /// What it is.
    pub place: Place,
    /// Whether the manifest declares it now.
    pub declared: bool,
    /// What the sink answered to the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The version that was last delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A version that was retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetiredEntry {
    /// Its number.
    pub number: u32,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl TokenRecord {
    /// The record as it is told.
    #[must_use]
    pub fn of(token: &Token, now: Timestamp) -> Self {
        let version = |version: &Version| VersionEntry {
            number: version.number,
            state: version.state,
            fingerprint: version.fingerprint(),
            created: version.created,
            promoted: version.promoted,
            expiry: version.expiry,
            works_until: token.deadline(version),
            overlap_ends: version.overlap_ends,
            announced: version.announced,
            terms: version.terms.map(DeclaredTerms::from),
            deliveries: version.deliveries.iter().map(DeliveryEntry::of).collect(),
            used: token.uses.get(&version.number.to_string()).map(UseEntry::of),
        };
        let place = |(id, record): (&PlaceId, &PlaceRecord)| PlaceEntry {
            id: id.clone(),
            place: record.place.clone(),
            declared: record.declared,
            receipt: record.receipt.clone(),
            version: record.version,
        };
        let retired =
            |retired: &Retired| RetiredEntry { number: retired.number, fingerprint: retired.fingerprint.clone() };
        Self {
            id: token.id.clone(),
            user: token.user.clone(),
            name: token.name.clone(),
            state: token.state(now),
            description: token.description.clone(),
            roles: token.roles.clone(),
            labels: token.labels.clone(),
            allowed_ips: token.allowed_ips.clone(),
            created: token.created,
            created_by: token.created_by.clone(),
            managed_by: token.managed_by.clone(),
            expires_at: token.expires_at,
            terms: token.terms.map(DeclaredTerms::from),
            due: token.due(),
            places: token.places.iter().map(place).collect(),
            versions: token.versions.iter().map(version).collect(),
            retired: token.retired.iter().map(retired).collect(),
            highest: token.highest,
            leaving: token.leaving,
            ended_at: token.ended.as_ref().map(|ended| ended.at),
            ended_by: token.ended.as_ref().and_then(|ended| ended.by.clone()),
            revision: token.revision,
        }
    }

    /// The record as the rules know it, for whoever reads the service over HTTP. Its digests are stand-ins that have
    /// the right fingerprints and match no secret: only the service can confirm one.
    #[must_use]
    pub fn into_token(self) -> Token {
        let mut uses = BTreeMap::new();
        let mut versions = Vec::with_capacity(self.versions.len());
        for entry in self.versions {
            if let Some(used) = entry.used {
                uses.insert(entry.number.to_string(), Use { first: used.first, last: used.last, ip: used.ip });
            }
            let delivery = |entry: DeliveryEntry| {
                (entry.place, Delivery { announced: entry.announced, delivered: entry.delivered })
            };
            versions.push(Version {
                number: entry.number,
                digest: Digest::standing_for(&entry.fingerprint),
                state: entry.state,
                created: entry.created,
                promoted: entry.promoted,
                expiry: entry.expiry,
                overlap_ends: entry.overlap_ends,
                announced: entry.announced,
                terms: entry.terms.and_then(|terms| terms.parse()),
                deliveries: entry.deliveries.into_iter().map(delivery).collect(),
            });
        }
        let place = |entry: PlaceEntry| {
            let (place, declared) = (entry.place, entry.declared);
            (entry.id, PlaceRecord { place, declared, receipt: entry.receipt, version: entry.version })
        };
        let state = if self.state == TokenState::Deleted { EndState::Deleted } else { EndState::Expired };
        let ended = self.ended_at.map(|at| Ended { state, at, by: self.ended_by });
        Token {
            id: self.id,
            user: self.user,
            name: self.name,
            description: self.description,
            roles: self.roles,
            labels: self.labels,
            allowed_ips: self.allowed_ips,
            created: self.created,
            created_by: self.created_by,
            managed_by: self.managed_by,
            expires_at: self.expires_at,
            terms: self.terms.and_then(|terms| terms.parse()),
            places: self.places.into_iter().map(place).collect(),
            versions,
            retired: self
                .retired
                .into_iter()
                .map(|entry| Retired { number: entry.number, fingerprint: entry.fingerprint })
                .collect(),
            highest: self.highest,
            leaving: self.leaving,
            ended,
            revision: self.revision,
            uses,
        }
    }
}

impl DeliveryEntry {
    fn of((place, delivery): (&PlaceId, &Delivery)) -> Self {
        Self { place: place.clone(), announced: delivery.announced, delivered: delivery.delivered }
    }
}

impl UseEntry {
    fn of(used: &Use) -> Self {
        Self { first: used.first, last: used.last, ip: used.ip.clone() }
    }
}

/// A page of tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenList {
    /// The tokens.
    pub tokens: Vec<TokenRecord>,
    /// What to give as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A token to be made. Without a manifest it has an expiry; with one, durations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its roles; all that the user has now when absent; no permission when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Networks from which it may be used, CIDR; everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<String>,
    /// An instant, or a date, which means its end, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The manifest that declares it; its first version is staged then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The durations of a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::object::one")]
    pub terms: Option<DeclaredTerms>,
    /// Where its secret goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::object::many")]
    pub places: Vec<Place>,
}

/// Durations: `90d`, `1d12h`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTerms {
    /// From promotion to expiry.
    pub expires_in: String,
    /// From promotion to the next rotation.
    pub rotate_every: String,
    /// How long an older version goes on working after a promotion.
    pub overlap: String,
}

impl DeclaredTerms {
    /// The durations; `None` when one is not a duration.
    fn parse(&self) -> Option<Terms> {
        let [expires_in, rotate_every, overlap] =
            [&self.expires_in, &self.rotate_every, &self.overlap].map(|text| text.parse().ok());
        Some(Terms { expires_in: expires_in?, rotate_every: rotate_every?, overlap: overlap? })
    }
}

impl From<Terms> for DeclaredTerms {
    fn from(terms: Terms) -> Self {
        let text = |seconds: crate::lifetime::Seconds| seconds.to_string();
        Self {
            expires_in: text(terms.expires_in),
            rotate_every: text(terms.rotate_every),
            overlap: text(terms.overlap),
        }
    }
}

/// A token that was made, or a version that was staged, with its secret, this once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SecretShown {
    /// The record.
    pub token: TokenRecord,
    /// The version's number.
    pub version: u32,
    /// The secret. It is shown nowhere else and never again.
    pub secret: String,
}

impl Drop for SecretShown {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

impl std::fmt::Debug for SecretShown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SecretShown({} of {})", self.version, self.token.id)
    }
}

/// Changes to a token; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditToken {
    /// The id of the token that is meant: 409 `token_replaced` if the name belongs to another now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new description; an empty one removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Other labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Other networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Vec<String>>,
    /// Another expiry, for a token that no manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The manifest that declares it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Other durations, for a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::object::one")]
    pub terms: Option<DeclaredTerms>,
    /// The places that are declared now.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::object::maybe_many")]
    pub places: Option<Vec<Place>>,
    /// The id of a place that holds nothing of the token any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<String>,
    /// Whether it leaves with its manifest's declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<bool>,
}

/// Roles for a token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoles {
    /// The roles, which the user must hold.
    pub roles: Vec<String>,
    /// The id of the token that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A token's roles and what they permit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenRoles {
    /// The roles.
    pub roles: Vec<RoleName>,
    /// What they permit together.
    pub permissions: Permissions,
}

/// What a role is to permit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRole {
    /// `resource:action`; `*` may stand for a whole part.
    pub permissions: Vec<String>,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRecord {
    /// Its name.
    pub name: RoleName,
    /// What it permits.
    pub permissions: Permissions,
    /// How many users hold it.
    pub holders: u32,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// Counts changes.
    pub revision: u64,
}

impl From<Role> for RoleRecord {
    fn from(role: Role) -> Self {
        let Role { name, permissions, holders, managed_by, revision } = role;
        Self { name, permissions, holders, managed_by, revision }
    }
}

impl From<RoleRecord> for Role {
    fn from(role: RoleRecord) -> Self {
        let RoleRecord { name, permissions, holders, managed_by, revision } = role;
        Self { name, permissions, holders, managed_by, revision }
    }
}

/// All roles.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RoleList {
    /// By name.
    pub roles: Vec<RoleRecord>,
}

/// What is to change of a user; what is absent stays, or has its default when the user is new.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutUser {
    /// Person (the default) or service account. Fixed once the user exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// The roles held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The most active tokens; `null` goes back to the deployment's default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Option<u32>")]
    pub max_tokens: Option<Option<u32>>,
    /// Suspends or restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// The manifest that declares the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a number are three things")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserRecord {
    /// The name.
    pub name: UserName,
    /// Person or service account.
    pub kind: UserKind,
    /// The roles held.
    pub roles: Vec<RoleName>,
    /// Whether no token of the user works.
    pub suspended: bool,
    /// The most active tokens, where it is not the deployment's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How many active tokens there are; those that expired lately may still count.
    pub active: u32,
    /// The manifest that declares the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// Since when.
    pub created: Timestamp,
    /// Whether a loss of roles or a suspension has not reached all tokens yet: any change of the user goes on with it.
    #[serde(default)]
    pub sweeping: bool,
    /// Roles that are on their way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losing: Vec<RoleName>,
    /// Counts changes.
    pub revision: u64,
}

impl From<User> for UserRecord {
    fn from(user: User) -> Self {
        let User { name, kind, roles, suspended, max_tokens, active, managed_by, created, sweeping, losing, revision } =
            user;
        Self { name, kind, roles, suspended, max_tokens, active, managed_by, created, sweeping, losing, revision }
    }
}

impl From<UserRecord> for User {
    fn from(user: UserRecord) -> Self {
        let UserRecord {
            name,
            kind,
            roles,
            suspended,
            max_tokens,
            active,
            managed_by,
            created,
            sweeping,
            losing,
            revision,
        } = user;
        Self { name, kind, roles, suspended, max_tokens, active, managed_by, created, sweeping, losing, revision }
    }
}

/// All users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserRecord>,
}

/// A version to be staged.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageVersion {
    /// The token's id.
    pub id: String,
}

/// A step of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverVersion {
    /// The token's id.
    pub id: String,
    /// Which step.
    pub state: DeliveryState,
    /// What the sink answered, for `delivered`; never a value. At most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// The steps of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// A write is about to start.
    Announced,
    /// It arrived.
    Delivered,
}

/// The answer to a step of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// The record.
    pub token: TokenRecord,
    /// For `announced`: no write may start after it, by the service's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_before: Option<Timestamp>,
    /// For `announced`: how many seconds that is from when the service answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_within: Option<u64>,
}

/// A version to be promoted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteVersion {
    /// The token's id.
    pub id: String,
}

/// A page of a manifest's tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ManifestTokens {
    /// Their records.
    pub tokens: Vec<TokenRecord>,
    /// What to give as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The deployment's default of active tokens a user.
    pub max_tokens: u32,
}

/// What a plan refers to besides the manifest's own tokens. At most 500 of each kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// Users by name; those that are not there, or that the manifest may not name, are missing from the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Whether to tell the roles.
    #[serde(default)]
    pub roles: bool,
    /// Tokens by user and name, whoever declares them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::object::many")]
    pub tokens: Vec<TokenKey>,
    /// Token ids that were found in places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Users whose expired tokens are to be counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<String>,
}

/// A token by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// Whose.
    pub user: String,
    /// Its name.
    pub name: String,
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
    pub origins: Vec<OriginRecord>,
    /// How many expired tokens still hold their names, by user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expired: BTreeMap<UserName, u32>,
}

/// Where a token id comes from, told also after the token ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OriginRecord {
    /// The id.
    pub id: TokenId,
    /// Whose it is or was.
    pub user: UserName,
    /// Its name.
    pub name: TokenName,
    /// The manifest that declares or declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// Whether it has ended.
    pub ended: bool,
    /// Of an ended token, the fingerprints that were its.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
}

impl OriginRecord {
    /// The origin of an id.
    #[must_use]
    pub fn of(id: TokenId, origin: Origin) -> Self {
        let Origin { user, name, managed_by, ended, fingerprints } = origin;
        Self { id, user, name, managed_by, ended, fingerprints }
    }

    /// The id and its origin.
    #[must_use]
    pub fn into_origin(self) -> (TokenId, Origin) {
        let Self { id, user, name, managed_by, ended, fingerprints } = self;
        (id, Origin { user, name, managed_by, ended, fingerprints })
    }
}

/// A value that was read from a place, to be confirmed by its digest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Whose token.
    pub user: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The value's SHA-256, 64 hex digits.
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
    /// What it may hand out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Who applies it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseRecord>,
    /// The text that the scheduled job goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A revision that is applied, or a text to publish; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutManifest {
    /// Notes that something is applied, at the revision below if there is one; it never goes back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::object::one")]
    pub applied: Option<Applied>,
    /// The manifest's text for the scheduled job, at most 48 KB; an empty one takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A revision that is about to be applied.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// Its number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// What a manifest may hand out. Never `admin:*`, `manifests:*` or `*` as a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// All that its roles and tokens permit stays within these.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Roles that it may name although it does not declare them.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Users that it may name although it does not declare them.
    #[serde(default)]
    pub users: Vec<String>,
}

/// A lease to take or renew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeLease {
    /// The run, a random word of at most 64 characters: the same run renews.
    pub holder: String,
    /// Takes it from whoever has it.
    #[serde(default)]
    pub steal: bool,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRecord {
    /// The run, told to itself only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub holder: String,
    /// On whose behalf.
    pub by: String,
    /// Until when, by the service's time.
    pub until: Timestamp,
}

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

/// Who the caller is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The user.
    pub user: UserName,
    /// Person or service account.
    pub kind: UserKind,
    /// The token in hand.
    pub token: TokenName,
    /// Its id.
    pub id: TokenId,
    /// Which version of it.
    pub version: u32,
    /// That version's fingerprint.
    pub fingerprint: Fingerprint,
    /// When it stops working by itself.
    pub works_until: Timestamp,
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// What they permit.
    pub permissions: Permissions,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
}

/// A question about a token, RFC 7662 section 2.1; as a form or as JSON.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    /// The secret that was presented.
    pub token: String,
    /// Taken and not heeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// The address of whoever presented it; a token bound to networks is inactive without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// Whether this counts as a use; it does unless told not to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<bool>,
}

impl std::fmt::Debug for Introspect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Introspect(..)")
    }
}

impl Drop for Introspect {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.token);
    }
}

/// The answer, RFC 7662 section 2.2. Of anything not valid exactly `{"active":false}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Introspected {
    /// Whether the token is valid now.
    pub active: bool,
    /// What it permits, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<UserName>,
    /// The user again, as RFC 7662 has it for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<UserName>,
    /// When this secret stops working by itself, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<TokenId>,
    /// The token's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<TokenName>,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Its roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleName>>,
    /// What they permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// A problem, RFC 9457.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProblemBody {
    /// `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// The id under which the request was logged.
    pub request_id: String,
    /// Faults of fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFaultBody>,
    /// More about some codes: numbers and instants.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One fault in a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldFaultBody {
    /// A JSON pointer into the body; `?name` for the query, `{name}` for the path.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}
