//! Every known mistake, and every guard taken out, one at a time: the search must find an invariant broken.

use provisioner::safeguard::{self, Safeguard};

use crate::between::{self, Sinks};
use crate::exploration::Scenario;
use crate::oracle::Mistake;
use crate::search::{Job, Kind, Limits, search};
use crate::side_by_side;
use crate::world::State;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// A rule of the service.
    Rule(Mistake),
    /// A guard of the engine.
    Engine(Safeguard),
    /// Sinks write whatever their deadline says.
    NoDeadline,
    /// Sinks do not compare.
    NoCompare,
    /// Sinks call a write refused although an earlier try may still arrive.
    ClaimsRefused,
    /// A sink moves AWSCURRENT to whatever is pending.
    MovesAny,
    /// A sink leaves AWSPENDING where it is.
    LeavesLabel,
    /// finishSecret moves AWSCURRENT by itself, as AWS's samples do.
    FinishMoves,
}

/// What is wrong, where it is looked for, and by which departures, if all one by one are not enough.
type Row = (&'static [Wrong], Scenario, &'static [Kind]);

use Mistake as M;
use Wrong::{ClaimsRefused, Engine, FinishMoves, LeavesLabel, MovesAny, NoCompare, NoDeadline, Rule};

/// Mistakes that the search catches. Where engine and service both guard something, both guards are out.
const CAUGHT: &[Row] = &[
    // Known to break A or B.
    (&[Rule(M::RetireAtPromotion)], Scenario::Rotate, &[]),
    (&[Rule(M::NothingAnnounced)], Scenario::RotateTwice, &[]),
    (&[Rule(M::NoQuietTime), Engine(Safeguard::RetireFrom)], Scenario::LateBehind, &[]),
    (&[Rule(M::NoOverlap)], Scenario::Rotate, &[]),
    (&[Rule(M::LookBeganEarlier), Engine(Safeguard::RetireFrom)], Scenario::LateBehind, &[]),
    (&[Rule(M::OnlyDeclaredPlaces)], Scenario::PlaceRemoved, &[]),
    (&[Rule(M::NameUsedAgain)], Scenario::FirstApply, &[Kind::Suspend, Kind::DeleteToken]),
    (&[Rule(M::FixedLimit)], Scenario::Unreadable, &[]),
    (&[Rule(M::NoRoomToRepair)], Scenario::Superseded, &[]),
    (&[Rule(M::NoRepairADay)], Scenario::Outrun, &[]),
    // The rest of the service's rules.
    (&[Rule(M::AnnounceAnyVersion)], Scenario::RotateTwice, &[]),
    (&[Rule(M::AnnounceDeadVersion)], Scenario::Rotate, &[]),
    (&[Rule(M::WithdrawOthers)], Scenario::RefusedWherePlaceLeaves, &[]),
    (&[Rule(M::StagedDiesInADay)], Scenario::Rotate, &[]),
    (&[Rule(M::PromoteUndelivered)], Scenario::PlaceAddedMeanwhile, &[Kind::Suspend, Kind::Crash]),
    (&[Rule(M::PromoteDownwards)], Scenario::RotateTwice, &[]),
    (&[Rule(M::OldLook)], Scenario::OverlapEnds, &[Kind::Pass, Kind::RollBack]),
    (&[Rule(M::EndInUse)], Scenario::OverlapEnds, &[]),
    (&[Rule(M::ForgetNotQuiet)], Scenario::LateWherePlaceLeaves, &[]),
    (&[Rule(M::ForgetOnOldLook)], Scenario::PlaceGone, &[Kind::Suspend, Kind::Pass, Kind::PutBack]),
    (&[Rule(M::ReportOnOldLook)], Scenario::FirstApply, &[Kind::Suspend, Kind::Remove, Kind::Foreign]),
    (&[Rule(M::EndTokenNotQuiet)], Scenario::LateWhereTokenLeaves, &[]),
    // The engine's own.
    // Elsewhere what a place shows is repaired first.
    (&[Engine(Safeguard::RetireLook)], Scenario::PlaceRemoved, &[Kind::Suspend]),
    (&[Engine(Safeguard::RetireUnknown)], Scenario::OutOfSight, &[]),
    (&[Engine(Safeguard::RetireLagging)], Scenario::Undeployed, &[]),
    (&[Engine(Safeguard::RetireUnrepaired)], Scenario::OverlapEnds, &[Kind::Paste]),
    (&[Engine(Safeguard::ReportSeen)], Scenario::FirstApply, &[Kind::Remove, Kind::Foreign]),
    (&[Engine(Safeguard::StageForeign)], Scenario::Foreign, &[]),
    (&[Engine(Safeguard::WriteForeign)], Scenario::FirstApply, &[]),
    (&[Engine(Safeguard::WriteFreshLook)], Scenario::FirstApply, &[]),
    (&[Engine(Safeguard::RemoveOurs), Engine(Safeguard::RemoveElsewhere)], Scenario::TakenOver, &[]),
    (&[Engine(Safeguard::RemoveUndeclared), Engine(Safeguard::RemoveElsewhere)], Scenario::PlaceRemovedAndBack, &[]),
    (&[Engine(Safeguard::RemoveElsewhere)], Scenario::TakenOver, &[Kind::Suspend; 2]),
    (&[Engine(Safeguard::RemoveLagging)], Scenario::UndeployedLeaves, &[]),
    (&[Engine(Safeguard::ForgetLook)], Scenario::PlaceGone, &[]),
    (&[Engine(Safeguard::DeleteLook)], Scenario::Pruned, &[]),
    (&[Engine(Safeguard::ConfirmReadBack)], Scenario::OverlapEnds, &[]),
    // The sinks'.
    (&[NoDeadline], Scenario::Rotate, &[]),
    (&[NoCompare], Scenario::FirstApply, &[]),
    (&[ClaimsRefused], Scenario::Refused, &[]),
    // Of a rotation by AWS.
    (&[FinishMoves], Scenario::AwsPending, &[Kind::Suspend]),
    (&[MovesAny], Scenario::AwsStuck, &[]),
    (&[Rule(M::NothingAnnounced)], Scenario::ByAws, &[]),
    (&[Engine(Safeguard::PendingConfirmed)], Scenario::AwsStuck, &[]),
    (&[Engine(Safeguard::PendingEnded)], Scenario::AwsStuck, &[]),
    (&[Engine(Safeguard::PendingToken)], Scenario::ByAws, &[Kind::Suspend, Kind::DeleteToken]),
];

/// Guards that another one covers: with one of them out nothing breaks, and why.
const COVERED: &[(Wrong, &str)] = &[
    (Rule(M::NoQuietTime), "the plan asks for nothing to end before; caught with that guard out too"),
    (Rule(M::LookBeganEarlier), "the same"),
    (Engine(Safeguard::RetireFrom), "the service refuses it"),
    (
        Engine(Safeguard::RemoveOurs),
        "what another token has put there that one declares; caught with that guard out too",
    ),
    (Rule(M::ChangedSinceLook), "an announcement since the look moves the quiet time behind the look"),
    (Rule(M::EndHighest), "look and quiet time hold for it as well; it only keeps the work of a slow run"),
    (Rule(M::ForgetChanged), "an announcement since the look makes the place noisy"),
    (Rule(M::ForgetDeclared), "the plan forgets no declared place; one declared since has another revision"),
    (Rule(M::EndTokenChanged), "an announcement since the look moves the quiet time behind the look"),
    (Engine(Safeguard::StageUnknown), "such a sink refuses in `prepare` or at the write, and nothing is promoted"),
    (
        Engine(Safeguard::PromoteLook),
        "what no look has found is not reported, and the service promotes nothing unreported",
    ),
    (Engine(Safeguard::DeleteLeaving), "the service refuses to end a token that does not leave"),
    (Engine(Safeguard::JobAsApplied), "the job may change no declaration, so its run ends where places differ"),
    (Engine(Safeguard::PendingLabel), "what a late step finds is confirmed, and what it stages is announced, as ever"),
    (LeavesLabel, "the next step takes it off, once the record no longer confirms what it is on"),
    (Engine(Safeguard::MendDead), "only a person's deletion ends a version that fast; the next run mends it"),
];

fn change(wrong: Wrong, state: &mut State) {
    match wrong {
        Wrong::Rule(mistake) => state.service.mistake = Some(mistake),
        Wrong::Engine(_) => {}
        Wrong::NoDeadline => state.no_deadline = true,
        Wrong::NoCompare => state.no_compare = true,
        Wrong::ClaimsRefused => state.claims_refused = true,
        Wrong::MovesAny => state.moves_any = true,
        Wrong::LeavesLabel => state.leaves_label = true,
        Wrong::FinishMoves => state.finish_moves = true,
    }
}

/// Looks for what mistakes break, and answers the first thing.
fn broken_by(wrongs: &[Wrong], scenario: Scenario, kinds: &'static [Kind]) -> Option<String> {
    let out: Vec<Safeguard> =
        wrongs.iter().filter_map(|wrong| if let Engine(out) = wrong { Some(*out) } else { None }).collect();
    // First what happens without any departure, between all sinks.
    // A run of the former manifest and one of the new are enough there, and a third has to be suspended too.
    let two = kinds.is_empty() || scenario == Scenario::TakenOver;
    let (departures, runs) = (kinds.len().max(1), if two { 2 } else { 3 });
    for departures in [0, departures] {
        for sinks in sinks_of(scenario) {
            let limits = Limits { kinds, departures, most: usize::MAX, runs, first: true, time: None };
            safeguard::remove(&out);
            let found = search(&Job { scenario, sinks, limits }, |state| {
                for wrong in wrongs {
                    change(*wrong, state);
                }
            });
            safeguard::remove(&[]);
            if let Some(broken) = found.broken.first() {
                return Some(format!("{scenario:?}, {departures} departures, {} paths: {broken}", found.paths));
            }
        }
    }
    None
}

fn sinks_of(scenario: Scenario) -> Vec<Sinks> {
    match scenario {
        _ if scenario.is_about_unreadable() => vec![between::three_unreadable()],
        _ if scenario.is_by_aws() => between::rotated_by_aws(),
        _ => between::sinks(),
    }
}

/// Known mistakes, and guards taken out one at a time, break an invariant that the search checks.
#[test]
fn every_mistake_and_every_guard_taken_out_is_caught() {
    let only = std::env::var("LATCHKEY_EXPLORE_ONLY").unwrap_or_default();
    let rows: Vec<&Row> = CAUGHT.iter().filter(|(wrongs, ..)| format!("{wrongs:?}").contains(&only)).collect();
    let mut missed = Vec::new();
    side_by_side(
        &rows,
        |(wrongs, scenario, kinds)| {
            let begun = std::time::Instant::now();
            (broken_by(wrongs, *scenario, kinds), begun.elapsed().as_secs_f64())
        },
        |(wrongs, scenario, _), (broken, took)| {
            let told = broken.as_ref().map_or("nothing broke", |broken| broken.lines().next().unwrap_or_default());
            println!("{took:.1} s, {scenario:?} with {wrongs:?}: {told}");
            if broken.is_none() {
                missed.push(*wrongs);
            }
        },
    );
    for (wrong, why) in COVERED {
        println!("{wrong:?} alone breaks nothing: {why}");
    }
    assert!(missed.is_empty(), "nothing broke without {missed:?}");
}
