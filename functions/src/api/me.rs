//! The function `list`, for who the caller is.

use super::Api;
use super::problem::Problem;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::Me;
use crate::user::UserKind;

routes! {
    whoAmI: GET "/v1/me" => who_am_i {
        summary: "Who the caller is, with which token, and what it permits",
        problems: [],
    }
}

async fn who_am_i(_: &Api, asked: &RoutedRequest<'_>) -> Result<Json<Me>, Problem> {
    let valid = asked.token();
    Ok(Json::new(Me {
        user: valid.user.clone(),
        kind: if valid.person { UserKind::Person } else { UserKind::Service },
        token: valid.name.clone(),
        id: valid.id.clone(),
        version: valid.version,
        fingerprint: valid.fingerprint.clone(),
        works_until: valid.expires,
        roles: valid.roles.clone(),
        permissions: valid.permissions.clone(),
        managed_by: valid.managed_by.clone(),
    }))
}
