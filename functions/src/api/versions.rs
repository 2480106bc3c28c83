//! The function `versions`.

use jiff::Timestamp;

use super::Api;
use super::needs::{CHANGES, PROMOTES, RUNS};
use super::parameters::{Given, Needed, query};
use super::path::VersionNumber;
use super::problem::Problem;
use super::reading::Fields;
use super::replies::{Created, Json};
use super::request::RoutedRequest;
use super::rows::routes;
use super::wire::{
    AnnounceVersion, DeliverVersion, Delivered, DeliveryState, IssuedRecord, PromoteVersion, ReportedDelivery,
    StageVersion, TokenRecord,
};
use crate::bounds::{PLACES_MAX, is_plain};
use crate::lifetime::Seconds;
use crate::place::PlaceId;
use crate::protocol::{Arrival, Look};
use crate::secret::TokenId;
use crate::token::{Token, TokenKey, TokenRef};

routes! {
    stageVersion: POST "/v1/users/{user}/tokens/{name}/versions" => Api::stage_version {
        summary: "Stages a version and returns its secret, which is shown only once",
        needs: CHANGES,
        problems: [403, 404, 409],
    }
    deliverVersion: PUT "/v1/users/{user}/tokens/{name}/versions/{version}/deliveries/{place}" => Api::deliver_version {
        summary: "Announces that a version is about to be written to a place, withdraws that, or reports its delivery",
        needs: RUNS,
        problems: [403, 404, 409],
    }
    announceVersion: POST "/v1/users/{user}/tokens/{name}/versions/{version}/announcements" => Api::announce_version {
        summary: "Announces that a version is about to be written to several places, as one change",
        needs: RUNS,
        problems: [403, 404, 409],
    }
    promoteVersion: POST "/v1/users/{user}/tokens/{name}/versions/{version}/promote" => Api::promote_version {
        summary: "Promotes a staged version, and reports deliveries with it",
        needs: PROMOTES,
        problems: [403, 404, 409],
    }
    retireVersion: DELETE "/v1/users/{user}/tokens/{name}/versions/{version}" => Api::retire_version {
        summary: "Retires an older version after a look that found it nowhere, or revokes a leaked one at once",
        needs: CHANGES,
        problems: [403, 404, 409],
    }
}

/// The names in the path of a version.
type VersionPath = (TokenKey, VersionNumber);

query! {
    /// How a version is to be retired.
    Retiring {
        /// The id that the token must have.
        id: Needed<TokenId>,
        /// When the look at all places began; required unless `compromised`.
        looked_at: Given<Timestamp>,
        /// The record's revision that was read before the look.
        revision: Given<u64>,
        /// Retire it even if it was used recently; with `compromised`, even if no newer version is current yet.
        force: Given<bool>,
        /// It has leaked: revoke it at once, whatever its overlap and use, and wherever it is stored.
        compromised: Given<bool>,
    }
}

/// The look that a request rests on.
pub(super) fn look(looked_at: &Given<Timestamp>, revision: &Given<u64>) -> Result<Look, Problem> {
    let at = looked_at.demand("is an instant, RFC 3339")?;
    Ok(Look { at, revision: revision.demand("is the revision that was read before the look")? })
}

fn read_id(text: &str) -> Result<TokenId, Problem> {
    let mut fields = Fields::default();
    let id = fields.one("/id", text);
    fields.done()?;
    id.ok_or_else(Problem::not_found)
}

/// Demands one line: a receipt is printed.
fn plain(pointer: &str, receipt: &str) -> Result<(), Problem> {
    if is_plain(receipt) { Ok(()) } else { Err(Problem::field(pointer, "is one line without control characters")) }
}

impl Api {
    fn record(&self, token: &Token) -> Json<TokenRecord> {
        Json::new(TokenRecord::of(token, self.service.now())).etag(token.revision)
    }

    async fn stage_version(
        &self,
        asked: &RoutedRequest<'_, TokenKey, (), StageVersion>,
    ) -> Result<Created<IssuedRecord>, Problem> {
        let token = TokenRef::new(asked.path()?, read_id(&asked.body()?.id)?);
        let issued = self.service.stage(asked.caller(), &token).await?;
        Ok(Created::new(IssuedRecord::of(&issued, self.service.now())))
    }

    async fn deliver_version(
        &self,
        asked: &RoutedRequest<'_, (TokenKey, VersionNumber, PlaceId), (), DeliverVersion>,
    ) -> Result<Json<Delivered>, Problem> {
        let (key, VersionNumber(number), place) = asked.path()?;
        let body = asked.body()?;
        let token = TokenRef::new(key, read_id(&body.id)?);
        let now = self.service.now();
        let DeliverVersion { state, receipt, looked_at, repairs, identity, announcement, .. } = body;
        if announcement.is_some() != (state == DeliveryState::Withdrawn) {
            let (comes, missing) = ("comes with `withdrawn` only", "is missing");
            return Err(Problem::field("/announcement", if announcement.is_some() { comes } else { missing }));
        }
        let answer = match (state, receipt) {
            (DeliveryState::Announced, None) => {
                Delivered::announced(&self.service.announce(asked.caller(), &token, number, &place).await?, now)
            }
            (DeliveryState::Delivered, Some(receipt)) => {
                plain("/receipt", &receipt)?;
                let identity = identity.as_deref();
                let arrival = Arrival { place: &place, receipt: &receipt, looked_at, repairs, identity };
                Delivered::of(&self.service.deliver(asked.caller(), &token, number, &arrival).await?, now)
            }
            (DeliveryState::Withdrawn, None) => {
                let announcement = (&place, announcement.unwrap_or_default());
                Delivered::of(&self.service.withdraw(asked.caller(), &token, number, announcement).await?, now)
            }
            (DeliveryState::Announced | DeliveryState::Withdrawn, Some(_)) => {
                return Err(Problem::field("/receipt", "comes with `delivered` only"));
            }
            (DeliveryState::Delivered, None) => return Err(Problem::field("/receipt", "is missing")),
        };
        Ok(Json::new(answer))
    }

    async fn announce_version(
        &self,
        asked: &RoutedRequest<'_, VersionPath, (), AnnounceVersion>,
    ) -> Result<Json<Delivered>, Problem> {
        let (key, VersionNumber(number)) = asked.path()?;
        let AnnounceVersion { id, places } = asked.body()?;
        let token = TokenRef::new(key, read_id(&id)?);
        if places.is_empty() || places.len() > PLACES_MAX {
            return Err(Problem::field("/places", format!("has one to {PLACES_MAX} places")));
        }
        let announced = self.service.announce_each(asked.caller(), &token, number, &places).await?;
        Ok(Json::new(Delivered::announced(&announced, self.service.now())))
    }

    async fn promote_version(
        &self,
        asked: &RoutedRequest<'_, VersionPath, (), PromoteVersion>,
    ) -> Result<Json<TokenRecord>, Problem> {
        let (key, VersionNumber(number)) = asked.path()?;
        let body = asked.body()?;
        let mut fields = Fields::default();
        let id: Option<TokenId> = fields.one("/id", &body.id);
        let overlap: Option<Seconds> = fields.maybe("/overlap", body.overlap.as_deref());
        fields.done()?;
        let token = TokenRef::new(key, id.ok_or_else(Problem::not_found)?);
        let deliveries = &body.deliveries;
        if deliveries.len() > PLACES_MAX {
            return Err(Problem::field("/deliveries", format!("has at most {PLACES_MAX} places")));
        }
        for (index, delivery) in deliveries.iter().enumerate() {
            plain(&format!("/deliveries/{index}/receipt"), &delivery.receipt)?;
        }
        Ok(self.record(&match overlap {
            Some(_) if !deliveries.is_empty() => {
                return Err(Problem::field("/deliveries", "comes without `overlap` only"));
            }
            Some(overlap) => self.service.promote_by_hand(asked.caller(), &token, number, overlap).await?,
            None => {
                let arrivals: Vec<Arrival<'_>> = deliveries.iter().map(ReportedDelivery::arrival).collect();
                self.service.promote_arrived(asked.caller(), &token, number, &arrivals).await?
            }
        }))
    }

    async fn retire_version(
        &self,
        asked: &RoutedRequest<'_, VersionPath, Retiring>,
    ) -> Result<Json<TokenRecord>, Problem> {
        let ((key, VersionNumber(number)), given) = (asked.path()?, &asked.given);
        let token = TokenRef::new(key, given.id.read("is not the id of a token")?);
        let force = given.force.read("is `true` or `false`")?.unwrap_or(false);
        if given.compromised.read("is `true` or `false`")?.unwrap_or(false) {
            return Ok(self.record(&self.service.end_compromised(asked.caller(), &token, number, force).await?));
        }
        let look = look(&given.looked_at, &given.revision)?;
        Ok(self.record(&self.service.retire(asked.caller(), &token, number, look, force).await?))
    }
}
