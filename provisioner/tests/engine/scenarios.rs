//! Where explorations start, and what is run there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use latchkey::service::Caller;
use latchkey::token::TokenKey;

use crate::runs::{Doing, clean};
use crate::sinks::{Traits, place};
use crate::world::World;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A situation and the runs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    FirstApply,
    FirstApplyOfTwo,
    Rotate,
    RotateTwice,
    RotateTwo,
    PlaceAdded,
    PlaceAddedAndRemoved,
    PlaceForgotten,
    PlaceRemoved,
    PlaceRemovedAndBack,
    Edited,
    EntryGone,
    Recreated,
    OverlapEnds,
    Due,
    PruneBegins,
    PruneBeginsAndBack,
    Pruned,
    PrunedAndBack,
    Replaced,
    Foreign,
}

impl Scenario {
    /// The run that meets a fault, the one that others make meanwhile and afterwards, and the one that holds in the
    /// end.
    pub(crate) fn runs(self) -> (Doing, Doing, Doing) {
        let (both, one, two) = (Doing::one(&["a", "b"]), Doing::one(&["a"]), Doing::two());
        let next = Doing { tokens: vec![("next", vec!["a", "b"])], ..both.clone() };
        match self {
            Self::FirstApply
            | Self::PlaceAdded
            | Self::Edited
            | Self::EntryGone
            | Self::Recreated
            | Self::OverlapEnds
            | Self::Due
            | Self::Foreign => (both.clone(), both.clone(), both),
            Self::PlaceAddedAndRemoved => (both, one.clone(), one.pruning()),
            Self::FirstApplyOfTwo => (two.clone(), two.clone(), two),
            Self::Rotate => (both.rotating(), both.clone(), both),
            Self::RotateTwice => (both.rotating(), both.rotating(), both),
            Self::RotateTwo => (two.rotating(), two.rotating(), two),
            Self::PlaceForgotten => (one.clone(), both, one.pruning()),
            Self::PlaceRemoved => (one.rotating().pruning(), one.pruning(), one.pruning()),
            Self::PlaceRemovedAndBack => (one.pruning(), both.rotating(), both),
            Self::Pruned | Self::PruneBegins => (both.pruning(), both.pruning(), both.pruning()),
            Self::PrunedAndBack | Self::PruneBeginsAndBack => (both.pruning(), two.clone(), two),
            Self::Replaced => (next.pruning(), next.pruning(), next.pruning()),
        }
    }

    /// Brings an empty world into the situation.
    pub(crate) async fn set_up(self, world: &Arc<World>) {
        let both = Doing::one(&["a", "b"]);
        match self {
            Self::FirstApply | Self::FirstApplyOfTwo => {}
            Self::Foreign => world.foreign(&place("b", "API", world.traits[1]).id()),
            Self::PlaceAdded | Self::PlaceAddedAndRemoved => clean(world, &Doing::one(&["a"])).await,
            Self::RotateTwo | Self::PruneBegins | Self::PruneBeginsAndBack | Self::Pruned | Self::PrunedAndBack => {
                clean(world, &Doing::two()).await;
            }
            _ => clean(world, &both).await,
        }
        world.pass(HOUR);
        let in_b = place("b", "API", world.traits[1]).id();
        let older = world.places().get(&in_b).map(|entry| entry.value.clone());
        *world.older.lock().unwrap() = older;
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

    /// Whether a place was given up: a rotation at the end shows whether anything was left behind there.
    pub(crate) fn gives_up(self) -> bool {
        matches!(
            self,
            Self::PlaceAddedAndRemoved | Self::PlaceForgotten | Self::PlaceRemoved | Self::PlaceRemovedAndBack
        )
    }

    /// Whether everything is in order in the end.
    pub(crate) fn settles(self) -> bool {
        self != Self::Foreign
    }
}

/// Pairs of places: to be read or not, with compare-and-swap or not.
pub(crate) const TRAITS: [[Traits; 2]; 4] = [
    [Traits { readable: true, conditional: true }, Traits { readable: false, conditional: false }],
    [Traits { readable: false, conditional: false }, Traits { readable: false, conditional: true }],
    [Traits { readable: true, conditional: false }, Traits { readable: true, conditional: true }],
    [Traits { readable: false, conditional: false }, Traits { readable: true, conditional: false }],
];
