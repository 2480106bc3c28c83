//! Situations, and what is run in them.

use super::Doing;

/// A situation and the runs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scenario {
    FirstApply,
    FirstApplyOfTwo,
    Rotate,
    RotateTwice,
    RotateTwo,
    Due,
    Durations,
    PlaceAdded,
    PlaceAddedAndRemoved,
    PlaceForgotten,
    PlaceRemoved,
    PlaceRemovedAndBack,
    Edited,
    EntryGone,
    Recreated,
    OverlapEnds,
    Superseded,
    Unreadable,
    Outrun,
    PruneBegins,
    PruneBeginsAndBack,
    Pruned,
    PrunedAndBack,
    Replaced,
    Foreign,
    LateBehind,
    LateWherePlaceLeaves,
    LateWhereTokenLeaves,
    PlaceAddedMeanwhile,
    OutOfSight,
    Undeployed,
    UndeployedLeaves,
    TakenOver,
    PlaceGone,
    Refused,
    RefusedWherePlaceLeaves,
    Undeclared,
    PlaceMoved,
    Restored,
    ByJob,
    JobWherePlaceLeaves,
    Window,
    ByAws,
    AwsRepeats,
    AwsPending,
    AwsStuck,
}

impl Scenario {
    /// The runs at once, and the one that holds in the end.
    pub(crate) fn runs(self, sinks: &[&'static str]) -> (Vec<Doing>, Doing) {
        let less = &sinks[..sinks.len() - 1];
        let (all, less, two) = (Doing::one(sinks), Doing::one(less), Doing::two(sinks));
        let next = Doing { tokens: vec![("next", sinks.to_vec())], ..all.clone() }.pruning();
        match self {
            Self::FirstApply
            | Self::PlaceAdded
            | Self::Edited
            | Self::EntryGone
            | Self::Recreated
            | Self::OverlapEnds
            | Self::Superseded
            | Self::Unreadable
            | Self::Outrun
            | Self::LateBehind
            | Self::OutOfSight
            | Self::Undeployed
            | Self::Due
            | Self::Refused
            | Self::Restored
            | Self::Foreign => (vec![all.clone(); 3], all),
            Self::Durations => {
                let short = Doing { short: true, ..all.clone() };
                (vec![short.clone(), all, short.clone()], short)
            }
            Self::PlaceAddedAndRemoved | Self::RefusedWherePlaceLeaves => {
                (vec![all, less.pruning(), less.clone()], less.pruning())
            }
            Self::PlaceGone => (vec![less.clone(), less.clone(), less.pruning()], less.pruning()),
            Self::Undeclared => (vec![all.rotating(), all.clone(), two.clone()], two),
            Self::PlaceMoved => {
                let moved = Doing::one(&sinks[1..]);
                (vec![moved.clone(), moved.pruning(), moved.clone()], moved.pruning())
            }
            Self::PlaceForgotten => (vec![less.clone(), all, less.clone()], less.pruning()),
            Self::FirstApplyOfTwo => (vec![two.clone(); 3], two),
            Self::Rotate => (vec![all.rotating(), all.clone(), all.clone()], all),
            Self::RotateTwice => (vec![all.rotating(), all.rotating(), all.rotating()], all),
            Self::RotateTwo => (vec![two.rotating(), two.rotating(), two.clone()], two),
            Self::PlaceRemoved => (vec![less.rotating().pruning(), less.pruning(), less.clone()], less.pruning()),
            Self::PlaceRemovedAndBack => (vec![less.pruning(), all.rotating(), all.clone()], all),
            Self::Pruned | Self::PruneBegins | Self::LateWhereTokenLeaves => (vec![all.pruning(); 3], all.pruning()),
            Self::PrunedAndBack | Self::PruneBeginsAndBack => (vec![all.pruning(), two.clone(), two.clone()], two),
            Self::Replaced => (vec![next.clone(); 3], next),
            Self::LateWherePlaceLeaves => (vec![all.rotating(), less.pruning(), less.clone()], less.pruning()),
            Self::ByJob => (vec![all.by_job(), all.clone(), all.by_job()], all),
            Self::JobWherePlaceLeaves => (vec![all.by_job(), less.pruning(), less.by_job()], less.pruning()),
            Self::ByAws | Self::AwsStuck => (vec![all.by_aws(), all.rotating(), all.by_aws()], all),
            Self::AwsRepeats => (vec![all.doubly(), all.by_job(), all.by_aws()], all),
            Self::AwsPending => (vec![all.by_job(), all.by_aws(), all.clone()], all),
            Self::Window => {
                let all = all.windowed();
                (vec![all.clone(), all.by_job(), all.clone()], all)
            }
            Self::PlaceAddedMeanwhile => (vec![less.rotating(), all.clone(), all.clone()], all),
            Self::UndeployedLeaves => (vec![less.pruning(), less.clone(), less.clone()], less.pruning()),
            Self::TakenOver => {
                let web = Doing { tokens: vec![("web", sinks.to_vec())], ..all.clone() }.pruning();
                let both = Doing { tokens: vec![("web", sinks.to_vec()), ("next", sinks.to_vec())], ..web.clone() };
                (vec![web, both.clone(), both.clone()], both)
            }
        }
    }

    /// Whether AWS rotates one of its secrets.
    pub(crate) fn is_by_aws(self) -> bool {
        matches!(self, Self::ByAws | Self::AwsRepeats | Self::AwsPending | Self::AwsStuck)
    }

    /// Whether a place was given up: a rotation at the end shows whether anything was left behind there.
    pub(crate) fn gives_up(self) -> bool {
        matches!(
            self,
            Self::PlaceAddedAndRemoved
                | Self::PlaceForgotten
                | Self::PlaceGone
                | Self::PlaceRemoved
                | Self::PlaceRemovedAndBack
                | Self::LateWherePlaceLeaves
                | Self::RefusedWherePlaceLeaves
                | Self::PlaceMoved
                | Self::JobWherePlaceLeaves
        )
    }
}
