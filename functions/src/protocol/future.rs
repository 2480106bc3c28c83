//! Times that are still to come although they are recorded as past: a clock ran ahead when they were. What they delay
//! would be delayed for as long, so they are rewritten to now by the first rule that creates a version, and the token is
//! due.

use jiff::Timestamp;

use super::STAGED_LIFE;
use crate::lifetime::Seconds;
use crate::token::{Token, VersionState};

/// How far two clocks that are right may be apart.
const APART: Seconds = Seconds::hours(1);

impl Token {
    /// The latest time that is recorded as past and is still to come, clocks that differ a little apart; `None` where all
    /// is as it should be.
    pub fn ahead(&self, now: Timestamp) -> Option<Timestamp> {
        let of_versions = self.versions.iter().flat_map(|version| {
            let sent = version.deliveries.values().flat_map(|delivery| [Some(delivery.announced), delivery.delivered]);
            [Some(version.created), version.promoted, version.announced].into_iter().chain(sent)
        });
        let used = self.uses.values().map(|used| used.last);
        let all = of_versions.flatten().chain(used).chain(self.leaving).chain([self.created]);
        all.max().filter(|latest| *latest > APART.after(now))
    }

    /// Rewrites such times to now, and what was reckoned from them; the current version is due from then on.
    pub(crate) fn rewrite_future(&mut self, now: Timestamp) {
        if self.ahead(now).is_none() {
            return;
        }
        let past = |at: &mut Timestamp| *at = (*at).min(now);
        let maybe = |at: &mut Option<Timestamp>| *at = at.map(|at| at.min(now));
        past(&mut self.created);
        maybe(&mut self.leaving);
        for used in self.uses.values_mut() {
            past(&mut used.first);
            past(&mut used.last);
        }
        let terms = self.terms;
        // The longest that any overlap lasts which began no later than now.
        let overlap = self.versions.iter().filter_map(|version| version.terms).chain(terms).map(|terms| terms.overlap);
        let overlap_ends = overlap.max().unwrap_or_default().after(now);
        for version in &mut self.versions {
            past(&mut version.created);
            maybe(&mut version.promoted);
            maybe(&mut version.announced);
            version.overlap_ends = version.overlap_ends.map(|end| end.min(overlap_ends));
            for delivery in version.deliveries.values_mut() {
                past(&mut delivery.announced);
                maybe(&mut delivery.delivered);
            }
            let life = version.terms.or(terms).map(|terms| match version.state {
                VersionState::Staged => terms.expires_in.max(STAGED_LIFE),
                VersionState::Current | VersionState::Retiring => terms.expires_in,
            });
            version.expiry = version.expiry.map(|end| life.map_or(end, |life| end.min(life.after(now))));
            if version.state == VersionState::Current {
                // As with a changed duration: it is due until a newer one is current.
                version.terms = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::Terms;
    use crate::place::Place;
    use crate::protocol::Arrival;
    use crate::secret::Digest;
    use crate::token::TokenKey;

    const TERMS: Terms =
        Terms { expires_in: Seconds::days(90), rotate_every: Seconds::days(30), overlap: Seconds::days(1) };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn place() -> Place {
        Place::new("dotenv", &[("path", "/.env"), ("name", "API")], true)
    }

    fn rotate(token: &mut Token, value: &[u8], now: Timestamp) -> u32 {
        let number = token.stage(Digest::of(value), now).unwrap();
        let id = place().id();
        token.announce(number, &id, now).unwrap();
        token.deliver(number, &Arrival { looked_at: Some(now), ..Arrival::new(&id, "r") }, now).unwrap();
        token.promote(number, now).unwrap();
        number
    }

    fn token(now: Timestamp) -> Token {
        let key = TokenKey::new("ci".parse().unwrap(), "deploy".parse().unwrap());
        let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "test", now);
        (token.managed_by, token.terms) = (Some("acme".parse().unwrap()), Some(TERMS));
        token.declare_places(&[place()]).unwrap();
        token
    }

    #[test]
    fn what_a_clock_ahead_has_recorded_is_rewritten_by_the_next_version() {
        let start = at("2026-11-01T12:00:00Z");
        let mut token = token(start);
        rotate(&mut token, b"one", start);
        let ahead = at("2069-12-31T19:42:00Z");
        rotate(&mut token, b"two", ahead);
        let now = at("2026-11-27T12:00:00Z");
        assert_eq!(token.ahead(now), Some(ahead));
        let number = token.stage(Digest::of(b"three"), now).unwrap();
        assert_eq!((number, token.ahead(now)), (3, None));
        let second = token.version(2).unwrap();
        assert_eq!((second.promoted, second.announced), (Some(now), Some(now)));
        assert_eq!(second.expiry, Some(TERMS.expires_in.after(now)));
        assert!(token.due().is_some_and(|due| due <= now), "due even if nothing comes of version 3");
        let first = token.version(1).unwrap();
        assert_eq!(first.overlap_ends, Some(TERMS.overlap.after(now)));
        assert!(first.expiry.is_some_and(|end| end < TERMS.expires_in.after(now)), "it expires as it would have");
    }

    #[test]
    fn a_version_that_a_clock_ahead_has_staged_becomes_current_with_times_of_now() {
        let ahead = at("2069-12-31T19:42:00Z");
        let mut token = token(ahead);
        let number = token.stage(Digest::of(b"one"), ahead).unwrap();
        let id = place().id();
        token.announce(number, &id, ahead).unwrap();
        token.deliver(number, &Arrival { looked_at: Some(ahead), ..Arrival::new(&id, "r") }, ahead).unwrap();
        let now = at("2026-11-27T12:00:00Z");
        token.promote(number, now).unwrap();
        assert_eq!(token.ahead(now), None);
        assert_eq!(token.current().unwrap().expiry, Some(TERMS.expires_in.after(now)));
    }

    #[test]
    fn clocks_that_differ_by_minutes_are_all_right() {
        let now = at("2026-11-27T12:00:00Z");
        let mut token = token(Seconds::minutes(50).after(now));
        rotate(&mut token, b"one", Seconds::minutes(50).after(now));
        assert_eq!(token.ahead(now), None);
        assert!(token.ahead(Seconds::minutes(20).before(now)).is_some());
    }
}
