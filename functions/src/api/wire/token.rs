//! Creating and changing tokens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::TokenRecord;
use crate::lifetime::Terms;
use crate::name::{ManifestName, RoleName, TokenName};
use crate::place::Place;
use crate::secret::{Secret, SecretError, TokenId};
use crate::service::Issued;

/// A token to create. Without a manifest it has an expiry; with one, durations.
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
pub(super) const DURATION: &str = "^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$";

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
    /// How long an older version stays valid after a promotion.
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

/// A token that was created, or a version that was staged, with its secret, which is shown only once.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SecretShown")]
pub struct IssuedRecord {
    /// The record.
    pub token: TokenRecord,
    /// The version's number.
    #[serde(rename = "version")]
    pub number: u32,
    /// The secret. It is shown nowhere else and never again.
    #[serde(with = "wiped")]
    #[schemars(with = "String")]
    pub secret: Zeroizing<String>,
}

impl IssuedRecord {
    /// What was issued, as the API shows it.
    pub fn of(issued: &Issued, now: Timestamp) -> Self {
        let secret = Zeroizing::new(issued.secret.expose().to_owned());
        Self { token: TokenRecord::of(&issued.token, now), number: issued.number, secret }
    }

    /// The same as the rules know it.
    ///
    /// # Errors
    /// When the secret is malformed.
    pub fn into_issued(self) -> Result<Issued, SecretError> {
        let secret = Secret::parse(&self.secret)?;
        Ok(Issued { token: self.token.into_token(), number: self.number, secret })
    }
}

impl std::fmt::Debug for IssuedRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "IssuedRecord({} of {})", self.number, self.token.id)
    }
}

/// A text whose memory is wiped when it is dropped.
mod wiped {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

/// Changes to a token; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditToken {
    /// The id that the token must have: 409 `token_replaced` if the name belongs to another now.
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
    /// The manifest that it is taken from, which has to have agreed. Comes with `manifest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_from: Option<String>,
    /// The manifest that may take it from now on; `null` takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Option<ManifestName>")]
    pub moved_to: Option<Option<String>>,
    /// Other durations, for a token that a manifest declares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::one")]
    pub terms: Option<DeclaredTerms>,
    /// The places that are declared now.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::super::object::maybe_many")]
    pub places: Option<Vec<Place>>,
    /// The id of a place that no longer contains anything of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<String>,
    /// When the look began that found nothing of the token at the place in `forget`, at most 5 minutes ago; without it the
    /// caller vouches for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Whether it leaves, as its manifest no longer declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<bool>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::seeded::Seeded;
    use crate::secret::{Prefix, TokenId};
    use crate::token::{Token, TokenKey};

    #[test]
    fn a_secret_is_told_once_and_never_in_a_debug_text() {
        let (entropy, now) = (Seeded::new(7), "2026-03-01T12:00:00Z".parse().unwrap());
        let id = TokenId::mint(&entropy).unwrap();
        let secret = Secret::mint(&Prefix::default(), &id, &entropy).unwrap();
        let key = TokenKey::new("ci".parse().unwrap(), "deploy".parse().unwrap());
        let mut token = Token::new(id, key, "test", now);
        let number = token.stage(secret.digest(), now).unwrap();
        let exposed = secret.expose().to_owned();
        let record = IssuedRecord::of(&Issued { token, number, secret }, now);
        assert!(!format!("{record:?} {record:#?}").contains(&exposed[20..]));
        let told = serde_json::to_value(&record).unwrap();
        assert_eq!((&told["version"], &told["secret"]), (&1.into(), &exposed.clone().into()));
        let back: IssuedRecord = serde_json::from_value(told.clone()).unwrap();
        let issued = back.into_issued().unwrap();
        assert_eq!((issued.number, issued.secret.expose()), (1, exposed.as_str()));
        assert_eq!(issued.token.versions[0].fingerprint(), issued.secret.fingerprint());
        let mut cut = told;
        cut["secret"] = exposed[1..].into();
        assert!(serde_json::from_value::<IssuedRecord>(cut).unwrap().into_issued().is_err());
    }
}
