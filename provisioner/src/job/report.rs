//! What a turn of the job did, for logs and for people.

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::token::TokenKey;
use serde::Serialize;

use crate::notify::Sent;

/// What one turn did.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many tokens were due.
    pub due: usize,
    /// How many of them were brought in sync: rotated, repaired, or a version of theirs retired.
    pub done: usize,
    /// How many rotations wait for a window, or for a later run.
    pub waiting: usize,
    /// How many tokens expired for good, and freed their names.
    pub expired: usize,
    /// What could not be done.
    pub failed: Vec<Trouble>,
    /// Tokens that the job leaves to others.
    pub skipped: Vec<Trouble>,
    /// Manifests that another run was applying.
    pub busy: Vec<ManifestName>,
    /// How many tokens are due whose manifests publish nothing: whoever has the file rotates them.
    pub unpublished: usize,
    /// Since when the token is due that is due longest and was not brought in sync.
    pub oldest: Option<Timestamp>,
    /// How it went with the notices that waited.
    pub notices: Sent,
    /// It was stopped before it was through.
    pub stopped: bool,
}

/// A token, and why nothing was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub manifest: ManifestName,
    pub user: String,
    pub name: String,
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Trouble {
    pub(super) fn new(manifest: &ManifestName, token: &TokenKey, reason: impl Into<String>) -> Self {
        let (user, name) = (token.user.to_string(), token.name.to_string());
        Self { manifest: manifest.clone(), user, name, reason: reason.into(), hint: None }
    }

    pub(super) fn is_of(&self, token: &TokenKey) -> bool {
        (self.user.as_str(), self.name.as_str()) == (token.user.as_str(), token.name.as_str())
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Report {
    /// Whether everything that was due and that is the job's was seen to, and no notice was lost.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.notices.given_up.is_empty() && !self.stopped
    }
}
