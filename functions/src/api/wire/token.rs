//! Making and changing tokens.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TokenRecord;
use crate::lifetime::Terms;
use crate::name::{ManifestName, RoleName, TokenName};
use crate::place::Place;
use crate::secret::TokenId;

/// A token to be made. Without a manifest it has an expiry; with one, durations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "name": "nightly-report", "roles": ["documents-reader"], "expires_at": "2027-12-31" }]))]
pub struct CreateToken {
    /// Its name.
    #[schemars(with = "TokenName")]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its roles; all that the user has now when absent; no permission when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<RoleName>>")]
    pub roles: Option<Vec<String>>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "minLength": 1 }))]
    pub labels: BTreeMap<String, String>,
    /// Networks from which it may be used, CIDR; everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<String>,
    /// An instant, or a date, which means its end, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The manifest that declares it; its first version is staged then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ManifestName>")]
    pub manifest: Option<String>,
    /// The durations of a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::one")]
    pub terms: Option<DeclaredTerms>,
    /// Where its secret goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::super::object::many")]
    pub places: Vec<Place>,
}

/// The form of a duration, for the document.
const DURATION: &str = "^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$";

/// Durations: `90d`, `1d12h`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTerms {
    /// From promotion to expiry.
    #[schemars(regex(pattern = DURATION))]
    pub expires_in: String,
    /// From promotion to the next rotation.
    #[schemars(regex(pattern = DURATION))]
    pub rotate_every: String,
    /// How long an older version goes on working after a promotion.
    #[schemars(regex(pattern = DURATION))]
    pub overlap: String,
}

impl DeclaredTerms {
    /// The durations; `None` when one is not a duration.
    pub(super) fn parse(&self) -> Option<Terms> {
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
    #[schemars(with = "Option<TokenId>")]
    pub id: Option<String>,
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TokenName>")]
    pub name: Option<String>,
    /// A new description; an empty one removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<RoleName>>")]
    pub roles: Option<Vec<String>>,
    /// Other labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("propertyNames" = { "minLength": 1 }))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Other networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Vec<String>>,
    /// Another expiry, for a token that no manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The manifest that declares it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ManifestName>")]
    pub manifest: Option<String>,
    /// Other durations, for a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::one")]
    pub terms: Option<DeclaredTerms>,
    /// The places that are declared now.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::maybe_many")]
    pub places: Option<Vec<Place>>,
    /// The id of a place that holds nothing of the token any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<String>,
    /// Whether it leaves with its manifest's declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<bool>,
}
