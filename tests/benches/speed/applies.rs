//! Applies to a `.env` file: the first, and one that finds nothing to do; octoDNS beside them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::meter::{Spent, spent};
use tests::provision::World;

use super::ours::Ours;
use super::peers::Asked;
use super::table::{Bar, Row, Table, Unit};
use super::{ROUNDS, median};

/// Tokens of the applies that are measured.
const SIZES: [usize; 2] = [1_000, 10_000];

/// Medians of runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    pub(super) cpu: f64,
    pub(super) wall: f64,
    pub(super) peak: f64,
}

impl Runs {
    pub(super) fn of(runs: &[Spent]) -> Self {
        let of = |field: fn(&Spent) -> f64| median(runs.iter().map(field).collect());
        Self {
            cpu: of(|spent| spent.cpu.as_secs_f64()),
            wall: of(|spent| spent.wall.as_secs_f64()),
            peak: of(|spent| spent.peak),
        }
    }

    /// CPU of each of so many.
    #[expect(clippy::cast_precision_loss, reason = "few tokens")]
    pub(super) fn each(&self, all: usize) -> f64 {
        self.cpu / all as f64
    }
}

/// A command of ours, run and measured.
pub(super) fn run(world: &World, words: &[&str], environment: &[(&str, &str)]) -> Spent {
    spent(world.command(words).envs(environment.iter().copied()))
}

pub(super) fn rows(ours: &Ours, asked: &Asked, table: &mut Table) {
    let octodns = asked.program("octodns", "peers/octodns/bin/octodns-sync");
    if let Some(Err(why)) = &octodns {
        table.skip("octodns", why);
    }
    let octodns = octodns.and_then(Result::ok);
    for tokens in SIZES {
        let (mut first, mut plan, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let (mut theirs, mut theirs_again) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let world = ours.world();
            world.write("tokens.toml", &manifest(tokens, "type = \"dotenv\"\npath = \".env\"\n", "TOKEN_"));
            first.push(run(&world, &["apply", "-q"], &[]));
            plan.push(run(&world, &["plan", "-q"], &[]));
            again.push(run(&world, &["apply", "-q"], &[]));
            if let Some(program) = octodns.as_deref().filter(|_| tokens == SIZES[0]) {
                let [first, again] = octodns_runs(program, tokens);
                theirs.push(first);
                theirs_again.push(again);
            }
        }
        let [first, plan, again] = [first, plan, again].map(|runs| Runs::of(&runs));
        let what = |what: &str| format!("{what} of {tokens} tokens, `.env`");
        table
            .add(Row::new(what("first apply"), "CPU each", Unit::Seconds, first.each(tokens)).bar(Bar::AtMost(0.8e-3)));
        let wall = Row::new(what("first apply"), "wall", Unit::Seconds, first.wall);
        table.add(if tokens == 10_000 { wall.bar(Bar::AtMost(12.0)) } else { wall });
        table.add(Row::new(what("first apply"), "peak", Unit::Mebibytes, first.peak).bar(Bar::AtMost(120.0)));
        for (name, runs) in [("unchanged plan", plan), ("unchanged apply", again)] {
            table.add(Row::new(what(name), "CPU each", Unit::Seconds, runs.each(tokens)));
            table.add(Row::new(what(name), "wall", Unit::Seconds, runs.wall));
        }
        if !theirs.is_empty() {
            let (theirs, theirs_again) = (Runs::of(&theirs), Runs::of(&theirs_again));
            let about = "octoDNS 1.22.0: as many records, YAML to YAML, not synced";
            let row = Row::new(what("first apply"), "CPU each", Unit::Seconds, first.each(tokens));
            table.add(row.beside(about, theirs.each(tokens)));
            let row = Row::new(what("unchanged plan"), "CPU each", Unit::Seconds, plan.each(tokens));
            table.add(row.beside(about, theirs_again.each(tokens)).bar(Bar::AtMost(1.0)));
        }
    }
}

/// A manifest of one user, with a push of each token to one sink.
pub(super) fn manifest(tokens: usize, sink: &str, prefix: &str) -> String {
    let mut text = format!(
        "manifest = \"speed\"\n[service]\nembedded = \"latchkey.db\"\n[roles.reader]\npermissions = [\"documents:read\"]\n\
         [users.ci]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = {tokens}\n[sinks.out]\n{sink}"
    );
    for token in 0..tokens {
        writeln!(text, "[tokens.t{token}]\nuser = \"ci\"\npush = [{{ sink = \"out\", name = \"{prefix}{token}\" }}]")
            .expect("text can be written");
    }
    text
}

/// What octoDNS does with as many records: it reads the ones that there should be, reads those that there are, plans, and
/// writes a file. Nothing is created, checked or recorded.
fn octodns_runs(program: &Path, records: usize) -> [Spent; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: PathBuf, text: String| {
        std::fs::create_dir_all(name.parent().expect("its folder")).expect("a folder");
        latchkey_sinks::files::write_atomic(&name, text.as_bytes(), 0o600).expect("a file of one's own");
    };
    let place = folder.path().display();
    let yaml = |name: &str| {
        format!(
            "  {name}:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {place}/{name}\n    \
             default_ttl: 300\n    enforce_order: false\n"
        )
    };
    let zones = "zones:\n  example.com.:\n    sources: [from]\n    targets: [to]\n";
    write(folder.path().join("config.yaml"), format!("providers:\n{}{}{zones}", yaml("from"), yaml("to")));
    let mut zone = String::from("---\n");
    for record in 0..records {
        writeln!(zone, "t{record}:\n  type: TXT\n  value: lk_0123456789abcdef_a-secret-as-long-as-ours-is-{record}")
            .expect("text can be written");
    }
    write(folder.path().join("from/example.com.yaml"), zone);
    std::fs::create_dir_all(folder.path().join("to")).expect("a folder");
    let config = format!("--config-file={place}/config.yaml");
    let first = spent(Command::new(program).args([&config, "--doit", "--force"]));
    let again = spent(Command::new(program).arg(&config));
    let written = std::fs::read_to_string(folder.path().join("to/example.com.yaml")).unwrap_or_default();
    assert!(written.contains(&format!("t{}:", records - 1)), "octoDNS wrote all records");
    [first, again]
}
