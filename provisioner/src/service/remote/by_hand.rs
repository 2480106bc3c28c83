//! What people do with tokens by hand.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use latchkey::api::wire::{
    CreateToken, EventList, EventRecord, SecretShown, TokenList, TokenRecord, TokenRoles, TokenUsage, UsageEntry,
};
use latchkey::lifetime::Seconds;
use latchkey::name::{TokenName, UserName};
use latchkey::role::Permissions;
use latchkey::service::{Created, Event, Life, NewToken, UsageDay};
use latchkey::token::Token;

use super::Remote;
use super::call::{Call, Undone};
use super::tokens::{BEGUN, path, secret_of, tokens_of};
use crate::service::{History, ServiceError};

/// How far the clocks of a server's parts may lie apart.
const APART: Seconds = Seconds::minutes(1);

/// The longest page that the API gives.
const PAGE: usize = 100;

impl Remote {
    pub(in crate::service) async fn make(&self, new: NewToken) -> Result<Created, ServiceError> {
        let expires = match &new.life {
            Life::Until(expires) => *expires,
            Life::Managed { .. } => None,
        };
        let body = CreateToken {
            name: new.name.to_string(),
            description: new.description.clone(),
            roles: new.roles.as_ref().map(|roles| roles.iter().map(ToString::to_string).collect()),
            labels: new.labels.clone(),
            allowed_ips: new.allowed_ips.iter().map(ToString::to_string).collect(),
            expires_at: expires.map(|at| at.to_string()),
            ..CreateToken::default()
        };
        let begun = APART.before(self.now());
        let mut lost: Option<ServiceError> = None;
        for _ in 0..BEGUN {
            let undone = match self.line.once::<SecretShown>(Call::new("POST", tokens_of(&new.user)).body(&body)).await
            {
                Ok(shown) => {
                    let secret = secret_of(&shown)?;
                    return Ok(Created { token: shown.token.clone().into_token(), secret });
                }
                Err(undone) => undone,
            };
            if let (Undone::Answered(error), None) = (&undone, &lost) {
                return Err(error.clone());
            }
            let unknown = |error: &ServiceError| {
                ServiceError::Unavailable(format!(
                    "it is not known whether `{}/{}` was created, and nobody has its secret: {error}",
                    new.user, new.name
                ))
            };
            let found = match self.shown(&new.user, &new.name).await {
                Ok(found) => found,
                Err(error) => return Err(unknown(&error)),
            };
            let mine = format!("{}/", self.me());
            if found.is_some_and(|token| token.created >= begun && token.created_by.starts_with(&mine)) {
                let text = format!("`{}/{}` was created, but its secret was lost on the way", new.user, new.name);
                return Err(ServiceError::refused("secret_lost", text));
            }
            match undone {
                Undone::Answered(error) => return Err(error),
                Undone::Unknown(error) => lost = Some(unknown(&error)),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("the token was not created".to_owned())))
    }

    async fn listed(&self, user: &UserName, state: &str, limit: Option<usize>) -> Result<Vec<Token>, ServiceError> {
        let (mut tokens, mut cursor): (Vec<Token>, Option<String>) = (Vec::new(), None);
        loop {
            let length = limit.unwrap_or(PAGE).clamp(1, PAGE);
            let mut call = Call::new("GET", tokens_of(user)).query("state", state).query("limit", length);
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let page: TokenList = self.line.repeat(call).await?;
            tokens.extend(page.tokens.into_iter().map(TokenRecord::into_token));
            cursor = page.next;
            if cursor.is_none() || limit.is_some_and(|limit| tokens.len() >= limit) {
                return Ok(tokens);
            }
        }
    }

    pub(in crate::service) async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError> {
        self.listed(user, "active", None).await
    }

    pub(in crate::service) async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let mut ended = self.listed(user, "deleted", Some(limit)).await?;
        ended.extend(self.listed(user, "expired", Some(limit)).await?);
        ended.sort_by_key(|token| std::cmp::Reverse(token.ended.as_ref().map(|ended| ended.at)));
        ended.truncate(limit);
        Ok(ended)
    }

    pub(in crate::service) async fn show(
        &self,
        user: &UserName,
        name: &TokenName,
    ) -> Result<Option<Token>, ServiceError> {
        self.shown(user, name).await
    }

    /// An active token that may be seen.
    pub(super) async fn shown(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError> {
        match self.line.repeat::<TokenRecord>(Call::new("GET", path(user, name, ""))).await {
            Ok(record) => Ok(Some(record.into_token())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(in crate::service) async fn usage(
        &self,
        token: &Token,
        from: Date,
        to: Date,
    ) -> Result<Vec<UsageDay>, ServiceError> {
        let call = Call::new("GET", path(&token.user, &token.name, "/usage")).query("id", &token.id);
        let usage: TokenUsage = self.line.repeat(call.query("from", from).query("to", to)).await?;
        let day = |entry: UsageEntry| UsageDay { day: entry.day, uses: entry.uses, last: entry.last };
        Ok(usage.days.into_iter().map(day).collect())
    }

    pub(in crate::service) async fn history(&self, token: &Token) -> Result<History, ServiceError> {
        let today = self.now().to_zoned(TimeZone::UTC).date();
        let usage = self.usage(token, today.first_of_month(), today).await?;
        let call = Call::new("GET", path(&token.user, &token.name, "/events")).query("id", &token.id);
        let events: EventList = self.line.repeat(call).await?;
        Ok(History { events: events.events.into_iter().map(event).collect(), usage })
    }

    pub(in crate::service) async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        let call = || Call::new("DELETE", path(&token.user, &token.name, "")).query("id", &token.id);
        self.end(call, token).await
    }

    pub(in crate::service) async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        let roles: TokenRoles = self.line.repeat(Call::new("GET", path(&token.user, &token.name, "/roles"))).await?;
        Ok(roles.permissions)
    }
}

fn event(record: EventRecord) -> Event {
    let EventRecord { at, actor, from, action, user, token, id, detail } = record;
    Event { at, actor, from, action, user, token, id, detail }
}
