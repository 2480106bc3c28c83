//! Deleting a token: immediate and final.

use super::notices::News;
use super::verify::Verification;
use super::{Caller, ChangeError, Event, RACE_RETRIES, Service, Valid};
use crate::event::EventKind;
use crate::notice::NoticeKind;
use crate::protocol::{LOOK_MAX, Look, VersionError};
use crate::secret::TokenId;
use crate::table::{
    Condition, TableError, TransactError, Transaction, Update, Write, decode, encode, encode_token, keys, with_key,
};
use crate::token::{EndState, Ended, Token, TokenKey, TokenState};

impl Service {
    /// Deletes a token: when this returns, none of its secrets is valid any more. The record stays listed as deleted.
    ///
    /// # Errors
    /// [`ChangeError::NoSuchToken`] when there is no such active token, [`ChangeError::Replaced`] when `id` is
    /// another's.
    pub async fn delete(
        &self,
        caller: &Caller,
        key: &TokenKey,
        id: Option<&TokenId>,
    ) -> Result<Token, ChangeError<std::convert::Infallible>> {
        for race in 0..RACE_RETRIES {
            let missing = || ChangeError::missing(key);
            let token = self.load(key).await?;
            caller.may_end(&key.user, token.as_ref().and_then(|token| token.managed_by.as_ref()))?;
            let token = token.ok_or_else(missing)?;
            if let Some(wanted) = id.filter(|wanted| **wanted != token.id) {
                return Err(ChangeError::replaced(key, wanted, &token.id));
            }
            if token.state(self.now()) == TokenState::Expired {
                self.move_expired(&token).await?;
                return Err(missing());
            }
            let ended = Ended { state: EndState::Deleted, at: self.now(), by: Some(caller.actor.clone()) };
            match self.end(caller, &token, ended, EventKind::TokenDelete).await {
                Ok(token) => return Ok(token),
                Err(TransactError::Cancelled(_)) => self.table.pause_after_race(race).await,
                Err(TransactError::Table(error)) => return Err(error.into()),
            }
        }
        Err(TableError::Busy("other requests are changing the same token".to_owned()).into())
    }

    /// Deletes the caller's own token: every token may revoke itself.
    ///
    /// # Errors
    /// [`ChangeError::NoSuchToken`] when it has ended meanwhile.
    pub async fn delete_own(
        &self,
        caller: &Caller,
        own: &Valid,
    ) -> Result<Token, ChangeError<std::convert::Infallible>> {
        let missing = || ChangeError::missing(&TokenKey::new(own.user.clone(), own.name.clone()));
        for race in 0..RACE_RETRIES {
            // By its id: somebody may rename it meanwhile.
            let item = self.table.get(&keys::verification(&own.id)).await?.ok_or_else(missing)?;
            let now: Verification = decode(item)?;
            if now.ended.is_some() {
                return Err(missing());
            }
            let key = TokenKey::new(now.user, now.name);
            match self.delete(&caller.trusted(), &key, Some(&own.id)).await {
                Err(ChangeError::NoSuchToken { .. } | ChangeError::Replaced { .. }) => {
                    self.table.pause_after_race(race).await;
                }
                answer => return answer,
            }
        }
        Err(TableError::Busy("other requests are changing the same token".to_owned()).into())
    }

    /// Deletes a token that leaves with its manifest's declaration, after a look that found none of its
    /// versions.
    ///
    /// # Errors
    /// [`VersionError::StaleLook`] when the record changed since the look or the token does not leave any more,
    /// [`VersionError::Announced`] while a write may still arrive somewhere.
    pub async fn end_leaving(
        &self,
        caller: &Caller,
        key: &TokenKey,
        id: Option<&TokenId>,
        look: Look,
    ) -> Result<Token, ChangeError<VersionError>> {
        self.check_clock().await?;
        let missing = || ChangeError::missing(key);
        let token = self.load(key).await?;
        caller.may_end(&key.user, token.as_ref().and_then(|token| token.managed_by.as_ref()))?;
        let token = token.ok_or_else(missing)?;
        if let Some(wanted) = id.filter(|wanted| **wanted != token.id) {
            return Err(ChangeError::replaced(key, wanted, &token.id));
        }
        let now = self.now();
        let fresh = token.revision == look.revision && look.at <= now && LOOK_MAX.after(look.at) >= now;
        if !fresh || token.leaving.is_none() {
            return Err(ChangeError::Rule(VersionError::StaleLook));
        }
        if let Some(until) = token.quiet_everywhere_from().filter(|until| look.at < *until) {
            return Err(ChangeError::Rule(VersionError::Announced { number: token.highest, until }));
        }
        let ended = Ended { state: EndState::Deleted, at: now, by: Some(caller.actor.clone()) };
        match self.end(caller, &token, ended, EventKind::TokenPrune).await {
            Ok(token) => Ok(token),
            Err(TransactError::Cancelled(_)) => Err(ChangeError::Rule(VersionError::StaleLook)),
            Err(TransactError::Table(error)) => Err(error.into()),
        }
    }

    /// Deletes or expires a token: the record moves to the ended ones, and what a check reads becomes a tombstone.
    pub(super) async fn end(
        &self,
        caller: &Caller,
        token: &Token,
        ended: Ended,
        kind: EventKind,
    ) -> Result<Token, TransactError> {
        let mut gone = token.clone();
        gone.ended = Some(ended.clone());
        gone.revision += 1;
        let mut transaction = Transaction::default();
        let key = keys::token(&token.key());
        transaction.add(Write::Delete { key, condition: Condition::at_revision(token.revision) });
        let key = keys::ended(&token.user, ended.at, &token.id);
        transaction.add(Write::item(with_key(encode_token(&gone)?, &key)));
        let key = keys::verification(&token.id);
        transaction.add(Write::item(with_key(encode(&Verification::of(&gone))?, &key)));
        let mut update = Update::default();
        update.add("active", -1);
        let condition = Condition::exists(keys::PK);
        transaction.add(Write::Update { key: keys::user(&token.user), update, condition });
        let event = Event::on_token(caller, kind, token, self.now());
        transaction.add(self.event_with(&event, Some(&News::of(NoticeKind::Deleted, token, None)))?);
        self.table.transact(transaction).await?;
        Ok(gone)
    }
}
