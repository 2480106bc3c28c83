//! What the service is asked with, and what it answers, where its own records would say too much or too little.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use latchkey::api::wire::Me;
use latchkey::lifetime::Terms;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::place::Place;
use latchkey::role::Permissions;
use latchkey::secret::{Fingerprint, Secret, TokenId};
use latchkey::service::{Event, Grant, UsageDay, Valid};
use latchkey::token::Token;

/// A token that a manifest declares, to be made.
#[derive(Debug, Clone)]
pub struct DeclaredToken {
    pub user: UserName,
    pub name: TokenName,
    /// What it is for.
    pub description: Option<String>,
    pub roles: Vec<RoleName>,
    pub labels: BTreeMap<String, String>,
    /// Where it may be used from.
    pub allowed_ips: Vec<IpNet>,
    pub terms: Terms,
    /// Where its secret goes.
    pub places: Vec<Place>,
}

/// A version's secret on its way to its places.
#[derive(Debug)]
pub struct Issued {
    /// The record as it was when the secret was handed out.
    pub token: Token,
    /// The version's number.
    pub number: u32,
    /// The secret. It lives no longer than the run.
    pub secret: Secret,
}

/// A manifest's tokens.
#[derive(Debug)]
pub struct Managed {
    /// All of them, those that expired but were not moved included.
    pub tokens: Vec<Token>,
    /// The most active tokens of a user without a number of its own.
    pub max_tokens: u32,
}

/// What was done to a token, and with it.
#[derive(Debug)]
pub struct History {
    /// This month's last changes, newest first.
    pub events: Vec<Event>,
    /// This month's uses by day.
    pub usage: Vec<UsageDay>,
}

/// Who a secret is.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Whose token it is.
    pub user: UserName,
    /// The token's name.
    pub name: TokenName,
    pub id: TokenId,
    /// Which version of it.
    pub version: u32,
    pub fingerprint: Fingerprint,
    pub roles: Vec<RoleName>,
    /// What they permit.
    pub permissions: Permissions,
    /// When the secret stops working by itself.
    pub expires: Timestamp,
    /// The manifest that declares the token.
    pub managed_by: Option<ManifestName>,
}

impl From<Valid> for Checked {
    fn from(valid: Valid) -> Self {
        let Valid { user, name, id, version, fingerprint, roles, permissions, expires, managed_by, .. } = valid;
        Self { user, name, id, version, fingerprint, roles, permissions, expires, managed_by }
    }
}

impl From<Me> for Checked {
    fn from(me: Me) -> Self {
        Self {
            user: me.user,
            name: me.token,
            id: me.id,
            version: me.version,
            fingerprint: me.fingerprint,
            roles: me.roles,
            permissions: me.permissions,
            expires: me.works_until,
            managed_by: me.managed_by,
        }
    }
}

/// Somebody else's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// On whose behalf it was taken.
    pub by: String,
    /// Until when, by the service's time, where that is told.
    pub until: Option<Timestamp>,
}

/// What is known of a manifest.
#[derive(Debug, Clone)]
pub struct ManifestInfo {
    /// The highest revision that was applied.
    pub applied: Option<u64>,
    /// What it may hand out when it is applied with a token, where an admin has said so.
    pub grant: Option<Grant>,
    /// Who applies it now.
    pub lease: Option<LeaseHolder>,
}
