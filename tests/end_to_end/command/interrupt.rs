//! Ctrl-C in the middle of a run.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};

use rustix::process::{Pid, Signal, kill_process};
use tests::provision::{Ran, World};

use super::START;

#[test]
fn ctrl_c_ends_a_run_that_says_how_to_go_on_and_the_next_one_does() {
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
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let reader = std::thread::spawn(move || {
        stderr.read_to_string(&mut talk).unwrap();
        talk
    });
    let ran = Ran { stderr: reader.join().unwrap(), ..child.wait_with_output().unwrap().into() }.exits(3);
    let tail: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("stop")).collect();
    insta::assert_snapshot!(tail.join("\n"), @r"
    stopping after the pushes in flight; once more to stop at once
    stopped; no place was left half-written. Run it again to go on
    ");
    let delivered = |world: &World| std::fs::read_to_string(world.path(".env")).map_or(0, |text| text.lines().count());
    assert!(delivered(&world) < 200, "it was stopped in the middle");
    world.run("apply").exits(0);
    assert_eq!(delivered(&world), 200);
    world.run("plan --detailed-exitcode").exits(0);
    let listed = world.run("token list -u ci --format json").exits(0).json();
    assert_eq!(listed["active"].as_array().unwrap().len(), 200, "no token is there twice");
    for name in ["B1", "B100", "B200"] {
        assert!(world.is_valid(&world.entry(".env", name)), "{name}");
    }
}
