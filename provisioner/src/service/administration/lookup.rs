//! Tokens of everybody, in whatever state, and what was done to them.

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use latchkey::api::wire::{EventList, EverybodyList, TokenRecord};
use latchkey::secret::TokenId;
use latchkey::service::{Event, EverybodyPosition};
use latchkey::token::{Token, TokenState};

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;
use crate::service::remote::tokens::path;

/// The longest page of tokens that the API gives.
const TOKENS: i32 = 100;
/// The longest page of events that the API gives.
const EVENTS: i32 = 200;

/// What a list of everybody's tokens cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupCost {
    /// Requests to a server; none on one's own table.
    pub requests: u32,
    /// Users that were asked, a query of the table each.
    pub users: u32,
}

/// Tokens of everybody, in whatever state, and what was done to them.
#[async_trait]
pub trait TokenLookup: Send + Sync {
    /// The token with an id, active, deleted or expired; `None` too where the caller may not see it.
    async fn find(&self, id: &TokenId) -> Result<Option<Token>, ServiceError>;

    /// Hands on everybody's tokens of one state, a page at a time, so that no list of them is ever whole in memory.
    async fn everybody(
        &self,
        state: TokenState,
        each: &mut (dyn FnMut(Token) + Send),
    ) -> Result<LookupCost, ServiceError>;

    /// The events of a token in the month of a day, newest first, at most so many.
    async fn events_of(&self, token: &Token, day: Date, most: usize) -> Result<Vec<Event>, ServiceError>;
}

#[async_trait]
impl TokenLookup for Direct {
    async fn find(&self, id: &TokenId) -> Result<Option<Token>, ServiceError> {
        Ok(self.service.find(&self.caller, id).await?)
    }

    async fn everybody(
        &self,
        state: TokenState,
        each: &mut (dyn FnMut(Token) + Send),
    ) -> Result<LookupCost, ServiceError> {
        let mut cost = LookupCost::default();
        let mut from: Option<EverybodyPosition> = None;
        loop {
            let page = self.service.list_everybody(state, TOKENS, from).await?;
            cost.users += page.users;
            page.tokens.into_iter().for_each(&mut *each);
            from = page.next;
            if from.is_none() {
                return Ok(cost);
            }
        }
    }

    async fn events_of(&self, token: &Token, day: Date, most: usize) -> Result<Vec<Event>, ServiceError> {
        let Ok(at) = day.to_zoned(TimeZone::UTC) else { return Ok(Vec::new()) };
        let (mut events, mut from) = (Vec::new(), None);
        loop {
            let page = self.service.event_page(Some(&token.user), at.timestamp(), EVENTS, from).await?;
            events.extend(page.events.into_iter().filter(|event| event.id.as_ref() == Some(&token.id)));
            events.truncate(most);
            from = page.next;
            if from.is_none() || events.len() == most {
                return Ok(events);
            }
        }
    }
}

#[async_trait]
impl TokenLookup for Remote {
    async fn find(&self, id: &TokenId) -> Result<Option<Token>, ServiceError> {
        match self.line.repeat::<TokenRecord>(Call::new("GET", format!("/v1/tokens/{id}"))).await {
            Ok(record) => Ok(Some(record.into_token())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn everybody(
        &self,
        state: TokenState,
        each: &mut (dyn FnMut(Token) + Send),
    ) -> Result<LookupCost, ServiceError> {
        let mut cost = LookupCost::default();
        let mut cursor: Option<String> = None;
        loop {
            let call = Call::new("GET", "/v1/tokens").query("state", state.as_str()).query("limit", TOKENS);
            let call = match &cursor {
                Some(cursor) => call.query("cursor", cursor),
                None => call,
            };
            let page: EverybodyList = self.line.repeat(call).await?;
            cost.requests += 1;
            cost.users += page.users;
            page.tokens.into_iter().map(TokenRecord::into_token).for_each(&mut *each);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(cost);
            }
        }
    }

    async fn events_of(&self, token: &Token, day: Date, most: usize) -> Result<Vec<Event>, ServiceError> {
        let month = day.strftime("%Y-%m").to_string();
        let (mut events, mut cursor): (Vec<Event>, Option<String>) = (Vec::new(), None);
        loop {
            let call = Call::new("GET", path(&token.user, &token.name, "/events")).query("id", &token.id);
            let call = call.query("month", &month).query("limit", EVENTS);
            let call = match &cursor {
                Some(cursor) => call.query("cursor", cursor),
                None => call,
            };
            let page: EventList = self.line.repeat(call).await?;
            events.extend(page.events);
            events.truncate(most);
            cursor = page.next;
            if cursor.is_none() || events.len() == most {
                return Ok(events);
            }
        }
    }
}
