//! The function `manifests`: what a declarative run needs beyond single tokens.

use super::Api;
use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::{Asked, Fields, read_body};
use super::wire::{
    Confirm, Confirmed, LeaseRecord, LookUp, LookedUp, ManifestTokens, ManifestView, PutGrant, PutManifest, RoleRecord,
    TakeLease, TokenRecord, UserRecord,
};
use crate::name::{ManifestName, UserName};
use crate::secret::{Digest, TokenId};
use crate::service::Grant;
use crate::token::{TokenKey, TokenState};

/// The longest page of a manifest's tokens.
const PAGE_MAX: i32 = 500;
/// The longest name of a run that takes a lease.
const HOLDER_MAX: usize = 64;

impl Api {
    pub(super) async fn manifest_tokens(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        if !by.caller.has("admin:tokens") {
            by.caller.must_run(&manifest)?;
        }
        let from = asked.query("cursor").map(read_position).transpose()?;
        let limit = if asked.query("limit").is_some() { asked.limit(PAGE_MAX)? } else { PAGE_MAX };
        let page = self.service.managed_page(&manifest, limit, from.as_ref()).await?;
        let now = self.service.now();
        let answer = ManifestTokens {
            tokens: page.tokens.iter().map(|token| TokenRecord::of(token, now)).collect(),
            next: page.next.map(|key| key.to_string()),
            max_tokens: self.service.policy().max_tokens,
        };
        Response::json(200, &answer)
    }

    pub(super) async fn show_manifest(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        if !by.caller.has("admin:roles") {
            by.caller.must_run(&manifest)?;
        }
        self.view(&manifest).await
    }

    async fn view(&self, manifest: &ManifestName) -> Result<Response, Problem> {
        let record = self.service.manifest(manifest).await?;
        let lease = self.service.lease(manifest).await?;
        let document = self.service.published(manifest).await?;
        if record.is_none() && lease.is_none() && document.is_none() {
            return Err(Problem::not_found());
        }
        Response::json(200, &ManifestView::of(manifest, record, lease, document))
    }

    pub(super) async fn publish_manifest(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        let body: PutManifest = read_body(asked.request)?;
        by.caller.must_run(&manifest)?;
        if body.applied.is_none() && body.document.is_none() {
            return Err(Problem::field("", "give `applied` or `document`"));
        }
        if let Some(applied) = &body.applied {
            self.service.note_applied(&by.caller, &manifest, applied.revision).await?;
        }
        if let Some(text) = &body.document {
            self.service.publish(&by.caller, &manifest, text).await?;
        }
        Ok(Response::nothing())
    }

    pub(super) async fn set_grant(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        let body: PutGrant = read_body(asked.request)?;
        let mut fields = Fields::default();
        let grant = Grant {
            permissions: fields.list("/permissions", &body.permissions).into_iter().collect(),
            roles: fields.list("/roles", &body.roles).into_iter().collect(),
            users: fields.list("/users", &body.users).into_iter().collect(),
        };
        fields.done()?;
        self.service.set_grant(&by.caller, &manifest, &grant).await?;
        self.view(&manifest).await
    }

    pub(super) async fn take_lease(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        let body: TakeLease = read_body(asked.request)?;
        by.caller.must_run(&manifest)?;
        check_holder("/holder", &body.holder)?;
        let lease = self.service.take_lease(&by.caller, &manifest, &body.holder, body.steal).await?;
        Response::json(200, &LeaseRecord::from(lease))
    }

    pub(super) async fn free_lease(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        by.caller.must_run(&manifest)?;
        let holder = asked.query("holder").ok_or_else(|| Problem::field("?holder", "is missing"))?;
        check_holder("?holder", holder)?;
        self.service.free_lease(&by.caller, &manifest, holder).await?;
        Ok(Response::nothing())
    }

    pub(super) async fn look_up(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        let body: LookUp = read_body(asked.request)?;
        by.caller.must_run(&manifest)?;
        let wanted = Wanted::read(&body)?;
        let sight = self.sight(by, &manifest).await?;
        let mut answer = LookedUp::default();
        // A manifest sees what is its own, and what its grant names.
        let mut names: Vec<UserName> = wanted.users.clone();
        names.extend(wanted.tokens.iter().map(|key| key.user.clone()));
        names.extend(wanted.expired.iter().cloned());
        names.sort();
        names.dedup();
        let users = self.service.users(&names).await?;
        let visible = |name: &UserName| {
            users.iter().any(|user| user.name == *name && (sight.all || sight.user(name, user.managed_by.as_ref())))
        };
        let named = users.iter().filter(|user| wanted.users.contains(&user.name) && visible(&user.name));
        answer.users = named.cloned().map(UserRecord::from).collect();
        if body.roles {
            let roles = self.service.list_roles().await?.into_iter();
            let seen = roles.filter(|role| {
                sight.all || role.managed_by.as_ref() == Some(&manifest) || sight.grant.roles.contains(&role.name)
            });
            answer.roles = seen.map(RoleRecord::from).collect();
        }
        let tokens: Vec<TokenKey> = wanted.tokens.into_iter().filter(|key| visible(&key.user)).collect();
        let now = self.service.now();
        let held = self.service.holders(&tokens).await?;
        answer.tokens = held.iter().map(|token| TokenRecord::of(token, now)).collect();
        let origins = self.service.origins(&wanted.ids).await?.into_iter();
        let own = origins.filter(|origin| sight.all || origin.managed_by.as_ref() == Some(&manifest));
        answer.origins = own.collect();
        for user in wanted.expired.iter().filter(|user| visible(user)) {
            answer.expired.insert(user.clone(), self.count_expired(user).await?);
        }
        Response::json(200, &answer)
    }

    async fn sight(&self, by: &Verified, manifest: &ManifestName) -> Result<Sight, Problem> {
        let all = ["admin:tokens", "admin:users", "admin:roles"].iter().all(|permission| by.caller.has(permission));
        let record = self.service.manifest(manifest).await?;
        let grant = record.and_then(|record| record.grant).unwrap_or_default();
        Ok(Sight { all, manifest: manifest.clone(), grant })
    }

    async fn count_expired(&self, user: &UserName) -> Result<u32, Problem> {
        let (mut count, mut from) = (0_u32, None);
        loop {
            let page = self.service.list_active(user, PAGE_MAX, from).await?;
            let now = self.service.now();
            let expired = page.tokens.iter().filter(|token| token.state(now) == TokenState::Expired).count();
            count = count.saturating_add(u32::try_from(expired).unwrap_or(u32::MAX));
            from = page.next;
            if from.is_none() {
                return Ok(count);
            }
        }
    }

    pub(super) async fn confirm(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let manifest: ManifestName = asked.path("manifest")?;
        let body: Confirm = read_body(asked.request)?;
        by.caller.must_run(&manifest)?;
        let mut fields = Fields::default();
        let (user, name) = (fields.one("/user", &body.user), fields.one("/name", &body.name));
        let id: Option<TokenId> = fields.one("/id", &body.id);
        let digest = Digest::from_hex(&body.digest);
        if digest.is_none() {
            fields.fault("/digest", "is 64 hex digits");
        }
        fields.done()?;
        let (Some(user), Some(name), Some(id), Some(digest)) = (user, name, id, digest) else {
            return Err(Problem::not_found());
        };
        let token = self.service.holder(&TokenKey::new(user, name)).await?;
        let own = token.filter(|token| token.id == id && token.managed_by.as_ref() == Some(&manifest));
        let now = self.service.now();
        let version = own.and_then(|token| token.version_with(&digest, now));
        Response::json(200, &Confirmed { version })
    }
}

/// What a run may see of others' things.
struct Sight {
    all: bool,
    manifest: ManifestName,
    grant: Grant,
}

impl Sight {
    fn user(&self, name: &UserName, owner: Option<&ManifestName>) -> bool {
        owner == Some(&self.manifest) || self.grant.users.contains(name)
    }
}

struct Wanted {
    users: Vec<UserName>,
    tokens: Vec<TokenKey>,
    ids: Vec<TokenId>,
    expired: Vec<UserName>,
}

impl Wanted {
    fn read(body: &LookUp) -> Result<Self, Problem> {
        let mut fields = Fields::default();
        if body.tokens.len() > 500 {
            fields.fault("/tokens", "has at most 500 entries");
        }
        let tokens = body.tokens.clone();
        let users = fields.list("/users", &body.users);
        let ids = fields.list("/ids", &body.ids);
        let expired = fields.list("/expired", &body.expired);
        fields.done()?;
        Ok(Self { users, tokens, ids, expired })
    }
}

fn check_holder(pointer: &str, holder: &str) -> Result<(), Problem> {
    let good = (1..=HOLDER_MAX).contains(&holder.len()) && holder.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(()) } else { Err(Problem::field(pointer, "is 1 to 64 visible ASCII characters")) }
}

fn read_position(text: &str) -> Result<TokenKey, Problem> {
    let read = |text: &str| {
        let (user, name) = text.split_once('/')?;
        Some(TokenKey::new(user.parse().ok()?, name.parse().ok()?))
    };
    read(text).ok_or_else(|| Problem::field("?cursor", "was not given out"))
}
