//! A token's record as the API shows it, and back.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DeclaredTerms;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::place::{Place, PlaceId};
use crate::secret::{Fingerprint, KnownDigest, TokenId};
use crate::token::{
    Delivery, EndState, Ended, PlaceRecord, Repairs, Retired, Token, TokenState, Use, Version, VersionState,
};

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
    /// When it was created.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take it, as the one that declares it has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
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
    pub retired: Vec<Retired>,
    /// The highest number ever staged.
    pub highest: u32,
    /// Since when it leaves, as its manifest no longer declares it.
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
    /// When it expires by itself.
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
    /// Its recorded uses.
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
    /// The last that was recorded; it may lag by 75 minutes.
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
    /// The sink's receipt of the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The version that was last delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// A hash of what its vendor calls the entry, however settings spell it: places that have it in common are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its latest repairs, after changes outside Latchkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repairs: Option<RepairsEntry>,
}

/// Repairs of one place, none of them more than 30 days after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepairsEntry {
    /// How many.
    pub times: u32,
    /// The first.
    pub since: Timestamp,
    /// The last.
    pub last: Timestamp,
}

impl TokenRecord {
    /// The record as the API shows it.
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
            repairs: record.repairs.map(|Repairs { times, since, last }| RepairsEntry { times, since, last }),
            identity: record.identity.clone(),
        };
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
            moved_to: token.moved_to.clone(),
            expires_at: token.expires_at,
            terms: token.terms.map(DeclaredTerms::from),
            due: token.due(),
            places: token.places.iter().map(place).collect(),
            versions: token.versions.iter().map(version).collect(),
            retired: token.retired.clone(),
            highest: token.highest,
            leaving: token.leaving,
            ended_at: token.ended.as_ref().map(|ended| ended.at),
            ended_by: token.ended.as_ref().and_then(|ended| ended.by.clone()),
            revision: token.revision,
        }
    }

    /// The record as the rules know it, for whoever reads the service over HTTP. It has fingerprints and no digests:
    /// only the service can confirm a secret.
    pub fn into_token(self) -> Token {
        let mut uses = BTreeMap::new();
        let mut versions = Vec::with_capacity(self.versions.len());
        for entry in self.versions {
            if let Some(used) = entry.used {
                uses.insert(entry.number.to_string(), Use { first: used.first, last: used.last, ip: used.ip });
            }
            let delivery = |entry: DeliveryEntry| (entry.place, Delivery::standing(entry.announced, entry.delivered));
            versions.push(Version {
                number: entry.number,
                digest: KnownDigest::Fingerprint(entry.fingerprint),
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
            let repairs = entry.repairs.map(|RepairsEntry { times, since, last }| Repairs { times, since, last });
            let PlaceEntry { id, place, declared, receipt, version, identity, .. } = entry;
            (id, PlaceRecord { place, declared, receipt, version, identity, repairs })
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
            moved_to: self.moved_to,
            expires_at: self.expires_at,
            terms: self.terms.and_then(|terms| terms.parse()),
            places: self.places.into_iter().map(place).collect(),
            versions,
            retired: self.retired,
            highest: self.highest,
            leaving: self.leaving,
            retry: None,
            told: None,
            ended,
            revision: self.revision,
            uses,
            addresses: BTreeSet::new(),
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
    /// The `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of everybody's tokens. It may have few tokens, or none, and not be the last.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EverybodyList {
    /// The tokens, user by user.
    pub tokens: Vec<TokenRecord>,
    /// What this page cost: how many users were asked, a query of the table each.
    pub users: u32,
    /// The `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Digest;
    use crate::token::TokenKey;

    #[test]
    fn a_record_comes_back_with_fingerprints_and_without_digests() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let key = TokenKey::new("ci".parse().unwrap(), "deploy".parse().unwrap());
        let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "test", now);
        let digest = Digest::of(b"a secret");
        token.managed_by = Some("acme".parse().unwrap());
        token.moved_to = Some("umbrella".parse().unwrap());
        let places = ["a", "b"].map(|name| Place::new("vercel", &[("name", name)], false));
        token.declare_places(&places).unwrap();
        token.stage(digest, now).unwrap();
        // One that says what it is, and one as it was recorded before places did.
        for (place, identity) in [(&places[0], Some("0123456789abcdef")), (&places[1], None)] {
            let id = place.id();
            token.announce(1, &id, now).unwrap();
            let arrival = crate::protocol::Arrival { identity, ..crate::protocol::Arrival::new(&id, "r") };
            token.deliver(1, &arrival, now).unwrap();
        }
        let record = TokenRecord::of(&token, now);
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(&digest.hex()[..12]) && !text.contains(&digest.hex()[..14]), "{text}");
        let mut back = serde_json::from_str::<TokenRecord>(&text).unwrap().into_token();
        assert_eq!(back.versions[0].fingerprint(), digest.fingerprint());
        assert_eq!((token.version_with(&digest, now), back.version_with(&digest, now)), (Some(1), None));
        assert_eq!(text.matches("identity").count(), 1, "{text}");
        back.versions[0].digest = digest.into();
        assert_eq!(back, token, "all else is the same");
    }
}
