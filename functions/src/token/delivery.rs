//! Where versions went: each on its way to a place, and the places themselves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::Seconds;
use crate::place::Place;

/// One version on its way to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was last announced.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub announced: Timestamp,
    /// When it was reported delivered.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub delivered: Option<Timestamp>,
    /// Whether it may be there whatever is withdrawn: it was delivered, or announced by somebody who withdraws nothing.
    #[serde(default = "stands", skip_serializing_if = "is_standing")]
    pub stands: bool,
    /// The announcements that their runs may still withdraw, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<u64>,
}

impl Delivery {
    /// A push whose announcement nobody withdraws.
    pub fn standing(announced: Timestamp, delivered: Option<Timestamp>) -> Self {
        Self { announced, delivered, stands: true, open: Vec::new() }
    }
}

fn stands() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_standing(stands: &bool) -> bool {
    *stands
}

/// A place that may contain a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlaceRecord {
    /// The place, spelled out.
    pub place: Place,
    /// Whether the manifest declares it now.
    pub declared: bool,
    /// The receipt of the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The version of the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// A hash of what its vendor calls the entry, however settings spell it: places that have it in common are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How often it was repaired, lately, after somebody had changed it outside Latchkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repairs: Option<Repairs>,
}

impl PlaceRecord {
    /// A place that is declared, and where nothing has been delivered.
    pub fn new(place: Place) -> Self {
        Self { place, declared: true, receipt: None, version: None, identity: None, repairs: None }
    }
}

/// Repairs of one place, none of them more than 30 days after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repairs {
    /// How many.
    pub times: u32,
    /// The first.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub since: Timestamp,
    /// The last.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub last: Timestamp,
}

impl Repairs {
    /// Whether one more would count with these.
    pub fn are_recent(&self, now: Timestamp) -> bool {
        now < Seconds::days(30).after(self.last)
    }
}
