//! Where explorations start.

use std::sync::Arc;

use crate::exploration::{Doing, Scenario};
use crate::gate::Go;
use crate::runs::{Driven, clean};
use crate::step::Step;
use crate::world::{DAY, HOUR, MINUTE, State, World};

impl Scenario {
    pub(crate) const ALL: [Self; 46] = [
        Self::FirstApply,
        Self::FirstApplyOfTwo,
        Self::Rotate,
        Self::RotateTwice,
        Self::RotateTwo,
        Self::Due,
        Self::Durations,
        Self::PlaceAdded,
        Self::PlaceAddedAndRemoved,
        Self::PlaceForgotten,
        Self::PlaceRemoved,
        Self::PlaceRemovedAndBack,
        Self::Edited,
        Self::EntryGone,
        Self::Recreated,
        Self::OverlapEnds,
        Self::Superseded,
        Self::Unreadable,
        Self::Outrun,
        Self::PruneBegins,
        Self::PruneBeginsAndBack,
        Self::Pruned,
        Self::PrunedAndBack,
        Self::Replaced,
        Self::Foreign,
        Self::LateBehind,
        Self::LateWherePlaceLeaves,
        Self::LateWhereTokenLeaves,
        Self::PlaceAddedMeanwhile,
        Self::OutOfSight,
        Self::Undeployed,
        Self::UndeployedLeaves,
        Self::TakenOver,
        Self::PlaceGone,
        Self::Refused,
        Self::RefusedWherePlaceLeaves,
        Self::Undeclared,
        Self::PlaceMoved,
        Self::Restored,
        Self::ByJob,
        Self::JobWherePlaceLeaves,
        Self::Window,
        Self::ByAws,
        Self::AwsRepeats,
        Self::AwsPending,
        Self::AwsStuck,
    ];

    /// Brings an empty world into the situation.
    pub(crate) fn set_up(self, mut state: State, sinks: &[&'static str]) -> State {
        let last = sinks[sinks.len() - 1];
        let (all, less, two) = (Doing::one(sinks), Doing::one(&sinks[..sinks.len() - 1]), Doing::two(sinks));
        let in_last = state.place(last, "API").id();
        if self == Self::Foreign {
            state.foreign(&in_last);
        }
        if self == Self::Refused {
            state.refuses.insert(last, 2);
        }
        let world = World::new(state);
        match self {
            Self::FirstApply | Self::FirstApplyOfTwo | Self::Foreign | Self::Refused => {}
            Self::PlaceAdded | Self::PlaceAddedAndRemoved | Self::PlaceAddedMeanwhile | Self::PlaceMoved => {
                clean(&world, &less);
            }
            Self::RotateTwo
            | Self::Undeclared
            | Self::TakenOver
            | Self::LateWhereTokenLeaves
            | Self::PruneBegins
            | Self::PruneBeginsAndBack
            | Self::Pruned
            | Self::PrunedAndBack => {
                clean(&world, &two);
            }
            _ => clean(&world, &all),
        }
        pass(&world, HOUR);
        match self {
            Self::Edited => world.state().put(&in_last, "edited", false),
            Self::EntryGone | Self::PlaceForgotten | Self::PlaceGone => {
                world.state().places.remove(&in_last);
                world.state().read.remove(&in_last);
            }
            Self::Recreated => {
                let key = latchkey::token::TokenKey::new("ci".parse().unwrap(), "api".parse().unwrap());
                world.state().delete(&key);
            }
            Self::OverlapEnds => {
                clean(&world, &all.rotating());
                pass(&world, 25 * HOUR);
            }
            Self::Superseded => {
                // A run that died after its first announcement, and one after its first write.
                stop_after(&world, &all.rotating(), Step::Announce);
                stop_after(&world, &all.rotating(), Step::Write);
                pass(&world, 20 * MINUTE);
            }
            Self::Unreadable => {
                // Each version ends up in one place, and nobody can read it there.
                for up in sinks {
                    world.state().down = sinks.iter().copied().filter(|sink| sink != up).collect();
                    failing(&world, &all.rotating());
                }
                world.state().down.clear();
                pass(&world, HOUR);
            }
            Self::Outrun => {
                // Slow runs write to the last place after others have rotated: as many versions as may be are valid.
                while world.state().service.active.values().all(|token| token.highest < 9) {
                    let mut slow = Driven::start(&world, &all.rotating());
                    while slow.is_live() && !slow.writes(&in_last) {
                        slow.go(0, Go::Well);
                    }
                    clean(&world, &all.rotating());
                    let before = world.state().service.active.values().map(|token| token.highest).max();
                    while slow.is_live()
                        && world.state().service.active.values().map(|token| token.highest).max() == before
                    {
                        slow.go(0, Go::Well);
                    }
                    slow.kill();
                }
                pass(&world, HOUR);
            }
            Self::LateBehind => {
                // A write is under way; a newer version was staged, and nobody has made it current.
                first_write_late(&world, &all.rotating());
                stop_after(&world, &all.rotating(), Step::Announce);
                world.state().pass(12 * MINUTE);
            }
            Self::RefusedWherePlaceLeaves => {
                // A write is under way; the next one of that version is refused, and the place leaves.
                write_late(&world, &all.rotating(), &in_last);
                world.state().refuses.insert(last, 1);
            }
            Self::LateWhereTokenLeaves => {
                // A run was suspended while its token was pruned, and goes on when the token's overlap is over.
                let mut late = Driven::start(&world, &two.rotating());
                let waits = |late: &Driven| late.gate.waiting()[0].clone();
                let mut announced = std::collections::BTreeSet::new();
                while late.is_live() {
                    let about = waits(&late);
                    // The first token's pushes and the first push of `web` are over.
                    if about.step == Step::Announce {
                        announced.insert((about.token.clone(), about.places.clone()));
                        if announced.len() == 2 * sinks.len() {
                            break;
                        }
                    }
                    late.go(0, Go::Well);
                }
                // What it may write now keeps the place recorded.
                if late.is_live() {
                    late.go(0, Go::Well);
                }
                clean(&world, &all.pruning());
                pass(&world, 25 * HOUR);
                if late.is_live() {
                    late.go(0, Go::Well);
                    while late.is_live() && waits(&late).step != Step::Write {
                        late.go(0, Go::Well);
                    }
                    if late.is_live() {
                        late.go(0, Go::Late);
                    }
                    late.kill();
                }
            }
            Self::OutOfSight => {
                clean(&world, &all.rotating());
                pass(&world, 25 * HOUR);
                let mut state = world.state();
                if let Some(value) = crate::search::older(&state, &in_last) {
                    state.put(&in_last, &value, true);
                    state.deploy();
                }
                state.down.insert(last);
            }
            Self::Undeployed | Self::UndeployedLeaves => {
                clean(&world, &all.rotating());
                world.state().pass(25 * HOUR);
            }
            Self::Restored => {
                // The copy knows the first version, which ended since, and not the one that the places contain.
                let copy = world.state().service.clone();
                clean(&world, &all.rotating());
                pass(&world, 25 * HOUR);
                clean(&world, &all);
                world.state().restore(copy);
            }
            Self::AwsPending => {
                // The function was ended after its first step, and AWS has not come back.
                stop_after(&world, &all.by_aws(), Step::PutPending);
                pass(&world, 31 * DAY);
            }
            Self::AwsStuck => {
                // Nobody came back until what is pending was retired.
                stop_after(&world, &all.by_aws(), Step::PutPending);
                pass(&world, 25 * HOUR);
                clean(&world, &all);
                pass(&world, HOUR);
            }
            Self::Due | Self::ByJob | Self::JobWherePlaceLeaves | Self::Window | Self::AwsRepeats => {
                pass(&world, 31 * DAY);
            }
            Self::Pruned | Self::PrunedAndBack => {
                if self == Self::Pruned {
                    // Announced so lately that its places stay recorded when their entries go.
                    clean(&world, &two.rotating());
                }
                clean(&world, &all.pruning());
                pass(&world, 25 * HOUR);
            }
            _ => {}
        }
        let state: &State = &world.state();
        state.clone()
    }

    /// Whether a run works on two tokens.
    pub(crate) fn has_two(self) -> bool {
        matches!(
            self,
            Self::FirstApplyOfTwo
                | Self::RotateTwo
                | Self::Undeclared
                | Self::TakenOver
                | Self::PruneBegins
                | Self::PruneBeginsAndBack
                | Self::PrunedAndBack
        )
    }

    /// Whether it is about places that nobody can read.
    pub(crate) fn is_about_unreadable(self) -> bool {
        matches!(self, Self::Unreadable | Self::Outrun)
    }

    /// Whether it is about consumers that lag behind.
    pub(crate) fn is_about_deployments(self) -> bool {
        matches!(self, Self::Undeployed | Self::UndeployedLeaves)
    }

    /// The entry that people lay hands on.
    pub(crate) fn entry(self) -> &'static str {
        match self {
            Self::PruneBegins | Self::PruneBeginsAndBack | Self::Pruned | Self::PrunedAndBack => "WEB",
            _ => "API",
        }
    }

    /// Whether a person puts an older value back where values are not read. No place leaves meanwhile: nobody could tell
    /// what is forgotten with it.
    pub(crate) fn pastes(self) -> bool {
        matches!(
            self,
            Self::OverlapEnds
                | Self::Rotate
                | Self::RotateTwice
                | Self::Due
                | Self::ByJob
                | Self::Window
                | Self::Durations
                | Self::Superseded
                | Self::Undeployed
                | Self::Edited
                | Self::EntryGone
        )
    }

    /// Whether a person deletes the token at any time.
    pub(crate) fn deletes(self) -> bool {
        matches!(
            self,
            Self::FirstApply
                | Self::FirstApplyOfTwo
                | Self::Rotate
                | Self::OverlapEnds
                | Self::PlaceRemoved
                | Self::PruneBegins
                | Self::Pruned
                | Self::EntryGone
                | Self::Refused
                | Self::ByJob
                | Self::ByAws
        )
    }
}

fn pass(world: &Arc<World>, length: u64) {
    let mut state = world.state();
    state.pass(length);
    state.deploy();
}

/// A run that dies after its first call of that kind.
fn stop_after(world: &Arc<World>, doing: &Doing, step: Step) {
    let mut driven = Driven::start(world, doing);
    while driven.is_live() {
        let last = driven.gate.waiting()[0].step == step;
        driven.go(0, Go::Well);
        if last {
            driven.kill();
        }
    }
}

/// A run whose write to a place is late, and that dies then.
fn write_late(world: &Arc<World>, doing: &Doing, place: &latchkey::place::PlaceId) {
    let mut driven = Driven::start(world, doing);
    while driven.is_live() {
        let about = driven.gate.waiting()[0].clone();
        let late = about.step == Step::Write && about.places.contains(place);
        driven.go(0, if late { Go::Late } else { Go::Well });
        if late {
            driven.kill();
        }
    }
}

/// A run whose first write is late, and that dies then.
fn first_write_late(world: &Arc<World>, doing: &Doing) {
    let mut driven = Driven::start(world, doing);
    while driven.is_live() {
        let late = driven.gate.waiting()[0].step == Step::Write;
        driven.go(0, if late { Go::Late } else { Go::Well });
        if late {
            driven.kill();
        }
    }
}

/// A run whose sinks are down when it writes, though they could be looked at a moment ago.
fn failing(world: &Arc<World>, doing: &Doing) {
    let down = std::mem::take(&mut world.state().down);
    let mut driven = Driven::start(world, doing);
    while driven.is_live() {
        let step = driven.gate.waiting()[0].step;
        if step == Step::Write {
            world.state().down.clone_from(&down);
        }
        driven.go(0, Go::Well);
        world.state().down.clear();
    }
}
