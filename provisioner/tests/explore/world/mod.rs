//! What outlives runs: records, places, writes under way, time; and what was promised about each version.

mod promises;
mod rotated;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey::place::{Place, PlaceId};
use latchkey::secret::{Secret, TokenId};
use latchkey::token::TokenKey;

use crate::exploration::{Entry, Traits, place};
use crate::oracle::Oracle;
pub(crate) use promises::Promise;
use rotated::Labels;

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

/// What a write that is under way does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lands {
    /// It puts a value.
    Value,
    /// It moves AWSCURRENT to a version that AWS named.
    Label(u32),
    /// It puts a value under AWSPENDING.
    Pending(u32),
}

/// A write that timed out and is still under way.
#[derive(Debug, Clone)]
pub(crate) struct LateWrite {
    pub(crate) place: PlaceId,
    pub(crate) value: String,
    pub(crate) lands: Lands,
    pub(crate) conditional: bool,
    /// What it was to replace.
    pub(crate) over: Option<u64>,
    /// When it arrives at the latest.
    pub(crate) until: u64,
}

/// What is added to the numbers of versions that a restored copy does not know.
const LOST: u32 = 1_000;

/// Which version a value is.
pub(crate) type Which = (TokenId, u32);

/// Everything, at one instant. A copy of it is a place to start from.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mistake that a sink makes or not")]
pub(crate) struct State {
    pub(crate) seconds: u64,
    pub(crate) service: Oracle,
    pub(crate) sinks: BTreeMap<&'static str, Traits>,
    pub(crate) places: BTreeMap<PlaceId, Entry>,
    /// Those of them that AWS rotates.
    pub(crate) rotated: BTreeMap<PlaceId, Labels>,
    /// What a sink's list shows: what was there when time last passed.
    pub(crate) listed: BTreeMap<PlaceId, Entry>,
    /// Of places whose consumers wait for a deployment: what those of each branch read.
    pub(crate) read: BTreeMap<PlaceId, [String; 2]>,
    /// What consumers of the first branch have read there: what a person may take it back to.
    pub(crate) served: BTreeMap<PlaceId, BTreeSet<String>>,
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
    /// A sink that takes a refusal for certain although an earlier try may still arrive.
    pub(crate) claims_refused: bool,
    /// A sink that takes whatever is pending for what it is to write.
    pub(crate) moves_any: bool,
    /// A sink that leaves AWSPENDING where it is.
    pub(crate) leaves_label: bool,
    /// finishSecret moves AWSCURRENT before anything else, as AWS's samples do.
    pub(crate) finish_moves: bool,
    /// How many writes a sink refuses before any effect, and says so.
    pub(crate) refuses: BTreeMap<&'static str, usize>,
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
        self.0.lock()
    }
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
        self.deprecate(length);
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
        if let Lands::Pending(version) = late.lands {
            self.put_pending(&late.place, version, &late.value);
            return;
        }
        if late.conditional && late.over != self.places.get(&late.place).map(|entry| entry.stamp) {
            return;
        }
        self.put(&late.place, &late.value, true);
        if let Lands::Label(version) = late.lands {
            self.labelled(&late.place, version);
        }
        self.check_places("a late write arrived");
    }

    /// Everything that is under way arrives.
    pub(crate) fn arrive_all(&mut self) {
        while !self.late.is_empty() {
            self.arrive(0);
        }
    }

    pub(crate) fn late_write(&mut self, place: &PlaceId, value: &str, (conditional, lands): (bool, Lands)) {
        let over = self.places.get(place).map(|entry| entry.stamp);
        // Its announcement was at most two minutes ago, and the deadline of it all is that of the announcement.
        let until = self.seconds + IN_FLIGHT - 2 * MINUTE - 1;
        self.late.push(LateWrite { place: place.clone(), value: value.to_owned(), lands, conditional, over, until });
    }

    /// An entry goes.
    pub(crate) fn remove(&mut self, place: &PlaceId) {
        let stamp = self.stamp();
        self.changed.insert(place.clone(), stamp);
        self.places.remove(place);
        self.rotated.remove(place);
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
        self.rotated.get_mut(place).into_iter().for_each(|labels| labels.current = None);
        if !self.redeploys(place) {
            self.read.remove(place);
        } else if !self.read.contains_key(place) {
            // The first deployment comes with the entry.
            self.read.insert(place.clone(), [value.to_owned(), value.to_owned()]);
        }
    }

    fn redeploys(&self, id: &PlaceId) -> bool {
        self.sinks.iter().any(|(sink, traits)| {
            traits.redeploys && ["API", "WEB"].iter().any(|name| place(sink, name, traits.readable).id() == *id)
        })
    }

    /// Every branch of every place with deployments gets one.
    pub(crate) fn deploy(&mut self) {
        for branch in 0..2 {
            self.deploy_branch(branch);
        }
        self.read.retain(|place, _| self.places.contains_key(place));
    }

    /// The same of one branch, where there is an entry.
    pub(crate) fn deploy_branch(&mut self, branch: usize) {
        for (place, read) in &mut self.read {
            let Some(entry) = self.places.get(place) else { continue };
            self.served.entry(place.clone()).or_default().insert(read[0].clone());
            read[branch].clone_from(&entry.value);
        }
    }

    /// What a person may take the first branch of a place back to: a version that still works, of a token that has not
    /// forgotten the place. A place is forgotten when nobody reads a version of its token there any more; who goes back
    /// to one later does it as who puts a value back there, by hand and outside of what is recorded.
    pub(crate) fn former(&self, place: &PlaceId) -> Option<String> {
        let now = now();
        let works =
            |value: &&String| self.values.get(*value).is_some_and(|(id, number)| self.service.works(id, *number, now));
        let recorded = |value: &&String| self.values.get(*value).is_some_and(|(id, _)| self.is_recorded(id, place));
        let reads = &self.read.get(place)?[0];
        self.served.get(place)?.iter().filter(|value| *value != reads).filter(recorded).find(works).cloned()
    }

    /// Whether a token has the place on its record.
    pub(crate) fn is_recorded(&self, id: &TokenId, place: &PlaceId) -> bool {
        self.service.active.values().any(|token| token.id == *id && token.places.contains_key(place))
    }

    /// The service's table is replaced by an older copy of it. What was issued since is no version of it any more.
    pub(crate) fn restore(&mut self, copy: Oracle) {
        let lost: Vec<(String, Which)> =
            self.values.iter().map(|(value, which)| (value.clone(), which.clone())).collect();
        let known =
            |(id, number): &Which| copy.active.values().any(|token| token.id == *id && token.highest >= *number);
        for (value, which) in lost.into_iter().filter(|(_, which)| !known(which)) {
            // Its number is given out again.
            let gone = (which.0.clone(), which.1 + LOST);
            self.promises.remove(&which);
            // Where the lost version has been, the one that gets its number has not.
            let been = std::mem::take(&mut self.been);
            let renumbered = |(place, of)| if of == which { (place, gone.clone()) } else { (place, of) };
            self.been = been.into_iter().map(renumbered).collect();
            for place in self.places.keys().chain(self.read.keys()).cloned() {
                self.excused.insert((place, gone.clone()));
            }
            self.values.insert(value, gone);
        }
        self.service = Oracle { minted: self.service.minted, ..copy };
        self.note(|| "the table is replaced by an older copy".to_owned());
    }

    /// What consumers of a place wait for.
    pub(crate) fn lagging(&self, place: &PlaceId) -> Option<String> {
        let (entry, read) = (self.places.get(place)?, self.read.get(place)?);
        read.iter().any(|read| *read != entry.value).then(|| "no deployment is newer than the entry".to_owned())
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
}
