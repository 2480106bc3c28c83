//! Deleting a token: immediate and final.

use super::verify::Verification;
use super::{Caller, ChangeError, Event, RACES, Service};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::table::{Put, TableError, TransactError, Transaction, Update, Write, encode, encode_token, keys, with_key};
use crate::token::{EndState, Ended, Token, TokenState};

impl Service {
    /// Deletes a token: when this returns, none of its secrets is valid any more. The record stays listed as deleted.
    ///
    /// # Errors
    /// [`ChangeError::NoSuchToken`] when there is no such active token, [`ChangeError::Replaced`] when `id` is
    /// another's.
    pub async fn delete(
        &self,
        caller: &Caller,
        user: &UserName,
        name: &TokenName,
        id: Option<&TokenId>,
    ) -> Result<Token, ChangeError<std::convert::Infallible>> {
        self.delete_at(caller, (user, name), id, None).await
    }

    /// The same, only while the record is at `revision`: for who looked at the places first.
    ///
    /// # Errors
    /// [`ChangeError::Revision`] when it changed since; see [`Service::delete`].
    pub async fn delete_at(
        &self,
        caller: &Caller,
        (user, name): (&UserName, &TokenName),
        id: Option<&TokenId>,
        revision: Option<u64>,
    ) -> Result<Token, ChangeError<std::convert::Infallible>> {
        for race in 0..RACES {
            let missing = || ChangeError::NoSuchToken { user: user.clone(), name: name.clone() };
            let token = self.load(user, name).await?.ok_or_else(missing)?;
            if let Some(wanted) = id.filter(|wanted| **wanted != token.id) {
                return Err(ChangeError::Replaced { name: name.clone(), wanted: wanted.clone(), found: token.id });
            }
            if let Some(wanted) = revision.filter(|wanted| *wanted != token.revision) {
                return Err(ChangeError::Revision { wanted, found: token.revision });
            }
            if token.state(self.now()) == TokenState::Expired {
                self.move_expired(&token).await?;
                return Err(missing());
            }
            let ended = Ended { state: EndState::Deleted, at: self.now(), by: Some(caller.actor.clone()) };
            match self.end(caller, &token, ended, "token.delete").await {
                Ok(token) => return Ok(token),
                Err(TransactError::Cancelled(_)) => self.table.breathe(race).await?,
                Err(TransactError::Table(error)) => return Err(error.into()),
            }
        }
        Err(TableError::Busy("others change the same token".to_owned()).into())
    }

    /// Ends a token: the record moves to the ended ones, and what a check reads becomes a tombstone.
    pub(super) async fn end(
        &self,
        caller: &Caller,
        token: &Token,
        ended: Ended,
        action: &str,
    ) -> Result<Token, TransactError> {
        let mut gone = token.clone();
        gone.ended = Some(ended.clone());
        gone.revision += 1;
        let mut transaction = Transaction::default();
        let key = keys::token(&token.user, &token.name);
        transaction.add(Write::Delete { key, revision: Some(token.revision) });
        let key = keys::ended(&token.user, ended.at, &token.id);
        transaction.add(Write::Put { item: with_key(encode_token(&gone)?, &key), how: Put::Over });
        let key = keys::verification(&token.id);
        transaction.add(Write::Put { item: with_key(encode(&Verification::of(&gone))?, &key), how: Put::Over });
        let mut update = Update::default();
        update.add("active", -1);
        let place = update.name(keys::PK);
        let condition = format!("attribute_exists({place})");
        transaction.add(Write::Update { key: keys::user(&token.user), update, condition });
        transaction.add(self.event(&Event::on_token(caller, action, token, self.now()))?);
        self.table.transact(transaction).await?;
        Ok(gone)
    }
}
