//! The real engine - observe, plan, apply - on the real service, explored: a fault at every call of a run, then runs
//! without faults. After every effect the invariants of section "protocol" of ARCHITECTURE.md are checked.
//!
//! `LATCHKEY_EXPLORE=full` takes every pair of sinks, every length of a suspension and many pairs of faults.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a panic is how a test fails, and coverage is printed")]

#[path = "../exploration/mod.rs"]
#[expect(dead_code, reason = "the exploration on an oracle has more situations")]
mod exploration;
mod explore;
mod gate;
mod runs;
mod scenarios;
mod sinks;
mod table;
mod world;

use exploration::Scenario;
use explore::explore;
use world::Way;

/// One run ends a token and gives its places to another: what it has just written must not leave with the former.
#[tokio::test]
async fn what_takes_anothers_places_keeps_them() {
    for traits in scenarios::TRAITS {
        let world = world::World::new(traits, Way::Direct).await;
        Scenario::Replaced.set_up(&world).await;
        let (replacing, ..) = Scenario::Replaced.three_runs();
        runs::clean(&world, &replacing).await;
        assert_eq!(world.places().len(), 2, "{traits:?}");
        world.check("a token took another's places").await;
        assert_eq!(world.broken(), [""; 0]);
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident,)*) => {
        $(#[test]
        fn $name() {
            explore(Scenario::$scenario, Way::Direct);
        })*

        /// The same runs through the API, as a job with a token and a grant makes them.
        mod through_the_api {
            use super::{Scenario, Way, explore};

            $(#[test]
            fn $name() {
                explore(Scenario::$scenario, Way::Api);
            })*
        }
    };
}

scenarios! {
    first_apply: FirstApply,
    first_apply_of_two: FirstApplyOfTwo,
    rotate: Rotate,
    rotate_twice: RotateTwice,
    rotate_two: RotateTwo,
    place_added: PlaceAdded,
    place_added_and_removed: PlaceAddedAndRemoved,
    place_forgotten: PlaceForgotten,
    place_removed: PlaceRemoved,
    place_removed_and_back: PlaceRemovedAndBack,
    edited: Edited,
    entry_gone: EntryGone,
    recreated: Recreated,
    overlap_ends: OverlapEnds,
    due: Due,
    prune_begins: PruneBegins,
    prune_begins_and_back: PruneBeginsAndBack,
    pruned: Pruned,
    pruned_and_back: PrunedAndBack,
    replaced: Replaced,
    foreign: Foreign,
}
