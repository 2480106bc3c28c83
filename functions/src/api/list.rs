//! The function `list`: tokens.

use jiff::Timestamp;

use super::Api;
use super::parameters::{Given, Limit, query};
use super::problem::Problem;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{TokenList, TokenRecord};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::table::keys::{ACTIVE, ENDED};
use crate::token::{TokenKey, TokenState};

routes! {
    listTokens: GET "/v1/users/{user}/tokens" => Api::list_tokens {
        summary: "Lists a user's tokens: active ones by name, deleted and expired ones newest first",
        problems: [404],
    }
    showToken: GET "/v1/users/{user}/tokens/{name}" => Api::show_token {
        summary: "Shows an active token",
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
    async fn list_tokens(&self, asked: &RoutedRequest<'_, UserName, Listing>) -> Result<Json<TokenList>, Problem> {
        let (user, Listing { state, limit, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_see(&user)?;
        let limit = limit.or(PAGE_MAX)?;
        let state = match state.text().unwrap_or("active") {
            "active" => TokenState::Active,
            "deleted" => TokenState::Deleted,
            "expired" => TokenState::Expired,
            _ => return Err(state.fault("is `active`, `deleted` or `expired`")),
        };
        Ok(Json::new(match state {
            TokenState::Active => self.active(&user, limit, cursor).await?,
            TokenState::Deleted | TokenState::Expired => {
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

/// A position among ended tokens: when one ended, and its id.
fn read_position(text: &str) -> Option<String> {
    let (time, id) = text.split_once('.')?;
    let good = time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<TokenId>().is_ok();
    good.then(|| format!("{ENDED}{time}#{id}"))
}
