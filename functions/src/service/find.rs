//! Finding a token by its public id, whatever has become of it.

use super::verify::Verification;
use super::{Caller, RACE_RETRIES, Service};
use crate::name::UserName;
use crate::secret::TokenId;
use crate::table::{TableError, decode, decode_token, keys};
use crate::token::{Token, TokenKey};

impl Service {
    /// The token with an id, active, deleted or expired. `None` where there is none, and where the caller may not see
    /// it: one that was of a former user of the name too.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn find(&self, caller: &Caller, id: &TokenId) -> Result<Option<Token>, TableError> {
        for race in 0..RACE_RETRIES {
            let Some(item) = self.table.get(&keys::verification(id)).await? else { return Ok(None) };
            let known: Verification = decode(item)?;
            if caller.may_see(&known.user).is_err() {
                return Ok(None);
            }
            let found = match (known.ended, known.ended_at) {
                (None, _) => self.load(&TokenKey::new(known.user, known.name)).await?,
                (Some(_), Some(at)) => {
                    let record = self.table.get(&keys::ended(&known.user, at, id)).await?;
                    record.map(decode_token).transpose()?
                }
                (Some(_), None) => self.ended_by_id(&known.user, id).await?,
            };
            if let Some(token) = found.filter(|token| token.id == *id) {
                let since = self.past_of(caller, &token.user).await?;
                return Ok(Some(token).filter(|token| since.is_none_or(|since| token.created > since)));
            }
            // It was renamed or ended between the two reads.
            self.table.pause_after_race(race).await;
        }
        Err(TableError::Busy("other requests are changing the same token".to_owned()))
    }

    /// An ended token whose tombstone does not say when it ended.
    async fn ended_by_id(&self, user: &UserName, id: &TokenId) -> Result<Option<Token>, TableError> {
        let mut from = None;
        loop {
            let page = self.list_ended(user, (100, from), None).await?;
            if let Some(token) = page.tokens.into_iter().find(|token| token.id == *id) {
                return Ok(Some(token));
            }
            from = page.next;
            if from.is_none() {
                return Ok(None);
            }
        }
    }
}
