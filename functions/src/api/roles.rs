//! The function `roles`: tokens' fields and roles, roles and users.

use super::Api;
use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::{Asked, Fields, read_body};
use super::wire::{
    EditToken, PutRole, PutUser, RoleList, RoleRecord, SetRoles, TokenRecord, TokenRoles, UserList, UserRecord,
};
use crate::name::{RoleName, UserName};
use crate::role::Permissions;
use crate::secret::TokenId;
use crate::service::{Edit, UserChange};
use crate::token::Token;

impl Api {
    fn edited(&self, token: &Token) -> Result<Response, Problem> {
        let etag = format!("\"{}\"", token.revision);
        Ok(Response::json(200, &TokenRecord::of(token, self.service.now()))?.with("etag", etag))
    }

    pub(super) async fn edit_token(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let (id, edit) = read_edit(&read_body(asked.request)?)?;
        let revision = asked.revision()?;
        let token = self.service.edit(&by.caller, &key, id.as_ref(), revision, &edit).await?;
        self.edited(&token)
    }

    pub(super) async fn token_roles(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        by.caller.may_see(&key.user)?;
        let token = self.service.show(&key).await?.ok_or_else(Problem::not_found)?;
        self.roles_of(token).await
    }

    async fn roles_of(&self, token: Token) -> Result<Response, Problem> {
        let permissions = self.service.permissions_of(&token.roles).await?;
        let etag = format!("\"{}\"", token.revision);
        Ok(Response::json(200, &TokenRoles { roles: token.roles, permissions })?.with("etag", etag))
    }

    pub(super) async fn set_token_roles(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let body: SetRoles = read_body(asked.request)?;
        let mut fields = Fields::default();
        let id: Option<TokenId> = fields.maybe("/id", body.id.as_deref());
        let roles = fields.list("/roles", &body.roles);
        fields.done()?;
        let edit = Edit { roles: Some(roles), ..Edit::default() };
        let revision = asked.revision()?;
        let token = self.service.edit(&by.caller, &key, id.as_ref(), revision, &edit).await?;
        self.roles_of(token).await
    }

    pub(super) async fn list_roles(&self, by: &Verified) -> Result<Response, Problem> {
        by.caller.must_have("admin:roles")?;
        let roles = self.service.list_roles().await?.into_iter().map(RoleRecord::from).collect();
        Response::json(200, &RoleList { roles })
    }

    pub(super) async fn show_role(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        by.caller.must_have("admin:roles")?;
        let role = self.service.role(&asked.path("role")?).await?.ok_or_else(Problem::not_found)?;
        Response::json(200, &RoleRecord::from(role))
    }

    pub(super) async fn put_role(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let name: RoleName = asked.path("role")?;
        let body: PutRole = read_body(asked.request)?;
        let mut fields = Fields::default();
        let permissions: Permissions = fields.list("/permissions", &body.permissions).into_iter().collect();
        let manifest = fields.maybe("/manifest", body.manifest.as_deref());
        fields.done()?;
        let role = self.service.put_role(&by.caller, &name, &permissions, manifest.as_ref()).await?;
        Response::json(200, &RoleRecord::from(role))
    }

    pub(super) async fn delete_role(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        self.service.delete_role(&by.caller, &asked.path("role")?).await?;
        Ok(Response::nothing())
    }

    pub(super) async fn list_users(&self, by: &Verified) -> Result<Response, Problem> {
        by.caller.must_have("admin:users")?;
        let users = self.service.list_users().await?.into_iter().map(UserRecord::from).collect();
        Response::json(200, &UserList { users })
    }

    pub(super) async fn show_user(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let name: UserName = asked.user()?;
        if by.caller.user() != Some(&name) && !by.caller.has("admin:users") {
            return Err(Problem::not_found());
        }
        let user = self.service.user(&name).await?.ok_or_else(Problem::not_found)?;
        Response::json(200, &UserRecord::from(user))
    }

    pub(super) async fn put_user(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let name: UserName = asked.user()?;
        let body: PutUser = read_body(asked.request)?;
        let mut fields = Fields::default();
        let roles = body.roles.as_deref().map(|roles| fields.list("/roles", roles));
        let managed_by = fields.maybe("/manifest", body.manifest.as_deref());
        fields.done()?;
        let (kind, max_tokens, suspended) = (body.kind, body.max_tokens, body.suspended);
        let change = UserChange { kind, roles, max_tokens, suspended, managed_by };
        let user = self.service.put_user(&by.caller, &name, &change).await?;
        Response::json(200, &UserRecord::from(user))
    }

    pub(super) async fn delete_user(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        self.service.delete_user(&by.caller, &asked.user()?).await?;
        Ok(Response::nothing())
    }
}

fn read_edit(body: &EditToken) -> Result<(Option<TokenId>, Edit), Problem> {
    let mut fields = Fields::default();
    let id = fields.maybe("/id", body.id.as_deref());
    let edit = Edit {
        name: fields.maybe("/name", body.name.as_deref()),
        description: body.description.clone(),
        roles: body.roles.as_deref().map(|roles| fields.list("/roles", roles)),
        labels: body.labels.clone(),
        allowed_ips: body.allowed_ips.as_deref().map(|networks| fields.networks("/allowed_ips", networks)),
        expires_at: fields.expiry("/expires_at", body.expires_at.as_deref()),
        terms: fields.terms(body.terms.as_ref()),
        places: body.places.clone(),
        forget: body.forget.as_deref().map(crate::place::PlaceId::from_stored),
        managed_by: fields.maybe("/manifest", body.manifest.as_deref()),
        leaving: body.leaving,
    };
    fields.done()?;
    Ok((id, edit))
}
