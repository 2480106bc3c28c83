//! Ctrl-C in the middle of a run.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};

use rustix::process::{Pid, Signal, kill_process};
use tests::provision::{Ran, World};

use super::START;

#[test]
fn ctrl_c_ends_a_run_that_says_how_to_go_on_and_the_next_one_does() {
    stopped_by(Signal::INT);
}

#[test]
fn a_job_that_is_cancelled_ends_the_same_way() {
    stopped_by(Signal::TERM);
}

/// A run of 200 tokens is stopped in the middle, and another one goes on.
fn stopped_by(signal: Signal) {
    let mut manifest = START.replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 300");
    for number in 1..=200 {
        let _ = write!(
            manifest,
            "\n[tokens.build-{number}]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"B{number}\" }}]\n"
        );
    }
    let world = World::with(&manifest);
    let mut child = world.command(["apply"]).spawn().unwrap();
    // The first line of talk comes once the run has begun to change things.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut talk = String::new();
    stderr.read_line(&mut talk).unwrap();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let reader = std::thread::spawn(move || {
        stderr.read_to_string(&mut talk).unwrap();
        talk
    });
    let ran = Ran { stderr: reader.join().unwrap(), ..child.wait_with_output().unwrap().into() }.exits(3);
    let tail: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("stop")).collect();
    insta::assert_snapshot!(tail.join("\n"), @r"
    stopping after the pushes in flight; interrupt again to stop at once
    stopped: no entry was left half-written; run it again to continue
    ");
    let delivered = |world: &World| std::fs::read_to_string(world.path(".env")).map_or(0, |text| text.lines().count());
    assert!(delivered(&world) < 200, "it was stopped in the middle");
    let rest = world.run("apply").exits(0);
    let lines: Vec<&str> = rest.stderr.lines().collect();
    assert!(lines.len() <= 14 && lines.last().unwrap().ends_with(" tokens"), "a line now and then: {lines:?}");
    assert_eq!(delivered(&world), 200);
    world.run("plan --detailed-exitcode").exits(0);
    let listed = world.run("token list -u ci --format json").exits(0).json();
    assert_eq!(listed["active"].as_array().unwrap().len(), 200, "no token is there twice");
    for name in ["B1", "B100", "B200"] {
        assert!(world.is_valid(&world.entry(".env", name)), "{name}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_says_what_may_be_half_done() {
    let manifest = format!("{}{}", START.replace("\".env\"", "\"env/.env\""), super::TWO);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let world = World::with(&manifest);
        std::fs::create_dir(world.path("env")).unwrap();
        // Somebody else writes to that file, so the first push waits.
        let site = latchkey_sinks::files::Site::open(&world.path("env/.env")).unwrap();
        let lock = site.lock(std::time::Duration::from_secs(5)).unwrap();
        let mut child = world.command(["apply"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !world.run("token show build-api -u ci").stdout.contains("version.announce") {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut line = String::new();
        while !line.starts_with("stopping") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended by itself");
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut talk = String::new();
        stderr.read_to_string(&mut talk).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{talk}");
        assert!(talk.starts_with("stopped at once: a push may be half-done"), "{talk}");
        drop(lock);
        world.run("apply").exits(0);
        world.run("plan --detailed-exitcode").exits(0);
        assert!(world.is_valid(&world.entry("env/.env", "BUILD_TOKEN")));
    }
}
