//! `status` and `doctor` are never falsely calm.

use std::process::Command;

use tests::provision::{DAY, World, finish};

use super::{START, TWO, applied};

#[track_caller]
fn sum(world: &World, code: i32) -> String {
    assert_eq!(world.run("status").exits(0).code, Some(0));
    let ran = world.run("status --detailed-exitcode").exits(code);
    let markdown = world.run("status --format markdown --detailed-exitcode").exits(code).stdout;
    assert_eq!(markdown.contains("all in sync"), code == 0, "{markdown}");
    ran.stdout.trim_end().lines().last().unwrap().to_owned()
}

/// Case 02.
#[test]
fn what_was_never_created_is_counted_first() {
    let world = World::with(&format!("{START}{TWO}"));
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 2 not created");
    let doctor = world.run("doctor").exits(0).stdout;
    assert_eq!(doctor.matches("not created yet").count(), 2, "{doctor}");
    assert!(!doctor.ends_with("No problems found\n"), "{doctor}");
    world.run("apply").exits(0);
    assert_eq!(sum(&world, 0), "2 tokens in 1 sink, all in sync");
    assert!(world.run("doctor").exits(0).stdout.ends_with("No problems found\n"));
    let text = world.read("tokens.toml").replace("deploy-api", "report-api").replace("DEPLOY", "REPORT");
    world.write("tokens.toml", &text);
    assert_eq!(sum(&world, 2), "3 tokens in 1 sink, 1 not created, 1 not declared");
}

/// Runs a command that announces a version of these tokens, and kills it then.
fn killed_before_its_first_write(world: &World, command: &str, tokens: &[&str]) {
    // Somebody else writes to that file, so the first push waits.
    let site = latchkey_sinks::files::Site::open(&world.path("env/.env")).unwrap();
    let lock = site.lock(std::time::Duration::from_secs(5)).unwrap();
    let announced = |token: &&str| {
        let shown = world.run(&format!("token show {token} -u ci")).stdout;
        shown.matches("version.announce").count()
    };
    let before: usize = tokens.iter().map(announced).sum();
    let mut child = world.command(command.split(' ')).spawn().unwrap();
    while tokens.iter().map(announced).sum::<usize>() < before + tokens.len() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(lock);
}

#[test]
fn a_delivery_that_was_cut_short_is_counted_until_it_is_finished() {
    let world = World::with(&format!("{}{TWO}", START.replace("\".env\"", "\"env/.env\"")));
    std::fs::create_dir(world.path("env")).unwrap();
    killed_before_its_first_write(&world, "apply", &["build-api", "deploy-api"]);
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 2 with an unfinished delivery");
    let doctor = world.run("doctor").exits(0).stdout;
    assert_eq!(doctor.matches("version 1 is not current yet").count(), 2, "{doctor}");
    assert!(!doctor.ends_with("No problems found\n"), "{doctor}");
    world.run("apply").exits(0);
    assert_eq!(sum(&world, 0), "2 tokens in 1 sink, all in sync");
}

/// `apply` does not do it, as nothing is due.
#[test]
fn a_rotation_that_was_asked_for_and_reached_no_place_is_begun_anew_by_what_doctor_names() {
    let world = World::with(&format!("{}{TWO}", START.replace("\".env\"", "\"env/.env\"")));
    std::fs::create_dir(world.path("env")).unwrap();
    world.run("apply").exits(0);
    killed_before_its_first_write(&world, "rotate build-api", &["build-api"]);
    assert!(world.run("apply").exits(0).stdout.starts_with("No changes"));
    let doctor = world.run("doctor").exits(0).stdout;
    assert!(doctor.contains("version 2 is not current yet"), "{doctor}");
    assert!(doctor.contains("fix: run `provision rotate build-api` if no run is in progress"), "{doctor}");
    // No write of it can arrive any more, so it is nobody's concern.
    world.clock(1200);
    assert_eq!(sum(&world, 0), "2 tokens in 1 sink, all in sync");
    assert!(!world.run("status").exits(0).stdout.contains("being delivered"));
    world.run("rotate build-api").exits(0);
    assert_eq!(sum(&world, 0), "2 tokens in 1 sink, all in sync");
}

#[test]
fn what_the_manifest_declares_otherwise_is_counted_until_it_is_applied() {
    let world = applied();
    world.edit("permissions = [\"documents:read\"]", "permissions = [\"documents:read\", \"documents:list\"]");
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 1 changed in the manifest");
    assert!(world.run("doctor").exits(0).stdout.contains("role `reader`: differs from the manifest"));
    world.edit("[tokens.build-api]\n", "[tokens.build-api]\ndescription = \"Builds\"\n");
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 2 changed in the manifest");
    assert!(world.run("doctor").exits(0).stdout.contains("token `ci/build-api`: differs from the manifest"));
    world.run("apply").exits(0);
    assert_eq!(sum(&world, 0), "2 tokens in 1 sink, all in sync");
}

#[test]
fn what_expired_and_what_is_due_is_told() {
    let world = applied();
    world.clock(31 * DAY);
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 2 due");
    let doctor = world.run("doctor").exits(0).stdout;
    assert_eq!(doctor.matches("to be rotated since").count(), 2, "{doctor}");
    assert!(doctor.contains("fix: run `provision apply`") && doctor.ends_with("; 2 notes\n"), "{doctor}");
    world.clock(95 * DAY);
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 2 expired, 2 drifted, 2 due");
    let doctor = world.run("doctor").exits(1).stdout;
    assert_eq!(doctor.matches("contains version 1, expired").count(), 2, "{doctor}");
}

#[test]
fn a_foreign_value_is_counted_as_one_and_what_differs_is_a_problem() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", "BUILD_TOKEN=theirs\n");
    world.run("apply").exits(3);
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 1 not created, 1 foreign, 1 blocked");
    let doctor = world.run("doctor").exits(1).stdout;
    assert!(doctor.contains("problem  token `ci/build-api`: blocked: `.env BUILD_TOKEN` contains a value"), "{doctor}");
    let deploy = world.entry(".env", "DEPLOY_TOKEN");
    world.write(".env", &format!("DEPLOY_TOKEN={deploy}x\n"));
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 1 not created, 1 drifted");
    let doctor = world.run("doctor").exits(1).stdout;
    assert!(doctor.contains("problem  place `.env DEPLOY_TOKEN`: was changed outside Latchkey"), "{doctor}");
}

/// Case 07.
#[test]
fn a_folder_that_moved_away_is_unreachable_in_status_and_a_problem_to_doctor() {
    let world = World::new();
    std::fs::create_dir(world.path("a")).unwrap();
    world.write("a/tokens.toml", &format!("{START}{TWO}"));
    world.run("apply a/tokens.toml").exits(0);
    std::fs::rename(world.path("a"), world.path("b")).unwrap();
    world.run("apply b/tokens.toml").exits(0);
    let status = world.run("status b/tokens.toml --detailed-exitcode").exits(2).stdout;
    assert!(status.ends_with("2 tokens in 2 sinks, 2 unreachable\n"), "{status}");
    let doctor = world.run("doctor b/tokens.toml").exits(1).stdout;
    assert!(doctor.contains("--forget"), "{doctor}");
}

#[test]
fn a_dead_version_in_a_place_that_leaves_is_not_in_sync() {
    let world = applied();
    world.edit("sink = \"dev\", name = \"BUILD_TOKEN\"", "sink = \"dev\", name = \"BUILD\"");
    world.run("apply").exits(0);
    assert_eq!(sum(&world, 2), "2 tokens in 1 sink, 1 leaving");
    world.clock(91 * DAY);
    let status = world.run("status --detailed-exitcode").exits(2).stdout;
    assert!(status.contains(" expired,") && status.contains("1 leaving"), "{status}");
    assert!(!status.contains("which is valid until"), "{status}");
}

#[test]
fn records_ahead_of_the_clock_are_a_problem() {
    let world = applied();
    world.clock(400 * DAY);
    world.run("apply --clock-is-right").exits(0);
    world.clock(0);
    let ran = world.run("doctor").exits(1).stdout;
    assert!(ran.contains("problem  clock:") || ran.contains("times in the future"), "{ran}");
    world.run("status --detailed-exitcode").exits(2);
}

#[test]
fn a_table_that_git_would_add_is_told_and_so_is_git_that_is_missing() {
    let world = applied();
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        world.prepare(&mut command);
        finish(command.args(words).spawn().unwrap(), None).exits(0);
    };
    git(&["init", "--quiet"]);
    world.write(".gitignore", ".env\n");
    let doctor = world.run("doctor").exits(0).stdout;
    assert!(doctor.contains("note     file `latchkey.db`:") && doctor.contains("is not ignored by git"), "{doctor}");
    assert!(doctor.contains("fix: add `latchkey.db*` to `.gitignore`"), "{doctor}");
    world.write(".gitignore", ".env\nlatchkey.db\n");
    let doctor = world.run("doctor").exits(0).stdout;
    assert!(doctor.contains("latchkey.db-wal` is not ignored by git"), "{doctor}");
    world.write(".gitignore", ".env\nlatchkey.db*\n");
    assert!(world.run("doctor").exits(0).stdout.ends_with("No problems found\n"));
    let mut command = world.command(["doctor"]);
    let without = finish(command.env("PATH", world.path("nowhere")).spawn().unwrap(), None).exits(0);
    assert!(without.stdout.contains("as `git` is not installed"), "{}", without.stdout);
}
