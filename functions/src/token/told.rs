//! What its owner was told of a token that no change tells: that a version expires, that a rotation is overdue or failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Token;
use crate::lifetime::Seconds;
use crate::notice::{MARKS, NoticeKind};

/// So long a rotation is due before it is overdue, and so long no failure is told of again.
const DAY: Seconds = Seconds::days(1);

/// What was told of one version. Of the next one everything is told anew, and so it is when the expiry has moved. It has
/// short names in the table: a record is paid for by size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which version.
    #[serde(rename = "n")]
    pub version: u32,
    /// When that version expires.
    #[serde(
        rename = "x",
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expires: Option<Timestamp>,
    /// The nearest of [`MARKS`] that was told, in days.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// Whether it was told that the rotation is overdue.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    /// When it was told last that a rotation failed.
    #[serde(
        rename = "f",
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub failed: Option<Timestamp>,
}

impl Token {
    /// The next instant at which something of it is to be told.
    pub fn next_telling(&self) -> Option<Timestamp> {
        let mark = self.marks_to_tell().map(|(_, at)| at).min();
        mark.into_iter().chain(self.overdue_from()).min()
    }

    /// What is recorded as told when `kind` is told at `now`; `None` when that is not to be told then, or is told by a
    /// change.
    pub fn telling(&self, kind: NoticeKind, now: Timestamp) -> Option<Told> {
        let told = self.told_of_version();
        match kind {
            NoticeKind::Expiring => {
                // By hand, what has expired is told as deleted.
                let over = self.managed_by.is_none() && told.expires.is_some_and(|end| end <= now);
                // Of several that were missed only the nearest.
                let reached = self.marks_to_tell().filter(|(_, at)| *at <= now && !over).map(|(mark, _)| mark).min()?;
                Some(Told { mark: Some(reached), ..told })
            }
            NoticeKind::Overdue => {
                self.overdue_from().filter(|from| *from <= now)?;
                Some(Told { overdue: true, ..told })
            }
            NoticeKind::RotationFailed => {
                let lately = told.failed.is_some_and(|failed| now < DAY.after(failed));
                (self.managed_by.is_some() && !lately).then_some(Told { failed: Some(now), ..told })
            }
            NoticeKind::Created
            | NoticeKind::Deleted
            | NoticeKind::Rotated
            | NoticeKind::Leaked
            | NoticeKind::UsedFromNewAddress => None,
        }
    }

    /// The version that is told of: the one that consumers have, and before there is one the newest.
    pub(crate) fn version_to_tell(&self) -> u32 {
        self.current().map_or(self.highest, |current| current.number)
    }

    /// What was told of that version, with the expiry that it has now.
    fn told_of_version(&self) -> Told {
        let (version, expires) = (self.version_to_tell(), self.current().map(|current| self.deadline(current)));
        let told = self.told.clone().filter(|told| (told.version, told.expires) == (version, expires));
        told.unwrap_or(Told { version, expires, mark: None, overdue: false, failed: None })
    }

    /// The marks that are still to be told of the version that consumers have, and when each is reached. Of a token that
    /// is rotated only those that are reached once its rotation was due: one that is rotated in time is no news. Of one
    /// that was created by hand those that it had when it was created.
    fn marks_to_tell(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        let told = self.told_of_version();
        let from = if self.managed_by.is_some() { self.due() } else { Some(self.created) };
        let ends = told.expires.zip(from);
        MARKS.into_iter().filter(move |mark| told.mark.is_none_or(|told| *mark < told)).filter_map(move |mark| {
            let (end, from) = ends?;
            let at = Seconds::days(u64::from(mark)).before(end);
            (at > from).then_some((mark, at))
        })
    }

    /// From when on its rotation is overdue. A rotation that waits for a known time, its window for instance, is not due
    /// before.
    pub fn overdue_at(&self) -> Option<Timestamp> {
        let due = self.managed_by.as_ref().and_then(|_| self.due())?;
        let waits = self.retry.filter(|retry| retry.waits).map(|retry| retry.at);
        Some(DAY.after(waits.map_or(due, |until| until.max(due))))
    }

    /// The same, unless that was told.
    fn overdue_from(&self) -> Option<Timestamp> {
        self.overdue_at().filter(|_| !self.told_of_version().overdue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::Terms;
    use crate::secret::Digest;
    use crate::token::{Retry, TokenKey};

    const TERMS: Terms =
        Terms { expires_in: Seconds::days(60), rotate_every: Seconds::days(20), overlap: Seconds::days(1) };

    fn day(days: u64) -> Timestamp {
        Seconds::days(days).after(Timestamp::UNIX_EPOCH)
    }

    fn token(life: Option<u64>) -> Token {
        let key = TokenKey::new("ci".parse().unwrap(), "deploy".parse().unwrap());
        let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "operator:ada", day(0));
        token.expires_at = life.map(day);
        if life.is_none() {
            (token.managed_by, token.terms) = (Some("acme".parse().unwrap()), Some(TERMS));
        }
        token.stage(Digest::of(b"1"), day(0)).unwrap();
        token.promote(1, day(0)).unwrap();
        token
    }

    /// What is told by a job that runs at these days, and nothing else happens.
    fn tell(token: &mut Token, days: impl IntoIterator<Item = u64>) -> Vec<(u64, NoticeKind, Option<u32>)> {
        let mut all = Vec::new();
        for now in days {
            for kind in NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::RotationFailed) {
                if let Some(told) = token.telling(kind, day(now)) {
                    all.push((now, kind, told.mark.filter(|_| kind == NoticeKind::Expiring)));
                    token.told = Some(told);
                    assert_eq!(token.telling(kind, day(now)), None, "once");
                }
            }
            let over = token.expires_at.is_some_and(|end| end <= day(now));
            assert!(over || token.next_telling().is_none_or(|next| next > day(now)), "all was told at day {now}");
        }
        all
    }

    fn marks(told: &[(u64, NoticeKind, Option<u32>)]) -> Vec<(u64, u32)> {
        told.iter().filter_map(|(day, _, mark)| Some((*day, (*mark)?))).collect()
    }

    #[test]
    fn each_mark_of_a_token_that_was_created_by_hand_is_told_once() {
        assert_eq!(marks(&tell(&mut token(Some(40)), 0..40)), [(10, 30), (26, 14), (33, 7), (37, 3), (39, 1)]);
        assert_eq!(
            marks(&tell(&mut token(Some(10)), 0..10)),
            [(3, 7), (7, 3), (9, 1)],
            "those before its creation are left out"
        );
        assert_eq!(
            marks(&tell(&mut token(Some(30)), 0..30)),
            [(16, 14), (23, 7), (27, 3), (29, 1)],
            "as at its creation"
        );
        assert_eq!(tell(&mut token(Some(40)), [40, 41]), [], "what has expired is told as such");
    }

    #[test]
    fn a_missed_day_delays_and_of_several_that_were_missed_only_the_nearest_is_told() {
        let missed = [0, 12, 13, 34, 35, 36, 39];
        assert_eq!(marks(&tell(&mut token(Some(40)), missed)), [(12, 30), (34, 7), (39, 1)]);
    }

    #[test]
    fn an_expiry_that_moves_is_told_of_anew() {
        let mut moved = token(Some(40));
        assert_eq!(marks(&tell(&mut moved, 0..=33)).len(), 3);
        moved.expires_at = Some(day(80));
        assert_eq!(marks(&tell(&mut moved, 34..80)), [(50, 30), (66, 14), (73, 7), (77, 3), (79, 1)]);
    }

    #[test]
    fn a_token_that_is_rotated_in_time_tells_nothing_and_one_that_is_not_tells_each_once() {
        let mut rotated = token(None);
        for round in 1..4 {
            assert_eq!(tell(&mut rotated, (round - 1) * 20..=round * 20), []);
            let number = rotated.stage(Digest::of(&[u8::try_from(round).unwrap()]), day(round * 20)).unwrap();
            rotated.promote(number, day(round * 20)).unwrap();
        }
        let told = tell(&mut token(None), 0..70);
        assert_eq!(told[0], (21, NoticeKind::Overdue, None));
        assert_eq!(marks(&told), [(30, 30), (46, 14), (53, 7), (57, 3), (59, 1)]);
        assert_eq!(told.len(), 6);
        assert_eq!(marks(&tell(&mut token(None), [65])), [(65, 1)], "even where nobody looked before it had expired");
    }

    #[test]
    fn what_waits_for_its_window_is_not_overdue() {
        let mut waits = token(None);
        waits.retry = Some(Retry { times: 1, at: day(26), waits: true });
        assert_eq!(waits.next_telling(), Some(day(27)));
        assert_eq!(tell(&mut waits, 20..28), [(27, NoticeKind::Overdue, None)]);
        let mut failed = token(None);
        failed.retry = Some(Retry { times: 1, at: day(26), waits: false });
        assert_eq!(tell(&mut failed, 20..28), [(21, NoticeKind::Overdue, None)]);
    }

    #[test]
    fn a_failure_is_told_at_once_and_then_once_a_day_of_each_version() {
        let mut token = token(None);
        let mut told = Vec::new();
        for hour in (20 * 24..23 * 24).step_by(4) {
            let now = Seconds::hours(hour).after(Timestamp::UNIX_EPOCH);
            if let Some(now_told) = token.telling(NoticeKind::RotationFailed, now) {
                told.push(hour);
                token.told = Some(now_told);
            }
        }
        assert_eq!(told, [480, 504, 528]);
        let number = token.stage(Digest::of(b"2"), day(23)).unwrap();
        token.promote(number, day(23)).unwrap();
        assert!(token.telling(NoticeKind::RotationFailed, day(23)).is_some());
    }
}
