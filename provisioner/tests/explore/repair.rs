//! Nothing of a token ends in a run that repairs one of its places, not even when the run looks again.

use std::sync::Arc;

use crate::between;
use crate::exploration::{Doing, Scenario};
use crate::gate::Go;
use crate::runs::{Driven, clean};
use crate::search::older;
use crate::step::Step;
use crate::world::{State, Which, World};

const SINKS: [&str; 2] = ["a", "b"];

/// A token in two places that cannot be read, in which a first version is past its overlap.
fn world() -> (Arc<World>, Which) {
    let blind = between::three_unreadable().into_iter().filter(|(name, _)| SINKS.contains(name)).collect();
    let state = Scenario::OverlapEnds.set_up(State { sinks: blind, ..State::default() }, &SINKS);
    let first = state.promises.keys().find(|(_, number)| *number == 1).unwrap().clone();
    (World::new(state), first)
}

/// The first version's value comes back into the second place, and nothing tells that it is ours.
fn put_back(world: &World) {
    let mut state = world.state();
    let place = state.place("b", "API").id();
    let value = older(&state, &place).unwrap();
    state.put(&place, &value, false);
}

fn works(world: &World, (id, number): &Which) -> bool {
    let state = world.state();
    assert_eq!(state.broken, [""; 0]);
    state.service.works(id, *number, crate::world::now())
}

#[test]
fn a_place_that_changed_since_the_plan_keeps_the_older_version() {
    let (world, first) = world();
    let mut run = Driven::start(&world, &Doing::one(&SINKS));
    // The plan asks for its end, and the record is read for that.
    run.until(Step::Reread);
    put_back(&world);
    run.finish();
    assert!(works(&world, &first));
    clean(&world, &Doing::one(&SINKS));
    assert!(works(&world, &first), "the next run repairs");
    clean(&world, &Doing::one(&SINKS));
    assert!(!works(&world, &first), "and the one after it retires");
}

#[test]
fn a_run_that_repaired_something_retires_nothing_when_it_looks_again() {
    let (world, first) = world();
    put_back(&world);
    let mut run = Driven::start(&world, &Doing::one(&SINKS));
    run.until(Step::Write);
    run.until(Step::Look);
    // The look before the promotion finds nothing, so that the run goes over everything once more.
    run.go(0, Go::Fails);
    run.until(Step::Observe);
    run.finish();
    let current = world.state().service.current(&first.0);
    assert_eq!(current, Some(3), "the second pass has finished the repair");
    assert!(works(&world, &first));
    clean(&world, &Doing::one(&SINKS));
    assert!(!works(&world, &first));
}

#[test]
fn a_run_that_goes_over_everything_again_rotates_nothing_twice() {
    // Both compare and can be read.
    let vaults = [("a", between::VAULT), ("b", between::VAULT)].into_iter().collect();
    let world = World::new(Scenario::RotateTwo.set_up(State { sinks: vaults, ..State::default() }, &SINKS));
    let mut run = Driven::start(&world, &Doing::two(&SINKS).rotating());
    run.until(Step::Write);
    run.until(Step::Look);
    // One of the two tokens is not where it was written, so that the run goes over both once more.
    let place = world.state().place("b", "WEB").id();
    world.state().put(&place, "edited", false);
    run.until(Step::Promote);
    run.until(Step::Observe);
    run.finish();
    let state = world.state();
    assert_eq!(state.broken, [""; 0]);
    let newest = state.service.active.values().map(|token| (token.name.as_str(), token.highest));
    assert_eq!(newest.collect::<Vec<_>>(), [("api", 2), ("web", 2)]);
    assert!(state.service.active.values().all(|token| token.current().is_some_and(|current| current.number == 2)));
}
