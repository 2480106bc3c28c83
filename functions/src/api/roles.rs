//! The function `roles`: tokens' fields and roles, roles and users.

use super::Api;
use super::needs::{CHANGES, SEES};
use super::parameters::IfMatch;
use super::problem::Problem;
use super::reading::Fields;
use super::replies::{Json, NoContent};
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{
    EditToken, PutRole, PutUser, RoleList, RoleRecord, SetRoles, TokenRecord, TokenRoles, UserList, UserRecord,
};
use crate::moving::Moving;
use crate::name::{ManifestName, RoleName, UserName};
use crate::place::PlaceId;
use crate::role::Permissions;
use crate::secret::TokenId;
use crate::service::{Edit, Forget, Role, UserChange};
use crate::token::{Token, TokenKey};

routes! {
    editToken: PATCH "/v1/users/{user}/tokens/{name}" => Api::edit_token {
        summary: "Changes a token, but not its secret",
        needs: CHANGES,
        problems: [403, 404, 409, 412],
    }
    tokenRoles: GET "/v1/users/{user}/tokens/{name}/roles" => Api::token_roles {
        summary: "Shows a token's roles and permissions",
        needs: SEES,
        problems: [404],
    }
    setTokenRoles: PUT "/v1/users/{user}/tokens/{name}/roles" => Api::set_token_roles {
        summary: "Replaces a token's roles",
        needs: CHANGES,
        problems: [403, 404, 409, 412],
    }
    listRoles: GET "/v1/roles" => Api::list_roles {
        summary: "Lists all roles",
        needs: "`admin:roles`",
        problems: [403],
    }
    showRole: GET "/v1/roles/{role}" => Api::show_role {
        summary: "Shows a role",
        needs: "`admin:roles`",
        problems: [403, 404],
    }
    putRole: PUT "/v1/roles/{role}" => Api::put_role {
        summary: "Creates a role, or changes its permissions",
        needs: "`admin:roles`, or `manifests:NAME` for the manifest's",
        problems: [403, 404, 409, 412],
    }
    deleteRole: DELETE "/v1/roles/{role}" => Api::delete_role {
        summary: "Deletes a role that no user has",
        needs: "`admin:roles`",
        problems: [403, 404, 409],
    }
    listUsers: GET "/v1/users" => Api::list_users {
        summary: "Lists all users",
        needs: "`admin:users`",
        problems: [403],
    }
    showUser: GET "/v1/users/{user}" => Api::show_user {
        summary: "Shows a user",
        needs: "none for oneself, `admin:users` for others",
        problems: [404],
    }
    putUser: PUT "/v1/users/{user}" => Api::put_user {
        summary: "Creates or changes a user",
        needs: "`admin:users`, or `manifests:NAME` for the manifest's",
        problems: [403, 404, 409],
    }
    deleteUser: DELETE "/v1/users/{user}" => Api::delete_user {
        summary: "Deletes a user without active tokens",
        needs: "`admin:users`",
        problems: [403, 404, 409],
    }
}

impl Api {
    async fn edit_token(
        &self,
        asked: &RoutedRequest<'_, TokenKey, IfMatch, EditToken>,
    ) -> Result<Json<TokenRecord>, Problem> {
        let key = asked.path()?;
        let (id, edit) = read_edit(&asked.body()?)?;
        let revision = asked.given.revision()?;
        let token = self.service.edit(asked.caller(), &key, id.as_ref(), revision, &edit).await?;
        Ok(Json::new(TokenRecord::of(&token, self.service.now())).etag(token.revision))
    }

    async fn token_roles(&self, asked: &RoutedRequest<'_, TokenKey>) -> Result<Json<TokenRoles>, Problem> {
        let key = asked.path()?;
        asked.caller().may_see(&key.user)?;
        let token = self.service.show(&key).await?.ok_or_else(Problem::not_found)?;
        self.roles_of(token).await
    }

    async fn roles_of(&self, token: Token) -> Result<Json<TokenRoles>, Problem> {
        let permissions = self.service.permissions_of(&token.roles).await?;
        Ok(Json::new(TokenRoles { roles: token.roles, permissions }).etag(token.revision))
    }

    async fn set_token_roles(
        &self,
        asked: &RoutedRequest<'_, TokenKey, IfMatch, SetRoles>,
    ) -> Result<Json<TokenRoles>, Problem> {
        let key = asked.path()?;
        let body = asked.body()?;
        let mut fields = Fields::default();
        let id: Option<TokenId> = fields.maybe("/id", body.id.as_deref());
        let roles = fields.list("/roles", &body.roles);
        fields.done()?;
        let edit = Edit { roles: Some(roles), ..Edit::default() };
        let revision = asked.given.revision()?;
        let token = self.service.edit(asked.caller(), &key, id.as_ref(), revision, &edit).await?;
        self.roles_of(token).await
    }

    async fn list_roles(&self, asked: &RoutedRequest<'_>) -> Result<Json<RoleList>, Problem> {
        asked.caller().may_read_roles()?;
        let roles = self.service.list_roles().await?.into_iter().map(RoleRecord::from).collect();
        Ok(Json::new(RoleList { roles }))
    }

    async fn show_role(&self, asked: &RoutedRequest<'_, RoleName>) -> Result<Json<RoleRecord>, Problem> {
        asked.caller().may_read_roles()?;
        let role = self.service.role(&asked.path()?).await?.ok_or_else(Problem::not_found)?;
        Ok(shown(role))
    }

    async fn put_role(
        &self,
        asked: &RoutedRequest<'_, RoleName, IfMatch, PutRole>,
    ) -> Result<Json<RoleRecord>, Problem> {
        let name = asked.path()?;
        let body = asked.body()?;
        let mut fields = Fields::default();
        let permissions: Permissions = fields.list("/permissions", &body.permissions).into_iter().collect();
        let manifest = fields.maybe("/manifest", body.manifest.as_ref().and_then(Option::as_deref));
        let moving = read_moving(&mut fields, manifest.as_ref(), body.moved_from.as_deref(), body.moved_to.as_ref());
        let moving = Moving { release: body.manifest == Some(None), ..moving };
        fields.done()?;
        let declared = (manifest.as_ref(), &moving);
        let revision = asked.given.revision()?;
        let role = self.service.declare_role(asked.caller(), &name, revision, &permissions, declared).await?;
        Ok(shown(role))
    }

    async fn delete_role(&self, asked: &RoutedRequest<'_, RoleName>) -> Result<NoContent, Problem> {
        self.service.delete_role(asked.caller(), &asked.path()?).await?;
        Ok(NoContent)
    }

    async fn list_users(&self, asked: &RoutedRequest<'_>) -> Result<Json<UserList>, Problem> {
        asked.caller().may_read_users()?;
        let (users, policy) = (self.service.list_users().await?, self.service.policy());
        let users = users.into_iter().map(|user| UserRecord::of(user, &policy)).collect();
        Ok(Json::new(UserList { users }))
    }

    async fn show_user(&self, asked: &RoutedRequest<'_, UserName>) -> Result<Json<UserRecord>, Problem> {
        let name = asked.path()?;
        asked.caller().may_read_user(&name)?;
        let user = self.service.user(&name).await?.ok_or_else(Problem::not_found)?;
        Ok(Json::new(UserRecord::of(user, &self.service.policy())))
    }

    async fn put_user(&self, asked: &RoutedRequest<'_, UserName, (), PutUser>) -> Result<Json<UserRecord>, Problem> {
        let name = asked.path()?;
        let body = asked.body()?;
        let mut fields = Fields::default();
        let roles = body.roles.as_deref().map(|roles| fields.list("/roles", roles));
        let managed_by = fields.maybe("/manifest", body.manifest.as_ref().and_then(Option::as_deref));
        let moving = read_moving(&mut fields, managed_by.as_ref(), body.moved_from.as_deref(), body.moved_to.as_ref());
        let moving = Moving { release: body.manifest == Some(None), ..moving };
        fields.done()?;
        let (kind, max_tokens, suspended, email) = (body.kind, body.max_tokens, body.suspended, body.email.clone());
        let change = UserChange { kind, roles, max_tokens, suspended, email, managed_by, moving };
        let user = self.service.put_user(asked.caller(), &name, &change).await?;
        Ok(Json::new(UserRecord::of(user, &self.service.policy())))
    }

    async fn delete_user(&self, asked: &RoutedRequest<'_, UserName>) -> Result<NoContent, Problem> {
        self.service.delete_user(asked.caller(), &asked.path()?).await?;
        Ok(NoContent)
    }
}

fn shown(role: Role) -> Json<RoleRecord> {
    let revision = role.revision;
    Json::new(RoleRecord::from(role)).etag(revision)
}

/// What a request says of a move; what is taken has to get a manifest.
fn read_moving(
    fields: &mut Fields,
    manifest: Option<&ManifestName>,
    from: Option<&str>,
    to: Option<&Option<String>>,
) -> Moving {
    let from = fields.maybe("/moved_from", from);
    if from.is_some() && manifest.is_none() {
        fields.fault("/moved_from", "comes with `manifest` only");
    }
    Moving { from, to: to.map(|to| fields.maybe("/moved_to", to.as_deref())), release: false }
}

fn read_edit(body: &EditToken) -> Result<(Option<TokenId>, Edit), Problem> {
    let mut fields = Fields::default();
    let id = fields.maybe("/id", body.id.as_deref());
    let managed_by = fields.maybe("/manifest", body.manifest.as_deref());
    let moving = read_moving(&mut fields, managed_by.as_ref(), body.moved_from.as_deref(), body.moved_to.as_ref());
    let edit = Edit {
        name: fields.maybe("/name", body.name.as_deref()),
        description: body.description.clone(),
        roles: body.roles.as_deref().map(|roles| fields.list("/roles", roles)),
        labels: body.labels.clone(),
        allowed_ips: body.allowed_ips.as_deref().map(|networks| fields.networks("/allowed_ips", networks)),
        expires_at: fields.expiry("/expires_at", body.expires_at.as_deref()),
        terms: fields.terms(body.terms.as_ref()),
        places: body.places.clone(),
        forget: body
            .forget
            .as_deref()
            .map(|place| Forget { place: PlaceId::from_stored(place), looked_at: body.looked_at }),
        managed_by,
        moving,
        leaving: body.leaving,
    };
    if body.looked_at.is_some() && body.forget.is_none() {
        fields.fault("/looked_at", "comes with `forget` only");
    }
    fields.done()?;
    Ok((id, edit))
}
