//! All runs of a path have ended: now faultless runs must bring everything in order.

use super::choices::Choice;
use super::{Path, Play, Search};
use crate::exploration::Doing;
use crate::runs::{clean, unsettled};
use crate::world::{HOUR, MINUTE, State};

impl Play {
    /// All runs have ended: now faultless runs must bring everything in order.
    pub(super) fn end(mut self, search: &mut Search<'_>, path: &Path) {
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
        // Where the value of a person's own is in the way of the token, there is none to rotate.
        let before = current(&self.world.state());
        if search.job.scenario.is_by_aws() && !self.foreign && before.is_some() {
            self.rotates_again(search, before);
            self.settle_with(&search.last);
        }
    }

    /// B: what was left under AWSPENDING keeps AWS from no other rotation.
    fn rotates_again(&self, search: &Search<'_>, before: Option<u32>) {
        for _ in 0..2 {
            self.world.state().note(|| "AWS rotates without faults".to_owned());
            clean(&self.world, &search.last.by_aws());
            if current(&self.world.state()) > before {
                break;
            }
        }
        let mut state = self.world.state();
        let stuck = state.stuck().or_else(|| (current(&state) <= before).then(|| "AWS rotates no more".to_owned()));
        if let Some(stuck) = stuck {
            state.broke(format!("B: {stuck}"));
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

/// The number of the token's current version.
fn current(state: &State) -> Option<u32> {
    state.service.active.values().find_map(|token| Some(token.current()?.number))
}
