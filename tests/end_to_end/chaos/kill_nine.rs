//! Runs are killed at random moments; a plain re-run puts everything right, and no consumer notices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use latchkey::token::{Token, VersionState};
use tests::chaos::{Layout, Machine, Moment, Random, Shape, World};

use super::{apply_to_the_end, settle};

const TOKENS: usize = 20;
/// How many there are at first; the others come while runs are killed.
const FIRST: usize = 8;
/// How many kills there are between two moves of the clock.
const DAY: usize = 3;

/// How many runs are killed.
fn kills() -> usize {
    std::env::var("LATCHKEY_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[test]
fn kill_nine() {
    let started = Instant::now();
    let (kills, mut random) = (kills(), Random::seeded());
    let world = World::start();
    let machine = world.machine("one");
    let mut layout = Layout::new(Shape::Mixed, TOKENS, world.endpoint());
    world.plant(&layout);
    let records = world.records(&machine.path("latchkey.db"));
    let watcher = world.watch(&records, &layout, &[&machine]);
    layout.tokens = FIRST;
    machine.write("tokens.toml", &layout.text());
    // The first kills meet a file without any token.
    let mut length = Duration::from_secs(2);
    let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
    for kill in 0..kills {
        let words = deed(&mut random, &machine, &mut layout, kill);
        let before = records.tokens();
        let ended = machine.start(&words).kill(moment(&mut random, length));
        let stage = if ended.code.is_some() { "after its end" } else { stage(&before, &records.tokens()) };
        *stages.entry(stage).or_default() += 1;
        if let Some(code) = ended.code {
            assert!(matches!(code, 0 | 3), "{ended}");
            length = ended.took;
        }
        apply_to_the_end(&world, &machine);
        records.expect_delivered(&layout.declared(machine.folder()));
        if kill == 0 {
            let undisturbed = machine.run(&["rotate", "tokens.toml", "--all"]);
            undisturbed.expect(&[0]);
            length = undisturbed.took;
        }
        if kill % DAY == DAY - 1 {
            world.forward(25);
        }
    }
    settle(&world, &machine, &records, &layout.declared(machine.folder()));
    let seen = watcher.stop();
    let took = started.elapsed();
    println!("{kills} runs killed {stages:?}, {} checks in {} rounds, {took:?}", seen.checks, seen.rounds);
    seen.expect_clean(kills * 20);
    assert!(kills < 10 || stages.keys().filter(|stage| **stage != "after its end").count() > 2, "{stages:?}");
}

/// What the run that is killed has to do.
fn deed(random: &mut Random, machine: &Machine, layout: &mut Layout, kill: usize) -> Vec<String> {
    let mut words: Vec<String> = ["rotate", "tokens.toml"].map(str::to_owned).into();
    match random.below(6) {
        _ if kill == 0 => return vec!["apply".to_owned()],
        0 if layout.tokens < TOKENS => {
            layout.tokens = TOKENS.min(layout.tokens + 3);
            machine.write("tokens.toml", &layout.text());
            return vec!["apply".to_owned()];
        }
        0 | 1 => {
            lose_lines(random, machine);
            return vec!["apply".to_owned()];
        }
        2 | 3 => words.push("--all".to_owned()),
        _ => {
            let names = layout.declared(machine.folder()).into_iter().map(|token| token.name.to_string());
            words.extend(names.filter(|_| random.below(3) == 0));
        }
    }
    words
}

/// Somebody deletes some of our lines from the `.env` file.
fn lose_lines(random: &mut Random, machine: &Machine) {
    let text = std::fs::read_to_string(machine.path(".env")).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("WORKER_") || random.below(3) > 0);
    machine.write(".env", &(kept.collect::<Vec<_>>().join("\n") + "\n"));
}

/// Spread over the whole run, its first and last moments included. By what a run has said as often as by time: how long
/// one takes is only guessed from the last one.
fn moment(random: &mut Random, length: Duration) -> Moment {
    match random.below(8) {
        0..4 => Moment::Lines(1 + random.below(30)),
        4 => Moment::After(random.within(length / 10)),
        5 => Moment::After(length * 9 / 10 + random.within(length / 5)),
        _ => Moment::After(random.within(length)),
    }
}

/// How far a killed run had come, as far as the records tell.
fn stage(before: &[Token], after: &[Token]) -> &'static str {
    let current = |token: &Token| token.current().map(|current| current.number);
    let former = |token: &Token| before.iter().find(|former| former.id == token.id);
    let promoted = after.iter().any(|token| former(token).and_then(current) != current(token));
    let staged = || after.iter().flat_map(|token| &token.versions).filter(|v| v.state == VersionState::Staged);
    let changed = after.iter().any(|token| former(token).is_none_or(|former| former.revision != token.revision));
    let announced = || staged().filter(|version| version.announced.is_some());
    let delivered = || announced().filter(|v| v.deliveries.values().any(|delivery| delivery.delivered.is_some()));
    match () {
        () if promoted && staged().next().is_some() => "while promoting",
        () if promoted => "after promoting",
        () if delivered().next().is_some() => "while delivering",
        () if announced().next().is_some() => "while announcing",
        () if staged().next().is_some() => "while staging",
        () if changed => "while repairing or retiring",
        () => "before its first effect",
    }
}
