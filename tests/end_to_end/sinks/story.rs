//! Twenty tokens and every type of sink, from the first apply to the last prune, as a person reads it. The whole of what
//! is printed stands in a snapshot.

use std::fmt::Write as _;

use regex::Regex;
use tests::chaos::{Ended, Machine};
use tests::fleet::{Consumers, Fleet};

const TOKENS: usize = 20;
const KEPT: usize = 16;

struct Story {
    fleet: Fleet,
    machine: Machine,
    consumers: Consumers,
    told: String,
}

impl Story {
    /// Runs a command, notes what it printed, and answers its exit code.
    fn run(&mut self, title: &str, words: &[&str]) -> i32 {
        let ended = self.machine.run(&[words, &["--allow-outside"]].concat());
        let code = ended.code.unwrap_or(-1);
        let Ended { stdout, stderr, .. } = &ended;
        let text = words.join(" ");
        writeln!(self.told, "## {title}\n$ provision {text}\n{stdout}--\n{stderr}-- exit {code}\n").unwrap();
        code
    }

    fn everything_is_delivered(&self) {
        assert_eq!(self.consumers.lacking(), Vec::<String>::new(), "{}", self.told);
    }
}

#[test]
fn twenty_tokens_and_every_sink() {
    let fleet = Fleet::start();
    let tokens = fleet.declared(TOKENS);
    let machine = fleet.machine("desk");
    machine.write("tokens.toml", &fleet.manifest(&tokens));
    machine.run(&["plan", "--allow-outside"]).expect(&[0]);
    let consumers = fleet.consumers(&machine.path("latchkey.db"), &tokens);
    let watching = consumers.watch();
    let mut story = Story { fleet, machine, consumers, told: String::new() };
    assert_eq!(story.run("The first plan", &["plan"]), 0);
    assert_eq!(story.run("The first apply", &["apply"]), 0);
    story.everything_is_delivered();
    assert_eq!(story.run("Nothing to do", &["plan", "--detailed-exitcode"]), 0);
    assert_eq!(story.run("All rotate", &["rotate", "tokens.toml", "--all"]), 0);
    story.everything_is_delivered();

    // One entry of each sink is edited, another one is lost.
    for (index, member) in story.fleet.names().into_iter().enumerate() {
        let mut there = tokens.iter().filter(|token| token.sinks.contains(&member));
        let edited = there.next().unwrap();
        if index % 2 == 0 {
            story.fleet.by_hand(member, edited, "edited-by-hand");
        }
        // A vault keeps the name of a whole secret for a while, and nobody can write it then.
        if let Some(lost) = there.next().filter(|_| !matches!(member, "vault" | "azure")) {
            story.fleet.removed_by_hand(member, lost);
        }
    }
    assert_eq!(story.run("Drift", &["plan", "--detailed-exitcode"]), 2);
    assert_eq!(story.run("Mended", &["apply"]), 0);
    story.everything_is_delivered();

    story.fleet.redeployed();
    story.fleet.world().forward(26);
    assert_eq!(story.run("Overlaps are over", &["apply"]), 0);
    story.fleet.redeployed();
    story.fleet.world().forward(26);
    assert_eq!(story.run("And those of what was mended", &["apply"]), 0);
    assert_eq!(story.consumers.most_live(), 1, "{}", story.told);

    let kept = &tokens[..KEPT];
    story.machine.write("tokens.toml", &story.fleet.manifest(kept));
    assert_eq!(story.run("Four are no longer declared", &["plan"]), 0);
    story.machine.run(&["apply", "--prune", "--allow-deletes", "1", "--allow-outside"]).expect(&[4]);
    assert_eq!(story.run("They are pruned", &["apply", "--prune", "--allow-deletes", "4"]), 0);
    for token in &tokens[KEPT..] {
        for sink in &token.sinks {
            assert_eq!(story.fleet.value(sink, token), None, "{sink} {}", token.name);
        }
    }
    story.fleet.redeployed();
    story.fleet.world().forward(26);
    assert_eq!(story.run("They end after their overlap", &["apply", "--prune", "--allow-deletes", "4"]), 0);
    assert_eq!(story.run("Nothing is left to do", &["plan", "--detailed-exitcode"]), 0);
    assert_eq!(story.run("How things stand", &["status"]), 0);

    let findings = watching.stop();
    assert!(findings.violations.is_empty(), "{:#?}", findings.violations);
    assert!(findings.checks > 50, "only {} checks", findings.checks);
    insta::assert_snapshot!("story", plain(&story));
}

/// What differs from run to run, taken out.
fn plain(story: &Story) -> String {
    let mut text = story.told.clone();
    for member in story.fleet.members() {
        for (name, value) in member.bench.environment() {
            if value.len() > 8 {
                text = text.replace(&value, &format!("<{name}>"));
            }
        }
    }
    let root = story.machine.folder().display().to_string();
    text = text.replace(&root, "<folder>");
    for (pattern, word) in [
        (r"/tmp/[^ /]+", "<elsewhere>"),
        (r"127\.0\.0\.1:\d+", "<host>"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( UTC|Z)?", "<time>"),
        (r"\d{4}-\d\d-\d\d", "<day>"),
        (r"Plan id: [0-9a-f]{32}", "Plan id: <id>"),
        (r"\b[0-9a-f]{16}\b", "<place>"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    text
}
