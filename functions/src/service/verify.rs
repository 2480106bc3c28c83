//! Verification: one strongly consistent read tells whether a secret is valid and what it may do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Service;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::role::Permissions;
use crate::secret::{Digest, Fingerprint, KnownDigest, Secret, SecretError, TokenId};
use crate::table::{Item, TableError, Update, Value, count, decode, keys};
use crate::token::{EndState, Token};
use crate::user::{User, UserKind};

/// The revision of the user that `suspended` was taken from: an older one never overwrites a newer.
pub(super) const SWEPT: &str = "swept";

/// All that a check reads: one item under 1 KB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Verification {
    pub(super) user: UserName,
    pub(super) name: TokenName,
    #[serde(default)]
    roles: Vec<RoleName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_ips: Vec<IpNet>,
    /// Live versions by number.
    #[serde(default, rename = "v")]
    versions: BTreeMap<String, LiveDigest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) managed_by: Option<ManifestName>,
    /// Set and cleared with the user's suspension only, never by a change of the token.
    #[serde(default, skip_serializing)]
    suspended: bool,
    /// Set when the token is made and never changed: a user's kind is fixed. Absent means a service account, whose
    /// tokens may do less.
    #[serde(default, skip_serializing)]
    person: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<EndState>,
    /// When it ended, which the key of its record is made of; older tombstones lack it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub(super) ended_at: Option<Timestamp>,
    /// Of an ended token: the fingerprints that were its, so that a place which still shows one is known as ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fingerprints: Vec<Fingerprint>,
}

/// A digest and until when it is good, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LiveDigest {
    #[serde(with = "crate::secret::stored")]
    d: KnownDigest,
    x: i64,
}

impl Verification {
    /// What a check has to know of a token; of an ended one, a tombstone.
    pub(super) fn of(token: &Token) -> Self {
        let live = |version: &crate::token::Version| {
            let digest = LiveDigest { d: version.digest.clone(), x: token.deadline(version).as_millisecond() };
            (version.number.to_string(), digest)
        };
        let ended = token.ended.as_ref().map(|ended| ended.state);
        let fingerprints = if ended.is_some() {
            let versions = token.versions.iter().map(crate::token::Version::fingerprint);
            versions.chain(token.retired.iter().map(|retired| retired.fingerprint.clone())).collect()
        } else {
            Vec::new()
        };
        Self {
            user: token.user.clone(),
            name: token.name.clone(),
            roles: if ended.is_some() { Vec::new() } else { token.roles.clone() },
            allowed_ips: if ended.is_some() { Vec::new() } else { token.allowed_ips.clone() },
            versions: if ended.is_some() { BTreeMap::new() } else { token.versions.iter().map(live).collect() },
            managed_by: token.managed_by.clone(),
            suspended: false,
            person: false,
            ended,
            ended_at: token.ended.as_ref().map(|ended| ended.at),
            fingerprints,
        }
    }

    /// Writes the owner's suspension, and the owner's revision that it was taken from.
    pub(super) fn set_suspended(update: &mut Update, owner: &User) {
        update.set("suspended", Value::Bool(owner.suspended));
        update.set(SWEPT, count(owner.revision));
    }

    /// Writes whether the owner is a person.
    pub(super) fn set_person(item: &mut Item, owner: &User) {
        if owner.kind == UserKind::Person {
            item.insert("person".to_owned(), Value::Bool(true));
        }
    }

    /// The version that a digest belongs to. Every digest is compared, in constant time each.
    fn version_of(&self, digest: &Digest) -> Option<(u32, Timestamp)> {
        let mut found = None;
        for (number, live) in &self.versions {
            if live.d.matches(digest) {
                found = Some((number, live.x));
            }
        }
        let (number, deadline) = found?;
        Some((number.parse().ok()?, Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX)))
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The secret is valid.
    Valid(Box<Valid>),
    /// It is not; the reason is for the log and the operator, never for whoever presented the secret.
    Invalid(Invalid),
}

/// Who a valid secret is and what it may do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Valid {
    /// Whose token it is.
    pub user: UserName,
    /// The token's name.
    pub name: TokenName,
    /// The token's public id.
    pub id: TokenId,
    /// Which version the secret is.
    pub version: u32,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether the user is a person.
    pub person: bool,
    /// Where the token may be used from; everywhere when empty.
    pub allowed_ips: Vec<IpNet>,
    /// The token's roles.
    pub roles: Vec<RoleName>,
    /// What the roles allow.
    pub permissions: Permissions,
    /// When this secret expires by itself.
    pub expires: Timestamp,
    /// The manifest that declares the token.
    pub managed_by: Option<ManifestName>,
}

/// Why a secret is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Not the form of a secret, or not one of this deployment's prefixes.
    #[error("not a secret of this service: {0}")]
    Malformed(#[from] SecretError),
    /// Another prefix.
    #[error("not a secret of this service: unknown prefix")]
    Prefix,
    /// No such token.
    #[error("no such token")]
    Unknown,
    /// The token was deleted.
    #[error("the token was deleted")]
    Deleted,
    /// The token or this version of it expired.
    #[error("it has expired")]
    Expired,
    /// The token is alive, but this secret is none of its versions, or no longer.
    #[error("this version of the token was retired, or never existed")]
    Retired,
    /// The user is suspended.
    #[error("the user is suspended")]
    Suspended,
    /// Not from an allowed address.
    #[error("used from an address that the token does not allow")]
    Address,
}

impl Invalid {
    /// A word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(SecretError::Checksum) => "checksum",
            Self::Malformed(_) => "malformed",
            Self::Prefix => "prefix",
            Self::Unknown => "unknown",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Retired => "retired",
            Self::Suspended => "suspended",
            Self::Address => "address",
        }
    }
}

impl Service {
    /// Checks a secret presented from `from`. Counts no use. A malformed secret costs no I/O.
    ///
    /// ```no_run
    /// # async fn example(service: latchkey::service::Service, secret: &str) -> Result<(), latchkey::table::TableError> {
    /// use latchkey::service::Verdict;
    ///
    /// match service.verify(secret, None).await? {
    ///     Verdict::Valid(valid) => service.note_use(&valid, None).await?,
    ///     Verdict::Invalid(reason) => eprintln!("refused: {}", reason.code()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the table does not answer: neither valid nor not valid. Callers must fail closed.
    pub async fn verify(&self, presented: &str, from: Option<IpAddr>) -> Result<Verdict, TableError> {
        let secret = match self.read_secret(presented).await? {
            Ok(secret) => secret,
            Err(invalid) => return Ok(Verdict::Invalid(invalid)),
        };
        let item = self.table.get(&keys::verification(&secret.token_id())).await?;
        self.verdict(item, &secret, from).await
    }

    /// What can be told of a secret without its record.
    pub(super) async fn read_secret(&self, presented: &str) -> Result<Result<Secret, Invalid>, TableError> {
        let secret = match Secret::parse(presented) {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(error.into())),
        };
        Ok(if self.knows_prefix(secret.prefix()).await? { Ok(secret) } else { Err(Invalid::Prefix) })
    }

    /// What a secret is, by its verification item.
    pub(super) async fn verdict(
        &self,
        item: Option<Item>,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Result<Verdict, TableError> {
        let Some(item) = item else { return Ok(Verdict::Invalid(Invalid::Unknown)) };
        let verification: Verification = decode(item)?;
        match self.judge(&verification, secret, from) {
            Err(invalid) => Ok(Verdict::Invalid(invalid)),
            Ok((version, expires)) => {
                let permissions = self.permissions_in_check(&verification.roles).await?;
                Ok(Verdict::Valid(Box::new(Valid {
                    user: verification.user,
                    name: verification.name,
                    id: secret.token_id(),
                    version,
                    fingerprint: secret.fingerprint(),
                    person: verification.person,
                    allowed_ips: verification.allowed_ips,
                    roles: verification.roles,
                    permissions,
                    expires,
                    managed_by: verification.managed_by,
                })))
            }
        }
    }

    fn judge(
        &self,
        verification: &Verification,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Result<(u32, Timestamp), Invalid> {
        match verification.ended {
            Some(EndState::Deleted) => return Err(Invalid::Deleted),
            Some(EndState::Expired) => return Err(Invalid::Expired),
            None => {}
        }
        let (version, deadline) = verification.version_of(&secret.digest()).ok_or(Invalid::Retired)?;
        if deadline <= self.time_of_checks() {
            return Err(Invalid::Expired);
        }
        if verification.suspended {
            return Err(Invalid::Suspended);
        }
        let networks = &verification.allowed_ips;
        let allowed = |address: IpAddr| networks.iter().any(|network| network.contains(&address.to_canonical()));
        if !networks.is_empty() && !from.is_some_and(allowed) {
            return Err(Invalid::Address);
        }
        Ok((version, deadline))
    }
}
