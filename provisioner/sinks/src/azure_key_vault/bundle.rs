//! What the vault answers. <https://learn.microsoft.com/rest/api/keyvault/secrets>

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::marker::{Tags, is_true_of, marker_of, receipt_of};
use crate::value::seen_entry;
use crate::{ListedEntry, Receipt, Seen, SeenEntry};

/// A version of a secret, its value too where it was asked for.
#[derive(Deserialize)]
pub(super) struct Bundle {
    /// `https://VAULT/secrets/NAME/VERSION`; without a version in the list of secrets.
    #[serde(default)]
    pub(super) id: String,
    #[serde(default, deserialize_with = "wiped")]
    pub(super) value: Option<Zeroizing<String>>,
    #[serde(default)]
    tags: Option<Tags>,
    #[serde(default)]
    pub(super) attributes: Attributes,
    /// Its lifetime is a certificate's.
    #[serde(default)]
    managed: Option<bool>,
    #[serde(default)]
    kid: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct Attributes {
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    pub(super) created: i64,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) value: Option<Vec<Bundle>>,
    #[serde(default, rename = "nextLink")]
    pub(super) next_link: Option<String>,
}

/// Why the vault refused.
#[derive(Deserialize, Default)]
pub(super) struct Failed {
    #[serde(default)]
    pub(super) error: Option<Reason>,
}

#[derive(Deserialize, Default)]
pub(super) struct Reason {
    #[serde(default)]
    pub(super) code: Option<String>,
    /// Looked through, never shown: it names who asked, and what for.
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) innererror: Option<Box<Reason>>,
}

fn wiped<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

impl Bundle {
    /// As a list shows it.
    pub(super) fn listed(&self) -> ListedEntry {
        let obstacle = self.is_managed().then(|| "its lifetime is a certificate's".to_owned());
        ListedEntry { obstacle, ..ListedEntry::plain(self.name()) }
    }

    /// The name, as the vault compares it.
    pub(super) fn name(&self) -> String {
        self.part(0).unwrap_or_default().to_ascii_lowercase()
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.part(1)
    }

    /// What follows `/secrets/`, or `/deletedsecrets/`.
    fn part(&self, at: usize) -> Option<&str> {
        let (_, rest) = self.id.split_once("://")?;
        rest.split('/').skip(2).nth(at).filter(|part| !part.is_empty())
    }

    pub(super) fn tags(&self) -> &Tags {
        const NONE: &Tags = &Tags::new();
        self.tags.as_ref().unwrap_or(NONE)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.attributes.enabled != Some(false)
    }

    /// Whether a certificate or the vault itself changes it.
    pub(super) fn is_managed(&self) -> bool {
        self.managed == Some(true) || self.kid.is_some()
    }

    /// What it is by its value: tags can be copied, a value tells itself.
    pub(super) fn held(&self) -> SeenEntry {
        let value = self.value.as_ref().map_or("", |value| value.as_str());
        let seen = seen_entry(value, Receipt(String::new()));
        let marker = marker_of(self.tags()).filter(|marker| {
            seen.fingerprint.as_ref() == Some(&marker.fingerprint) && seen.token_id.as_ref() == Some(&marker.token_id)
        });
        let receipt = match marker {
            Some(marker) => receipt_of(&marker),
            None => self.version().unwrap_or("?").chars().take(64).collect(),
        };
        SeenEntry { receipt: Receipt(receipt), ..seen }
    }

    /// What it is by its tags alone, as a list shows it; `None` where only the value could tell, as where somebody may have
    /// taken the tags along to another value.
    pub(super) fn surveyed(&self) -> Option<Seen> {
        let is_true = is_true_of(self.tags(), self.attributes.created);
        let marker = marker_of(self.tags()).filter(|_| is_true && self.is_enabled() && !self.is_managed())?;
        Some(Seen::Holds(SeenEntry {
            receipt: Receipt(receipt_of(&marker)),
            fingerprint: Some(marker.fingerprint),
            token_id: Some(marker.token_id),
            former: Vec::new(),
            lagging: None,
        }))
    }
}
