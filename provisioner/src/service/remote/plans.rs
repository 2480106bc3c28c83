//! What a plan reads of its manifest.

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::api::wire::{Confirm, Confirmed, LookUp, LookedUp, ManifestTokens, TokenRecord};
use latchkey::clock::ClockBehind;
use latchkey::name::{ManifestName, UserName};
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Origin, Role};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;

use super::Remote;
use super::call::Call;
use crate::service::{Managed, Records, ServiceError};

/// How many names fit into a body of 64 KB, whatever their lengths.
const USERS: usize = 400;
const TOKENS: usize = 200;
const IDS: usize = 500;

/// The path of a manifest, and of what is below it.
pub(in crate::service) fn manifest_path(manifest: &ManifestName, rest: &str) -> String {
    format!("/v1/manifests/{manifest}{rest}")
}

#[async_trait]
impl Records for Remote {
    fn now(&self) -> Timestamp {
        self.line.now()
    }

    /// As it came with the manifest's tokens.
    async fn clock_behind(&self) -> Result<Option<ClockBehind>, ServiceError> {
        Ok(*self.behind.lock())
    }

    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        let mut managed = Managed { tokens: Vec::new(), max_tokens: 0 };
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::new("GET", manifest_path(manifest, "/tokens"));
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let page: ManifestTokens = self.line.repeat(call).await?;
            managed.tokens.extend(page.tokens.into_iter().map(TokenRecord::into_token));
            managed.max_tokens = page.max_tokens;
            *self.behind.lock() = page.clock_behind.map(|behind| ClockBehind::new(behind.now, behind.seen));
            cursor = page.next;
            if cursor.is_none() {
                managed.tokens.sort_by(|one, other| (&one.user, &one.name).cmp(&(&other.user, &other.name)));
                return Ok(managed);
            }
        }
    }

    async fn holders(&self, manifest: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        let mut found = Vec::new();
        for wanted in wanted.chunks(TOKENS) {
            let wanted = LookUp { tokens: wanted.to_vec(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.tokens.into_iter().map(TokenRecord::into_token));
        }
        Ok(found)
    }

    async fn origins(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS) {
            let wanted = LookUp { ids: ids.iter().map(ToString::to_string).collect(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.origins);
        }
        Ok(found)
    }

    async fn elsewhere(&self, manifest: &ManifestName, ids: &[TokenId]) -> Result<Vec<TokenId>, ServiceError> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS) {
            let wanted = LookUp { ids: ids.iter().map(ToString::to_string).collect(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.elsewhere);
        }
        Ok(found)
    }

    async fn expired_tokens(&self, manifest: &ManifestName, user: &UserName) -> Result<u32, ServiceError> {
        let wanted = LookUp { expired: vec![user.to_string()], ..LookUp::default() };
        Ok(self.look_up(manifest, &wanted).await?.expired.get(user).copied().unwrap_or(0))
    }

    async fn users(&self, manifest: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        let mut found = Vec::new();
        for names in names.chunks(USERS) {
            let wanted = LookUp { users: names.iter().map(ToString::to_string).collect(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.users.into_iter().map(User::from));
        }
        Ok(found)
    }

    async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        let wanted = LookUp { roles: true, ..LookUp::default() };
        Ok(self.look_up(manifest, &wanted).await?.roles.into_iter().map(Role::from).collect())
    }

    async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError> {
        let digest = secret.digest().hex();
        let (user, name, id) = (token.user.to_string(), token.name.to_string(), token.id.to_string());
        let confirm = Confirm { user, name, id, digest };
        let confirmed: Confirmed =
            self.line.repeat(Call::new("POST", manifest_path(manifest, "/confirm")).body(&confirm)).await?;
        Ok(confirmed.version)
    }
}

impl Remote {
    async fn look_up(&self, manifest: &ManifestName, wanted: &LookUp) -> Result<LookedUp, ServiceError> {
        self.line.repeat(Call::new("POST", manifest_path(manifest, "/lookup")).body(wanted)).await
    }
}
