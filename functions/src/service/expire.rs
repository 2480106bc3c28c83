//! Tokens that have expired: they occupy their names and count for their users until somebody needs the room.

use super::{Caller, CreateError, Service};
use crate::event::EventKind;
use crate::table::{Range, TableError, TransactError, decode_token, keys};
use crate::token::{EndState, Ended, Token, TokenKey, TokenState};

impl Service {
    /// After a refused create: expired tokens that stand in the way are moved to the ended ones; whatever else stands
    /// in the way is told.
    pub(super) async fn make_room(&self, key: &TokenKey) -> Result<(), CreateError> {
        let now = self.now();
        if let Some(holder) = self.load(key).await? {
            if holder.state(now) != TokenState::Expired {
                return Err(CreateError::name_taken(key, holder.managed_by));
            }
            self.move_expired(&holder).await?;
            return Ok(());
        }
        let Some(user) = self.user(&key.user).await? else { return Ok(()) };
        let max = user.max_tokens.unwrap_or(self.policy().max_tokens);
        if user.active < max {
            return Ok(());
        }
        let items = self.table.query_all(Range::of(keys::user_partition(&key.user), Some(keys::ACTIVE))).await?;
        let mut moved = false;
        for item in items {
            let token = decode_token(item)?;
            if token.state(now) == TokenState::Expired {
                moved |= self.move_expired(&token).await?;
            }
        }
        if moved {
            return Ok(());
        }
        Err(CreateError::LimitReached { user: key.user.clone(), active: user.active, max })
    }

    /// Moves an expired token to the ended ones; false when somebody else was faster.
    pub(super) async fn move_expired(&self, token: &Token) -> Result<bool, TableError> {
        let at = token.ends_at().unwrap_or_else(|| self.now());
        let ended = Ended { state: EndState::Expired, at, by: None };
        let nobody = Caller { actor: "expiry".to_owned(), ..Caller::operator("") };
        match self.end(&nobody, token, ended, EventKind::TokenExpire).await {
            Ok(_) => Ok(true),
            Err(TransactError::Cancelled(_)) => Ok(false),
            Err(TransactError::Table(error)) => Err(error),
        }
    }
}
