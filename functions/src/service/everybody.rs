//! Listing everybody's tokens: the list of users, and one query for each of them.

use super::Service;
use crate::name::UserName;
use crate::table::keys::{self, Key};
use crate::table::{Range, TableError, decode_token};
use crate::token::{Token, TokenState};

/// How many users are asked for one page. Most have few tokens, and a page is to answer soon.
const USERS_MAX: i32 = 25;

/// A page of everybody's tokens, user by user.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EverybodyPage {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// How many users were asked: a query each.
    pub users: u32,
    /// Where the next page begins; `None` when this was the last one.
    pub next: Option<EverybodyPosition>,
}

/// A position in the list of everybody's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EverybodyPosition {
    /// The user that was asked last.
    pub user: UserName,
    /// The sort key to go on from among this user's rows; `None` when all of them were read.
    pub row: Option<String>,
}

impl Service {
    /// A page of everybody's tokens of one state, at most `limit` and a query for each user: active ones by name, others
    /// newest first. A page may have few tokens, or none, and not be the last.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list_everybody(
        &self,
        state: TokenState,
        limit: i32,
        from: Option<EverybodyPosition>,
    ) -> Result<EverybodyPage, TableError> {
        let mut page = EverybodyPage { tokens: Vec::new(), users: 0, next: None };
        let mut last = None;
        if let Some(EverybodyPosition { user, row }) = from {
            if row.is_some() {
                page.next = self.add_rows(&mut page, &user, (state, limit), row).await?;
                if page.next.is_some() {
                    return Ok(page);
                }
            }
            last = Some(user);
        }
        let start = last.as_ref().map(|user| keys::user_in_list(user).item());
        let range =
            Range { limit: Some(USERS_MAX), start, ..Range::of(keys::LISTS.to_owned(), Some(keys::LISTED_USER)) };
        let listed = self.table.query(&range).await?;
        let users: Vec<UserName> = listed.items.iter().filter_map(|item| keys::listed_user(&Key::of(item)?)).collect();
        let ends = listed.next.is_none();
        let count = users.len();
        for (index, user) in users.into_iter().enumerate() {
            page.next = self.add_rows(&mut page, &user, (state, limit), None).await?;
            if page.next.is_some() {
                return Ok(page);
            }
            let is_last = ends && index + 1 == count;
            let full = i32::try_from(page.tokens.len()).unwrap_or(i32::MAX) >= limit;
            last = Some(user);
            if full && !is_last {
                break;
            }
            if is_last {
                return Ok(page);
            }
        }
        // Without a user on this page there is none behind it either.
        page.next = last.filter(|_| count > 0).map(|user| EverybodyPosition { user, row: None });
        Ok(page)
    }

    /// Adds a user's tokens of a state, as far as the page has room; where to go on when it has too little.
    async fn add_rows(
        &self,
        page: &mut EverybodyPage,
        user: &UserName,
        (state, limit): (TokenState, i32),
        row: Option<String>,
    ) -> Result<Option<EverybodyPosition>, TableError> {
        let now = self.now();
        let partition = keys::user_partition(user);
        // What expired is among the active ones until something moves it.
        let (prefix, backwards) = match state {
            TokenState::Active => (Some(keys::ACTIVE), false),
            TokenState::Deleted => (Some(keys::ENDED), true),
            TokenState::Expired => (None, true),
        };
        let room = limit.saturating_sub(i32::try_from(page.tokens.len()).unwrap_or(i32::MAX)).max(1);
        let start = row.map(|sk| Key { pk: partition.clone(), sk }.item());
        let range = Range { backwards, limit: Some(room), start, ..Range::of(partition, prefix) };
        let found = self.table.query(&range).await?;
        page.users += 1;
        for item in found.items {
            let is_token = Key::of(&item).is_some_and(|key| keys::is_token_row(&key));
            if is_token {
                let token = decode_token(item)?;
                if token.state(now) == state {
                    page.tokens.push(token);
                }
            }
        }
        let next = found.next.as_ref().and_then(Key::of);
        Ok(next.map(|key| EverybodyPosition { user: user.clone(), row: Some(key.sk) }))
    }
}
