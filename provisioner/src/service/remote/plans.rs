//! What a plan reads of its manifest.

use jiff::Timestamp;
use latchkey::api::wire::{
    Applied, Confirm, Confirmed, LeaseRecord, LookUp, LookedUp, ManifestTokens, ManifestView, PutGrant, PutManifest,
    TakeLease, TokenRecord,
};
use latchkey::name::{ManifestName, UserName};
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Grant, Origin, Role};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;

use super::Remote;
use super::call::Call;
use crate::service::{LeaseHolder, Managed, ServiceError};

/// How many names fit into a body of 64 KB, whatever their lengths.
const USERS: usize = 400;
const TOKENS: usize = 200;
const IDS: usize = 500;

fn path(manifest: &ManifestName, rest: &str) -> String {
    format!("/v1/manifests/{manifest}{rest}")
}

impl Remote {
    pub(in crate::service) async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        let mut managed = Managed { tokens: Vec::new(), max_tokens: 0 };
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::new("GET", path(manifest, "/tokens"));
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let page: ManifestTokens = self.line.repeat(call).await?;
            managed.tokens.extend(page.tokens.into_iter().map(TokenRecord::into_token));
            managed.max_tokens = page.max_tokens;
            cursor = page.next;
            if cursor.is_none() {
                managed.tokens.sort_by(|one, other| (&one.user, &one.name).cmp(&(&other.user, &other.name)));
                return Ok(managed);
            }
        }
    }

    async fn look_up(&self, manifest: &ManifestName, wanted: &LookUp) -> Result<LookedUp, ServiceError> {
        self.line.repeat(Call::new("POST", path(manifest, "/lookup")).body(wanted)).await
    }

    pub(in crate::service) async fn holders(
        &self,
        manifest: &ManifestName,
        wanted: &[TokenKey],
    ) -> Result<Vec<Token>, ServiceError> {
        let mut found = Vec::new();
        for wanted in wanted.chunks(TOKENS) {
            let wanted = LookUp { tokens: wanted.to_vec(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.tokens.into_iter().map(TokenRecord::into_token));
        }
        Ok(found)
    }

    pub(in crate::service) async fn origins(
        &self,
        manifest: &ManifestName,
        ids: &[TokenId],
    ) -> Result<Vec<Origin>, ServiceError> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS) {
            let wanted = LookUp { ids: ids.iter().map(ToString::to_string).collect(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.origins);
        }
        Ok(found)
    }

    pub(in crate::service) async fn expired_tokens(
        &self,
        manifest: &ManifestName,
        user: &UserName,
    ) -> Result<u32, ServiceError> {
        let wanted = LookUp { expired: vec![user.to_string()], ..LookUp::default() };
        Ok(self.look_up(manifest, &wanted).await?.expired.get(user).copied().unwrap_or(0))
    }

    pub(in crate::service) async fn users(
        &self,
        manifest: &ManifestName,
        names: &[UserName],
    ) -> Result<Vec<User>, ServiceError> {
        let mut found = Vec::new();
        for names in names.chunks(USERS) {
            let wanted = LookUp { users: names.iter().map(ToString::to_string).collect(), ..LookUp::default() };
            found.extend(self.look_up(manifest, &wanted).await?.users.into_iter().map(User::from));
        }
        Ok(found)
    }

    pub(in crate::service) async fn roles(&self, manifest: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        let wanted = LookUp { roles: true, ..LookUp::default() };
        Ok(self.look_up(manifest, &wanted).await?.roles.into_iter().map(Role::from).collect())
    }

    pub(in crate::service) async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        match self.line.repeat(Call::new("GET", path(name, ""))).await {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(in crate::service) async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        let wanted = PutGrant::from(grant);
        self.line.repeat_for_nothing(Call::new("PUT", path(name, "/grant")).body(&wanted)).await
    }

    pub(in crate::service) async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.manifest(manifest).await?.and_then(|view| view.applied))
    }

    pub(in crate::service) async fn note_applied(
        &self,
        manifest: &ManifestName,
        revision: Option<u64>,
    ) -> Result<(), ServiceError> {
        let put = PutManifest { applied: Some(Applied { revision }), document: None };
        self.line.repeat_for_nothing(Call::new("PUT", path(manifest, "")).body(&put)).await
    }

    pub(in crate::service) async fn confirm(
        &self,
        manifest: &ManifestName,
        token: &Token,
        secret: &Secret,
    ) -> Result<Option<u32>, ServiceError> {
        let digest = secret.digest().hex();
        let (user, name, id) = (token.user.to_string(), token.name.to_string(), token.id.to_string());
        let confirm = Confirm { user, name, id, digest };
        let confirmed: Confirmed =
            self.line.repeat(Call::new("POST", path(manifest, "/confirm")).body(&confirm)).await?;
        Ok(confirmed.version)
    }

    pub(in crate::service) async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        steal: bool,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        let take = TakeLease { holder: holder.to_owned(), steal };
        match self.line.repeat::<LeaseRecord>(Call::new("PUT", path(manifest, "/lease")).body(&take)).await {
            Ok(_) => Ok(Ok(())),
            Err(ServiceError::Refused(refusal)) if refusal.code == "lease_held" => {
                let until = refusal.text("until").and_then(|until| until.parse::<Timestamp>().ok());
                Ok(Err(LeaseHolder { by: refusal.text("by").unwrap_or("somebody").to_owned(), until }))
            }
            Err(error) => Err(error),
        }
    }

    pub(in crate::service) async fn free_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
    ) -> Result<(), ServiceError> {
        self.line.repeat_for_nothing(Call::new("DELETE", path(manifest, "/lease")).query("holder", holder)).await
    }
}
