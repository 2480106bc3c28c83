//! Versions on their way.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TokenRecord;
use crate::bounds::PLACES_MAX;
use crate::place::PlaceId;
use crate::protocol::Arrival;
use crate::secret::TokenId;
use crate::service::Announced;
use crate::token::Token;

/// A version to be staged.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageVersion {
    /// The token's id.
    #[schemars(with = "TokenId")]
    pub id: String,
}

/// A version that is about to be written to places.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceVersion {
    /// The token's id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// Which places.
    #[schemars(length(min = 1, max = PLACES_MAX))]
    pub places: Vec<PlaceId>,
}

/// A step of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverVersion {
    /// The token's id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// Which step.
    pub state: DeliveryState,
    /// The sink's receipt, for `delivered`; never a value. At most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// When the look began that found the version there, at most 5 minutes ago, for `delivered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// A hash of what the place's vendor calls the entry, for `delivered`, where it is known. At most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Whether it replaced what somebody had changed outside Latchkey, for `delivered`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repairs: bool,
    /// Which announcement, for `withdrawn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<u64>,
}

impl DeliverVersion {
    /// A step of a delivery of a token, with nothing said about it.
    pub fn new(token: &Token, state: DeliveryState) -> Self {
        Self {
            id: token.id.to_string(),
            state,
            receipt: None,
            looked_at: None,
            identity: None,
            repairs: false,
            announcement: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The steps of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// A write is about to start.
    Announced,
    /// It arrived.
    Delivered,
    /// The write was sent at most once, and refused before it had any effect: nothing of it can arrive.
    Withdrawn,
}

/// The answer to a step of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// The record.
    pub token: TokenRecord,
    /// For `announced`: no write may start after it, by the service's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_before: Option<Timestamp>,
    /// For `announced`: how many seconds that is after the service answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_within: Option<u64>,
    /// For `announced`: what withdraws this announcement and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<u64>,
}

impl Delivered {
    /// What an announcement brings.
    pub(in crate::api) fn announced(announced: &Announced, now: Timestamp) -> Self {
        Self {
            token: TokenRecord::of(&announced.token, now),
            write_before: Some(announced.write_before),
            write_within: Some(announced.write_within.as_secs()),
            announcement: Some(announced.announcement),
        }
    }

    /// The record, without what an announcement brings.
    pub(in crate::api) fn of(token: &Token, now: Timestamp) -> Self {
        Self { token: TokenRecord::of(token, now), write_before: None, write_within: None, announcement: None }
    }
}

/// A delivery that is reported with a promotion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedDelivery {
    /// Where the version arrived.
    pub place: PlaceId,
    /// The sink's receipt; never a value. At most 200 bytes.
    pub receipt: String,
    /// When the look began that found the version there, at most 5 minutes ago.
    pub looked_at: Option<Timestamp>,
    /// A hash of what the place's vendor calls the entry, where it is known. At most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Whether it replaced what somebody had changed outside Latchkey.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repairs: bool,
}

impl ReportedDelivery {
    /// What it reports.
    pub(in crate::api) fn arrival(&self) -> Arrival<'_> {
        let identity = self.identity.as_deref();
        let (place, receipt) = (&self.place, self.receipt.as_str());
        Arrival { place, receipt, looked_at: self.looked_at, repairs: self.repairs, identity }
    }
}

impl From<&Arrival<'_>> for ReportedDelivery {
    /// What arrived, found by a look.
    fn from(arrival: &Arrival<'_>) -> Self {
        Self {
            place: arrival.place.clone(),
            receipt: arrival.receipt.to_owned(),
            looked_at: arrival.looked_at,
            identity: arrival.identity.map(str::to_owned),
            repairs: arrival.repairs,
        }
    }
}

/// A version to be promoted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteVersion {
    /// The token's id.
    #[schemars(with = "TokenId")]
    pub id: String,
    /// For a token that no manifest declares: how long its older versions stay valid, for instance `24h`; by default they
    /// end at once. A declared token has its manifest's overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = super::token::DURATION))]
    pub overlap: Option<String>,
    /// Deliveries to report with it, as one change: where a part is refused nothing is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = PLACES_MAX))]
    pub deliveries: Vec<ReportedDelivery>,
}
