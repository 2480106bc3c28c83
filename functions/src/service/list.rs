//! Listing tokens.

use super::Service;
use crate::name::UserName;
use crate::table::keys::{self, Item};
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

    /// A user's deleted and expired tokens, newest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_ended(&self, user: &UserName, limit: i32, from: Option<String>) -> Result<TokenPage, TableError> {
        self.page(user, keys::ENDED, true, limit, from).await
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
