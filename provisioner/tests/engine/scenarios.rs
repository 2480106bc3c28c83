//! Where explorations start, and between which sinks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use latchkey::service::Caller;
use latchkey::token::TokenKey;

use crate::exploration::{Doing, Scenario, Traits, place};
use crate::runs::clean;
use crate::world::World;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// The names of the sinks.
pub(crate) const SINKS: [&str; 2] = ["a", "b"];

impl Scenario {
    /// The run that meets a fault, the one that others make meanwhile and afterwards, and the one that holds in the
    /// end.
    pub(crate) fn three_runs(self) -> (Doing, Doing, Doing) {
        let (mut runs, last) = self.runs(&SINKS);
        // Others leave the entry where it is.
        let other = runs.remove(if self == Self::PlaceAddedAndRemoved { 2 } else { 1 });
        (runs.remove(0), other, last)
    }

    /// Brings an empty world into the situation.
    pub(crate) async fn set_up(self, world: &Arc<World>) {
        let both = Doing::one(&SINKS);
        match self {
            Self::FirstApply | Self::FirstApplyOfTwo => {}
            Self::Foreign => world.foreign(&place("b", "API", world.traits[1].readable).id()),
            Self::PlaceAdded | Self::PlaceAddedAndRemoved => clean(world, &Doing::one(&["a"])).await,
            Self::RotateTwo | Self::PruneBegins | Self::PruneBeginsAndBack | Self::Pruned | Self::PrunedAndBack => {
                clean(world, &Doing::two(&SINKS)).await;
            }
            _ => clean(world, &both).await,
        }
        world.pass(HOUR);
        let in_b = place("b", "API", world.traits[1].readable).id();
        let older = world.places().get(&in_b).map(|entry| entry.value.clone());
        *world.older.lock() = older;
        match self {
            Self::Edited => world.by_hand(&in_b, "edited"),
            Self::EntryGone | Self::PlaceForgotten => {
                world.places().remove(&in_b);
            }
            Self::Recreated => {
                world.deleted_by_hand.store(true, Ordering::Relaxed);
                let key = TokenKey::new("ci".parse().unwrap(), "api".parse().unwrap());
                world.service().delete(&Caller::operator("somebody"), &key, None).await.unwrap();
            }
            Self::OverlapEnds => {
                clean(world, &both.rotating()).await;
                world.pass(26 * HOUR);
            }
            Self::Due => world.pass(24 * 31 * HOUR),
            Self::Pruned | Self::PrunedAndBack => {
                // Entries are gone and the overlap is over, so that the next run deletes.
                clean(world, &both.pruning()).await;
                world.pass(26 * HOUR);
            }
            _ => {}
        }
    }

    /// Whether everything is in order in the end.
    pub(crate) fn settles(self) -> bool {
        self != Self::Foreign
    }
}

const fn traits(readable: bool, conditional: bool) -> Traits {
    Traits { readable, conditional, redeploys: false, surveys: false, pends: false, batch: 2 }
}

/// Pairs of places: to be read or not, with compare-and-swap or not.
pub(crate) const TRAITS: [[Traits; 2]; 4] = [
    [traits(true, true), traits(false, false)],
    [traits(false, false), traits(false, true)],
    [traits(true, false), traits(true, true)],
    [traits(false, false), traits(true, false)],
];
