//! The search: every path of choices with at most so many departures from the way things should go. Runs cannot be
//! copied, so each path is played again from its start; where it meets a state that was met before, the rest is known.

mod choices;
mod hands;
mod play;
mod settling;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::between::Sinks;
use crate::canon::Fold;
use crate::exploration::{Doing, Scenario};
use crate::runs::Driven;
use crate::step::{About, Covered, Step};
use crate::world::{State, World};

pub(crate) use choices::Kind;
pub(crate) use hands::older;

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
    /// How long it may take; it goes to its end when there is none.
    pub(crate) time: Option<Duration>,
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
    /// Its time was over before its end.
    pub(crate) in_part: bool,
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
    let begun = Instant::now();
    for departures in 0..=job.limits.departures {
        // Paths with one departure are all taken.
        let mut more = Chosen::new(if departures == 0 { usize::MAX } else { job.limits.most });
        for path in paths {
            if job.limits.time.is_some_and(|time| begun.elapsed() >= time) {
                search.found.in_part = true;
                return search.found;
            }
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
