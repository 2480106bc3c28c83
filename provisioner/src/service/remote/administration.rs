//! What people ask of a server by hand, and what a command asks around a run.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use latchkey::api::wire::{
    Applied, CreateToken, EventList, LeaseRecord, ManifestView, Me, PutGrant, PutManifest, RoleList, TakeLease,
    TokenList, TokenRecord, TokenRoles, TokenUsage, UserList, UserRecord,
};
use latchkey::lifetime::Seconds;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::protocol::VersionError;
use latchkey::role::Permissions;
use latchkey::service::{Grant, Issued, Life, NewToken, Role, UsageDay};
use latchkey::token::Token;
use latchkey::user::User;

use super::call::{Call, Undone};
use super::plans::manifest_path;
use super::tokens::{BEGUN, issued, path, to_be_made, tokens_of};
use super::{Remote, check};
use crate::service::{Administration, History, LeaseHolder, Records as _, ServiceError, Take};

/// How far the clocks of a server's parts may lie apart.
const APART: Seconds = Seconds::minutes(1);

/// The longest page that the API gives.
const PAGE: usize = 100;

#[async_trait]
impl Administration for Remote {
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.view(manifest).await?.and_then(|view| view.applied))
    }

    async fn note_applied(&self, manifest: &ManifestName, revision: Option<u64>) -> Result<(), ServiceError> {
        let put = PutManifest { applied: Applied { revision } };
        self.line.repeat_for_nothing(Call::new("PUT", manifest_path(manifest, "")).body(&put)).await
    }

    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        self.view(name).await
    }

    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        let wanted = PutGrant::from(grant);
        self.line.repeat_for_nothing(Call::new("PUT", manifest_path(name, "/grant")).body(&wanted)).await
    }

    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        let (steal, token) = match how {
            Take::Own { steal } => (steal, None),
            Take::ToMove(token) => (false, Some(token.clone())),
        };
        let take = TakeLease { holder: holder.to_owned(), steal, token };
        match self.line.repeat::<LeaseRecord>(Call::new("PUT", manifest_path(manifest, "/lease")).body(&take)).await {
            Ok(_) => Ok(Ok(())),
            Err(ServiceError::Refused(refusal)) if refusal.code == "lease_held" => {
                let until = refusal.text("until").and_then(|until| until.parse::<Timestamp>().ok());
                Ok(Err(LeaseHolder { by: refusal.text("by").unwrap_or("somebody").to_owned(), until }))
            }
            Err(error) => Err(error),
        }
    }

    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError> {
        self.line
            .repeat_for_nothing(Call::new("DELETE", manifest_path(manifest, "/lease")).query("holder", holder))
            .await
    }

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
            let mine = format!("{}/", self.me);
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
        let call = Call::new("GET", path(&token.user, &token.name, "/events")).query("id", &token.id);
        let events: EventList = self.line.repeat(call).await?;
        Ok(History { events: events.events, usage })
    }

    async fn usage(&self, token: &Token, from: Date, to: Date) -> Result<Vec<UsageDay>, ServiceError> {
        let call = Call::new("GET", path(&token.user, &token.name, "/usage")).query("id", &token.id);
        let usage: TokenUsage = self.line.repeat(call.query("from", from).query("to", to)).await?;
        Ok(usage.days)
    }

    async fn delete(&self, token: &Token) -> Result<Token, ServiceError> {
        let call = || Call::new("DELETE", path(&token.user, &token.name, "")).query("id", &token.id);
        self.end(call, token).await
    }

    async fn permissions_of(&self, token: &Token) -> Result<Permissions, ServiceError> {
        let roles: TokenRoles = self.line.repeat(Call::new("GET", path(&token.user, &token.name, "/roles"))).await?;
        Ok(roles.permissions)
    }

    async fn user(&self, name: &UserName) -> Result<Option<User>, ServiceError> {
        match self.line.repeat::<UserRecord>(Call::new("GET", format!("/v1/users/{name}"))).await {
            Ok(record) => Ok(Some(record.into())),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn all_users(&self) -> Result<Vec<User>, ServiceError> {
        let list: UserList = self.line.repeat(Call::new("GET", "/v1/users")).await?;
        Ok(list.users.into_iter().map(User::from).collect())
    }

    async fn delete_user(&self, name: &UserName) -> Result<(), ServiceError> {
        self.remove(&format!("/v1/users/{name}"), "no_such_user", &format!("there is no user `{name}`")).await
    }

    async fn all_roles(&self) -> Result<Vec<Role>, ServiceError> {
        let list: RoleList = self.line.repeat(Call::new("GET", "/v1/roles")).await?;
        Ok(list.roles.into_iter().map(Role::from).collect())
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), ServiceError> {
        self.remove(&format!("/v1/roles/{name}"), "no_such_role", &format!("there is no role `{name}`")).await
    }
}

impl Remote {
    async fn view(&self, manifest: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        match self.line.repeat(Call::new("GET", manifest_path(manifest, ""))).await {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
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

    /// Deletes what has a name. If it is gone after a lost answer, an earlier try did it.
    async fn remove(&self, target: &str, code: &str, missing: &str) -> Result<(), ServiceError> {
        let mut lost = None;
        for _ in 0..BEGUN {
            match self.line.once_for_nothing(Call::new("DELETE", target)).await {
                Ok(()) => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) if lost.is_some() => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) => return Err(ServiceError::refused(code, missing)),
                Err(Undone::Answered(error)) => return Err(error),
                Err(Undone::Unknown(error)) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("nothing was deleted".to_owned())))
    }
}
