//! Tokens that people create, look up, check and revoke by hand.

use async_trait::async_trait;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use latchkey::api::wire::{CreateToken, Me, PromoteVersion, TokenList, TokenRecord, TokenRoles, TokenUsage};
use latchkey::lifetime::Seconds;
use latchkey::name::{TokenName, UserName};
use latchkey::protocol::VersionError;
use latchkey::role::Permissions;
use latchkey::service::{ChangeError, Edit, Issued, Life, NewToken, UsageDay, Verdict};
use latchkey::token::{Token, TokenKey};

use crate::service::direct::Direct;
use crate::service::remote::call::{BEGUN, Call, Undone};
use crate::service::remote::tokens::{issued, path, to_be_made, tokens_of};
use crate::service::remote::{Remote, check};
use crate::service::{History, Records as _, ServiceError, TokenLookup as _};

/// How far the clocks of a server's parts may lie apart.
const APART: Seconds = Seconds::minutes(1);

/// The longest page that the API gives.
const PAGE: usize = 100;
/// How many events a token's history begins with.
const HISTORY: usize = 10;

/// Tokens that people create, look up, check and revoke by hand.
#[async_trait]
pub trait TokenAdministration: Send + Sync {
    /// Revokes a version that has leaked, at once, wherever it is; with `anyway` the current one too. One that is no
    /// longer valid is no error.
    async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError>;

    /// Checks a secret as an application would. On one's own table it counts no use, and the reason why a secret is not
    /// valid is returned.
    async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError>;

    /// Creates a token by hand.
    async fn make(&self, new: NewToken) -> Result<Issued, ServiceError>;

    /// A user's active tokens by name, those that expired but still occupy their names included.
    async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError>;

    /// A user's last deleted and expired tokens, newest first.
    async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError>;

    /// One active token.
    async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError>;

    /// This month's changes and uses of a token.
    async fn history(&self, token: &Token) -> Result<History, ServiceError>;

    /// How often a token was used, by day, from one day to another.
    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError>;

    /// Changes a token, only if it still is as it was read.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when it was changed since.
    async fn update(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError>;

    /// Promotes a staged version of a token that no manifest declares; older ones stay valid for `overlap`.
    async fn promote_by_hand(&self, token: &Token, number: u32, overlap: Seconds) -> Result<Token, ServiceError>;

    /// Deletes a token at once, and returns its last record.
    ///
    /// # Errors
    /// [`ServiceError::Gone`] when there is none, or another has the name.
    async fn delete(&self, token: &Token) -> Result<Token, ServiceError>;

    /// What a token's roles allow.
    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError>;
}

#[async_trait]
impl TokenAdministration for Direct {
    async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError> {
        match self.service.end_compromised(&self.caller, &token.reference(), number, anyway).await {
            // It is no longer valid, which is what was wanted.
            Err(ChangeError::Rule(VersionError::NotLive(_))) => Ok(token.clone()),
            answer => Ok(answer?),
        }
    }

    async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError> {
        Ok(match self.service.verify(presented, None).await? {
            Verdict::Valid(valid) => Ok(Me::from(&*valid)),
            Verdict::Invalid(invalid) => Err(invalid.to_string()),
        })
    }

    async fn make(&self, new: NewToken) -> Result<Issued, ServiceError> {
        Ok(self.service.create(&self.caller, new).await?)
    }

    async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError> {
        let (mut tokens, mut from) = (Vec::new(), None);
        loop {
            let page = self.service.list_active(user, 500, from).await?;
            tokens.extend(page.tokens);
            from = page.next;
            if from.is_none() {
                return Ok(tokens);
            }
        }
    }

    async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError> {
        Ok(self.service.list_ended(user, (limit, None), None).await?.tokens)
    }

    async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError> {
        Ok(self.service.show(&TokenKey::new(user.clone(), name.clone())).await?)
    }

    async fn history(&self, token: &Token) -> Result<History, ServiceError> {
        let now = self.now();
        let events = self.events_of(token, now.to_zoned(TimeZone::UTC).date(), HISTORY).await?;
        Ok(History { events, usage: self.service.usage(&token.id, now).await? })
    }

    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError> {
        let (mut days, mut month) = (Vec::new(), from.first_of_month());
        while month <= to {
            let Ok(start) = month.to_zoned(TimeZone::UTC) else { break };
            let read = self.service.usage(&token.id, start.timestamp()).await?;
            days.extend(read.into_iter().filter(|day| (from..=to).contains(&day.day)));
            let Ok(next) = month.checked_add(1.month()) else { break };
            month = next;
        }
        Ok(days)
    }

    async fn update(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        let revision = Some(token.revision);
        Ok(self.service.edit(&self.caller, &token.key(), Some(&token.id), revision, edit).await?)
    }

    async fn promote_by_hand(&self, token: &Token, number: u32, overlap: Seconds) -> Result<Token, ServiceError> {
        Ok(self.service.promote_by_hand(&self.caller, &token.reference(), number, overlap).await?)
    }

    async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        Ok(self.service.delete(&self.caller, &token.key(), Some(&token.id)).await?)
    }

    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        Ok(self.service.permissions_of(&token.roles).await?)
    }
}

#[async_trait]
impl TokenAdministration for Remote {
    async fn end_compromised(&self, token: &Token, number: u32, anyway: bool) -> Result<Token, ServiceError> {
        let call =
            Call::new("DELETE", path(&token.user, &token.name, &format!("/versions/{number}"))).query("id", &token.id);
        let call = call.query("compromised", true);
        let call = if anyway { call.query("force", true) } else { call };
        match self.line.repeat::<TokenRecord>(call).await {
            Ok(record) => Ok(record.into_token()),
            // By an earlier try, or by itself: it is no longer valid, which is what was wanted.
            Err(ServiceError::Version(VersionError::NotLive(_))) => Ok(token.clone()),
            Err(error) => Err(error),
        }
    }

    async fn verify(&self, presented: &str) -> Result<Result<Me, String>, ServiceError> {
        check(&self.line, presented).await
    }

    async fn make(&self, new: NewToken) -> Result<Issued, ServiceError> {
        let expires = match &new.life {
            Life::Until(expires) => *expires,
            Life::Managed { .. } => None,
        };
        let body = CreateToken { expires_at: expires.map(|at| at.to_string()), ..to_be_made(&new) };
        let begun = APART.before(self.now());
        let mut lost: Option<ServiceError> = None;
        for _ in 0..BEGUN {
            let undone = match self.line.once(Call::new("POST", tokens_of(&new.key.user)).body(&body)).await {
                Ok(record) => return issued(record),
                Err(undone) => undone,
            };
            if let (Undone::Answered(error), None) = (&undone, &lost) {
                return Err(error.clone());
            }
            let unknown = |error: &ServiceError| {
                ServiceError::Unavailable(format!(
                    "it is not known whether `{}` was created, and nobody has its secret: {error}",
                    new.key
                ))
            };
            let found = match self.show(&new.key.user, &new.key.name).await {
                Ok(found) => found,
                Err(error) => return Err(unknown(&error)),
            };
            let mine = format!("{}/", self.who().user);
            if found.is_some_and(|token| token.created >= begun && token.created_by.starts_with(&mine)) {
                let text = format!("`{}` was created, but its secret was lost on the way", new.key);
                return Err(ServiceError::refused("secret_lost", text));
            }
            match undone {
                Undone::Answered(error) => return Err(error),
                Undone::Unknown(error) => lost = Some(unknown(&error)),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("the token was not created".to_owned())))
    }

    async fn active(&self, user: &UserName) -> Result<Vec<Token>, ServiceError> {
        self.listed(user, "active", None).await
    }

    async fn ended(&self, user: &UserName, limit: i32) -> Result<Vec<Token>, ServiceError> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let mut ended = self.listed(user, "deleted", Some(limit)).await?;
        ended.extend(self.listed(user, "expired", Some(limit)).await?);
        ended.sort_by_key(|token| std::cmp::Reverse(token.ended.as_ref().map(|ended| ended.at)));
        ended.truncate(limit);
        Ok(ended)
    }

    async fn show(&self, user: &UserName, name: &TokenName) -> Result<Option<Token>, ServiceError> {
        match self.line.repeat::<TokenRecord>(Call::new("GET", path(user, name, ""))).await {
            Ok(record) => Ok(Some(record.into_token())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn history(&self, token: &Token) -> Result<History, ServiceError> {
        let today = self.now().to_zoned(TimeZone::UTC).date();
        let usage = self.usage(token, today.first_of_month(), today).await?;
        Ok(History { events: self.events_of(token, today, HISTORY).await?, usage })
    }

    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError> {
        let call = Call::new("GET", path(&token.user, &token.name, "/usage")).query("id", &token.id);
        let usage: TokenUsage = self.line.repeat(call.query("from", from).query("to", to)).await?;
        Ok(usage.days)
    }

    async fn update(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        self.patch(token, edit, Some(token.revision)).await
    }

    async fn promote_by_hand(&self, token: &Token, number: u32, overlap: Seconds) -> Result<Token, ServiceError> {
        let body =
            PromoteVersion { id: token.id.to_string(), overlap: Some(overlap.to_string()), deliveries: Vec::new() };
        self.promoted(token, number, body).await
    }

    async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        let call = || Call::new("DELETE", path(&token.user, &token.name, "")).query("id", &token.id);
        self.end(call, token).await
    }

    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        let roles: TokenRoles = self.line.repeat(Call::new("GET", path(&token.user, &token.name, "/roles"))).await?;
        Ok(roles.permissions)
    }
}

impl Remote {
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
}
