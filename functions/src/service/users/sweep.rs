//! Sweeping: what was changed of a user reaches the user's tokens.

use crate::service::verify::{SWEPT, Verification};
use crate::service::{Caller, RACE_RETRIES, Service};
use crate::table::{
    Condition, Range, TableError, TransactError, Transaction, Update, Write, count, decode_token, encode, keys,
};
use crate::token::Token;
use crate::user::User;

impl Service {
    /// Brings a user's suspension and loss of roles to all tokens. The user was written first, and creates check the
    /// user in their transaction, so no token can slip through. When somebody changes the user meanwhile, it goes on
    /// with what the user is then.
    pub(super) async fn sweep(&self, caller: &Caller, mut user: User) -> Result<User, TableError> {
        for race in 0..RACE_RETRIES {
            if let Some(swept) = self.sweep_once(caller, &user).await? {
                return Ok(swept);
            }
            self.table.pause_after_race(race).await;
            match self.user(&user.name).await? {
                Some(found) if found.sweeping => user = found,
                // Whoever changed the user has swept.
                Some(found) => return Ok(found),
                None => return Ok(user),
            }
        }
        Err(TableError::Busy("other requests are changing the same user".to_owned()))
    }

    /// `None` when somebody changed the user, or a token that has to change, meanwhile.
    async fn sweep_once(&self, caller: &Caller, user: &User) -> Result<Option<User>, TableError> {
        let items = self.table.query_all(Range::of(keys::user_partition(&user.name), Some(keys::ACTIVE))).await?;
        let tokens: Vec<Token> = items.into_iter().map(decode_token).collect::<Result<_, _>>()?;
        for token in &tokens {
            let holds_more = token.roles.iter().any(|role| !user.roles.contains(role));
            if holds_more && !self.drop_roles(caller, token, user).await? {
                return Ok(None);
            }
        }
        for token in &tokens {
            let mut update = Update::default();
            Verification::set_suspended(&mut update, user);
            let older = Condition::absent(SWEPT).or(Condition::at_most(SWEPT, count(user.revision)));
            let condition = Condition::exists(keys::PK).and(older);
            self.table.update(&keys::verification(&token.id), &update, &condition).await?;
        }
        // Only now is the user no longer a holder: a role that were deleted and made again earlier would come back to
        // tokens that still name it.
        let mut done = user.clone();
        done.sweeping = false;
        done.losing.clear();
        done.revision += 1;
        let (was, will) = (encode(user)?, encode(&done)?);
        let mut transaction = Transaction::default();
        Write::change(keys::user(&user.name), &was, &will, user.revision).map(|write| transaction.add(write));
        for lost in &user.losing {
            transaction.add(Self::count_holder(lost, -1));
        }
        match self.table.transact(transaction).await {
            Ok(()) => Ok(Some(done)),
            Err(TransactError::Cancelled(_)) => Ok(None),
            Err(TransactError::Table(error)) => Err(error),
        }
    }
}
