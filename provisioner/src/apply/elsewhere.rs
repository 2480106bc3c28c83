//! What other tokens of the manifest declare by now. A run that was suspended knows the manifest as it was: an entry that
//! another token has taken over since is not this run's to remove.

use std::time::Duration;

use latchkey::token::{PlaceRecord, Token};
use latchkey_sinks::deadline::Deadline;

use super::Run;
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;

/// How long what was read is believed.
const KNOWN_FOR: Duration = Duration::from_mins(1);

/// The manifest's tokens, as they were at most a minute ago.
#[derive(Default)]
pub(super) struct Elsewhere {
    read: Option<(Deadline, Vec<Token>)>,
}

impl Elsewhere {
    /// The other token, `user/name`, that declares an entry: at this place, or at one that is the same entry.
    ///
    /// # Errors
    /// When the manifest's tokens could not be read.
    pub(super) async fn declares(
        &mut self,
        run: &Run<'_>,
        token: &Token,
        leaving: &PlaceRecord,
    ) -> Result<Option<String>, ServiceError> {
        if !stands(Safeguard::RemoveElsewhere) {
            return Ok(None);
        }
        let others = self.tokens(run).await?.iter().filter(|other| other.id != token.id);
        let id = leaving.place.id();
        let is_same = |record: &PlaceRecord| {
            record.place.id() == id
                || record.place.kind == leaving.place.kind
                    && record.identity.is_some()
                    && record.identity == leaving.identity
        };
        let declares = |other: &&Token| other.places.values().any(|record| record.declared && is_same(record));
        Ok(others.into_iter().find(declares).map(|other| other.key().to_string()))
    }

    async fn tokens(&mut self, run: &Run<'_>) -> Result<&[Token], ServiceError> {
        let fresh = self.read.take().filter(|(until, _)| !until.has_passed());
        let read = if let Some(read) = fresh {
            read
        } else {
            let until = run.client.deadline(KNOWN_FOR);
            (until, run.client.managed_tokens(&run.manifest.name).await?.tokens)
        };
        Ok(&self.read.insert(read).1)
    }
}
