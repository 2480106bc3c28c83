//! The search: every path of choices with at most so many departures from the way things should go. Runs cannot be
//! copied, so each path is played again from its start; where it meets a state that was met before, the rest is known.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use latchkey::place::PlaceId;

use crate::canon::{Canon, Fold};
use crate::gate::Go;
use crate::runs::{Doing, Driven, clean, unsettled};
use crate::scenarios::{Scenario, Sinks};
use crate::step::{About, Covered, Fault, Step};
use crate::world::{DAY, HOUR, MINUTE, State, World};

/// What a person does to an entry, or a consumer with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// Puts an older version back that still works.
    RollBack(usize),
    /// Writes something else over ours.
    Edit(usize),
    Remove(usize),
    /// Writes where nothing of ours has been.
    Foreign(usize),
    /// The same where no sink compares, a quarter of an hour before anything else happens.
    ForeignBefore(usize),
    /// Puts a version back where nothing is.
    PutBack(usize),
    /// Deletes the token.
    DeleteToken,
    /// A consumer uses an older version.
    Use,
    /// Consumers get their deployment.
    Deploy,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The oldest call of the run whose turn it is goes as it should.
    On,
    /// Another of its calls goes first.
    Other(usize),
    CrashBefore,
    CrashAfter,
    Ends(Go),
    /// The run is suspended; so much later others go on.
    Suspend(u64),
    /// The same after the effect, before the run hears of it.
    SuspendAfter(u64),
    Pass(u64),
    /// A write that is under way arrives.
    Arrive(usize),
    Hand(Hand),
}

/// Kinds of departures, for a search that knows what it looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Crash,
    Suspend,
    Pass,
    RollBack,
    DeleteToken,
}

impl Choice {
    fn is(self, kind: Kind) -> bool {
        match kind {
            Kind::Crash => matches!(self, Self::CrashBefore | Self::CrashAfter),
            Kind::Suspend => matches!(self, Self::Suspend(_)),
            Kind::Pass => matches!(self, Self::Pass(_)),
            Kind::RollBack => matches!(self, Self::Hand(Hand::RollBack(_))),
            Kind::DeleteToken => self == Self::Hand(Hand::DeleteToken),
        }
    }
}

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Which kinds of departures, the first, the second and so on; all when empty.
    pub(crate) kinds: &'static [Kind],
    /// Departures on a path.
    pub(crate) departures: usize,
    /// How many paths with more than one are taken, at each number of departures.
    pub(crate) most: usize,
    /// How many runs there are at once.
    pub(crate) runs: usize,
    /// Stops at the first path that breaks something.
    pub(crate) first: bool,
}

/// One situation between certain sinks.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) scenario: Scenario,
    pub(crate) sinks: Sinks,
    pub(crate) limits: Limits,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Distinct states, as they are counted.
    pub(crate) states: HashSet<u64>,
    pub(crate) covered: Covered,
    /// Kinds of calls that occur when nothing goes wrong.
    pub(crate) steps: BTreeSet<Step>,
    pub(crate) paths: usize,
    pub(crate) broken: Vec<String>,
}

/// Departures: at which choice, which one.
type Path = Vec<(u32, u16)>;

/// Explores a job.
pub(crate) fn search(job: &Job, change: impl Fn(&mut State)) -> Found {
    let names: Vec<&'static str> = job.sinks.keys().copied().collect();
    let empty = State { sinks: job.sinks.clone(), ..State::default() };
    let mut start = job.scenario.set_up(empty, &names);
    let mut found = Found::default();
    // What breaks before a guard is taken out is no merit of the search.
    found.broken.extend(start.broken.drain(..).map(|why| format!("while setting up: {why}")));
    change(&mut start);
    let (mut runs, last) = job.scenario.runs(&names);
    runs.truncate(job.limits.runs);
    let mut search = Search { job, start, runs, last, names, found, seen: HashMap::new(), settled: HashMap::new() };
    let mut paths = vec![Path::new()];
    for departures in 0..=job.limits.departures {
        // Paths with one departure are all taken.
        let mut more = Chosen::new(if departures == 0 { usize::MAX } else { job.limits.most });
        for path in paths {
            Play::new(&search, false).play(&mut search, &path, &mut more);
            search.found.paths += 1;
            if search.found.broken.len() > if job.limits.first { 0 } else { 3 } {
                return search.found;
            }
        }
        paths = more.chosen.into_iter().map(|(_, path)| path).collect();
    }
    search.found
}

/// So many of the paths that there are, always the same and from everywhere: those whose hashes are the smallest.
struct Chosen {
    most: usize,
    chosen: BTreeSet<(u64, Path)>,
}

impl Chosen {
    fn new(most: usize) -> Self {
        Self { most, chosen: BTreeSet::new() }
    }

    fn offer(&mut self, path: &Path, departure: (u32, u16)) {
        let mut hasher = Fold::default();
        path.iter()
            .chain([&departure])
            .for_each(|(at, option)| hasher.write_u64(u64::from(*at) << 16 | u64::from(*option)));
        let hash = hasher.finish();
        if self.chosen.len() >= self.most && self.chosen.last().is_some_and(|(last, _)| *last <= hash) {
            return;
        }
        let mut longer = path.clone();
        longer.push(departure);
        self.chosen.insert((hash, longer));
        if self.chosen.len() > self.most {
            self.chosen.pop_last();
        }
    }
}

struct Search<'a> {
    job: &'a Job,
    start: State,
    runs: Vec<Doing>,
    last: Doing,
    names: Vec<&'static str>,
    found: Found,
    /// States, with how many departures were left there.
    seen: HashMap<u64, usize>,
    /// States without runs, and whether they settle.
    settled: HashMap<u64, bool>,
}

/// A run of a path.
struct Moving {
    driven: Driven,
    calls: Vec<About>,
    /// All that it has been told, so that two runs with the same one are alike.
    told: u64,
    /// Its record was read for an end of something; and places were looked at since.
    read: bool,
    looked: Option<u64>,
}

struct Play {
    world: Arc<World>,
    runs: Vec<Moving>,
    current: Option<usize>,
    foreign: bool,
    /// The exact hash of the state, while nothing has changed it.
    hash: Option<u64>,
}

/// Lengths of time: within what a write may take, past the quiet time, past overlap and staged life, past rotation.
const LENGTHS: [u64; 5] = [3 * MINUTE, 16 * MINUTE, 25 * HOUR, 31 * DAY, 91 * DAY];
const PAUSES: [u64; 4] = [0, 3 * MINUTE, 16 * MINUTE, 26 * HOUR];

impl Play {
    fn new(search: &Search<'_>, traced: bool) -> Self {
        let mut state = search.start.clone();
        state.trace = traced.then(Vec::new);
        let foreign = !state.foreign.is_empty();
        Self { world: World::new(state), runs: Vec::new(), current: None, foreign, hash: None }
    }

    fn play(mut self, search: &mut Search<'_>, path: &Path, more: &mut Chosen) {
        let (mut point, mut departures) = (0_u32, path.iter().peekable());
        let fresh_from = path.last().map_or(0, |(at, _)| at + 1);
        while self.choose_run(search) {
            let departs = departures.next_if(|(at, _)| *at == point).map(|(_, option)| *option);
            let fresh = point >= fresh_from;
            if fresh {
                if self.is_known(search, search.job.limits.departures - path.len()) {
                    return;
                }
                if path.is_empty() {
                    let current = &self.runs[self.current.unwrap()];
                    search.found.steps.extend(current.calls.first().map(|about| about.step));
                }
            }
            let needs_options = departs.is_some() || (fresh && path.len() < search.job.limits.departures);
            let options = if needs_options { self.options(search) } else { Vec::new() };
            if fresh {
                let kind = search.job.limits.kinds.get(path.len());
                let wanted = |(_, choice): &(usize, &Choice)| kind.is_none_or(|kind| choice.is(*kind));
                for (option, _) in options.iter().enumerate().filter(wanted) {
                    more.offer(path, (point, u16::try_from(option).unwrap()));
                }
            }
            let choice = departs.map_or(Choice::On, |option| options[usize::from(option)]);
            self.act(search, choice);
            point += 1;
            if !self.world.state().broken.is_empty() {
                break;
            }
        }
        self.end(search, path);
    }

    /// Whose turn it is: whoever's it was, then whoever has not begun, then whoever was suspended.
    fn choose_run(&mut self, search: &Search<'_>) -> bool {
        let live = |run: &Moving| run.driven.is_live();
        if self.current.is_some_and(|current| live(&self.runs[current])) {
            return true;
        }
        self.current = if self.runs.len() < search.runs.len() {
            let driven = Driven::start(&self.world, &search.runs[self.runs.len()]);
            let calls = driven.gate.waiting();
            self.world.state().note(|| format!("run {} begins", self.runs.len()));
            let told = crate::world::elapsed().as_secs();
            self.runs.push(Moving { driven, calls, told, read: false, looked: None });
            Some(self.runs.len() - 1)
        } else {
            self.runs.iter().position(live)
        };
        self.current.is_some() && (live(&self.runs[self.current.unwrap()]) || self.choose_run(search))
    }

    fn exact(&mut self) -> u64 {
        *self.hash.get_or_insert_with(|| Canon::exact(&self.world.state()))
    }

    /// Counts the state, and tells whether it was met before with as many departures left.
    fn is_known(&mut self, search: &mut Search<'_>, left: usize) -> bool {
        let current = self.current;
        let runs = || {
            let live = self.runs.iter().enumerate().filter(|(_, run)| run.driven.is_live());
            live.map(|(index, run)| (Some(index) == current, run.calls.as_slice()))
        };
        let counted = Canon::counted(&self.world.state(), runs());
        search.found.states.insert(counted);
        let exact = self.exact();
        let mut hasher = Fold::default();
        (exact, current, self.foreign, self.runs.len()).hash(&mut hasher);
        for run in self.runs.iter().filter(|run| run.driven.is_live()) {
            (run.told, run.calls.len()).hash(&mut hasher);
        }
        let before = search.seen.get(&hasher.finish()).copied();
        if before.is_some_and(|before| before >= left) {
            return true;
        }
        search.seen.insert(hasher.finish(), left);
        false
    }

    /// All departures that are possible now.
    fn options(&self, search: &Search<'_>) -> Vec<Choice> {
        let run = &self.runs[self.current.unwrap()];
        let about = &run.calls[0];
        let mut options = Vec::new();
        options.extend((1..run.calls.len()).map(Choice::Other));
        let others =
            self.runs.len() < search.runs.len() || self.runs.iter().filter(|run| run.driven.is_live()).count() > 1;
        if !about.hearing {
            if about.step.is_effect() {
                options.extend([Choice::CrashBefore, Choice::CrashAfter, Choice::Ends(Go::TimesOut)]);
            }
            options.push(Choice::Ends(Go::Fails));
            if about.step == Step::Write {
                options.push(Choice::Ends(Go::Late));
            }
            if about.step.is_effect() && others {
                options.extend(PAUSES.map(Choice::SuspendAfter));
            }
        }
        if others {
            options.extend(PAUSES.map(Choice::Suspend));
        }
        options.extend(LENGTHS.map(Choice::Pass));
        let state = self.world.state();
        options.extend((0..state.late.len()).map(Choice::Arrive));
        self.hands(search, &state, &mut options);
        options
    }

    /// What people and consumers may do now without asking for more than can be kept.
    fn hands(&self, search: &Search<'_>, state: &State, options: &mut Vec<Choice>) {
        // What rests on a look of more than five minutes ago is refused.
        let fresh = |at: u64| state.seconds <= at + 5 * MINUTE;
        let looked = self.runs.iter().any(|run| run.driven.is_live() && run.looked.is_some_and(fresh));
        let entry = search.job.scenario.entry();
        let lates = |place: &PlaceId| state.late.iter().any(|late| late.place == *place && !late.conditional);
        for (index, sink) in search.names.iter().enumerate() {
            let place = state.place(sink, entry).id();
            let held = state.places.get(&place);
            let ours = held.is_some_and(|entry| state.values.contains_key(&entry.value));
            if ours {
                options.extend([Choice::Hand(Hand::Edit(index)), Choice::Hand(Hand::Remove(index))]);
                // Between a look and the call that rests on it nobody could tell.
                if !looked && older(state, &place).is_some() {
                    options.push(Choice::Hand(Hand::RollBack(index)));
                }
            }
            // A person's own value; where a write that does not compare is under way, or about to be, nobody could tell.
            let delivered = state
                .service
                .active
                .values()
                .any(|token| token.places.get(&place).is_some_and(|place| place.receipt.is_some()));
            let compared = state.sinks[sink].conditional;
            if held.is_none() && !delivered && compared {
                options.push(Choice::Hand(Hand::Foreign(index)));
            } else if held.is_none() && !delivered && !lates(&place) {
                options.push(Choice::Hand(Hand::ForeignBefore(index)));
            }
            let known = state.service.active.values().any(|token| token.places.contains_key(&place));
            if held.is_none() && known && !looked && last_there(state, &place).is_some() {
                options.push(Choice::Hand(Hand::PutBack(index)));
            }
        }
        if search.job.scenario.deletes() && !state.service.active.is_empty() {
            options.push(Choice::Hand(Hand::DeleteToken));
        }
        if state.promises.values().any(|promise| promise.overlap_until.is_some()) {
            options.push(Choice::Hand(Hand::Use));
        }
        if !state.read.is_empty() {
            options.push(Choice::Hand(Hand::Deploy));
        }
    }

    fn cover(&self, search: &mut Search<'_>, fault: Fault) {
        let run = &self.runs[self.current.unwrap()];
        search.found.covered.insert((run.calls[0].step, fault));
    }

    fn act(&mut self, search: &mut Search<'_>, choice: Choice) {
        let current = self.current.unwrap();
        if choice != Choice::On {
            self.world.state().note(|| format!("{choice:?}"));
        }
        match choice {
            Choice::On => self.through(0, Go::Well),
            Choice::Other(index) => self.through(index, Go::Well),
            Choice::CrashBefore => {
                self.cover(search, Fault::CrashBefore);
                self.runs[current].driven.kill();
            }
            Choice::CrashAfter => {
                self.cover(search, Fault::CrashAfter);
                self.through(0, Go::Held);
                self.runs[current].driven.kill();
            }
            Choice::Ends(go) => {
                let fault = match go {
                    Go::TimesOut => Fault::TimesOut,
                    Go::Late => Fault::Late,
                    _ => Fault::Fails,
                };
                self.cover(search, fault);
                self.through(0, go);
            }
            Choice::Suspend(length) => {
                self.cover(search, Fault::Suspended);
                self.suspend(search, length);
            }
            Choice::SuspendAfter(length) => {
                self.cover(search, Fault::SuspendedAfter);
                self.through(0, Go::Held);
                self.suspend(search, length);
            }
            Choice::Pass(length) => {
                self.cover(search, Fault::TimePasses);
                self.world.state().pass(length);
                self.hash = None;
            }
            Choice::Arrive(index) => {
                self.world.state().arrive(index);
                self.hash = None;
            }
            Choice::Hand(hand) => {
                self.cover(search, if hand == Hand::DeleteToken { Fault::TokenDeleted } else { Fault::Hand });
                self.hand(search, hand);
                self.hash = None;
            }
        }
    }

    fn through(&mut self, index: usize, go: Go) {
        let exact = self.exact();
        let run = &mut self.runs[self.current.unwrap()];
        let about = run.calls[index].clone();
        self.world.state().note(|| format!("run {} {:?} v{} {go:?}", self.current.unwrap(), about.step, about.number));
        run.driven.go(index, go);
        let mut hasher = Fold::default();
        (run.told, exact, index, crate::world::elapsed().as_secs()).hash(&mut hasher);
        (go == Go::Well, go == Go::Fails, go == Go::TimesOut, about.hearing).hash(&mut hasher);
        run.told = hasher.finish();
        run.calls = run.driven.gate.waiting();
        match about.step {
            Step::Reread => (run.read, run.looked) = (true, None),
            Step::Look if run.read => run.looked = Some(crate::world::elapsed().as_secs()),
            step if step.is_effect() => (run.read, run.looked) = (false, None),
            _ => {}
        }
        if about.step.is_effect() && !about.hearing {
            self.hash = None;
        }
    }

    /// Others go on: whoever has not begun, or whoever was suspended before.
    fn suspend(&mut self, search: &Search<'_>, length: u64) {
        let suspended = self.current.take();
        if length > 0 {
            self.world.state().pass(length);
            self.hash = None;
        }
        if self.runs.len() == search.runs.len() {
            let live = |(index, run): &(usize, &Moving)| Some(*index) != suspended && run.driven.is_live();
            self.current = self.runs.iter().enumerate().find(live).map(|(index, _)| index);
        }
    }

    fn hand(&mut self, search: &Search<'_>, hand: Hand) {
        let mut state = self.world.state();
        let entry = search.job.scenario.entry();
        let id = |state: &State, index: usize| state.place(search.names[index], entry).id();
        match hand {
            Hand::RollBack(index) => {
                let place = id(&state, index);
                if let Some(value) = older(&state, &place) {
                    state.put(&place, &value, true);
                }
            }
            Hand::Edit(index) => {
                let place = id(&state, index);
                state.put(&place, "edited", false);
                // Whoever edits an entry has it deployed.
                if let Some(read) = state.read.get_mut(&place) {
                    "edited".clone_into(read);
                }
            }
            Hand::Remove(index) => {
                let place = id(&state, index);
                state.remove(&place);
                state.read.remove(&place);
            }
            Hand::PutBack(index) => {
                let place = id(&state, index);
                if let Some(value) = last_there(&state, &place) {
                    state.put(&place, &value, true);
                }
            }
            Hand::ForeignBefore(index) => {
                let place = id(&state, index);
                state.foreign(&place);
                self.foreign = true;
                state.pass(16 * MINUTE);
            }
            Hand::Foreign(index) => {
                let place = id(&state, index);
                state.foreign(&place);
                self.foreign = true;
            }
            Hand::DeleteToken => {
                let key = state.service.active.keys().next().cloned();
                if let Some(key) = key {
                    state.delete(&key);
                }
            }
            Hand::Use => state.use_older(),
            Hand::Deploy => state.deploy(),
        }
        state.check_places("a person's hand");
    }

    /// All runs have ended: now faultless runs must bring everything in order.
    fn end(mut self, search: &mut Search<'_>, path: &Path) {
        let exact = self.exact();
        let known = self.world.state().broken.is_empty() && search.settled.contains_key(&exact);
        if !known {
            self.settle(search);
            search.settled.insert(exact, true);
        }
        let (broken, trace) = {
            let mut state = self.world.state();
            (std::mem::take(&mut state.broken), state.trace.take())
        };
        if broken.is_empty() {
            return;
        }
        match trace {
            Some(trace) => {
                let shown = format!(
                    "{:?} {:?} {path:?}: {}\n{}",
                    search.job.scenario,
                    search.job.sinks,
                    broken.join("; "),
                    trace.join("\n")
                );
                search.found.broken.push(shown);
            }
            None if search.job.limits.first => search.found.broken.push(broken.join("; ")),
            None => {
                // Once more, with every call written down.
                search.settled.remove(&exact);
                Play::new(search, true).replay(search, path);
            }
        }
    }

    /// The same path once more.
    fn replay(mut self, search: &mut Search<'_>, path: &Path) {
        let (mut point, mut departures) = (0_u32, path.iter().peekable());
        while self.choose_run(search) && self.world.state().broken.is_empty() {
            let departs = departures.next_if(|(at, _)| *at == point).map(|(_, option)| *option);
            let choice = departs.map_or(Choice::On, |option| self.options(search)[usize::from(option)]);
            self.act(search, choice);
            point += 1;
        }
        self.end(search, path);
    }

    fn settle(&mut self, search: &Search<'_>) {
        self.settle_with(&search.last);
        if search.job.scenario.gives_up() && !self.foreign {
            clean(&self.world, &search.last.rotating());
            self.settle_with(&search.last);
        }
    }

    fn settle_with(&mut self, last: &Doing) {
        let mut left = None;
        for length in [MINUTE, 20 * MINUTE, 26 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR] {
            {
                let mut state = self.world.state();
                state.pass(length);
                state.arrive_all();
                state.down.clear();
                state.note(|| "a run without faults".to_owned());
                if !state.broken.is_empty() {
                    return;
                }
            }
            clean(&self.world, last);
            left = if self.foreign { None } else { unsettled(&self.world, last) };
            if left.is_none() && !(self.foreign && length < HOUR) {
                return;
            }
            self.world.state().deploy();
        }
        self.world.state().broke(format!("B: it never settles: {}", left.unwrap_or_default()));
    }
}

/// The newest version that was in a place and still works.
fn last_there(state: &State, place: &PlaceId) -> Option<String> {
    let now = crate::world::now();
    let works = |(_, which): &(&String, &crate::world::Which)| {
        state.been.contains(&(place.clone(), (*which).clone())) && state.service.works(&which.0, which.1, now)
    };
    state.values.iter().filter(works).max_by_key(|(_, which)| which.1).map(|(value, _)| value.clone())
}

/// An older version than the place holds, that still works.
pub(crate) fn older(state: &State, place: &PlaceId) -> Option<String> {
    let (id, held) = state.values.get(&state.places.get(place)?.value)?;
    let now = crate::world::now();
    let older = state
        .values
        .iter()
        .filter(|(_, (of, number))| of == id && number < held && state.service.works(of, *number, now));
    // One that consumers had, not one that never went anywhere.
    let been = |(_, which): &(&String, &crate::world::Which)| {
        state.promises.get(*which).is_some_and(|promise| promise.promoted)
    };
    older.filter(been).map(|(value, _)| value.clone()).next()
}
