//! One path, played from its start.

use std::hash::{Hash, Hasher};

use super::choices::Choice;
use super::hands::Hand;
use super::{Chosen, Moving, Path, Play, Search};
use crate::canon::{Canon, Fold};
use crate::gate::Go;
use crate::runs::Driven;
use crate::step::{Fault, Step};
use crate::world::{World, elapsed};

impl Play {
    pub(super) fn new(search: &Search<'_>, traced: bool) -> Self {
        let mut state = search.start.clone();
        state.trace = traced.then(Vec::new);
        let foreign = !state.foreign.is_empty();
        Self { world: World::new(state), runs: Vec::new(), current: None, foreign, hash: None }
    }

    pub(super) fn play(mut self, search: &mut Search<'_>, path: &Path, more: &mut Chosen) {
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
    pub(super) fn choose_run(&mut self, search: &Search<'_>) -> bool {
        let live = |run: &Moving| run.driven.is_live();
        if self.current.is_some_and(|current| live(&self.runs[current])) {
            return true;
        }
        self.current = if self.runs.len() < search.runs.len() {
            let driven = Driven::start(&self.world, &search.runs[self.runs.len()]);
            let calls = driven.gate.waiting();
            self.world.state().note(|| format!("run {} begins", self.runs.len()));
            let told = elapsed().as_secs();
            self.runs.push(Moving { driven, calls, told, read: false, looked: None });
            Some(self.runs.len() - 1)
        } else {
            self.runs.iter().position(live)
        };
        self.current.is_some() && (live(&self.runs[self.current.unwrap()]) || self.choose_run(search))
    }

    pub(super) fn exact(&mut self) -> u64 {
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

    fn cover(&self, search: &mut Search<'_>, fault: Fault) {
        let run = &self.runs[self.current.unwrap()];
        search.found.covered.insert((run.calls[0].step, fault));
    }

    pub(super) fn act(&mut self, search: &mut Search<'_>, choice: Choice) {
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
                    Go::Refused => Fault::Refused,
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
        (run.told, exact, index, elapsed().as_secs()).hash(&mut hasher);
        (go == Go::Well, go == Go::Fails, go == Go::TimesOut, go == Go::Refused, about.hearing).hash(&mut hasher);
        run.told = hasher.finish();
        run.calls = run.driven.gate.waiting();
        match about.step {
            Step::Reread => (run.read, run.looked) = (true, None),
            Step::Look if run.read => run.looked = Some(elapsed().as_secs()),
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
}
