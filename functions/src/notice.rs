//! Notices: what people are told of a token without asking.
//!
//! A notice never contains a secret. Its id is the same on every try, so that a receiver can tell a repetition.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::Seconds;
use crate::name::ManifestName;
use crate::secret::TokenId;
use crate::token::TokenKey;

/// So many days before a version expires its owner is told.
pub const MARKS: [u32; 5] = [30, 14, 7, 3, 1];
/// How long a notice is tried again where a receiver does not take it.
pub const TRIED_FOR: Seconds = Seconds::days(7);

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A token was created.
    Created,
    /// A token was revoked, or expired for good.
    Deleted,
    /// A newer version became current.
    Rotated,
    /// A version was revoked at once because it had leaked.
    Leaked,
    /// A version expires soon.
    Expiring,
    /// A rotation is due and was not done.
    Overdue,
    /// A rotation was tried and failed.
    RotationFailed,
    /// A token was used from an address from which it was not used before.
    UsedFromNewAddress,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Deleted,
        Self::Rotated,
        Self::Leaked,
        Self::Expiring,
        Self::Overdue,
        Self::RotationFailed,
        Self::UsedFromNewAddress,
    ];

    /// As it is written, in `on = [..]` too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Rotated => "rotated",
            Self::Leaked => "leaked",
            Self::Expiring => "expiring",
            Self::Overdue => "overdue",
            Self::RotationFailed => "rotation_failed",
            Self::UsedFromNewAddress => "used_from_new_address",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// A ULID: the same on every try.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// When that was.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// From which address; of [`NoticeKind::UsedFromNewAddress`] the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The token's owner and name.
    #[serde(flatten)]
    pub token: TokenKey,
    /// The token's public id.
    pub token_id: TokenId,
    /// The manifest that declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestName>,
    /// Which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// When that version expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What more there is to say, without a secret; it may contain text of whoever made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A notice that some receivers still have to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The notice.
    pub notice: Notice,
    /// How often it was tried.
    pub tries: u32,
    /// The receivers that took it.
    pub taken: BTreeSet<String>,
    /// When it is tried next: who claims it moves this.
    pub next: Timestamp,
}
