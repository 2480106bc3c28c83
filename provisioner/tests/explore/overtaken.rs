//! Steps of a rotation by AWS that come twice, and are slow.

use std::sync::Arc;

use crate::between;
use crate::exploration::{Doing, Scenario};
use crate::gate::Go;
use crate::runs::Driven;
use crate::step::Step;
use crate::world::{State, World};

const SINKS: [&str; 2] = ["a", "b"];

fn world() -> Arc<World> {
    let sinks = between::rotated_by_aws().swap_remove(0);
    World::new(Scenario::ByAws.set_up(State { sinks, ..State::default() }, &SINKS))
}

/// A step is slow between the record and what is pending, while the same one comes again and is done.
fn twice() -> Arc<World> {
    let (world, aws) = (world(), Doing::one(&SINKS).by_aws());
    let mut slow = Driven::start(&world, &aws);
    // It has read the record, and nothing is pending yet.
    slow.until(Step::ReadPending);
    let mut quick = Driven::start(&world, &aws);
    quick.until(Step::PutPending);
    quick.go(0, Go::Well);
    slow.finish();
    quick.finish();
    world
}

#[test]
fn a_step_that_read_an_older_record_ends_no_rotation() {
    let world = twice();
    let state = world.state();
    assert_eq!(state.broken, [""; 0]);
    let token = state.service.active.values().next().unwrap();
    assert_eq!((token.current().map(|current| current.number), token.highest), (Some(2), 2), "no version was lost");
    assert_eq!(state.stuck(), None);
}

#[cfg(feature = "test-clock")]
#[test]
fn without_its_guard_it_would() {
    use provisioner::safeguard::{Safeguard, remove};
    remove(&[Safeguard::PendingRecord]);
    let world = twice();
    remove(&[]);
    assert!(world.state().broken[0].starts_with("B: a step ended a rotation"));
}
