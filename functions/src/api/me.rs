//! The function `list`, for who the caller is.

use super::Api;
use super::needs::NOTHING;
use super::problem::Problem;
use super::replies::Json;
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::Me;

routes! {
    whoAmI: GET "/v1/me" => who_am_i {
        summary: "Shows the caller: user, token, roles and permissions",
        needs: NOTHING,
        problems: [],
    }
}

async fn who_am_i(_: &Api, asked: &RoutedRequest<'_>) -> Result<Json<Me>, Problem> {
    Ok(Json::new(Me::from(asked.token())))
}
