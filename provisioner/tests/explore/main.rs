//! The real engine - observe, plan, apply - explored as a machine: every call of every run is let through by hand, so
//! that runs can be cut short, suspended, interleaved and outlived anywhere, while writes arrive late, people change
//! things and time passes. After every effect the invariants of section "protocol" of ARCHITECTURE.md are checked, and
//! from wherever it all ends faultless runs must bring everything in order.
//!
//! The service is an oracle on the real rules of `latchkey::protocol`, held equal to the real service by `agreement`;
//! the tests of `engine` explore the same engine on the real one. `LATCHKEY_EXPLORE=full` goes much further.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a panic is how a test fails, and coverage is printed")]

mod agreement;
mod asks;
mod aws;
mod between;
mod canon;
#[path = "../exploration/mod.rs"]
mod exploration;
mod gate;
mod job;
#[cfg(feature = "test-clock")]
mod mistakes;
mod oracle;
mod overtaken;
mod repair;
mod rotated;
mod runs;
mod scenarios;
mod search;
mod sinks;
mod step;
mod stopping;
mod world;

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use between::Sinks;
use exploration::Scenario;
use latchkey::mutex::Mutex;
use search::{Found, Job, Limits, search};
use step::{Covered, Fault, Step};

fn full() -> bool {
    std::env::var("LATCHKEY_EXPLORE").is_ok_and(|value| value == "full")
}

/// Does jobs on all cores, and hands each result over.
fn side_by_side<J: Sync, T: Send>(jobs: &[J], of: impl Fn(&J) -> T + Sync, mut done: impl FnMut(&J, T) + Send) {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(&mut done));
    std::thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = of(job);
                    (done.lock())(job, result);
                }
            });
        }
    });
}

/// How many minutes a full exploration has; it goes to its end when nothing is said.
fn minutes() -> Option<u32> {
    full().then(|| std::env::var("LATCHKEY_EXPLORE_MINUTES").ok()?.parse().ok()).flatten()
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(16)
}

fn jobs() -> Vec<Job> {
    let (departures, most) = if full() { (3, 20_000) } else { (2, 60) };
    let mut jobs = Vec::new();
    for (turn, scenario) in Scenario::ALL.into_iter().enumerate() {
        let all = if scenario.is_by_aws() { between::rotated_by_aws() } else { between::sinks() };
        let fit = |index: usize, sinks: &Sinks| match scenario {
            _ if full() => true,
            _ if scenario.is_by_aws() => index == turn % 2,
            // Two tokens in three sinks take ten times the calls.
            _ if scenario.has_two() => (index + turn).is_multiple_of(4) && sinks.len() == 2,
            _ => (index + turn).is_multiple_of(4),
        };
        let mut chosen: Vec<Sinks> = all
            .iter()
            .enumerate()
            .filter(|(index, sinks)| fit(*index, sinks))
            .map(|(_, sinks)| sinks.clone())
            .collect();
        if scenario.is_about_unreadable() {
            chosen = vec![between::three_unreadable()];
        } else if scenario.is_about_deployments() {
            // Between sinks without deployments it is another situation.
            chosen = all.into_iter().filter(|sinks| sinks.values().any(|traits| traits.redeploys)).take(2).collect();
        }
        for (index, sinks) in chosen.into_iter().enumerate() {
            // AWS's steps and what they lead to take three times the calls.
            let three = (index + turn).is_multiple_of(2) && sinks.len() == 2 && !scenario.is_by_aws();
            let runs = if full() || three { 3 } else { 2 };
            jobs.push(Job {
                scenario,
                sinks,
                limits: Limits { kinds: &[], departures, most, runs, first: false, time: None },
            });
        }
    }
    jobs
}

/// The invariants hold on every path; at least 100,000 distinct states are met, and at every kind of call everything
/// goes wrong that can.
#[test]
fn the_invariants_hold_wherever_anything_goes_wrong() {
    let mut states: HashSet<u64> = HashSet::new();
    let (mut covered, mut steps, mut paths) = (Covered::new(), BTreeSet::new(), 0);
    let (mut parts, mut all, mut by_aws) = (0, Duration::ZERO, Duration::ZERO);
    let mut broken: Vec<String> = Vec::new();
    let only = std::env::var("LATCHKEY_EXPLORE_ONLY").unwrap_or_default();
    let mut jobs = jobs();
    jobs.retain(|job| format!("{:?}", job.scenario).contains(&only));
    if let Some(minutes) = minutes() {
        // Each has its share, so that none is left out.
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let each = Duration::from_secs(u64::from(minutes) * 60) * number(workers()) / number(jobs.len());
        for job in &mut jobs {
            job.limits.time = Some(each);
        }
    }
    side_by_side(
        &jobs,
        |job| {
            let begun = Instant::now();
            let found = search(job, |_| {});
            (found, begun.elapsed())
        },
        |job, (found, took): (Found, Duration)| {
            println!(
                "{:?}, {} sinks, {} runs: {} paths, {} states, {:.1} s{}",
                job.scenario,
                job.sinks.len(),
                job.limits.runs,
                found.paths,
                found.states.len(),
                took.as_secs_f64(),
                if found.in_part { ", in part" } else { "" }
            );
            all += took;
            by_aws += if job.scenario.is_by_aws() { took } else { Duration::ZERO };
            found.broken.iter().take(1).for_each(|broken| println!("{broken}"));
            states.extend(found.states);
            covered.extend(found.covered);
            steps.extend(found.steps);
            paths += found.paths;
            parts += usize::from(found.in_part);
            broken.extend(found.broken);
        },
    );
    println!("{:.1} of {:.1} s went to rotations by AWS", by_aws.as_secs_f64(), all.as_secs_f64());
    println!("{paths} paths, {} distinct states, {parts} of {} searches in part", states.len(), jobs.len());
    assert!(broken.is_empty(), "{} paths break an invariant, such as\n{}", broken.len(), broken[0]);
    if !only.is_empty() {
        return;
    }
    report(&covered, &steps);
    assert!(states.len() >= 100_000, "only {} distinct states", states.len());
}

/// Every kind of call occurs, and everything that can go wrong at it did.
fn report(covered: &Covered, steps: &BTreeSet<Step>) {
    let possible = |step: Step| Fault::ALL.into_iter().filter(move |fault| fault.is_possible(step));
    let pairs: Vec<(Step, Fault)> =
        Step::ALL.into_iter().flat_map(|step| possible(step).map(move |fault| (step, fault))).collect();
    let missing: Vec<_> = pairs.iter().filter(|pair| !covered.contains(pair)).collect();
    println!("{} of {} pairs of step and fault", pairs.len() - missing.len(), pairs.len());
    assert!(missing.is_empty(), "not covered: {missing:?}");
    assert_eq!(steps.len(), Step::ALL.len(), "some steps occur only when something goes wrong: {steps:?}");
}
