//! The function `delete`.

use jiff::Timestamp;
use schemars::SchemaGenerator;

use super::Api;
use super::forms::ReplyForm;
use super::http::Response;
use super::needs::{ENDS, NOTHING};
use super::parameters::{Given, query};
use super::problem::Problem;
use super::replies::{IntoResponse, Json, NoContent};
use super::request::RoutedRequest;
use super::rows::routes;
use super::versions::look;
use super::wire::TokenRecord;
use crate::secret::TokenId;
use crate::token::TokenKey;

routes! {
    deleteToken: DELETE "/v1/users/{user}/tokens/{name}" => Api::delete_token {
        summary: "Revokes a token: none of its secrets is valid once this returns",
        needs: ENDS,
        problems: [404, 409],
    }
    deleteOwnToken: DELETE "/v1/me/token" => Api::delete_own_token {
        summary: "Revokes the caller's own token",
        needs: NOTHING,
        problems: [404],
    }
}

query! {
    /// How a token is to be deleted: at once, or after a look at all places, for the run that looked.
    Ending {
        /// The id that the token must have.
        id: Given<TokenId>,
        /// When the look at all places began.
        looked_at: Given<Timestamp>,
        /// The record's revision that was read before the look.
        revision: Given<u64>,
    }
}

/// An ended token: its record, for the run that looked.
enum Ended {
    AtOnce,
    Leaving(Box<TokenRecord>),
}

impl IntoResponse for Ended {
    fn into_response(self) -> Result<Response, Problem> {
        match self {
            Self::AtOnce => NoContent.into_response(),
            Self::Leaving(record) => Json::<_, 200>::new(*record).into_response(),
        }
    }

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ReplyForm> {
        let mut forms = NoContent::describe(schemas);
        let leaving = Json::<TokenRecord>::describe(schemas);
        forms.extend(leaving.into_iter().map(|form| ReplyForm { description: "Done, after a look", ..form }));
        forms
    }
}

impl Api {
    async fn delete_token(&self, asked: &RoutedRequest<'_, TokenKey, Ending>) -> Result<Ended, Problem> {
        let (key, Ending { id, looked_at, revision }) = (asked.path()?, &asked.given);
        let id = id.read("is not the id of a token")?;
        if looked_at.text().is_none() {
            if revision.text().is_some() {
                return Err(looked_at.fault("must be set together with `revision`"));
            }
            self.service.delete(asked.caller(), &key, id.as_ref()).await?;
            return Ok(Ended::AtOnce);
        }
        let look = look(looked_at, revision)?;
        let ended = self.service.end_leaving(asked.caller(), &key, id.as_ref(), look).await?;
        Ok(Ended::Leaving(Box::new(TokenRecord::of(&ended, self.service.now()))))
    }

    async fn delete_own_token(&self, asked: &RoutedRequest<'_>) -> Result<NoContent, Problem> {
        self.service.delete_own(asked.caller(), asked.token()).await?;
        Ok(NoContent)
    }
}
