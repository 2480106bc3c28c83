//! What the manifest's tokens declare by now. A run that was suspended knows the manifest as it was: an entry that another
//! token has taken over since, or that is declared again, is not its to remove.

use std::time::Duration;

use latchkey::token::{PlaceRecord, Token};
use latchkey_sinks::deadline::Deadline;

use super::Run;
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;

/// How long what was read is believed.
const KNOWN_FOR: Duration = Duration::from_mins(1);
/// How long after it was read a removal that rests on it may start.
const REMOVED_FOR: Duration = Duration::from_mins(2);

/// The manifest's tokens, as they were at most a minute ago.
#[derive(Default)]
pub(super) struct Elsewhere {
    read: Option<Read>,
}

struct Read {
    tokens: Vec<Token>,
    fresh: Deadline,
    until: Deadline,
}

/// Whose an entry is.
pub(super) enum Claim {
    /// Nobody declares it: a removal may start until then.
    Free(Deadline),
    /// This token, `user/name`, declares it.
    Declared(String),
}

impl Elsewhere {
    /// Whether a token declares an entry: at this place, or at one that is the same entry.
    ///
    /// # Errors
    /// When the manifest's tokens could not be read.
    pub(super) async fn claim(&mut self, run: &Run<'_>, leaving: &PlaceRecord) -> Result<Claim, ServiceError> {
        let read = self.read(run).await?;
        let id = leaving.place.id();
        let is_same = |record: &PlaceRecord| {
            record.place.id() == id
                || record.place.kind == leaving.place.kind
                    && record.identity.is_some()
                    && record.identity == leaving.identity
        };
        let declares = |token: &&Token| token.places.values().any(|record| record.declared && is_same(record));
        let declaring = read.tokens.iter().find(declares).filter(|_| stands(Safeguard::RemoveElsewhere));
        Ok(declaring.map_or(Claim::Free(read.until), |token| Claim::Declared(token.key().to_string())))
    }

    async fn read(&mut self, run: &Run<'_>) -> Result<&Read, ServiceError> {
        let fresh = self.read.take().filter(|read| !read.fresh.has_passed());
        let read = if let Some(read) = fresh {
            read
        } else {
            let (fresh, until) = (run.client.deadline(KNOWN_FOR), run.client.deadline(REMOVED_FOR));
            Read { tokens: run.client.managed_tokens(&run.manifest.name).await?.tokens, fresh, until }
        };
        Ok(self.read.insert(read))
    }
}
