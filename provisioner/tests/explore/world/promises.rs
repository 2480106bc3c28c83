//! What was promised about each version, and the invariants: checked after every effect against those promises and not
//! against the rules.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::place::PlaceId;
use latchkey::protocol::Arrival;
use latchkey::secret::TokenId;
use latchkey::token::Token;

use super::{DAY, HOUR, MINUTE, State, Which, now};
use crate::step::Step;

/// How old a look may be that a report rests on.
const LOOK_MAX: Seconds = Seconds(5 * MINUTE);

/// What was promised about a version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promise {
    /// Announced, or current: it works until then at least.
    pub(crate) works_until: Option<Timestamp>,
    /// Consumers have until then to take up a newer one.
    pub(crate) overlap_until: Option<Timestamp>,
    /// Its last use by a consumer.
    pub(crate) used: Option<Timestamp>,
    /// It has been made current.
    pub(crate) promoted: bool,
    /// When, and when it was announced last, by stamp.
    pub(crate) promoted_at: u64,
    pub(crate) announced_at: u64,
}

impl State {
    /// The service granted a push.
    pub(crate) fn announced(&mut self, token: &Token, number: u32) {
        let life = token.terms.map_or(Seconds(DAY), |terms| Seconds(terms.expires_in.0.max(DAY)));
        let stamp = self.stamp();
        let promise = self.promises.entry((token.id.clone(), number)).or_default();
        if !promise.promoted {
            promise.works_until = promise.works_until.max(Some(life.after(now())));
        }
        promise.announced_at = stamp;
    }

    /// An announcement was withdrawn. Nothing is promised of a version that is on its way nowhere.
    pub(crate) fn withdrawn(&mut self, token: &Token, number: u32) {
        let announced = token.version(number).is_some_and(|version| version.announced.is_some());
        if let Some(promise) = self.promises.get_mut(&(token.id.clone(), number))
            && !announced
            && !promise.promoted
        {
            promise.works_until = None;
        }
    }

    /// A delivery was reported. A place that was seen to hold the version less than five minutes before is ours from that
    /// look on: who replaces the entry between look and report edits one of ours.
    pub(crate) fn delivers(&mut self, token: &Token, number: u32, (arrival, saw): (&Arrival<'_>, Option<&str>)) {
        let which = (token.id.clone(), number);
        let seen = saw.is_some_and(|value| self.values.get(value) == Some(&which));
        let fresh = arrival.looked_at.is_some_and(|at| now() <= LOOK_MAX.after(at));
        if seen && fresh && self.foreign.remove(arrival.place).is_some() {
            self.note(|| "  what was put there since the look is an edit of ours".to_owned());
        }
    }

    /// The service is about to make a version current.
    pub(crate) fn promotes(&mut self, old: Option<&Token>, token: &Token, number: u32, looks: &BTreeMap<PlaceId, u64>) {
        let again = self.promises.get(&(token.id.clone(), number)).is_some_and(|promise| promise.promoted);
        if again {
            return;
        }
        let newer =
            self.promises.iter().any(|((id, other), promise)| *id == token.id && *other > number && promise.promoted);
        if newer {
            self.broke(format!("B: version {number} became current after a newer one"));
        }
        let declared: Vec<PlaceId> = old
            .into_iter()
            .flat_map(|old| &old.places)
            .filter(|(_, place)| place.declared)
            .map(|(id, _)| id.clone())
            .collect();
        for place in declared {
            let which = (token.id.clone(), number);
            let held = self.places.get(&place).is_some_and(|entry| self.values.get(&entry.value) == Some(&which));
            if !held && looks.get(&place).is_some_and(|look| Some(look) >= self.changed.get(&place)) {
                self.broke(format!("B: version {number} became current although a look showed that a place lacks it"));
            }
            if !self.been.contains(&(place, which)) {
                self.broke(format!("B: version {number} became current and was never in one of its places"));
            }
        }
        let (life, overlap) = token.terms.map_or((DAY, DAY), |terms| (terms.expires_in.0, terms.overlap.0));
        for ((id, other), promise) in &mut self.promises {
            if *id == token.id && *other < number {
                promise.overlap_until.get_or_insert(Seconds(overlap).after(now()));
            }
        }
        let stamp = self.stamp();
        let promise = self.promises.entry((token.id.clone(), number)).or_default();
        promise.promoted = true;
        promise.promoted_at = stamp;
        // Its expiry is fixed now, by the durations that are declared now.
        promise.works_until = Some(Seconds(life).after(now()));
        self.check_overlap(&token.id);
    }

    /// The service is about to end a version.
    pub(crate) fn retires(&mut self, token: &Token, number: u32) {
        let promise = self.promises.get(&(token.id.clone(), number)).cloned().unwrap_or_default();
        if let Some(used) = promise.used.filter(|used| Seconds(HOUR).after(*used) > now()) {
            self.broke(format!("A: version {number} ended, and a consumer used it at {used}"));
        }
    }

    /// A consumer uses an older version of a token, which it has taken up earlier.
    pub(crate) fn use_older(&mut self) {
        let works = |(id, number): &Which| self.service.works(id, *number, now());
        let older = self.promises.iter().find(|(which, promise)| {
            promise.promoted && self.service.current(&which.0).is_some_and(|current| current > which.1) && works(which)
        });
        if let Some(which) = older.map(|(which, _)| which.clone()) {
            self.service.note_use(&which.0, which.1, now());
            self.promises.entry(which).or_default().used = Some(now());
            self.note(|| "a consumer uses an older version".to_owned());
        }
    }

    /// After an effect.
    pub(crate) fn check(&mut self, step: Step) {
        self.check_places(&format!("{step:?}"));
    }

    /// A, for consumers: an older version works as long as its overlap.
    pub(crate) fn check_overlap(&mut self, id: &TokenId) {
        let alive = self.service.active.values().any(|token| token.id == *id);
        let now = now();
        let cut: Vec<u32> = self
            .promises
            .iter()
            .filter(|((of, _), promise)| {
                alive && of == id && promise.promoted && promise.overlap_until.is_some_and(|end| end > now)
            })
            .filter(|((of, number), promise)| {
                promise.works_until.is_some_and(|until| until > now) && !self.service.works(of, *number, now)
            })
            .map(|((_, number), _)| *number)
            .collect();
        for number in cut {
            self.broke(format!("A: version {number} ended within its overlap"));
        }
    }

    /// A: no place holds, and no consumer of one reads, a version that does not work. C: what is foreign is untouched.
    pub(crate) fn check_places(&mut self, when: &str) {
        let now = now();
        let held = self.places.iter().map(|(place, entry)| (place, &entry.value));
        let mut dead = Vec::new();
        let read = self.read.iter().flat_map(|(place, read)| read.iter().map(move |value| (place, value)));
        for (place, value) in held.chain(read) {
            let Some(which) = self.values.get(value) else { continue };
            if self.service.works(&which.0, which.1, now) || self.excused.contains(&(place.clone(), which.clone())) {
                continue;
            }
            let until = self.promises.get(which).and_then(|promise| promise.works_until);
            if until.is_none_or(|until| now < until) {
                dead.push(which.1);
            }
        }
        for number in dead {
            self.broke(format!("A: after {when}: a place holds version {number}, which does not work"));
        }
        let gone =
            self.foreign.iter().any(|(place, value)| self.places.get(place).map(|entry| &entry.value) != Some(value));
        if gone {
            self.broke(format!("C: after {when}: a foreign value is gone"));
        }
    }

    /// D: a text that leaves the run holds no secret.
    pub(crate) fn check_text(&mut self, text: &str) {
        if text.contains("lk_") && self.values.keys().any(|value| text.contains(value.as_str())) {
            self.broke("D: a secret was said".to_owned());
        }
    }
}
