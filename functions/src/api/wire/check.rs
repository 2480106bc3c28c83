//! Who a caller is, and introspection.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::role::Permissions;
use crate::secret::{Fingerprint, TokenId};
use crate::service::Valid;
use crate::user::UserKind;

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
    /// When it expires by itself.
    pub works_until: Timestamp,
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// What they allow.
    pub permissions: Permissions,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
}

impl From<&Valid> for Me {
    fn from(valid: &Valid) -> Self {
        Self {
            user: valid.user.clone(),
            kind: if valid.person { UserKind::Person } else { UserKind::Service },
            token: valid.name.clone(),
            id: valid.id.clone(),
            version: valid.version,
            fingerprint: valid.fingerprint.clone(),
            works_until: valid.expires,
            roles: valid.roles.clone(),
            permissions: valid.permissions.clone(),
            managed_by: valid.managed_by.clone(),
        }
    }
}

/// A question about a token, RFC 7662 section 2.1; as a form or as JSON.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    /// The secret that was presented.
    pub token: String,
    /// Accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// The address of whoever presented it; a token bound to networks is inactive without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// Whether this counts as a use; `true` by default.
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
    /// Its permissions, separated by spaces.
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
    /// When this secret expires by itself, in seconds since 1970.
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
    /// What they allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}
