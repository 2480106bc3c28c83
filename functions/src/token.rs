//! Tokens and their versions as they are recorded.

mod deadlines;
mod delivery;
mod key;
mod retry;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::Terms;
use crate::name::{ManifestName, RoleName, TokenName, UserName};
use crate::place::PlaceId;
use crate::secret::{Digest, Fingerprint, KnownDigest, TokenId};

pub use delivery::{Delivery, PlaceRecord, Repairs};
pub use key::{TokenKey, TokenRef};
pub use retry::Retry;
pub use told::Told;

/// How many fingerprints of retired versions are kept.
pub const RETIRED_KEPT: usize = 20;

/// One named grant of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Token {
    /// The public id, part of each of its secrets.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserName,
    /// Its name, unique among the user's active tokens.
    pub name: TokenName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its roles, in order. None means no permission, never all.
    #[serde(default)]
    pub roles: Vec<RoleName>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where it may be used from; everywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<IpNet>,
    /// When it was created.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// The manifest that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManifestName>,
    /// The manifest that may take it: the one that declares it has agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ManifestName>,
    /// The end of the token itself; managed tokens have durations instead.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expires_at: Option<Timestamp>,
    /// The durations of a managed token, for versions promoted from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Every place that may contain a version of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<PlaceId, PlaceRecord>,
    /// Its live versions, by number.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// The last retired versions, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// The highest number ever staged.
    pub highest: u32,
    /// Since when it leaves: its manifest no longer declares it, and its entries have begun to go.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub leaving: Option<Timestamp>,
    /// How and when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// When the scheduled job looks at it again, where it could not do what is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What was told of it without a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Counts changes of this record.
    pub revision: u64,
    /// The last uses of its versions, kept apart from the versions so that noting one disturbs nothing else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uses: BTreeMap<String, Use>,
    /// The networks that it was used from, at most [`crate::bounds::ADDRESSES_MAX`]; kept apart for the same reason.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub addresses: BTreeSet<String>,
}

/// The state of a live version. A retired one is no longer live: its digest is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum VersionState {
    /// Valid already, on its way to its places.
    Staged,
    /// What consumers should have.
    Current,
    /// Still valid, while consumers take up a newer one.
    Retiring,
}

impl VersionState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Current => "current",
            Self::Retiring => "retiring",
        }
    }
}

/// One secret of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// From 1.
    pub number: u32,
    /// SHA-256 of the secret, as far as the record knows it.
    #[serde(with = "crate::secret::stored")]
    pub digest: KnownDigest,
    /// Its state.
    pub state: VersionState,
    /// When it was staged.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created: Timestamp,
    /// When it became current.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub promoted: Option<Timestamp>,
    /// When it expires: fixed at its promotion, and before that at each announcement; `None` for one that nobody
    /// announced, and for a token with an expiry of its own.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expiry: Option<Timestamp>,
    /// When its overlap ends, fixed when a newer one was promoted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub overlap_ends: Option<Timestamp>,
    /// Its last announcement for any place.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub announced: Option<Timestamp>,
    /// The durations under which it was promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Its deliveries by place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deliveries: BTreeMap<PlaceId, Delivery>,
}

impl Version {
    /// Its fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.digest.fingerprint()
    }

    /// Whether it was reported delivered to a place.
    pub fn delivered_to(&self, place: &PlaceId) -> bool {
        self.deliveries.get(place).is_some_and(|delivery| delivery.delivered.is_some())
    }
}

// Remembered so that a place that still shows it is known as ours.
/// A version that was retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "RetiredEntry"))]
pub struct Retired {
    /// Its number.
    pub number: u32,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

/// How a token ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Deleted or expired.
    pub state: EndState,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Who ended it; nobody when it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The two ways to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndState {
    /// By somebody.
    Deleted,
    /// By time.
    Expired,
}

/// First and last use of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// First use.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub first: Timestamp,
    /// Last use, to the hour.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub last: Timestamp,
    /// Where the last use came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// What a token is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// At least one version may be valid.
    Active,
    /// Ended by somebody.
    Deleted,
    /// Ended by time.
    Expired,
}

impl TokenState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }
}

impl Token {
    /// A token as it is created: without roles, versions and places, and without an end.
    pub fn new(id: TokenId, key: TokenKey, created_by: &str, now: Timestamp) -> Self {
        Self {
            id,
            user: key.user,
            name: key.name,
            description: None,
            roles: Vec::new(),
            labels: BTreeMap::new(),
            allowed_ips: Vec::new(),
            created: now,
            created_by: created_by.to_owned(),
            managed_by: None,
            moved_to: None,
            expires_at: None,
            terms: None,
            places: BTreeMap::new(),
            versions: Vec::new(),
            retired: Vec::new(),
            highest: 0,
            leaving: None,
            ended: None,
            retry: None,
            told: None,
            revision: 1,
            uses: BTreeMap::new(),
            addresses: BTreeSet::new(),
        }
    }

    /// The token by name.
    pub fn key(&self) -> TokenKey {
        TokenKey::new(self.user.clone(), self.name.clone())
    }

    /// This token, and no later one of the same name.
    pub fn reference(&self) -> TokenRef {
        TokenRef::new(self.key(), self.id.clone())
    }

    /// What it is at `now`. Time is compared at every read; no job has to run for a token to expire.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match &self.ended {
            Some(Ended { state: EndState::Deleted, .. }) => TokenState::Deleted,
            Some(Ended { state: EndState::Expired, .. }) => TokenState::Expired,
            None if self.ends_at().is_some_and(|end| end <= now) => TokenState::Expired,
            None => TokenState::Active,
        }
    }

    /// The version that consumers should have.
    pub fn current(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.state == VersionState::Current)
    }

    /// Whether any version has ever been current.
    pub fn has_been_current(&self) -> bool {
        // A current version goes on being recorded until a newer one is, or it is ended as compromised.
        self.versions.iter().any(|version| version.state != VersionState::Staged)
    }

    /// A live version by number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The staged version that nothing has superseded: the highest ever staged, while it is staged.
    pub fn staged(&self) -> Option<&Version> {
        self.version(self.highest).filter(|version| version.state == VersionState::Staged)
    }

    /// The number of the version that is valid at `now` and whose secret has this digest. A record without digests
    /// knows none.
    pub fn version_with(&self, digest: &Digest, now: Timestamp) -> Option<u32> {
        self.live(now).find(|version| version.digest.matches(digest)).map(|version| version.number)
    }

    /// The last noted use of any version.
    pub fn last_used(&self) -> Option<Timestamp> {
        // A use that was noted just after its version had ended counts for nothing.
        self.versions.iter().filter_map(|version| self.version_last_used(version.number)).max()
    }

    /// The last noted use of one version.
    pub fn version_last_used(&self, number: u32) -> Option<Timestamp> {
        self.uses.get(&number.to_string()).map(|used| used.last)
    }

    /// The number of the version with this fingerprint, live or retired.
    pub fn number_of(&self, fingerprint: &Fingerprint) -> Option<u32> {
        let live = self.versions.iter().find(|version| &version.fingerprint() == fingerprint);
        live.map(|version| version.number).or_else(|| {
            self.retired.iter().find(|retired| &retired.fingerprint == fingerprint).map(|retired| retired.number)
        })
    }
}
