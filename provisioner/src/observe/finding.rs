//! What a look at a place finds, as the table of findings in PROTOCOL.md has it.

use std::collections::HashMap;

use jiff::Timestamp;
use latchkey::name::{ManifestName, TokenName};
use latchkey::place::PlaceId;
use latchkey::secret::{Fingerprint, TokenId};
use latchkey::service::Origin;
use latchkey::token::{PlaceRecord, Token};

use latchkey_sinks::{Kind, Seen, SeenEntry, SinkError};

/// What a look found.
#[derive(Debug, Clone)]
pub enum Finding {
    Absent,
    /// The token's current version.
    Current,
    /// Another version of this token, or of another token of the manifest, also a deleted one.
    Other {
        /// The version's number, when it is this token's.
        number: Option<u32>,
        /// Whether it is still valid.
        live: bool,
    },
    /// Something else where Latchkey had delivered: changed outside Latchkey. What it contains is not known whole.
    Edited,
    /// The same, read whole: no secret of the token is in it.
    Overwritten,
    /// The same where no value can be read: whether it contains one of our versions is unknown.
    Hidden,
    /// A value that Latchkey did not write.
    Foreign,
    /// The place cannot be read from here.
    Unknown(SinkError),
}

/// What distinguishes our versions from others.
#[derive(Debug)]
pub struct Known<'a> {
    manifest: &'a ManifestName,
    fingerprints: HashMap<Fingerprint, (&'a Token, u32)>,
    /// Where the ids that places showed come from, where that was asked.
    origins: Option<&'a HashMap<TokenId, Origin>>,
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
        let mut known = Self { manifest, fingerprints: HashMap::new(), origins: Some(origins), now };
        tokens.into_iter().for_each(|token| known.add(token));
        known
    }

    /// The versions of one token, by its record as it is now.
    pub fn of_token(manifest: &'a ManifestName, token: &'a Token, now: Timestamp) -> Self {
        let mut known = Self { manifest, fingerprints: HashMap::new(), origins: None, now };
        known.add(token);
        known
    }

    fn add(&mut self, token: &'a Token) {
        let live = token.versions.iter().map(|version| (version.fingerprint(), (token, version.number)));
        let retired = token.retired.iter().map(|retired| (retired.fingerprint.clone(), (token, retired.number)));
        self.fingerprints.extend(live.chain(retired));
    }

    /// What a look found at a place of `token` (`None` while there is no token yet).
    pub fn classify(&self, token: Option<&Token>, place: &PlaceId, seen: &Result<Seen, SinkError>) -> Finding {
        let held = match seen {
            Err(error) => return Finding::Unknown(error.clone()),
            Ok(Seen::Absent) => return Finding::Absent,
            Ok(Seen::Holds(held)) => held,
            // Where nothing was ever delivered nothing is expected either; the write compares.
            Ok(Seen::NotShown { .. }) if !is_delivered(token, place) => return Finding::Absent,
            Ok(Seen::NotShown { reason, hint }) => {
                return Finding::Unknown(SinkError::Denied { reason: reason.clone(), hint: hint.clone() });
            }
        };
        if let Some(find) = self.ours(token, held) {
            return if is_altered(token, place, held) { Finding::Hidden } else { find };
        }
        match is_delivered(token, place) {
            false => Finding::Foreign,
            true if is_without_secret(token, place, held) => Finding::Overwritten,
            true => Finding::Edited,
        }
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
        let origin = self.origins?.get(held.token_id.as_ref()?)?;
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

/// Whether a version of the token was delivered to a place, as far as its record tells.
fn is_delivered(token: Option<&Token>, place: &PlaceId) -> bool {
    token.and_then(|token| token.places.get(place)).is_some_and(|place| place.receipt.is_some())
}

/// Whether an entry's value was read whole, and no secret of the token is in it.
fn is_without_secret(token: Option<&Token>, place: &PlaceId, held: &SeenEntry) -> bool {
    let whole = held.fingerprint.is_some() && held.lagging.is_none();
    // What cannot be read is told by a marker alone, which may not be true of the value.
    let readable = || token.and_then(|token| token.places.get(place)).is_some_and(|record| record.place.readable);
    whole && held.token_id.as_ref().is_none_or(|id| readable() && token.is_some_and(|token| token.id != *id))
}

/// Whether an entry whose value cannot be read was changed since its marker was written with it: the marker names the
/// version that was delivered last, and the entry is not as that delivery left it.
fn is_altered(token: Option<&Token>, place: &PlaceId, held: &SeenEntry) -> bool {
    let Some((token, record)) = token.and_then(|token| Some((token, token.places.get(place)?))) else { return false };
    let number = held.fingerprint.as_ref().and_then(|fingerprint| token.number_of(fingerprint));
    let changed = record.receipt.as_ref().is_some_and(|receipt| *receipt != held.receipt.0);
    // Before a version becomes current its delivery is reported everywhere.
    let current = token.current().map(|current| current.number);
    !record.place.readable && number.is_some() && (number == record.version || number == current) && changed
}

/// Whether deployments may continue with what a place contained although its entry is gone.
pub fn was_deployed(record: &PlaceRecord) -> bool {
    let hides =
        Kind::named(&record.place.kind).is_some_and(|kind| kind.facts().absence_hides_deployments(&record.place));
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

    /// Whether a consumer of the place may have something that this process cannot see.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(error) => !matches!(error, SinkError::BeingDeleted { .. }),
            Self::Hidden => true,
            _ => false,
        }
    }

    /// Whether somebody changed what Latchkey had delivered.
    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Edited | Self::Overwritten | Self::Hidden)
    }

    /// Whether it is a version of this token, or an entry under its marker whose value cannot be read.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Current | Self::Hidden | Self::Other { number: Some(_), .. })
    }

    /// In few words, for people.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Absent => "missing",
            Self::Current => "current",
            Self::Other { number: Some(_), live: true } => "another version",
            Self::Other { number: Some(_), live: false } => "a version that is no longer valid",
            Self::Other { number: None, live: true } => "another token of this manifest",
            Self::Other { number: None, live: false } => "a former token of this manifest",
            Self::Edited | Self::Overwritten | Self::Hidden => "changed outside Latchkey",
            Self::Foreign => "foreign",
            Self::Unknown(_) => "unknown",
        }
    }
}
