//! What outlives runs: records, places, writes under way, time; what was promised about each version; and the
//! invariants, checked after every effect against those promises and not against the rules.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::place::{Place, PlaceId};
use latchkey::secret::{Secret, TokenId};
use latchkey::token::{Token, TokenKey};

use crate::oracle::Oracle;
use crate::step::Step;

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;

/// How long after an announcement a write that was sent may still arrive: two minutes to start, thirteen on its way.
const IN_FLIGHT: u64 = 15 * MINUTE;

thread_local! {
    static SECONDS: Cell<u64> = const { Cell::new(0) };
}

/// The clock of deadlines: time of this thread's world.
pub(crate) fn elapsed() -> Duration {
    Duration::from_secs(SECONDS.get())
}

/// So many seconds after the beginning of a world.
pub(crate) fn instant(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + i64::try_from(seconds).unwrap()).unwrap()
}

/// Now, in this thread's world.
pub(crate) fn now() -> Timestamp {
    instant(SECONDS.get())
}

/// What a sink can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "a table of yes and no is what it is")]
pub(crate) struct Traits {
    /// Values can be read back; otherwise a marker tells the version.
    pub(crate) readable: bool,
    /// Writes compare with what was seen.
    pub(crate) conditional: bool,
    /// Consumers read an entry only after a deployment.
    pub(crate) redeploys: bool,
    /// The list may be old.
    pub(crate) surveys: bool,
    /// How many writes go together.
    pub(crate) batch: usize,
}

/// What a place holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: String,
    /// Changes with every write.
    pub(crate) stamp: u64,
    /// Written by the engine, with a marker.
    pub(crate) marked: bool,
}

/// A write that timed out and is still under way.
#[derive(Debug, Clone)]
pub(crate) struct LateWrite {
    pub(crate) place: PlaceId,
    pub(crate) value: String,
    pub(crate) conditional: bool,
    /// What it was to replace.
    pub(crate) over: Option<u64>,
    /// When it arrives at the latest.
    pub(crate) until: u64,
}

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

/// Which version a value is.
pub(crate) type Which = (TokenId, u32);

/// Everything, at one instant. A copy of it is a place to start from.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) seconds: u64,
    pub(crate) service: Oracle,
    pub(crate) sinks: BTreeMap<&'static str, Traits>,
    pub(crate) places: BTreeMap<PlaceId, Entry>,
    /// What a sink's list shows: what was there when time last passed.
    pub(crate) listed: BTreeMap<PlaceId, Entry>,
    /// Of places whose consumers wait for a deployment: what these read.
    pub(crate) read: BTreeMap<PlaceId, String>,
    pub(crate) late: Vec<LateWrite>,
    pub(crate) stamps: u64,
    /// What must stay as it is.
    pub(crate) foreign: BTreeMap<PlaceId, String>,
    pub(crate) values: BTreeMap<String, Which>,
    pub(crate) promises: BTreeMap<Which, Promise>,
    /// Where each version has been.
    pub(crate) been: BTreeSet<(PlaceId, Which)>,
    /// A person deleted the token when the version was there or on its way: it may stand dead until it is mended.
    pub(crate) excused: BTreeSet<(PlaceId, Which)>,
    /// A sink that writes whatever its deadline says.
    pub(crate) no_deadline: bool,
    /// A sink that writes over whatever is there.
    pub(crate) no_compare: bool,
    /// Sinks that are down.
    pub(crate) down: BTreeSet<&'static str>,
    /// When each place changed last, by stamp.
    pub(crate) changed: BTreeMap<PlaceId, u64>,
    pub(crate) broken: Vec<String>,
    pub(crate) trace: Option<Vec<String>>,
}

/// The state that all runs share.
#[derive(Debug)]
pub(crate) struct World(Mutex<State>);

impl World {
    pub(crate) fn new(state: State) -> Arc<Self> {
        SECONDS.set(state.seconds);
        Arc::new(Self(Mutex::new(state)))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a push.
pub(crate) fn place(sink: &str, name: &str, readable: bool) -> Place {
    Place::new("fake", &[("sink", sink), ("name", name)], readable)
}

impl State {
    pub(crate) fn place(&self, sink: &str, name: &str) -> Place {
        place(sink, name, self.sinks[sink].readable)
    }

    pub(crate) fn stamp(&mut self) -> u64 {
        self.stamps += 1;
        self.stamps
    }

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let line = format!("{:>9} {}", self.seconds, text());
            trace.push(line);
        }
    }

    pub(crate) fn broke(&mut self, text: String) {
        self.note(|| format!("BROKEN {text}"));
        self.broken.push(text);
    }

    /// A secret was handed out.
    pub(crate) fn minted(&mut self, secret: &Secret, number: u32) {
        self.values.insert(secret.expose().to_owned(), (secret.token_id(), number));
    }

    /// Lets time pass. What is under way arrives no later than it may.
    pub(crate) fn pass(&mut self, length: u64) {
        let end = self.seconds + length;
        loop {
            let due =
                self.late.iter().enumerate().filter(|(_, late)| late.until <= end).min_by_key(|(_, late)| late.until);
            let Some((index, until)) = due.map(|(index, late)| (index, late.until)) else { break };
            self.set_time(until);
            self.arrive(index);
        }
        self.set_time(end);
        self.listed = self.places.clone();
        self.note(|| format!("{length} s have passed"));
        self.check_places("time has passed");
    }

    fn set_time(&mut self, seconds: u64) {
        self.seconds = self.seconds.max(seconds);
        SECONDS.set(self.seconds);
    }

    /// A write that is under way arrives.
    pub(crate) fn arrive(&mut self, index: usize) {
        let late = self.late.remove(index);
        self.note(|| "a late write arrives".to_owned());
        if late.conditional && late.over != self.places.get(&late.place).map(|entry| entry.stamp) {
            return;
        }
        self.put(&late.place, &late.value, true);
        self.check_places("a late write arrived");
    }

    /// Everything that is under way arrives.
    pub(crate) fn arrive_all(&mut self) {
        while !self.late.is_empty() {
            self.arrive(0);
        }
    }

    pub(crate) fn late_write(&mut self, place: &PlaceId, value: &str, conditional: bool) {
        let over = self.places.get(place).map(|entry| entry.stamp);
        // Its announcement was at most two minutes ago, and the deadline of it all is that of the announcement.
        let until = self.seconds + IN_FLIGHT - 2 * MINUTE - 1;
        self.late.push(LateWrite { place: place.clone(), value: value.to_owned(), conditional, over, until });
    }

    /// An entry goes.
    pub(crate) fn remove(&mut self, place: &PlaceId) {
        let stamp = self.stamp();
        self.changed.insert(place.clone(), stamp);
        self.places.remove(place);
    }

    /// The engine writes a value. B: it takes no place back to a version older than the current one, unless that was
    /// granted before.
    pub(crate) fn write(&mut self, place: &PlaceId, value: &str) {
        if let Some((id, number)) = self.values.get(value).cloned() {
            let granted = self.promises.get(&(id.clone(), number)).map_or(0, |promise| promise.announced_at);
            let newer = |promise: &Promise| promise.promoted && promise.promoted_at < granted;
            if self.promises.iter().any(|((of, other), promise)| *of == id && *other > number && newer(promise)) {
                self.broke(format!("B: version {number} was written after a newer one had become current"));
            }
        }
        self.put(place, value, true);
    }

    /// An entry is written.
    pub(crate) fn put(&mut self, place: &PlaceId, value: &str, marked: bool) {
        let stamp = self.stamp();
        self.changed.insert(place.clone(), stamp);
        if let Some(which) = self.values.get(value) {
            self.been.insert((place.clone(), which.clone()));
        }
        self.places.insert(place.clone(), Entry { value: value.to_owned(), stamp, marked });
        if !self.redeploys(place) {
            self.read.remove(place);
        } else if !self.read.contains_key(place) {
            // The first deployment comes with the entry.
            self.read.insert(place.clone(), value.to_owned());
        }
    }

    fn redeploys(&self, id: &PlaceId) -> bool {
        self.sinks.iter().any(|(sink, traits)| {
            traits.redeploys && ["API", "WEB"].iter().any(|name| place(sink, name, traits.readable).id() == *id)
        })
    }

    /// Every place with a deployment gets one.
    pub(crate) fn deploy(&mut self) {
        let places: Vec<PlaceId> = self.read.keys().cloned().collect();
        for place in places {
            match self.places.get(&place) {
                Some(entry) => self.read.insert(place, entry.value.clone()),
                None => self.read.remove(&place),
            };
        }
    }

    /// What consumers of a place wait for.
    pub(crate) fn lagging(&self, place: &PlaceId) -> Option<String> {
        let (entry, read) = (self.places.get(place)?, self.read.get(place)?);
        (entry.value != *read).then(|| "no deployment is newer than the entry".to_owned())
    }

    /// A person writes into a place where nothing of ours has ever been.
    pub(crate) fn foreign(&mut self, place: &PlaceId) {
        self.put(place, "somebody-elses", false);
        self.foreign.insert(place.clone(), "somebody-elses".to_owned());
    }

    /// A person deletes a token.
    pub(crate) fn delete(&mut self, key: &TokenKey) {
        let Some(token) = self.service.delete(key, now()) else { return };
        for version in &token.versions {
            for place in version.deliveries.keys() {
                self.excused.insert((place.clone(), (token.id.clone(), version.number)));
            }
        }
        self.note(|| "a person deletes the token".to_owned());
    }

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
        for (place, value) in held.chain(&self.read) {
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
