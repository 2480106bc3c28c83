//! The function `manifests`: what a declarative run needs beyond single tokens.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Api;
use super::needs::{PLANS, READS_MANIFEST, RUNS};
use super::parameters::{Given, Limit, Needed, query};
use super::problem::Problem;
use super::reading::Fields;
use super::replies::{Json, NoContent};
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{
    Applied, ClockBehindEntry, Confirm, Confirmed, HOLDER, LeaseRecord, LookUp, LookedUp, ManifestEntry, ManifestList,
    ManifestTokens, ManifestView, PutGrant, PutManifest, RoleRecord, TakeLease, TokenRecord, UserRecord,
};
use crate::name::{ManifestName, UserName};
use crate::secret::{Digest, TokenId};
use crate::service::{Grant, Origin};
use crate::token::{Token, TokenKey, TokenState};

routes! {
    listManifests: GET "/v1/manifests" => Api::list_manifests {
        summary: "Lists manifests: what was applied, published and rotated last",
        needs: "`manifests-read:*`, `manifests:*` or `admin:roles`",
        problems: [403],
    }
    showManifest: GET "/v1/manifests/{manifest}" => Api::show_manifest {
        summary: "Shows a manifest: its revision, grant, lease and publication",
        needs: READS_MANIFEST,
        problems: [404],
    }
    noteApplied: PUT "/v1/manifests/{manifest}" => Api::note_applied {
        summary: "Records that a revision of the manifest is about to be applied",
        needs: RUNS,
        problems: [404],
    }
    manifestTokens: GET "/v1/manifests/{manifest}/tokens" => Api::manifest_tokens {
        summary: "Lists a manifest's tokens",
        needs: "`manifests-read:NAME`, `manifests:NAME` or `admin:tokens`",
        problems: [404],
    }
    lookUp: POST "/v1/manifests/{manifest}/lookup" => Api::look_up {
        summary: "Looks up the users, roles, tokens and token ids that a plan refers to",
        needs: PLANS,
        problems: [404],
    }
    confirm: POST "/v1/manifests/{manifest}/confirm" => Api::confirm {
        summary: "Finds the version of a token that has a digest",
        needs: PLANS,
        problems: [404],
    }
    setGrant: PUT "/v1/manifests/{manifest}/grant" => Api::set_grant {
        summary: "Sets what a manifest is allowed to grant",
        needs: "both `admin:roles` and `admin:tokens`, and all that is granted",
        problems: [403, 404],
    }
    takeLease: PUT "/v1/manifests/{manifest}/lease" => Api::take_lease {
        summary: "Takes or renews a manifest's lease",
        needs: RUNS,
        problems: [404, 409],
    }
    freeLease: DELETE "/v1/manifests/{manifest}/lease" => Api::free_lease {
        summary: "Releases a lease",
        needs: RUNS,
        problems: [404],
    }
}

query! {
    /// A page of manifests.
    PageOfManifests {
        /// The maximum number of entries on a page.
        limit: Given<Limit<LIST_MAX>>,
        /// `next` of the previous page.
        cursor: Given<ManifestName>,
    }
}

query! {
    /// A page of a manifest's tokens.
    Paging {
        /// The maximum number of entries on a page.
        limit: Given<Limit<PAGE_MAX>>,
        /// `next` of the previous page.
        cursor: Given<String>,
    }
}

query! {
    /// Whose lease is released.
    Freeing {
        /// The run that has the lease.
        holder: Needed<Holder>,
    }
}

/// The longest page of manifests: each takes a count.
const LIST_MAX: i32 = 50;
/// The longest page of a manifest's tokens.
const PAGE_MAX: i32 = 500;
/// The longest name of a run that takes a lease.
const HOLDER_MAX: usize = 64;
const HOLDER_RULE: &str = "is 1 to 64 visible ASCII characters";

impl Api {
    async fn list_manifests(
        &self,
        asked: &RoutedRequest<'_, (), PageOfManifests>,
    ) -> Result<Json<ManifestList>, Problem> {
        asked.caller().may_list_manifests()?;
        let after = asked.given.cursor.read("is not a cursor from an earlier page")?;
        let page = self.service.manifest_page(asked.given.limit.or(LIST_MAX)?, after.as_ref()).await?;
        Ok(Json::new(ManifestList {
            manifests: page.manifests.into_iter().map(ManifestEntry::from).collect(),
            next: page.next,
        }))
    }

    async fn manifest_tokens(
        &self,
        asked: &RoutedRequest<'_, ManifestName, Paging>,
    ) -> Result<Json<ManifestTokens>, Problem> {
        let (manifest, Paging { limit, cursor }) = (asked.path()?, &asked.given);
        asked.caller().may_read_tokens_of(&manifest)?;
        let (from, limit) = (position(cursor)?, limit.or(PAGE_MAX)?);
        let page = self.service.managed_page(&manifest, limit, from.as_ref()).await?;
        let (now, behind) = (self.service.now(), self.service.clock_behind().await?);
        Ok(Json::new(ManifestTokens {
            tokens: page.tokens.iter().map(|token| TokenRecord::of(token, now)).collect(),
            next: page.next.map(|key| key.to_string()),
            max_tokens: self.service.policy().max_tokens,
            clock_behind: behind.map(|behind| ClockBehindEntry { now: behind.now, seen: behind.seen }),
        }))
    }

    async fn show_manifest(&self, asked: &RoutedRequest<'_, ManifestName>) -> Result<Json<ManifestView>, Problem> {
        let manifest = asked.path()?;
        asked.caller().may_read_manifest(&manifest)?;
        self.view(&manifest).await
    }

    async fn view(&self, manifest: &ManifestName) -> Result<Json<ManifestView>, Problem> {
        let record = self.service.manifest(manifest).await?;
        let lease = self.service.lease(manifest).await?;
        let publication = self.service.publication(manifest).await?;
        if record.is_none() && lease.is_none() && publication.is_none() {
            return Err(Problem::not_found());
        }
        Ok(Json::new(ManifestView::of(manifest, record, lease, publication.as_ref())))
    }

    async fn note_applied(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), PutManifest>,
    ) -> Result<NoContent, Problem> {
        let manifest = asked.path()?;
        let PutManifest { applied } = asked.body()?;
        let Applied { revision, window } = applied;
        self.service.note_applied(asked.caller(), &manifest, revision, window.as_deref()).await?;
        Ok(NoContent)
    }

    async fn set_grant(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), PutGrant>,
    ) -> Result<Json<ManifestView>, Problem> {
        let manifest = asked.path()?;
        let body = asked.body()?;
        let mut fields = Fields::default();
        let grant = Grant {
            permissions: fields.list("/permissions", &body.permissions).into_iter().collect(),
            roles: fields.list("/roles", &body.roles).into_iter().collect(),
            users: fields.list("/users", &body.users).into_iter().collect(),
            new_users: fields.list("/new_users", &body.new_users).into_iter().collect(),
            new_roles: fields.list("/new_roles", &body.new_roles).into_iter().collect(),
            max_users: body.max_users,
            max_roles: body.max_roles,
            entries: fields.list("/entries", &body.entries).into_iter().collect(),
            at: None,
        };
        fields.done()?;
        self.service.set_grant(asked.caller(), &manifest, &grant).await?;
        self.view(&manifest).await
    }

    async fn take_lease(
        &self,
        asked: &RoutedRequest<'_, ManifestName, (), TakeLease>,
    ) -> Result<Json<LeaseRecord>, Problem> {
        let manifest = asked.path()?;
        let body = asked.body()?;
        let Holder(holder) = body.holder.parse().map_err(|rule: &str| Problem::field("/holder", rule))?;
        let lease = match &body.token {
            Some(_) if body.steal => return Err(Problem::field("/steal", "does not come with `token`")),
            Some(token) => self.service.take_lease_to_move(asked.caller(), &manifest, &holder, token).await?,
            None => self.service.take_lease(asked.caller(), &manifest, &holder, body.steal).await?,
        };
        Ok(Json::new(lease.into()))
    }

    async fn free_lease(&self, asked: &RoutedRequest<'_, ManifestName, Freeing>) -> Result<NoContent, Problem> {
        let manifest = asked.path()?;
        let Holder(holder) = asked.given.holder.read(HOLDER_RULE)?;
        self.service.free_lease(asked.caller(), &manifest, &holder).await?;
        Ok(NoContent)
    }

    async fn look_up(&self, asked: &RoutedRequest<'_, ManifestName, (), LookUp>) -> Result<Json<LookedUp>, Problem> {
        let manifest = asked.path()?;
        let body = asked.body()?;
        asked.caller().may_plan(&manifest)?;
        let wanted = LookupRequest::read(&body)?;
        let visibility = self.service.visibility(asked.caller(), &manifest).await?;
        let mut answer = LookedUp::default();
        let mut names: Vec<UserName> = wanted.users.clone();
        names.extend(wanted.tokens.iter().map(|key| key.user.clone()));
        names.extend(wanted.expired.iter().cloned());
        names.sort();
        names.dedup();
        let mut users = self.service.users(&names).await?;
        users.retain(|user| visibility.shows_user(user));
        let visible = |name: &UserName| users.iter().any(|user| user.name == *name);
        let named = users.iter().filter(|user| wanted.users.contains(&user.name));
        let policy = self.service.policy();
        answer.users = named.cloned().map(|user| UserRecord::of(user, &policy)).collect();
        if body.roles {
            let roles = self.service.list_roles().await?.into_iter();
            answer.roles = roles.filter(|role| visibility.shows_role(role)).map(RoleRecord::from).collect();
        }
        let tokens: Vec<TokenKey> = wanted.tokens.into_iter().filter(|key| visible(&key.user)).collect();
        let now = self.service.now();
        let held = self.service.holders(&tokens).await?;
        answer.tokens = held.iter().map(|token| TokenRecord::of(token, now)).collect();
        let origins = self.service.origins(&wanted.ids).await?.into_iter();
        let (shown, others): (Vec<Origin>, Vec<Origin>) = origins.partition(|origin| visibility.shows_origin(origin));
        answer.origins = shown;
        let valid = others.into_iter().filter(|origin| origin.managed_by.is_some() && !origin.ended);
        answer.elsewhere = valid.map(|origin| origin.id).collect();
        for user in wanted.expired.iter().filter(|user| visible(user)) {
            answer.expired.insert(user.clone(), self.count_expired(user).await?);
        }
        Ok(Json::new(answer))
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

    async fn confirm(&self, asked: &RoutedRequest<'_, ManifestName, (), Confirm>) -> Result<Json<Confirmed>, Problem> {
        let manifest = asked.path()?;
        let body = asked.body()?;
        asked.caller().may_plan(&manifest)?;
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
        let is_for =
            |token: &Token| token.managed_by.as_ref() == Some(&manifest) || token.moved_to.as_ref() == Some(&manifest);
        let own = token.filter(|token| token.id == id && is_for(token));
        let now = self.service.now();
        let version = own.and_then(|token| token.version_with(&digest, now));
        Ok(Json::new(Confirmed { version }))
    }
}

/// What a lookup asks for, read.
struct LookupRequest {
    users: Vec<UserName>,
    tokens: Vec<TokenKey>,
    ids: Vec<TokenId>,
    expired: Vec<UserName>,
}

impl LookupRequest {
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

/// The run that takes a lease, by a random word.
struct Holder(String);

impl FromStr for Holder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let good = (1..=HOLDER_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err(HOLDER_RULE) }
    }
}

impl JsonSchema for Holder {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Holder".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": HOLDER })
    }
}

/// The token that a page starts after.
pub(super) fn position(cursor: &Given<String>) -> Result<Option<TokenKey>, Problem> {
    let read = |text: &str| {
        let (user, name) = text.split_once('/')?;
        Some(TokenKey::new(user.parse().ok()?, name.parse().ok()?))
    };
    let fault = || cursor.fault("is not a cursor from an earlier page");
    cursor.text().map(|text| read(text).ok_or_else(fault)).transpose()
}
