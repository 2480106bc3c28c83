//! The function `list`, for what was: usage and events.

use std::borrow::Cow;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Api;
use super::needs::AUDITS;
use super::parameters::{Given, Limit, query};
use super::problem::Problem;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{EventList, TokenUsage, UserUsage};
use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::service::Event;
use crate::table::keys::ACTIVE;
use crate::token::TokenKey;

routes! {
    tokenUsage: GET "/v1/users/{user}/tokens/{name}/usage" => Api::token_usage {
        summary: "How often a token was used, by day",
        needs: AUDITS,
        problems: [404],
    }
    tokenEvents: GET "/v1/users/{user}/tokens/{name}/events" => Api::token_events {
        summary: "Audit events of a token, newest first",
        needs: AUDITS,
        problems: [404],
    }
    userUsage: GET "/v1/users/{user}/usage" => Api::user_usage {
        summary: "How often a user's active tokens were used, by day",
        needs: AUDITS,
        problems: [404],
    }
    events: GET "/v1/events" => Api::events {
        summary: "Audit events of one month, newest first",
        needs: "`admin:audit`",
        problems: [403],
    }
}

query! {
    /// Which uses of a token are asked for.
    UsesOfToken {
        /// The first day; by default 30 days before the last.
        from: Given<Date>,
        /// The last day; by default today.
        to: Given<Date>,
        /// The id that the token must have.
        id: Given<TokenId>,
    }
}

query! {
    /// Which uses of a user's tokens are asked for.
    UsesOfUser {
        /// The first day; by default 30 days before the last.
        from: Given<Date>,
        /// The last day; by default today.
        to: Given<Date>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

query! {
    /// Which events of a token are asked for.
    EventsOfToken {
        /// The id that the token must have.
        id: Given<TokenId>,
        /// A month; by default the current one.
        month: Given<Month>,
        /// The maximum number of entries on a page.
        limit: Given<Limit<EVENTS_MAX>>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

query! {
    /// Which events are asked for.
    Events {
        /// A user; without it, events about roles and manifests.
        user: Given<UserName>,
        /// A month; by default the current one.
        month: Given<Month>,
        /// The maximum number of entries on a page.
        limit: Given<Limit<EVENTS_MAX>>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

/// The longest time that one answer about usage spans, in days: rows are kept so long.
const SPAN_MAX: i32 = 400;
/// The longest page of tokens with their usage: each takes a read a month.
const USAGE_PAGE: i32 = 20;
/// The longest page of events.
const EVENTS_MAX: i32 = 200;

/// A month, by its first instant.
struct Month(Timestamp);

impl FromStr for Month {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let first: Date = format!("{text}-01").parse()?;
        Ok(Self(first.to_zoned(TimeZone::UTC)?.timestamp()))
    }
}

impl JsonSchema for Month {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Month".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$" })
    }
}

/// Days from the first to the last, both included.
struct Span {
    from: Date,
    to: Date,
}

impl Api {
    fn span(&self, first: &Given<Date>, last: &Given<Date>) -> Result<Span, Problem> {
        let today = self.service.now().to_zoned(TimeZone::UTC).date();
        let to = last.read("is a day such as `2026-12-31`")?.unwrap_or(today);
        let from = first.read("is a day such as `2026-12-01`")?;
        let from = from.or_else(|| to.checked_sub(30.days()).ok()).unwrap_or(to);
        let days = from.until(to).map_or(i32::MAX, |span| span.get_days());
        if !(0..=SPAN_MAX).contains(&days) {
            return Err(first.fault(format!("is at most {SPAN_MAX} days before `to`, and not after it")));
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

    async fn token_usage(&self, asked: &RoutedRequest<'_, TokenKey, UsesOfToken>) -> Result<Json<TokenUsage>, Problem> {
        let (key, UsesOfToken { from, to, id }) = (asked.path()?, &asked.given);
        asked.caller().may_audit(&key.user)?;
        let span = self.span(from, to)?;
        let since = self.service.past_of(asked.caller(), &key.user).await?;
        let id = self.id_of(&key, id.read("is not the id of a token")?, since).await?;
        Ok(Json::new(self.usage_of(id, Some(key.name), &span).await?))
    }

    /// The id of an active token, or of one that ended if it is named.
    async fn id_of(&self, key: &TokenKey, id: Option<TokenId>, since: Option<Timestamp>) -> Result<TokenId, Problem> {
        let Some(id) = id else {
            let token = self.service.holder(key).await?.ok_or_else(Problem::not_found)?;
            return Ok(token.id);
        };
        let origins = self.service.origins(std::slice::from_ref(&id)).await?;
        let known = origins.iter().any(|origin| origin.user == key.user && origin.name == key.name);
        let active = self.service.holder(key).await?.is_some_and(|token| token.id == id);
        let own = match since {
            Some(since) if known && !active => self.service.ended_since(&key.user, &id, since).await?,
            _ => known,
        };
        if own { Ok(id) } else { Err(Problem::not_found()) }
    }

    async fn user_usage(&self, asked: &RoutedRequest<'_, UserName, UsesOfUser>) -> Result<Json<UserUsage>, Problem> {
        let (user, UsesOfUser { from, to, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_audit(&user)?;
        let span = self.span(from, to)?;
        let from: Option<TokenName> = cursor.read_as("is not a cursor from an earlier page")?;
        let page = self.service.list_active(&user, USAGE_PAGE, from.map(|name| format!("{ACTIVE}{name}"))).await?;
        let mut tokens = Vec::new();
        for token in page.tokens {
            tokens.push(self.usage_of(token.id, Some(token.name), &span).await?);
        }
        let next = page.next.and_then(|key| key.strip_prefix(ACTIVE).map(str::to_owned));
        Ok(Json::new(UserUsage { tokens, next }))
    }

    async fn event_list(
        &self,
        user: Option<&UserName>,
        (month, limit, cursor): (&Given<Month>, &Given<Limit<EVENTS_MAX>>, &Given<String>),
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Json<EventList>, Problem> {
        let at = month.read("is a month such as `2026-12`")?.map_or_else(|| self.service.now(), |month| month.0);
        let from: Option<ulid::Ulid> = cursor.read_as("is not a cursor from an earlier page")?;
        let page = self.service.event_page(user, at, limit.or(100)?, from.map(|ulid| ulid.to_string())).await?;
        let events = page.events.into_iter().filter(wanted).collect();
        Ok(Json::new(EventList { events, next: page.next }))
    }

    async fn token_events(
        &self,
        asked: &RoutedRequest<'_, TokenKey, EventsOfToken>,
    ) -> Result<Json<EventList>, Problem> {
        let (key, EventsOfToken { id, month, limit, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_audit(&key.user)?;
        let id = id.read("is not the id of a token")?;
        let since = self.service.past_of(asked.caller(), &key.user).await?;
        if let (Some(id), Some(_)) = (&id, since) {
            self.id_of(&key, Some(id.clone()), since).await?;
        }
        let of_token = |event: &Event| {
            // A token that was renamed has events under each of its names.
            let meant = match &id {
                Some(id) => event.id.as_ref() == Some(id),
                None => event.token.as_ref() == Some(&key.name),
            };
            meant && since.is_none_or(|since| event.at > since)
        };
        self.event_list(Some(&key.user), (month, limit, cursor), of_token).await
    }

    async fn events(&self, asked: &RoutedRequest<'_, (), Events>) -> Result<Json<EventList>, Problem> {
        asked.caller().may_read_events()?;
        let Events { user, month, limit, cursor } = &asked.given;
        let user = user.read(UserName::RULE)?;
        self.event_list(user.as_ref(), (month, limit, cursor), |_| true).await
    }
}
