//! All types of sinks at once: runs are killed, doubled and cut off by a bad network, entries are lost and edited by
//! hand; a clean run puts everything right, and no consumer ever holds a dead secret.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tests::chaos::{Ended, Machine, Moment, Random};
use tests::fleet::{Consumers, Declared, Fleet};

const TOKENS: usize = 8;
/// How many of the rounds lie between two moves of the clock.
const DAY: usize = 3;
/// One request in so many meets trouble.
const ROUGH: usize = 12;

/// How many rounds there are.
fn rounds() -> usize {
    std::env::var("LATCHKEY_CHAOS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10)
}

#[test]
fn a_fleet_in_rough_weather() {
    let started = Instant::now();
    let (fleet, mut random) = (Fleet::start(), Random::seeded());
    let machine = fleet.machine("one");
    let tokens = fleet.declared(TOKENS);
    machine.write("tokens.toml", &fleet.manifest(&tokens));
    let file = machine.path("latchkey.db");
    // So that the watcher finds a table, and the first kills one without tokens.
    machine.run(&["plan", "--allow-outside"]).expect(&[0]);
    let consumers = fleet.consumers(&file, &tokens);
    let watching = consumers.watch();
    let mut said = String::new();
    let (mut killed, mut doubled) = (0, 0);
    let mut length = Duration::from_secs(3);
    for round in 0..rounds() {
        fleet.rough(ROUGH);
        let begun = said.len();
        let words = deed(&mut random, &fleet, &tokens, round);
        let running = machine.start(&words);
        let second = (random.below(3) == 0).then(|| machine.without_lease().start(&words));
        let moment = if random.below(2) == 0 {
            Moment::Lines(1 + random.below(12))
        } else {
            Moment::After(random.within(length))
        };
        let first = running.kill(moment);
        killed += usize::from(first.code.is_none());
        for ended in std::iter::once(first).chain(second.map(tests::chaos::Running::wait)) {
            if let Some(code) = ended.code {
                assert!(matches!(code, 0 | 1 | 3 | 5), "{ended}");
                length = ended.took.min(Duration::from_secs(10));
            }
            doubled += usize::from(ended.code.is_some());
            writeln!(said, "{ended}").unwrap();
        }
        fleet.rough(0);
        fleet.calm();
        writeln!(said, "{}", puts_right(&fleet, &machine)).unwrap();
        let lacking = consumers.lacking();
        assert!(lacking.is_empty(), "round {round}: {lacking:#?}\n{}", &said[begun..]);
        if round % DAY == DAY - 1 {
            fleet.redeployed();
            fleet.world().forward(25);
        }
    }
    settles(&fleet, &machine, &consumers);
    let findings = watching.stop();
    let (passed, troubled) = fleet.troubles();
    println!(
        "{} rounds, {killed} killed, {doubled} ended by themselves, {passed} requests, {troubled} of them in trouble, \
         {} checks, {:?}",
        rounds(),
        findings.checks,
        started.elapsed()
    );
    assert!(findings.violations.is_empty(), "{:#?}", findings.violations);
    assert!(findings.checks >= rounds() * 10, "only {} checks", findings.checks);
    assert!(troubled > rounds(), "only {troubled} of {passed} requests met trouble");
    assert!(!shows_a_secret(&said), "a secret was printed");
}

/// What the run that is disturbed has to do.
fn deed(random: &mut Random, fleet: &Fleet, tokens: &[Declared], round: usize) -> Vec<String> {
    let mut words: Vec<String> = ["rotate", "tokens.toml"].map(str::to_owned).into();
    match random.below(5) {
        _ if round == 0 => words = vec!["apply".to_owned()],
        0 | 1 => {
            for token in tokens {
                for sink in &token.sinks {
                    // A vault keeps the name of a whole secret for a while, and nobody can write it then.
                    match random.below(12) {
                        0 if !matches!(*sink, "vault" | "azure") => fleet.removed_by_hand(sink, token),
                        1 => fleet.by_hand(sink, token, "edited-by-hand"),
                        _ => {}
                    }
                }
            }
            words = vec!["apply".to_owned()];
        }
        2 => words.push("--all".to_owned()),
        _ => words.extend(tokens.iter().filter(|_| random.below(3) == 0).map(|token| token.name.clone())),
    }
    words.push("--allow-outside".to_owned());
    words
}

/// A plain run; where a token has as many working versions as it may have, another one after their overlap.
fn puts_right(fleet: &Fleet, machine: &Machine) -> Ended {
    let mut ended = machine.run(&["apply", "--allow-outside"]);
    // GNOME's keyring now and then ends by itself. What it contained is blocked until it is back.
    if ended.code == Some(3) && fleet.revived() > 0 {
        println!("an engine had ended by itself and was started again");
        ended = machine.run(&["apply", "--allow-outside"]);
    }
    if ended.code == Some(0) {
        return ended;
    }
    ended.expect(&[3]).expect_words(super::AT_THE_LIMIT);
    fleet.redeployed();
    fleet.world().forward(25);
    let ended = machine.run(&["apply", "--allow-outside"]);
    ended.expect(&[0]);
    ended
}

/// Lets overlaps pass until every token has one version.
fn settles(fleet: &Fleet, machine: &Machine, consumers: &Consumers) {
    for _ in 0..6 {
        fleet.redeployed();
        fleet.world().forward(25);
        machine.run(&["apply", "--allow-outside"]).expect(&[0]);
        let plan = machine.run(&["plan", "--detailed-exitcode", "--allow-outside"]);
        if plan.code == Some(0) && consumers.most_live() == 1 {
            assert_eq!(consumers.lacking(), Vec::<String>::new());
            return;
        }
    }
    panic!("not settled: {}", machine.run(&["status", "--allow-outside"]));
}

/// Whether a text holds what has the form of a secret, whole.
fn shows_a_secret(text: &str) -> bool {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    words.into_iter().any(|word| latchkey::secret::Secret::parse(word).is_ok())
}
