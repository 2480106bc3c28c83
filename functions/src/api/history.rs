//! The function `list`, for what was: usage and events.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Api;
use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::Asked;
use super::wire::{EventList, TokenUsage, UserUsage};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::service::Event;
use crate::table::keys::ACTIVE;
use crate::token::TokenKey;

/// The longest time that one answer about usage spans, in days: rows are kept so long.
const SPAN_MAX: i32 = 400;
/// The longest page of tokens with their usage: each takes a read a month.
const USAGE_PAGE: i32 = 20;
/// The longest page of events.
const EVENTS_MAX: i32 = 200;

/// Days from the first to the last, both included.
struct Span {
    from: Date,
    to: Date,
}

impl Api {
    fn span(&self, asked: &Asked<'_>) -> Result<Span, Problem> {
        let today = self.service.now().to_zoned(TimeZone::UTC).date();
        let to = asked.read("to", "is a day such as `2026-12-31`")?.unwrap_or(today);
        let from = asked.read("from", "is a day such as `2026-12-01`")?;
        let from = from.or_else(|| to.checked_sub(30.days()).ok()).unwrap_or(to);
        let days = from.until(to).map_or(i32::MAX, |span| span.get_days());
        if !(0..=SPAN_MAX).contains(&days) {
            return Err(Problem::field("?from", format!("is at most {SPAN_MAX} days before `to`, and not after it")));
        }
        Ok(Span { from, to })
    }

    async fn usage_of(&self, id: TokenId, name: Option<TokenName>, span: &Span) -> Result<TokenUsage, Problem> {
        let mut days = Vec::new();
        let mut month = span.from.first_of_month();
        while month <= span.to {
            let start = month.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |zoned| zoned.timestamp());
            let read = self.service.usage(&id, start).await?;
            let within = read.into_iter().filter(|day| (span.from..=span.to).contains(&day.day));
            days.extend(within);
            let Ok(next) = month.checked_add(1.month()) else { break };
            month = next;
        }
        let uses = days.iter().map(|day| day.uses).sum();
        Ok(TokenUsage { id, name, days, uses })
    }

    pub(super) async fn token_usage(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        by.caller.may_audit(&key.user)?;
        let span = self.span(asked)?;
        let id = self.id_of(&key, asked.id()?).await?;
        Response::json(200, &self.usage_of(id, Some(key.name), &span).await?)
    }

    /// The id of an active token, or of one that ended if it is named.
    async fn id_of(&self, key: &TokenKey, id: Option<TokenId>) -> Result<TokenId, Problem> {
        let Some(id) = id else {
            let token = self.service.holder(key).await?.ok_or_else(Problem::not_found)?;
            return Ok(token.id);
        };
        let origins = self.service.origins(std::slice::from_ref(&id)).await?;
        let known = origins.iter().any(|origin| origin.user == key.user && origin.name == key.name);
        if known { Ok(id) } else { Err(Problem::not_found()) }
    }

    pub(super) async fn user_usage(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let user = asked.user()?;
        by.caller.may_audit(&user)?;
        let span = self.span(asked)?;
        let from: Option<TokenName> = asked.read("cursor", "was not given out")?;
        let page = self.service.list_active(&user, USAGE_PAGE, from.map(|name| format!("{ACTIVE}{name}"))).await?;
        let mut tokens = Vec::new();
        for token in page.tokens {
            tokens.push(self.usage_of(token.id, Some(token.name), &span).await?);
        }
        let next = page.next.and_then(|key| key.strip_prefix(ACTIVE).map(str::to_owned));
        Response::json(200, &UserUsage { tokens, next })
    }

    async fn event_list(
        &self,
        user: Option<&UserName>,
        asked: &Asked<'_>,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Response, Problem> {
        let rule = "is a month such as `2026-12`";
        let at = match asked.query("month") {
            None => self.service.now(),
            Some(text) => {
                let first: Date = format!("{text}-01").parse().map_err(|_| Problem::field("?month", rule))?;
                first.to_zoned(TimeZone::UTC).map_err(|_| Problem::field("?month", rule))?.timestamp()
            }
        };
        let from: Option<ulid::Ulid> = asked.read("cursor", "was not given out")?;
        let limit = asked.limit(EVENTS_MAX)?;
        let page = self.service.event_page(user, at, limit, from.map(|ulid| ulid.to_string())).await?;
        let events = page.events.into_iter().filter(wanted).collect();
        Response::json(200, &EventList { events, next: page.next })
    }

    pub(super) async fn token_events(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        by.caller.may_audit(&key.user)?;
        let id = asked.id()?;
        let of_token = |event: &Event| {
            event.token.as_ref() == Some(&key.name) && id.as_ref().is_none_or(|id| event.id.as_ref() == Some(id))
        };
        self.event_list(Some(&key.user), asked, of_token).await
    }

    pub(super) async fn events(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        by.caller.must_have("admin:audit")?;
        let user: Option<UserName> = asked.read("user", UserName::RULE)?;
        self.event_list(user.as_ref(), asked, |_| true).await
    }
}
