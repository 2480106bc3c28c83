//! Listing tokens.

use jiff::Timestamp;

use super::{Caller, Service};
use crate::name::UserName;
use crate::secret::TokenId;
use crate::table::{Item, keys};
use crate::table::{Range, TableError, decode_token};
use crate::token::{Token, TokenKey, TokenState};

/// A page of tokens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenPage {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// The sort key to go on from; `None` when this was the last page. It contains a position only.
    pub next: Option<String>,
}

impl Service {
    /// One token by name, if it is active.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn show(&self, key: &TokenKey) -> Result<Option<Token>, TableError> {
        let found = self.load(key).await?;
        Ok(found.filter(|token| token.state(self.now()) == TokenState::Active))
    }

    /// One token by name, also when it has expired but still occupies its name.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn holder(&self, key: &TokenKey) -> Result<Option<Token>, TableError> {
        self.load(key).await
    }

    /// A user's active tokens by name, those that have expired but not yet moved included: compare
    /// [`Token::state`].
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_active(
        &self,
        user: &UserName,
        limit: i32,
        from: Option<String>,
    ) -> Result<TokenPage, TableError> {
        self.page(user, keys::ACTIVE, false, limit, from).await
    }

    /// A user's deleted and expired tokens, newest first; those from before `since` are left out.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_ended(
        &self,
        user: &UserName,
        (limit, from): (i32, Option<String>),
        since: Option<Timestamp>,
    ) -> Result<TokenPage, TableError> {
        let mut page = self.page(user, keys::ENDED, true, limit, from).await?;
        if let Some(since) = since {
            let all = page.tokens.len();
            page.tokens.retain(|token| token.created > since);
            if page.tokens.len() < all {
                page.next = None;
            }
        }
        Ok(page)
    }

    /// Since when what is recorded of a user is this user's: before it the name was somebody else's. `None` where nobody
    /// had it, and for whoever may see that too.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn past_of(&self, caller: &Caller, user: &UserName) -> Result<Option<Timestamp>, TableError> {
        if caller.sees_former() {
            return Ok(None);
        }
        Ok(self.user(user).await?.and_then(|user| user.former))
    }

    /// Whether an ended token is one of a user's since `since`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn ended_since(&self, user: &UserName, id: &TokenId, since: Timestamp) -> Result<bool, TableError> {
        let mut from = None;
        loop {
            let page = self.list_ended(user, (100, from), Some(since)).await?;
            if page.tokens.iter().any(|token| token.id == *id) {
                return Ok(true);
            }
            from = page.next;
            if from.is_none() {
                return Ok(false);
            }
        }
    }

    async fn page(
        &self,
        user: &UserName,
        prefix: &str,
        backwards: bool,
        limit: i32,
        from: Option<String>,
    ) -> Result<TokenPage, TableError> {
        let partition = keys::user_partition(user);
        let start = from.map(|sk| keys::Key { pk: partition.clone(), sk }.item());
        let range = Range { backwards, limit: Some(limit), start, ..Range::of(partition, Some(prefix)) };
        let page = self.table.query(&range).await?;
        let sort_key = |item: Item| keys::Key::of(&item).map(|key| key.sk);
        let tokens = page.items.into_iter().map(decode_token).collect::<Result<_, _>>()?;
        Ok(TokenPage { tokens, next: page.next.and_then(sort_key) })
    }
}
