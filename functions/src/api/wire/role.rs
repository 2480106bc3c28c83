//! Roles, and the users who have them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{ManifestName, RoleName, UserName};
use crate::policy::Policy;
use crate::role::{Permission, Permissions};
use crate::secret::TokenId;
use crate::service::Role;
use crate::user::{User, UserKind};

/// Roles for a token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoles {
    /// The roles, which the user must have.
    #[schemars(with = "Vec<RoleName>")]
    pub roles: Vec<String>,
    /// The id that the token must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TokenId>")]
    pub id: Option<String>,
}

/// A token's roles and permissions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenRoles {
    /// The roles.
    pub roles: Vec<RoleName>,
    /// What they allow together.
    pub permissions: Permissions,
}

/// The permissions that a role is to have.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "permissions": ["documents:read", "invoices:*"] }]))]
pub struct PutRole {
    /// `resource:action`; `*` may stand for a whole part.
    #[schemars(with = "Vec<Permission>")]
    pub permissions: Vec<String>,
    /// The manifest that declares it; `null` releases it from its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<ManifestName>")]
    pub manifest: Option<Option<String>>,
    /// The manifest that it is taken from, which has to have agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_from: Option<String>,
    /// The manifest that may take it from now on; `null` takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_to: Option<Option<String>>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRecord {
    /// Its name.
    pub name: RoleName,
    /// What it allows.
    pub permissions: Permissions,
    /// How many users have it.
    pub holders: u32,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take it, as the one that declares it has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
    /// Counts changes.
    pub revision: u64,
}

impl From<Role> for RoleRecord {
    fn from(role: Role) -> Self {
        let Role { name, permissions, holders, managed_by, moved_to, revision } = role;
        Self { name, permissions, holders, managed_by, moved_to, revision }
    }
}

impl From<RoleRecord> for Role {
    fn from(role: RoleRecord) -> Self {
        let RoleRecord { name, permissions, holders, managed_by, moved_to, revision } = role;
        Self { name, permissions, holders, managed_by, moved_to, revision }
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
#[schemars(extend("examples" = [{ "kind": "service", "roles": ["documents-reader"], "max_tokens": 3 }]))]
pub struct PutUser {
    /// Person (the default) or service account. Fixed once the user exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// The user's roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<RoleName>>")]
    pub roles: Option<Vec<String>>,
    /// The limit of active tokens; `null` restores the deployment's default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<u32>")]
    pub max_tokens: Option<Option<u32>>,
    /// Whether the user is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// Where notices of the user's tokens are sent; `null` removes the address.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<String>")]
    pub email: Option<Option<String>>,
    /// The manifest that declares the user; `null` releases it from its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<ManifestName>")]
    pub manifest: Option<Option<String>>,
    /// The manifest that the user is taken from, which has to have agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_from: Option<String>,
    /// The manifest that may take the user from now on; `null` takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::token::present")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_to: Option<Option<String>>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserRecord {
    /// The name.
    pub name: UserName,
    /// Person or service account.
    pub kind: UserKind,
    /// The user's roles.
    pub roles: Vec<RoleName>,
    /// Whether the user is suspended, so that none of the user's tokens is valid.
    pub suspended: bool,
    /// Since when, as far as that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// Who suspended the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_by: Option<String>,
    /// The limit of active tokens, where it is not the deployment's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The limit of active tokens that holds: the user's own, else the deployment's default. Older servers do not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many active tokens there are; those that expired recently may still count.
    pub active: u32,
    /// Where notices of the user's tokens are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The manifest that declares the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take the user, as the one that declares the user has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
    /// Since when.
    pub created: Timestamp,
    /// When the last user who had the name before was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Timestamp>,
    /// Whether a loss of roles or a suspension has not reached all tokens yet: any change of the user continues it.
    #[serde(default)]
    pub sweeping: bool,
    /// Roles that are being removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losing: Vec<RoleName>,
    /// Counts changes.
    pub revision: u64,
}

impl UserRecord {
    /// A user, where the deployment has these settings.
    pub(in crate::api) fn of(user: User, policy: &Policy) -> Self {
        Self {
            limit: Some(user.max_tokens.unwrap_or(policy.max_tokens)),
            name: user.name,
            kind: user.kind,
            roles: user.roles,
            suspended: user.suspended,
            suspended_at: user.suspended_at,
            suspended_by: user.suspended_by,
            max_tokens: user.max_tokens,
            active: user.active,
            email: user.email,
            managed_by: user.managed_by,
            moved_to: user.moved_to,
            created: user.created,
            former: user.former,
            sweeping: user.sweeping,
            losing: user.losing,
            revision: user.revision,
        }
    }
}

impl From<UserRecord> for User {
    fn from(user: UserRecord) -> Self {
        Self {
            name: user.name,
            kind: user.kind,
            roles: user.roles,
            suspended: user.suspended,
            suspended_at: user.suspended_at,
            suspended_by: user.suspended_by,
            max_tokens: user.max_tokens,
            active: user.active,
            email: user.email,
            managed_by: user.managed_by,
            moved_to: user.moved_to,
            created: user.created,
            former: user.former,
            sweeping: user.sweeping,
            losing: user.losing,
            revision: user.revision,
        }
    }
}

/// All users.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserRecord>,
}
