//! What a turn of the job did, for logs and for people.

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::service::{ManifestTurn, Turn, TurnTrouble};
use latchkey::token::TokenKey;
use serde::Serialize;

use super::GoesOn;
use crate::notify::Sent;

/// What one turn did.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many tokens were due.
    pub due: usize,
    /// How many of them were brought in sync: rotated, repaired, or a version of theirs retired.
    pub done: usize,
    /// How many tokens have a new version that consumers should have.
    pub rotated: usize,
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
    /// How many tokens have been due for rotation for more than a day, and were not rotated.
    pub overdue: usize,
    /// How many failed that had failed at the turn before too.
    pub failed_again: usize,
    /// For how long what was due longest had been due when the turn came, in seconds.
    pub late_by: u64,
    /// How many places were looked at although nothing was due.
    pub looked: usize,
    /// How many tokens were repaired there.
    pub repaired: usize,
    /// The manifests that have published, as far as the turn met them.
    #[serde(skip)]
    pub(super) published: Vec<ManifestName>,
    /// How many rows of usage became totals of their days.
    pub folded: usize,
    /// How it went with the notices that waited.
    pub notices: Sent,
    /// It was stopped before it was through.
    pub stopped: bool,
}

/// A number of things, as it is stored.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A token, and why nothing was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub manifest: ManifestName,
    #[serde(flatten)]
    pub token: TokenKey,
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Trouble {
    pub(super) fn new(manifest: &ManifestName, token: &TokenKey, reason: impl Into<String>) -> Self {
        Self { manifest: manifest.clone(), token: token.clone(), reason: reason.into(), hint: None }
    }

    pub(super) fn is_of(&self, token: &TokenKey) -> bool {
        self.token == *token
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Report {
    /// Adds what a part of the turn did.
    pub(super) fn absorb(&mut self, part: Self) {
        let Self { due, done, rotated, waiting, expired, failed, skipped, busy, unpublished, oldest, .. } = part;
        self.due += due;
        self.done += done;
        self.rotated += rotated;
        self.waiting += waiting;
        self.expired += expired;
        self.failed.extend(failed);
        self.skipped.extend(skipped);
        self.busy.extend(busy);
        self.unpublished += unpublished;
        self.oldest = self.oldest.into_iter().chain(oldest).min();
        self.overdue += part.overdue;
        self.failed_again += part.failed_again;
        self.late_by = self.late_by.max(part.late_by);
        self.looked += part.looked;
        self.repaired += part.repaired;
        self.stopped |= part.stopped;
        self.published.extend(part.published);
    }

    /// What its manifest's runner should know of a part that is of one manifest; nothing where nothing was to be done.
    pub(super) fn of_manifest(&self, at: Timestamp) -> Option<ManifestTurn> {
        let trouble = |skipped: bool| {
            move |trouble: &Trouble| TurnTrouble {
                user: trouble.token.user.clone(),
                name: trouble.token.name.clone(),
                skipped,
                reason: trouble.reason.clone(),
                hint: trouble.hint.clone(),
            }
        };
        let turn = ManifestTurn {
            at,
            done: small(self.done),
            rotated: small(self.rotated),
            waiting: small(self.waiting),
            troubles: self.failed.iter().map(trouble(false)).chain(self.skipped.iter().map(trouble(true))).collect(),
            more: 0,
        };
        let nothing = turn.done == 0 && turn.waiting == 0 && turn.troubles.is_empty();
        (!nothing).then_some(turn)
    }

    /// The turn as it is noted.
    pub(super) fn turn(&self, (began, ended): (Timestamp, Timestamp), by: &str, next: GoesOn) -> Turn {
        Turn {
            at: ended,
            took: u64::try_from(ended.duration_since(began).as_millis()).unwrap_or(0),
            by: by.to_owned(),
            tokens_due: small(self.due),
            done: small(self.done),
            failed: small(self.failed.len()),
            oldest: self.oldest,
            stopped: self.stopped,
            due_from: next.due,
            due_rules: next.rows.rules,
            due_rows: next.rows.from,
            drift: next.drift,
        }
    }

    /// Whether everything that was due and that is the job's was seen to, no notice was given up, and nothing kept others
    /// from being sent.
    pub fn is_good(&self) -> bool {
        let told = self.notices.given_up.is_empty() && self.notices.broke_off.is_none();
        self.failed.is_empty() && self.skipped.is_empty() && told && !self.stopped
    }
}
