//! One way to change a token: load, apply a pure rule, save guarded by the revision, again when somebody was faster.

use super::verify::Verification;
use super::{Caller, Event, RACES, Service};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::table::{TableError, TransactError, Transaction, Write, decode_token, encode, encode_token, keys};
use crate::token::Token;

/// Why a token was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E: std::error::Error + 'static> {
    /// There is no such active token.
    #[error("there is no active token `{name}` of `{user}`")]
    NoSuchToken {
        /// Whose.
        user: UserName,
        /// Which.
        name: TokenName,
    },
    /// The name has been used again since: this is another token.
    #[error("the token `{name}` was replaced: it is {found} now, not {wanted}")]
    Replaced {
        /// Which.
        name: TokenName,
        /// The id that the caller meant.
        wanted: TokenId,
        /// The id that the name has now.
        found: TokenId,
    },
    /// The record changed since the caller read it.
    #[error("the token changed meanwhile: it is at revision {found}, not {wanted}")]
    Revision {
        /// What the caller read.
        wanted: u64,
        /// What it is.
        found: u64,
    },
    /// A rule refuses.
    #[error(transparent)]
    Rule(E),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Service {
    /// The active record of a token; expired ones are found too while nothing has moved them.
    pub(super) async fn load(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, TableError> {
        self.table.get(&keys::token(user, name)).await?.map(decode_token).transpose()
    }

    /// Applies `rule` to a token and saves it with its verification item and an audit event.
    pub(super) async fn change<T, E: std::error::Error + 'static>(
        &self,
        caller: &Caller,
        (user, name): (&UserName, &TokenName),
        id: Option<&TokenId>,
        action: &str,
        mut rule: impl FnMut(&mut Token) -> Result<(T, String), E>,
    ) -> Result<(Token, T), ChangeError<E>> {
        let mut race = 0;
        loop {
            let missing = || ChangeError::NoSuchToken { user: user.clone(), name: name.clone() };
            let old = self.load(user, name).await?.ok_or_else(missing)?;
            if let Some(wanted) = id.filter(|wanted| **wanted != old.id) {
                return Err(ChangeError::Replaced { name: name.clone(), wanted: wanted.clone(), found: old.id });
            }
            let mut new = old.clone();
            let (answer, detail) = rule(&mut new).map_err(ChangeError::Rule)?;
            if new == old {
                return Ok((new, answer));
            }
            new.revision = old.revision + 1;
            let event = Event::on_token(caller, action, &old, self.now()).with(detail);
            match self.save(&old, &new, &event).await {
                Ok(()) => return Ok((new, answer)),
                Err(TransactError::Cancelled(_)) if race < RACES => race += 1,
                Err(TransactError::Cancelled(_)) => {
                    return Err(TableError::Busy("others change the same token".to_owned()).into());
                }
                Err(TransactError::Table(error)) => return Err(error.into()),
            }
        }
    }

    /// Writes the difference between two states of a token, its name included.
    async fn save(&self, old: &Token, new: &Token, event: &Event) -> Result<(), TransactError> {
        let mut transaction = Transaction::default();
        let (was, will) = (encode_token(old)?, encode_token(new)?);
        if old.name == new.name {
            let key = keys::token(&old.user, &old.name);
            if let Some(write) = Write::change(key, &was, &will, old.revision) {
                transaction.add(write);
            }
        } else {
            let key = keys::token(&old.user, &old.name);
            transaction.add(Write::Delete { key, revision: Some(old.revision) });
            let item = super::with_key(will, &keys::token(&new.user, &new.name));
            transaction.add(Write::Put { item, how: crate::table::Put::New });
        }
        let (was, will) = (encode(&Verification::of(old))?, encode(&Verification::of(new))?);
        if was != will {
            let mut update = crate::table::Update::between(&was, &will);
            let place = update.name(keys::PK);
            let condition = format!("attribute_exists({place})");
            transaction.add(Write::Update { key: keys::verification(&new.id), update, condition });
        }
        transaction.add(self.event(event)?);
        self.table.transact(transaction).await
    }
}
