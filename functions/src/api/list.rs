//! The function `list`: tokens, who the caller is, and the document.

use super::Api;
use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::Asked;
use super::wire::{Me, TokenList, TokenRecord};
use crate::name::UserName;
use crate::secret::TokenId;
use crate::table::keys::{ACTIVE, ENDED};
use crate::token::TokenState;

/// The document that describes the API; `tests` write it.
pub(super) const OPENAPI: &str = include_str!("../../openapi.json");

/// The longest page of tokens.
const PAGE_MAX: i32 = 100;

impl Api {
    pub(super) async fn list_tokens(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let user = asked.user()?;
        by.caller.may_see(&user)?;
        let limit = asked.limit(PAGE_MAX)?;
        let state = match asked.query("state").unwrap_or("active") {
            "active" => TokenState::Active,
            "deleted" => TokenState::Deleted,
            "expired" => TokenState::Expired,
            _ => return Err(Problem::field("?state", "is `active`, `deleted` or `expired`")),
        };
        let page = if state == TokenState::Active {
            self.active(&user, limit, asked).await?
        } else {
            self.ended(&user, limit, asked, state).await?
        };
        Response::json(200, &page)
    }

    async fn active(&self, user: &UserName, limit: i32, asked: &Asked<'_>) -> Result<TokenList, Problem> {
        let from: Option<crate::name::TokenName> = asked.read("cursor", "was not given out")?;
        let page = self.service.list_active(user, limit, from.map(|name| format!("{ACTIVE}{name}"))).await?;
        let now = self.service.now();
        let tokens = page.tokens.iter().filter(|token| token.state(now) == TokenState::Active);
        let next = page.next.and_then(|key| key.strip_prefix(ACTIVE).map(str::to_owned));
        Ok(TokenList { tokens: tokens.map(|token| TokenRecord::of(token, now)).collect(), next })
    }

    async fn ended(
        &self,
        user: &UserName,
        limit: i32,
        asked: &Asked<'_>,
        state: TokenState,
    ) -> Result<TokenList, Problem> {
        let from = asked.query("cursor").map(read_position).transpose()?;
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
        let page = self.service.list_ended(user, limit, from).await?;
        tokens.extend(page.tokens.into_iter().filter(|token| token.state(now) == state));
        let next = page.next.and_then(|key| key.strip_prefix(ENDED).map(|position| position.replace('#', ".")));
        Ok(TokenList { tokens: tokens.iter().map(|token| TokenRecord::of(token, now)).collect(), next })
    }

    pub(super) async fn show_token(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        by.caller.may_see(&key.user)?;
        let token = self.service.show(&key).await?.ok_or_else(Problem::not_found)?;
        let etag = format!("\"{}\"", token.revision);
        Ok(Response::json(200, &TokenRecord::of(&token, self.service.now()))?.with("etag", etag))
    }

    pub(super) fn who_am_i(by: &Verified) -> Result<Response, Problem> {
        Response::json(200, &Me::from(&*by.valid))
    }

    pub(super) fn openapi() -> Response {
        let headers =
            vec![("content-type", "application/json".to_owned()), ("cache-control", "public, max-age=300".to_owned())];
        Response { status: 200, headers, body: OPENAPI.as_bytes().to_vec() }
    }
}

/// A position among ended tokens: when one ended, and its id.
fn read_position(text: &str) -> Result<String, Problem> {
    let split = text.split_once('.').filter(|(time, id)| {
        time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<TokenId>().is_ok()
    });
    let (time, id) = split.ok_or_else(|| Problem::field("?cursor", "was not given out"))?;
    Ok(format!("{ENDED}{time}#{id}"))
}
