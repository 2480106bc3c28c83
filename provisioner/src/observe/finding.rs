//! What a look at a place finds, as section "protocol" of ARCHITECTURE.md tells finds apart.

use std::collections::HashMap;

use jiff::Timestamp;
use latchkey::name::{ManifestName, TokenName};
use latchkey::place::PlaceId;
use latchkey::secret::{Fingerprint, TokenId};
use latchkey::service::Origin;
use latchkey::token::{PlaceRecord, Token};

use crate::sinks::{Kind, Seen, SeenEntry, SinkError};

/// What a look found.
#[derive(Debug, Clone)]
pub enum Finding {
    Absent,
    /// The token's current version.
    Current,
    /// Another version of ours: of this token, or of another token of the manifest, also a deleted one.
    Other {
        /// The version's number, when it is this token's.
        number: Option<u32>,
        /// Whether it still works.
        live: bool,
    },
    /// Something else where we had delivered: changed by hand.
    Edited,
    /// The same where no value can be read: what it holds, one of our versions or not, nobody can tell.
    Hidden,
    /// Something that never was ours.
    Foreign,
    /// This process cannot tell.
    Unknown(SinkError),
}

/// What tells our versions from others.
#[derive(Debug)]
pub struct Known<'a> {
    manifest: &'a ManifestName,
    fingerprints: HashMap<Fingerprint, (&'a Token, u32)>,
    origins: &'a HashMap<TokenId, Origin>,
    now: Timestamp,
}

impl<'a> Known<'a> {
    /// Everything that is ours: the manifest's tokens, and where the ids that places showed come from.
    pub fn new(
        manifest: &'a ManifestName,
        tokens: impl IntoIterator<Item = &'a Token>,
        origins: &'a HashMap<TokenId, Origin>,
        now: Timestamp,
    ) -> Self {
        let mut fingerprints = HashMap::new();
        for token in tokens {
            let live = token.versions.iter().map(|version| (version.fingerprint(), (token, version.number)));
            let retired = token.retired.iter().map(|retired| (retired.fingerprint.clone(), (token, retired.number)));
            fingerprints.extend(live.chain(retired));
        }
        Self { manifest, fingerprints, origins, now }
    }

    /// What a look found at a place of `token` (`None` while there is no token yet).
    pub fn classify(&self, token: Option<&Token>, place: &PlaceId, seen: &Result<Seen, SinkError>) -> Finding {
        let held = match seen {
            Err(error) => return Finding::Unknown(error.clone()),
            Ok(Seen::Absent) => return Finding::Absent,
            Ok(Seen::Holds(held)) => held,
        };
        if let Some(find) = self.ours(token, held) {
            return if is_altered(token, place, held) { Finding::Hidden } else { find };
        }
        let delivered = token.and_then(|token| token.places.get(place)).is_some_and(|place| place.receipt.is_some());
        if delivered { Finding::Edited } else { Finding::Foreign }
    }

    fn ours(&self, token: Option<&Token>, held: &SeenEntry) -> Option<Finding> {
        let fingerprint = held.fingerprint.as_ref()?;
        if let Some(token) = token
            && let Some(number) = token.number_of(fingerprint)
        {
            let version = token.version(number);
            let live = version.is_some_and(|version| token.deadline(version) > self.now);
            let current = token.current().is_some_and(|current| current.number == number);
            return Some(if current { Finding::Current } else { Finding::Other { number: Some(number), live } });
        }
        if let Some((other, number)) = self.fingerprints.get(fingerprint) {
            let live = other.version(*number).is_some_and(|version| other.deadline(version) > self.now);
            return Some(Finding::Other { number: None, live });
        }
        let origin = self.origins.get(held.token_id.as_ref()?)?;
        let was_ours = origin.managed_by.as_ref() == Some(self.manifest) && origin.fingerprints.contains(fingerprint);
        was_ours.then_some(Finding::Other { number: None, live: false })
    }

    /// What a look found, without a marker that is no longer true: whoever writes must not take it for what is there.
    pub fn believed(token: &Token, place: &PlaceId, seen: &Seen) -> Seen {
        match seen {
            Seen::Holds(held) if is_altered(Some(token), place, held) => {
                Seen::Holds(SeenEntry { fingerprint: None, ..held.clone() })
            }
            seen => seen.clone(),
        }
    }

    /// The token whose version a place shows, by name: for messages.
    pub fn holder_of(&self, held: &SeenEntry) -> Option<&TokenName> {
        self.fingerprints.get(held.fingerprint.as_ref()?).map(|(token, _)| &token.name)
    }
}

/// Whether an entry whose value cannot be read was changed since its marker was written with it: the marker names the
/// version that was delivered last, and the entry is not as that delivery left it.
fn is_altered(token: Option<&Token>, place: &PlaceId, held: &SeenEntry) -> bool {
    let Some((token, record)) = token.and_then(|token| Some((token, token.places.get(place)?))) else { return false };
    let number = held.fingerprint.as_ref().and_then(|fingerprint| token.number_of(fingerprint));
    let changed = record.receipt.as_ref().is_some_and(|receipt| *receipt != held.receipt.0);
    !record.place.readable && number.is_some() && number == record.version && changed
}

/// Whether deployments may go on with what a place held although its entry is gone.
pub fn was_deployed(record: &PlaceRecord) -> bool {
    let hides = Kind::named(&record.place.kind).is_some_and(|kind| kind.facts().absence_hides_deployments());
    record.declared && record.receipt.is_some() && hides
}

impl Finding {
    /// Whether it is a version of this token with that number.
    pub fn is_version(&self, wanted: u32, current: Option<u32>) -> bool {
        match self {
            Self::Current => current == Some(wanted),
            Self::Other { number, .. } => *number == Some(wanted),
            _ => false,
        }
    }

    /// Whether a consumer of the place may hold something that this process cannot see.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(error) => !matches!(error, SinkError::BeingDeleted { .. }),
            Self::Hidden => true,
            _ => false,
        }
    }

    /// In few words, for people.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Absent => "missing",
            Self::Current => "current",
            Self::Other { number: Some(_), live: true } => "another version",
            Self::Other { number: Some(_), live: false } => "a dead version",
            Self::Other { number: None, live: true } => "another token of this manifest",
            Self::Other { number: None, live: false } => "an ended token of this manifest",
            Self::Edited | Self::Hidden => "edited by hand",
            Self::Foreign => "foreign",
            Self::Unknown(_) => "unknown",
        }
    }
}
