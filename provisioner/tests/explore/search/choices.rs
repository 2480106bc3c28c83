//! What may happen next.

use latchkey::place::PlaceId;

use super::hands::{Hand, last_there, older};
use super::{Play, Search};
use crate::gate::Go;
use crate::world::{DAY, HOUR, MINUTE, State};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
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
    Paste,
    PutBack,
    Remove,
    Foreign,
    DeleteToken,
}

impl Choice {
    pub(super) fn is(self, kind: Kind) -> bool {
        match kind {
            Kind::Crash => matches!(self, Self::CrashBefore | Self::CrashAfter),
            Kind::Suspend => matches!(self, Self::Suspend(_)),
            Kind::Pass => matches!(self, Self::Pass(_)),
            Kind::RollBack => matches!(self, Self::Hand(Hand::RollBack(_))),
            Kind::Paste => matches!(self, Self::Hand(Hand::Paste(_))),
            Kind::PutBack => matches!(self, Self::Hand(Hand::PutBack(_))),
            Kind::Remove => matches!(self, Self::Hand(Hand::Remove(_))),
            Kind::Foreign => matches!(self, Self::Hand(Hand::Foreign(_))),
            Kind::DeleteToken => self == Self::Hand(Hand::DeleteToken),
        }
    }
}

/// Lengths of time: within what a write may take, past the quiet time, past overlap and staged life, past rotation.
const LENGTHS: [u64; 5] = [3 * MINUTE, 16 * MINUTE, 25 * HOUR, 31 * DAY, 91 * DAY];
const PAUSES: [u64; 4] = [0, 3 * MINUTE, 16 * MINUTE, 26 * HOUR];

impl Play {
    /// All departures that are possible now.
    pub(super) fn options(&self, search: &Search<'_>) -> Vec<Choice> {
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
            if about.step.is_write() {
                options.extend([Choice::Ends(Go::Refused), Choice::Ends(Go::Late)]);
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
            if held.is_none() && !looked && last_there(state, &place).is_some() {
                options.push(Choice::Hand(Hand::PutBack(index)));
            }
        }
        if search.job.scenario.deletes() && !state.service.active.is_empty() {
            options.push(Choice::Hand(Hand::DeleteToken));
        }
        for labels in state.rotated.values() {
            options.extend(labels.unfinished().map(|_| Choice::Hand(Hand::Unlabel)));
            let empty = labels.unfinished().is_some_and(|version| !labels.values.contains_key(&version));
            options.extend(empty.then_some(Choice::Hand(Hand::Junk)));
        }
        if state.promises.values().any(|promise| promise.overlap_until.is_some()) {
            options.push(Choice::Hand(Hand::Use));
        }
        if !state.read.is_empty() {
            options.extend([Choice::Hand(Hand::Deploy), Choice::Hand(Hand::DeployBranch)]);
        }
        if !looked {
            let former = |(_, sink): &(usize, &&'static str)| state.former(&state.place(sink, entry).id()).is_some();
            let back = search.names.iter().enumerate().filter(former);
            options.extend(back.map(|(index, _)| Choice::Hand(Hand::TakeBack(index))));
        }
        if search.job.scenario.pastes() && !looked {
            let blind = |(_, sink): &(usize, &&'static str)| {
                let place = state.place(sink, entry);
                !place.readable && older(state, &place.id()).is_some()
            };
            let blind = search.names.iter().enumerate().filter(blind);
            options.extend(blind.map(|(index, _)| Choice::Hand(Hand::Paste(index))));
        }
    }
}
