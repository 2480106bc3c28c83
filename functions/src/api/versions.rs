//! The function `versions`.

use jiff::Timestamp;

use super::Api;
use super::callers::Verified;
use super::http::Response;
use super::problem::Problem;
use super::reading::{Asked, Fields, read_body};
use super::wire::{DeliverVersion, Delivered, DeliveryState, IssuedRecord, PromoteVersion, StageVersion, TokenRecord};
use crate::place::PlaceId;
use crate::protocol::Look;
use crate::secret::TokenId;
use crate::token::{Token, TokenRef};

/// The look that a request rests on.
pub(super) fn look(asked: &Asked<'_>) -> Result<Look, Problem> {
    let at: Timestamp = asked.demand("looked_at", "is an instant, RFC 3339")?;
    Ok(Look { at, revision: asked.demand("revision", "is the revision that was read before the look")? })
}

fn read_id(text: &str) -> Result<TokenId, Problem> {
    let mut fields = Fields::default();
    let id = fields.one("/id", text);
    fields.done()?;
    id.ok_or_else(Problem::not_found)
}

impl Api {
    fn record(&self, token: &Token) -> Result<Response, Problem> {
        let etag = format!("\"{}\"", token.revision);
        Ok(Response::json(200, &TokenRecord::of(token, self.service.now()))?.with("etag", etag))
    }

    pub(super) async fn stage_version(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let body: StageVersion = read_body(asked.request)?;
        let issued = self.service.stage(&by.caller, &TokenRef::new(key, read_id(&body.id)?)).await?;
        Response::json(201, &IssuedRecord::of(&issued, self.service.now()))
    }

    pub(super) async fn deliver_version(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let number: u32 = asked.path("version")?;
        let place: String = asked.path("place")?;
        let place = PlaceId::from_stored(&place);
        let body: DeliverVersion = read_body(asked.request)?;
        let token = TokenRef::new(key, read_id(&body.id)?);
        let now = self.service.now();
        let answer = match (body.state, body.receipt) {
            (DeliveryState::Announced, None) => {
                let announced = self.service.announce(&by.caller, &token, number, &place).await?;
                Delivered {
                    token: TokenRecord::of(&announced.token, now),
                    write_before: Some(announced.write_before),
                    write_within: Some(announced.write_within.as_secs()),
                }
            }
            (DeliveryState::Delivered, Some(receipt)) => {
                let token = self.service.deliver(&by.caller, &token, number, &place, &receipt).await?;
                Delivered { token: TokenRecord::of(&token, now), write_before: None, write_within: None }
            }
            (DeliveryState::Announced, Some(_)) => {
                return Err(Problem::field("/receipt", "comes with `delivered` only"));
            }
            (DeliveryState::Delivered, None) => return Err(Problem::field("/receipt", "is missing")),
        };
        Response::json(200, &answer)
    }

    pub(super) async fn promote_version(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let number: u32 = asked.path("version")?;
        let body: PromoteVersion = read_body(asked.request)?;
        let token = TokenRef::new(key, read_id(&body.id)?);
        self.record(&self.service.promote(&by.caller, &token, number).await?)
    }

    pub(super) async fn retire_version(&self, by: &Verified, asked: &Asked<'_>) -> Result<Response, Problem> {
        let key = asked.token()?;
        let number: u32 = asked.path("version")?;
        let token = TokenRef::new(key, asked.demand("id", "is not the id of a token")?);
        let force = asked.read("force", "is `true` or `false`")?.unwrap_or(false);
        if asked.read("compromised", "is `true` or `false`")?.unwrap_or(false) {
            return self.record(&self.service.end_compromised(&by.caller, &token, number, force).await?);
        }
        self.record(&self.service.retire(&by.caller, &token, number, look(asked)?, force).await?)
    }
}
