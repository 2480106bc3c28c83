//! Secrets that have leaked: they end at once, and it is said who will miss them.

use std::io::{Read as _, Write as _};

use tests::provision::{Ran, World};

use super::{START, TWO, applied, assert_told};

#[tokio::test]
async fn a_leaked_secret_ends_at_once_and_the_new_one_is_everywhere() {
    let world = applied();
    let (leaked, other) = (world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN"));
    super::vault::note_use(&world, &leaked).await;
    world.run("rotate build-api").exits(0);
    let second = world.entry(".env", "BUILD_TOKEN");
    assert!(world.is_valid(&leaked) && world.is_valid(&second), "an ordinary rotation has an overlap");
    let _ = world.told();
    world.run("rotate --compromised bild-api --yes").exits(1);
    world.run("rotate --compromised build-api").exits(4);
    assert!(world.is_valid(&leaked), "without a terminal nothing asks, and nothing is done");
    world.run("rotate --compromised build-api --yes").exits(0);
    assert_told!(world);
    let third = world.entry(".env", "BUILD_TOKEN");
    assert!(!world.is_valid(&leaked) && !world.is_valid(&second) && world.is_valid(&third));
    assert!(world.is_valid(&other), "other tokens go on");
    world.run("plan --detailed-exitcode").exits(0);
    let shown = world.run("token show build-api -u ci --format json").exits(0).json();
    let ended: Vec<&str> = shown["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "version.compromised")
        .map(|event| event["detail"].as_str().unwrap())
        .collect();
    assert_eq!(
        ended,
        [
            "version 2, revoked at once although places may contain it",
            "version 1, revoked at once although places may contain it"
        ]
    );
}

#[test]
fn a_place_out_of_reach_does_not_keep_a_leaked_secret_alive() {
    let world = World::with(&format!("{START}{}", TWO.replace(
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]",
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"far\", name = \"BUILD_TOKEN\" }]\n[sinks.far]\ntype = \"dotenv\"\npath = \"far/.env\"",
    )));
    std::fs::create_dir(world.path("far")).unwrap();
    world.run("apply").exits(0);
    let leaked = world.entry(".env", "BUILD_TOKEN");
    // The disk is not mounted: an ordinary rotation waits for it.
    std::fs::rename(world.path("far"), world.path("away")).unwrap();
    let _ = world.told();
    world.run("rotate build-api").exits(1);
    assert!(world.is_valid(&leaked));
    let _ = world.told();
    world.run("rotate --compromised build-api --yes").exits(3);
    assert_told!(world);
    let next = world.entry(".env", "BUILD_TOKEN");
    assert!(!world.is_valid(&leaked) && world.is_valid(&next));
    std::fs::rename(world.path("away"), world.path("far")).unwrap();
    assert_eq!(world.entry("far/.env", "BUILD_TOKEN"), leaked, "its consumers fail until the next run");
    world.run("apply").exits(0);
    assert_eq!(world.entry("far/.env", "BUILD_TOKEN"), next);
    world.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn on_a_terminal_the_tokens_name_is_typed() {
    let world = applied();
    let leaked = world.entry(".env", "BUILD_TOKEN");
    let said = on_a_terminal(&world, "rotate --compromised build-api", "yes\n", 4);
    assert!(said.contains("Type the token's name to confirm:"), "{said}");
    assert!(world.is_valid(&leaked));
    on_a_terminal(&world, "rotate --compromised build-api", "build-api\n", 0);
    assert!(!world.is_valid(&leaked));
}

/// Runs the command on a terminal of its own, made by `script`, and types.
fn on_a_terminal(world: &World, words: &str, typed: &str, code: i32) -> String {
    let program = world.command([""]).get_program().to_owned();
    let mut command = std::process::Command::new("script");
    world.prepare(&mut command);
    let line = format!("{} {words}", program.to_string_lossy());
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(std::process::Stdio::piped());
    let mut child = command.spawn().expect("`script` is there");
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    Ran::from(child.wait_with_output().unwrap()).exits(code);
    said
}

#[test]
fn a_leak_of_what_is_not_there_is_a_slip() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("rotate --compromised build-api --yes").exits(1);
    assert!(!world.path("latchkey.db").exists());
    world.run("apply --only deploy-api").exits(0);
    let _ = world.told();
    world.run("rotate --compromised build-api --yes").exits(1);
    world.run("rotate tokens.toml deploy-api --compromised build-api --yes").exits(1);
    assert_told!(world);
}
