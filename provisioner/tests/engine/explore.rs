//! Every case of a scenario: one fault at one call, what happens while or after it, then peace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::exploration::{Doing, Scenario, Traits, place};
use crate::gate::{Fault, Kind};
use crate::runs::{clean, drive, unsettled};
use crate::scenarios::{HOUR, MINUTE, TRAITS};
use crate::world::{Way, World};

/// What happens while a run is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    /// Another run, and so much time; when there is any, yet another run after it.
    Others(Duration),
    /// Somebody writes a value of their own where nothing was.
    Foreign(Duration),
    /// Somebody puts an older secret back.
    Rollback,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    at: usize,
    /// The call that was counted there. Where two places are written side by side they meet each other's conflicts,
    /// and a call may come sooner or later than it was counted.
    kind: Kind,
    /// Whether the one before it was of another kind.
    first: bool,
    fault: Fault,
    meanwhile: Meanwhile,
    /// For a late write: after how many other runs it arrives.
    arrives_after: usize,
    /// A fault of the run after it.
    second: Option<(usize, Fault)>,
    traits: usize,
}

/// The run ended before the step at which the fault was planned.
const NOT_MET: &str = "the fault was not met";

/// What was covered.
#[derive(Debug, Default)]
struct Covered {
    cases: usize,
    runs: usize,
    checks: usize,
}

fn full() -> bool {
    std::env::var("LATCHKEY_EXPLORE").is_ok_and(|value| value == "full")
}

/// Explores a scenario, and panics with every case that breaks an invariant.
pub(crate) fn explore(scenario: Scenario, way: Way) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Nothing waits for its turn: a suspended run whose checks of the world wait with a lock in hand would hold up all others.
    runtime.block_on(tokio::task::unconstrained(async {
        let mut covered = Covered::default();
        let (mut broken, mut unmet) = (Vec::new(), 0);
        for traits in 0..TRAITS.len() {
            for case in cases(scenario, traits, way).await {
                let mut played = Err(NOT_MET.to_owned());
                for _ in 0..5 {
                    played = Box::pin(play(scenario, case, way, &mut covered)).await;
                    if played.as_ref().err().is_none_or(|why| why != NOT_MET) {
                        break;
                    }
                }
                match played {
                    Ok(()) => {}
                    Err(why) if why == NOT_MET => unmet += 1,
                    Err(why) => broken.push(format!("{case:?}: {why}")),
                }
            }
        }
        println!("{scenario:?}, {way:?}: {} cases, {} runs, {} checks", covered.cases, covered.runs, covered.checks);
        assert!(covered.cases > 15, "hardly anything was explored");
        // Tokens have random ids, and what is read page by page or beside something else comes in their order: one run
        // may take a step less than the one that was counted.
        assert!(unmet * 20 <= covered.cases, "{unmet} faults were not met: the steps were not those that were counted");
        let shown: Vec<String> = broken.iter().take(3).cloned().collect();
        assert!(
            broken.is_empty(),
            "{scenario:?}: {} cases break an invariant, such as\n{}",
            broken.len(),
            shown.join("\n")
        );
    }));
}

async fn start(scenario: Scenario, traits: [Traits; 2], way: Way) -> Arc<World> {
    let world = World::new(traits, way).await;
    scenario.set_up(&world).await;
    world
}

/// Every call and every fault; without `full`, pairs of sinks and lengths take turns.
async fn cases(scenario: Scenario, traits: usize, way: Way) -> Vec<Case> {
    let world = start(scenario, TRAITS[traits], way).await;
    let (first, ..) = scenario.three_runs();
    let (steps, _) = drive(&world, &first, None, async || ()).await;
    let mut cases = Vec::new();
    let mut turn = traits;
    let mut add = |at: usize, fault: Fault, meanwhile: Meanwhile, arrives_after: usize, second: Option<_>| {
        turn += 1;
        // A request is several calls of the table, so there are many more cases.
        let sparse = if way == Way::Api { (steps.len() / 15).clamp(1, 12) } else { (steps.len() / 20).clamp(1, 2) };
        let every = sparse * if second.is_some() && fault != Fault::Late { 3 * TRAITS.len() } else { TRAITS.len() };
        if full() || turn.is_multiple_of(every) {
            let first = at == 0 || steps[at - 1] != steps[at];
            cases.push(Case { at, kind: steps[at], first, fault, meanwhile, arrives_after, second, traits });
        }
    };
    let nothing = Meanwhile::Others(Duration::ZERO);
    for (at, kind) in steps.iter().enumerate() {
        if kind.is_effect() {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                add(at, fault, nothing, 0, None);
                let strides = if full() { 1 } else { 9 };
                for second in (at % strides..steps.len()).step_by(strides) {
                    if full() || second.is_multiple_of(2) {
                        add(at, fault, nothing, 0, Some((second, Fault::CrashAfter)));
                    }
                }
            }
        }
        if *kind == Kind::Write {
            for fault in [Fault::Fails, Fault::Arrives] {
                add(at, fault, nothing, 0, None);
            }
            for arrives_after in 0..4 {
                add(at, Fault::Late, nothing, arrives_after, None);
            }
            // The next run stages a newer version and dies before it is current, so that no overlap holds the late one.
            for second in at..steps.len() + 4 {
                add(at, Fault::Late, nothing, 1, Some((second, Fault::CrashAfter)));
            }
        }
        if kind.is_effect() || *kind == Kind::Look || full() {
            for length in [Duration::ZERO, MINUTE, 20 * MINUTE, 26 * HOUR] {
                add(at, Fault::Pause, Meanwhile::Others(length), 0, None);
                if kind.is_effect() {
                    add(at, Fault::PauseAfter, Meanwhile::Others(length), 0, None);
                }
            }
        }
        let conditional = TRAITS[traits].iter().all(|traits| traits.conditional);
        if matches!(scenario, Scenario::FirstApply | Scenario::PlaceAdded) {
            // Without compare-and-swap nobody can tell within the two minutes that a write may take to begin.
            let length = if conditional { Duration::ZERO } else { 20 * MINUTE };
            add(at, Fault::Pause, Meanwhile::Foreign(length), 0, None);
        }
        // Between the look and the call that rests on it nobody could tell.
        let first_look = *kind == Kind::Look && steps[at - 1] != Kind::Look;
        // Through the API a request reads the table after the look that it rests on.
        let hand = match scenario {
            _ if way == Way::Api => false,
            Scenario::OverlapEnds => first_look || *kind == Kind::Read,
            Scenario::Rotate => first_look,
            _ => false,
        };
        for _ in 0..if !hand {
            0
        } else if full() {
            1
        } else {
            TRAITS.len()
        } {
            add(at, Fault::Pause, Meanwhile::Rollback, 0, None);
        }
    }
    cases
}

/// Plays one case.
async fn play(scenario: Scenario, case: Case, way: Way, covered: &mut Covered) -> Result<(), String> {
    let world = World::new(TRAITS[case.traits], way).await;
    let in_b = place("b", "API", world.traits[1].readable).id();
    scenario.set_up(&world).await;
    let (first, other, last) = scenario.three_runs();
    let mut foreign = !scenario.settles();
    let mut runs = 1;
    world.strict.store(case.meanwhile == Meanwhile::Rollback && scenario == Scenario::Rotate, Ordering::Relaxed);
    let meanwhile = async || match case.meanwhile {
        Meanwhile::Others(length) => {
            clean(&world, &other).await;
            runs += 1;
            if length > Duration::ZERO {
                world.pass(length);
                clean(&world, &other).await;
                runs += 1;
            }
        }
        Meanwhile::Foreign(length) => {
            world.pass(length);
            if !world.places().contains_key(&in_b) {
                world.foreign(&in_b);
                foreign = true;
            }
        }
        // Both: the look that is suspended is at one of them, and the other's may be over.
        Meanwhile::Rollback => {
            world.roll_back(&in_b);
            world.roll_back(&place("a", "API", world.traits[0].readable).id());
        }
    };
    let (steps, met) = Box::pin(drive(&world, &first, Some((case.at, case.fault)), meanwhile)).await;
    // What a person's hand means depends on the call that it comes before.
    let (kind, before) = (steps.get(case.at), case.at.checked_sub(1).and_then(|before| steps.get(before)));
    let as_counted = kind == Some(&case.kind) && case.first == (before != Some(&case.kind));
    if !met || (case.meanwhile == Meanwhile::Rollback && !as_counted) {
        return Err(NOT_MET.to_owned());
    }
    if let Some(second) = case.second {
        Box::pin(drive(&world, &other, Some(second), async || ())).await;
        runs += 1;
    }
    for after in 0..4 {
        if after == case.arrives_after {
            world.pass(MINUTE);
            world.arrive().await;
        }
        if after < case.arrives_after {
            world.pass(3 * MINUTE);
            clean(&world, &other).await;
            runs += 1;
        }
    }
    runs += settle(&world, &last, foreign).await;
    if scenario.gives_up() && !foreign {
        clean(&world, &last.rotating()).await;
        runs += 1 + settle(&world, &last, foreign).await;
    }
    world.check_table();
    covered.cases += 1;
    covered.runs += runs;
    covered.checks += world.checks();
    let broken = world.broken();
    if broken.is_empty() { Ok(()) } else { Err(format!("{}\n{}", broken.join("; "), world.trace().join("\n"))) }
}

/// B: runs without faults, until there is nothing left to do. Answers how many it took.
async fn settle(world: &Arc<World>, last: &Doing, foreign: bool) -> usize {
    let mut left = None;
    for (run, length) in
        [MINUTE, 20 * MINUTE, 26 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR, 26 * HOUR].into_iter().enumerate()
    {
        world.pass(length);
        world.check("time passed").await;
        clean(world, last).await;
        left = if foreign { None } else { unsettled(world, last).await };
        if left.is_none() {
            return run + 1;
        }
    }
    world.broke(format!("B: it never settles: {}", left.unwrap_or_default()));
    7
}
