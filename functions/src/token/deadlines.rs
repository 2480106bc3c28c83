//! When something has to be done of a token, or ends.

use jiff::Timestamp;

use super::Token;

impl Token {
    /// When it ends by time: its own expiry, or the last deadline of its versions.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let last = self.versions.iter().map(|version| self.deadline(version)).max();
        match (self.expires_at, last) {
            (Some(end), Some(last)) => Some(end.min(last)),
            (end, last) => end.or(last),
        }
    }

    /// When rotation of the current version is due; `None` for a token that is not managed or has no current version.
    pub fn due(&self) -> Option<Timestamp> {
        let current = self.current()?;
        let terms = self.terms?;
        if current.terms != Some(terms) {
            // A changed duration acts on later versions, so the next one is due at once.
            return current.promoted;
        }
        Some(terms.due(current.promoted?, self.deadline(current)))
    }

    /// The next instant at which something has to be done or ends, put off or not.
    pub fn earliest_deadline(&self) -> Option<Timestamp> {
        // Time alone ends the older versions of a token that no manifest declares.
        let retired = self.versions.iter().filter(|_| self.managed_by.is_some());
        let retirements = retired.filter_map(|version| version.overlap_ends);
        self.due().into_iter().chain(self.ends_at()).chain(retirements).min()
    }

    /// The same for the scheduled job: what it could not do is put off.
    pub fn next_step(&self) -> Option<Timestamp> {
        let next = self.earliest_deadline()?;
        Some(self.retry.map_or(next, |retry| next.max(retry.at)))
    }

    /// The next instant at which the scheduled job has something to do or to tell. What is to be told does not wait for the
    /// next try of what failed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.next_step().into_iter().chain(self.next_telling()).min()
    }
}
