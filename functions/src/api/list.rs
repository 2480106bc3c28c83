//! The function `list`: tokens.

use jiff::Timestamp;

use super::Api;
use super::needs::SEES;
use super::parameters::{Given, Limit, query};
use super::problem::Problem;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{EverybodyList, TokenList, TokenRecord};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::service::EverybodyPosition;
use crate::table::keys::{ACTIVE, ENDED};
use crate::token::{TokenKey, TokenState};

routes! {
    listAllTokens: GET "/v1/tokens" => Api::list_all_tokens {
        summary: "Lists everybody's tokens of one state, user by user: a query of the table for each user",
        needs: "`admin:tokens`",
        problems: [403],
    }
    findToken: GET "/v1/tokens/{id}" => Api::find_token {
        summary: "Shows a token by its id, also one that was deleted or has expired",
        needs: SEES,
        problems: [404],
    }
    listTokens: GET "/v1/users/{user}/tokens" => Api::list_tokens {
        summary: "Lists a user's tokens: active ones by name, deleted and expired ones newest first",
        needs: SEES,
        problems: [404],
    }
    showToken: GET "/v1/users/{user}/tokens/{name}" => Api::show_token {
        summary: "Shows an active token",
        needs: SEES,
        problems: [404],
    }
}

query! {
    /// Which tokens are to be listed.
    Listing {
        /// Which tokens; by default active ones.
        state: Given<TokenState>,
        /// The maximum number of entries on a page.
        limit: Given<Limit<PAGE_MAX>>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

/// The longest page of tokens.
const PAGE_MAX: i32 = 100;

impl Api {
    async fn list_all_tokens(&self, asked: &RoutedRequest<'_, (), Listing>) -> Result<Json<EverybodyList>, Problem> {
        asked.caller().may_see_all()?;
        let Listing { state, limit, cursor } = &asked.given;
        let state = read_state(state)?;
        let from = cursor.text().map(|text| {
            read_everybody(text, state).ok_or_else(|| cursor.fault("is not a cursor from an earlier page"))
        });
        let (limit, from) = (limit.or(PAGE_MAX)?, from.transpose()?);
        let page = self.service.list_everybody(state, limit, from).await?;
        let now = self.service.now();
        let tokens = page.tokens.iter().map(|token| TokenRecord::of(token, now)).collect();
        let next = page
            .next
            .map(|EverybodyPosition { user, row }| format!("{user}/{}", row.unwrap_or_default().replace('#', ":")));
        Ok(Json::new(EverybodyList { tokens, users: page.users, next }))
    }

    async fn find_token(&self, asked: &RoutedRequest<'_, TokenId>) -> Result<Json<TokenRecord>, Problem> {
        let token = self.service.find(asked.caller(), &asked.path()?).await?.ok_or_else(Problem::not_found)?;
        Ok(Json::new(TokenRecord::of(&token, self.service.now())).etag(token.revision))
    }

    async fn list_tokens(&self, asked: &RoutedRequest<'_, UserName, Listing>) -> Result<Json<TokenList>, Problem> {
        let (user, Listing { state, limit, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_see(&user)?;
        let limit = limit.or(PAGE_MAX)?;
        Ok(Json::new(match read_state(state)? {
            TokenState::Active => self.active(&user, limit, cursor).await?,
            state @ (TokenState::Deleted | TokenState::Expired) => {
                let since = self.service.past_of(asked.caller(), &user).await?;
                self.ended(&user, (limit, cursor), state, since).await?
            }
        }))
    }

    async fn active(&self, user: &UserName, limit: i32, cursor: &Given<String>) -> Result<TokenList, Problem> {
        let from: Option<TokenName> = cursor.read_as("is not a cursor from an earlier page")?;
        let page = self.service.list_active(user, limit, from.map(|name| format!("{ACTIVE}{name}"))).await?;
        let now = self.service.now();
        let tokens = page.tokens.iter().filter(|token| token.state(now) == TokenState::Active);
        let next = page.next.and_then(|key| key.strip_prefix(ACTIVE).map(str::to_owned));
        Ok(TokenList { tokens: tokens.map(|token| TokenRecord::of(token, now)).collect(), next })
    }

    async fn ended(
        &self,
        user: &UserName,
        (limit, cursor): (i32, &Given<String>),
        state: TokenState,
        since: Option<Timestamp>,
    ) -> Result<TokenList, Problem> {
        let from = cursor
            .text()
            .map(|text| read_position(text).ok_or_else(|| cursor.fault("is not a cursor from an earlier page")));
        let from = from.transpose()?;
        let now = self.service.now();
        let mut tokens = Vec::new();
        if state == TokenState::Expired && from.is_none() {
            // Those that expired and nothing has moved yet; they are newer than all that was moved, or close to it.
            let mut start = None;
            loop {
                let page = self.service.list_active(user, PAGE_MAX, start).await?;
                tokens.extend(page.tokens.into_iter().filter(|token| token.state(now) == TokenState::Expired));
                start = page.next;
                if start.is_none() {
                    break;
                }
            }
        }
        let page = self.service.list_ended(user, (limit, from), since).await?;
        tokens.extend(page.tokens.into_iter().filter(|token| token.state(now) == state));
        let next = page.next.and_then(|key| key.strip_prefix(ENDED).map(|position| position.replace('#', ".")));
        Ok(TokenList { tokens: tokens.iter().map(|token| TokenRecord::of(token, now)).collect(), next })
    }

    async fn show_token(&self, asked: &RoutedRequest<'_, TokenKey>) -> Result<Json<TokenRecord>, Problem> {
        let key = asked.path()?;
        asked.caller().may_see(&key.user)?;
        let token = self.service.show(&key).await?.ok_or_else(Problem::not_found)?;
        Ok(Json::new(TokenRecord::of(&token, self.service.now())).etag(token.revision))
    }
}

fn read_state(state: &Given<TokenState>) -> Result<TokenState, Problem> {
    match state.text().unwrap_or("active") {
        "active" => Ok(TokenState::Active),
        "deleted" => Ok(TokenState::Deleted),
        "expired" => Ok(TokenState::Expired),
        _ => Err(state.fault("is `active`, `deleted` or `expired`")),
    }
}

/// A position among everybody's tokens: a user, and a row of the user's. Neither names of users nor rows have a `/` or `:`.
fn read_everybody(text: &str, state: TokenState) -> Option<EverybodyPosition> {
    let (user, row) = text.split_once('/')?;
    let row = row.replace(':', "#");
    let active = || row.strip_prefix(ACTIVE).is_some_and(|name| name.parse::<TokenName>().is_ok());
    let ended = || row.strip_prefix(ENDED).is_some_and(|row| read_position(&row.replace('#', ".")).is_some());
    let good = match state {
        TokenState::Active => active(),
        TokenState::Deleted => ended(),
        TokenState::Expired => active() || ended() || matches!(row.as_str(), "U" | "X"),
    };
    let done = row.is_empty();
    Some(EverybodyPosition { user: user.parse().ok()?, row: Some(row).filter(|_| !done) }).filter(|_| done || good)
}

/// A position among ended tokens: when one ended, and its id.
fn read_position(text: &str) -> Option<String> {
    let (time, id) = text.split_once('.')?;
    let good = time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<TokenId>().is_ok();
    good.then(|| format!("{ENDED}{time}#{id}"))
}
