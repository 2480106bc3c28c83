//! A run that comes back: `rotate --every` and `serve --rotate`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, channel};

use jiff::tz::TimeZone;
use rustix::process::{Pid, Signal, kill_process};
use tests::provision::{DAY, HOUR, World};

use super::{START, TWO};

/// A command that comes back, and what it says.
struct Coming {
    child: Child,
    talk: BufReader<ChildStderr>,
    results: Receiver<String>,
}

impl Coming {
    fn start(world: &World, words: &str) -> Self {
        let mut child = world.command(words.split_whitespace()).spawn().unwrap();
        let talk = BufReader::new(child.stderr.take().unwrap());
        let results = lines(child.stdout.take().unwrap());
        Self { child, talk, results }
    }

    /// What it says on stderr until a run has ended.
    fn run_ended(&mut self) -> String {
        let mut told = String::new();
        while !told.contains("next run in about") {
            assert_ne!(self.talk.read_line(&mut told).unwrap(), 0, "it ended by itself: {told}");
        }
        told
    }

    /// The next run, at once; answers what it said on stderr and on stdout.
    fn next_run(&mut self) -> (String, String) {
        while self.results.try_recv().is_ok() {}
        kill_process(Pid::from_child(&self.child), Signal::USR1).unwrap();
        let told = self.run_ended();
        // What it printed was printed before it said so.
        let mut printed = String::new();
        loop {
            let line = self.results.recv().unwrap();
            printed.push_str(&line);
            printed.push('\n');
            if ["No changes", "Done: ", "Incomplete: "].iter().any(|end| line.starts_with(end)) {
                return (told, printed);
            }
        }
    }

    fn end(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn lines(out: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn secrets(world: &World) -> [String; 2] {
    ["BUILD_TOKEN", "DEPLOY_TOKEN"].map(|name| world.entry(".env", name))
}

/// A window that opens on the day after tomorrow, at noon, by this world's clock.
fn window_in_two_days(world: &World) -> String {
    let day = world.now().to_zoned(TimeZone::UTC).date().checked_add(jiff::Span::new().days(2)).unwrap();
    format!("\n[rotation]\nwindow = \"{} 12:00-13:00 UTC\"\n", day.strftime("%a"))
}

#[test]
fn what_is_due_is_rotated_by_itself_within_its_window_and_the_overlap_holds() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let first = secrets(&world);
    let mut coming = Coming::start(&world, "rotate tokens.toml --every 1h");
    let told = coming.run_ended();
    assert!(told.contains("rotating what is due, every 1h"), "{told}");
    assert_eq!(secrets(&world), first, "nothing is due");
    world.clock(30 * DAY + HOUR);
    let (_, printed) = coming.next_run();
    assert!(printed.contains("Done: 2 changed"), "{printed}");
    let second = secrets(&world);
    assert!(first.iter().zip(&second).all(|(first, second)| first != second));
    assert!(first.iter().chain(&second).all(|secret| world.is_valid(secret)), "the overlap");
    world.clock(32 * DAY);
    coming.next_run();
    assert!(first.iter().all(|secret| !world.is_valid(secret)), "the overlap is over, and nobody used them");
    // The manifest is read anew for each run: from now on it has a window.
    world.clock(61 * DAY + 2 * HOUR);
    world.write("tokens.toml", &format!("{START}{TWO}{}", window_in_two_days(&world)));
    let (_, printed) = coming.next_run();
    assert!(printed.contains("waits for the window, which opens at"), "{printed}");
    assert!(printed.contains("No changes: 2 tokens of `acme` as declared; 2 rotations due, waiting"), "{printed}");
    assert_eq!(secrets(&world), second);
    let ahead = world.run(&format!("plan --at {}", world.date(1))).exits(0);
    assert!(!ahead.stdout.contains("rotates"), "{}", ahead.stdout);
    let ahead = world.run(&format!("plan --at {}", world.date(2))).exits(0);
    assert!(ahead.stdout.contains("rotates to version 3"), "{}", ahead.stdout);
    let noon = world.now().to_zoned(TimeZone::UTC).date().checked_add(jiff::Span::new().days(2)).unwrap();
    let noon = noon.at(12, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    world.clock(61 * DAY + 2 * HOUR + noon.duration_since(world.now()).as_secs());
    let (_, printed) = coming.next_run();
    assert!(printed.contains("Done: 2 changed"), "{printed}");
    assert!(secrets(&world).iter().zip(&second).all(|(third, second)| third != second));
    assert_eq!(coming.end(), Some(0));
}

#[test]
fn a_named_token_does_not_wait_for_the_window_and_a_window_that_is_too_narrow_is_refused() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let first = secrets(&world);
    world.clock(31 * DAY);
    world.write("tokens.toml", &format!("{START}{TWO}{}", window_in_two_days(&world)));
    let ran = world.run("rotate").exits(0);
    assert!(ran.stdout.contains("waits for the window"), "{}", ran.stdout);
    assert_eq!(secrets(&world), first);
    world.run("rotate build-api").exits(0);
    let second = secrets(&world);
    assert!(second[0] != first[0] && second[1] == first[1]);
    world.edit("expires_in = \"90d\"", "expires_in = \"34d\"");
    let ran = world.run("check").exits(1);
    assert!(ran.stderr.contains("the window stays closed for up to"), "{}", ran.stderr);
    assert!(ran.stderr.contains("can wait 3d at most"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_broken_for_a_while_ends_nothing() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let first = secrets(&world);
    let mut coming = Coming::start(&world, "rotate --every 1h");
    coming.run_ended();
    world.clock(31 * DAY);
    let good = world.read("tokens.toml");
    world.write("tokens.toml", &good.replace("kind = ", "kin = "));
    kill_process(Pid::from_child(&coming.child), Signal::USR1).unwrap();
    let told = coming.run_ended();
    assert!(told.contains("nothing was done") && told.contains("`kin`"), "{told}");
    assert_eq!(secrets(&world), first);
    world.write("tokens.toml", &good);
    coming.next_run();
    assert!(secrets(&world).iter().zip(&first).all(|(second, first)| second != first));
    assert_eq!(coming.end(), Some(0));
    // From the beginning it is an error.
    world.write("tokens.toml", &good.replace("kind = ", "kin = "));
    world.run("rotate --every 1h").exits(1);
    world.run("rotate --every 10s").exits(1);
    world.run("rotate tokens.toml build-api --every 1h").exits(1);
}

/// The file is in the way of a run for as long as somebody else has its lock.
#[test]
fn what_failed_is_not_tried_again_at_every_turn_and_others_go_on() {
    let elsewhere = "\n[sinks.other]\ntype = \"dotenv\"\npath = \"other/.env\"\n";
    let text = format!("{START}{elsewhere}{}", TWO.replacen("\"dev\"", "\"other\"", 1));
    let world = World::with(&text);
    std::fs::create_dir(world.path("other")).unwrap();
    world.run("apply").exits(0);
    let (build, deploy) = (world.entry("other/.env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN"));
    let mut coming = Coming::start(&world, "rotate --every 1h");
    coming.run_ended();
    let site = latchkey_sinks::files::Site::open(&world.path("other/.env")).unwrap();
    let lock = site.lock(std::time::Duration::from_secs(5)).unwrap();
    world.clock(31 * DAY);
    let (told, printed) = coming.next_run();
    assert!(printed.contains("Incomplete: 1 changed, 1 failed"), "{printed}{told}");
    assert_ne!(world.entry(".env", "DEPLOY_TOKEN"), deploy);
    drop(lock);
    let (told, printed) = coming.next_run();
    assert!(told.contains("1 token that failed before will be tried again from"), "{told}");
    assert!(printed.contains("No changes"), "{printed}");
    assert_eq!(world.entry("other/.env", "BUILD_TOKEN"), build);
    assert!(world.is_valid(&build));
    world.clock(31 * DAY + HOUR + 60);
    let (_, printed) = coming.next_run();
    assert!(printed.contains("Done: 1 changed"), "{printed}");
    assert_ne!(world.entry("other/.env", "BUILD_TOKEN"), build);
    assert_eq!(coming.end(), Some(0));
}

#[tokio::test]
async fn a_server_rotates_what_is_due_beside_its_answers() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let first = secrets(&world);
    let mut coming = Coming::start(&world, "serve --port 0 --rotate tokens.toml --every 30m");
    let url = coming.results.recv().unwrap();
    coming.run_ended();
    world.clock(31 * DAY);
    let (_, printed) = coming.next_run();
    assert!(printed.contains("Done: 2 changed"), "{printed}");
    for secret in first.iter().chain(&secrets(&world)) {
        let (status, _) = tests::client::Client::of(&url, secret).ask("GET", "/v1/me", None).await;
        assert_eq!(status, 200);
    }
    assert_eq!(coming.end(), Some(0));
    world.run("serve --port 0 --every 30m").exits(1);
}

/// What a sample runs, in this world: its words, with this world's command and manifest.
fn adapted(world: &World, text: &str) -> String {
    let command = world.command([""; 0]);
    let program = command.get_program().to_str().unwrap();
    text.replace("/usr/local/bin/provision", program).replace("/etc/latchkey", world.folder().to_str().unwrap())
}

fn sample(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/rotation");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn field(unit: &str, name: &str) -> String {
    let found = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no `{name}` in {unit}")).to_owned()
}

#[test]
fn the_samples_for_cron_and_systemd_rotate_what_is_due() {
    let crontab = sample("crontab");
    let (_, line) = crontab.lines().last().unwrap().split_once("* * * * ").unwrap();
    let unit = sample("latchkey-rotate.service");
    for line in [line, &field(&unit, "ExecStart")] {
        let world = World::with(&format!("{START}{TWO}"));
        world.run("apply").exits(0);
        let first = secrets(&world);
        world.clock(31 * DAY);
        world.write("environment", "VENDOR_LOGIN='one of a vendor'\n");
        let mut shell = std::process::Command::new("sh");
        world.prepare(shell.args(["-c", &adapted(&world, line)]));
        assert!(shell.status().unwrap().success(), "{line}");
        assert!(secrets(&world).iter().zip(&first).all(|(second, first)| second != first), "{line}");
    }
    let world = World::with(&format!("{START}{TWO}"));
    let words = field(&sample("latchkey-rotated.service"), "ExecStart");
    let words = adapted(&world, words.strip_prefix("/usr/local/bin/provision ").unwrap());
    let mut coming = Coming::start(&world, &words);
    coming.run_ended();
    assert!(secrets(&world).iter().all(|secret| world.is_valid(secret)));
    assert_eq!(coming.end(), Some(0));
}

#[test]
fn systemd_takes_the_units() {
    if let Some(why) = tests::programs::missing(&["systemd-analyze"]) {
        tests::skip!("{why}");
    }
    let world = World::new();
    let names = ["latchkey-rotate.service", "latchkey-rotate.timer", "latchkey-rotated.service"];
    for name in names {
        world.write(name, &adapted(&world, &sample(name)));
    }
    let mut analyze = std::process::Command::new(tests::programs::find("systemd-analyze").unwrap());
    let output = analyze.args(["verify", "--man=no"]).args(names.map(|name| world.path(name))).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!names.iter().any(|name| told.contains(name)), "{told}");
}
