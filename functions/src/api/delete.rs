//! The function `delete`.

use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::Asked;
use super::wire::TokenRecord;
use super::{Api, versions::look};

impl Api {
    pub(super) async fn delete_token(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let (key, id) = (asked.token()?, asked.id()?);
        if asked.query("looked_at").is_none() {
            if asked.query("revision").is_some() {
                return Err(Problem::field("?looked_at", "goes with `revision`"));
            }
            self.service.delete(&by.caller, &key, id.as_ref()).await?;
            return Ok(Response::nothing());
        }
        let look = look(asked)?;
        let ended = self.service.end_leaving(&by.caller, &key, id.as_ref(), look).await?;
        Response::json(200, &TokenRecord::of(&ended, self.service.now()))
    }

    pub(super) async fn delete_own_token(&self, by: &Verified) -> Result<Response, Problem> {
        self.service.delete_own(&by.caller, &by.valid).await?;
        Ok(Response::nothing())
    }
}
