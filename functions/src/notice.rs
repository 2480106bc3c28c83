//! Notices: what people are told of a token without asking.
//!
//! A notice never contains a secret. Its id is the same on every try, so that a receiver can tell a repetition.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::name::ManifestName;
use crate::secret::TokenId;
use crate::token::TokenKey;

/// So many days before a version expires its owner is told.
pub const MARKS: [u32; 5] = [30, 14, 7, 3, 1];
/// How long a notice is tried again where a receiver does not take it.
pub const TRIED_FOR: Seconds = Seconds::days(7);
/// How often it is tried at least, also where it waited for somebody for longer than that.
const TRIES_LEAST: u32 = 12;
/// The first pause between two tries.
const PAUSE: Seconds = Seconds::minutes(1);
/// The longest one.
const PAUSE_MAX: Seconds = Seconds::hours(6);

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

    /// The event of one that no change tells; `None` where the change has an event of its own.
    pub fn event(self) -> Option<EventKind> {
        match self {
            Self::Expiring => Some(EventKind::TokenExpiring),
            Self::Overdue => Some(EventKind::TokenOverdue),
            Self::RotationFailed => Some(EventKind::TokenRotationFailed),
            Self::UsedFromNewAddress => Some(EventKind::TokenNewAddress),
            Self::Created | Self::Deleted | Self::Rotated | Self::Leaked => None,
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
    /// How often it was tried and somebody did not take it.
    pub tries: u32,
    /// The receivers that took it.
    pub taken: BTreeSet<String>,
    /// When it is tried next: who claims it moves this.
    pub next: Timestamp,
}

/// What comes of a notice after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It waits no longer: all who want it took it, or it is given up.
    Done,
    /// It is tried again then.
    At(Timestamp),
    /// Only whoever has the file of that manifest knows who else wants it, and looks for it.
    WithFile(ManifestName),
}

impl Waiting {
    /// When it is tried again after a try at `now` that some receiver did not take: pauses double, from a minute to six
    /// hours, and the last try is [`TRIED_FOR`] after what it tells of. One that waited for longer, for a job or for
    /// whoever has a file, is tried 12 times all the same. `None`: it is given up.
    pub fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let last = TRIED_FOR.after(self.notice.at);
        let pause = PAUSE.0.saturating_mul(1 << self.tries.min(20)).min(PAUSE_MAX.0);
        let next = Seconds(pause).after(now);
        if now < last {
            return Some(next.min(last));
        }
        (self.tries + 1 < TRIES_LEAST).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_six_hours_and_the_last_try_is_a_week_after_what_it_tells_of() {
        let at = Timestamp::UNIX_EPOCH;
        let notice = Notice {
            id: "01".to_owned(),
            kind: NoticeKind::Created,
            at,
            actor: "operator:ada".to_owned(),
            from: None,
            token: TokenKey::new("ana".parse().unwrap(), "laptop".parse().unwrap()),
            token_id: "0123456789abcdef".parse().unwrap(),
            manifest: None,
            version: None,
            expires: None,
            detail: None,
        };
        let mut waiting = Waiting { notice, tries: 0, taken: BTreeSet::new(), next: at };
        let (mut now, mut pauses) = (at, Vec::new());
        while let Some(next) = waiting.next_try(now) {
            pauses.push(next.duration_since(now).as_mins());
            (waiting.tries, now) = (waiting.tries + 1, next);
        }
        assert_eq!(now, TRIED_FOR.after(at));
        assert_eq!(pauses[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        assert!(pauses.len() < 40, "{}", pauses.len());
        waiting.tries = u32::MAX - 1;
        assert_eq!(waiting.next_try(at), Some(PAUSE_MAX.after(at)));
        let late = Seconds::days(9).after(at);
        assert_eq!(waiting.next_try(late), None);
        waiting.tries = 0;
        assert_eq!(
            waiting.next_try(late),
            Some(PAUSE.after(late)),
            "one that waited for a job is tried like any other"
        );
        waiting.tries = TRIES_LEAST - 1;
        assert_eq!(waiting.next_try(late), None);
    }

    #[test]
    fn every_kind_is_written_as_settings_name_it() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!(NoticeKind::ALL.is_sorted());
    }
}
