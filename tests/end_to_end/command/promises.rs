//! `plan` promises what `apply` does: what would be refused is blocked in the plan, and exit 3 is kept for runs that
//! something can come of.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use tests::provision::{Ran, World, finish};

use super::{START, TWO, applied};

fn mode(world: &World, name: &str, mode: u32) {
    std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn git(world: &World, words: &[&str]) {
    let mut command = Command::new("git");
    world.prepare(&mut command);
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words);
    finish(command.spawn().unwrap(), None).exits(0);
}

/// Asserts that `plan` blocks for `reason`, and that `apply` does so too: once the role and the user are there, with
/// nothing done and exit 1.
#[track_caller]
fn is_refused(world: &World, reason: &str) {
    let plan = world.run("plan").exits(1);
    assert!(plan.stdout.contains("blocked: cannot write") && plan.stdout.contains(reason), "{}", plan.stdout);
    assert!(!plan.stdout.contains("push version") && !plan.stderr.contains(reason), "{plan:?}");
    let json = world.run("plan --format json").exits(1).json();
    assert_eq!(json["blocked"], true);
    world.run("apply");
    let ran = world.run("apply").exits(1);
    assert!(ran.stdout.contains(reason) && ran.stdout.contains("Incomplete: 0 changed"), "{ran:?}");
    assert!(world.run("status --format json").exits(0).json()["tokens"][0]["versions"].as_array().unwrap().is_empty());
}

/// Case 05.
#[test]
fn a_file_that_git_tracks_is_blocked_in_the_plan() {
    let world = World::with(&format!("{START}{TWO}"));
    git(&world, &["init", "--quiet"]);
    world.write(".env", "PORT=1\n");
    world.write(".gitignore", ".env\n*.db*\n");
    git(&world, &["add", "--force", ".env"]);
    is_refused(&world, "`.env` is tracked by git, so its secrets would be committed");
    git(&world, &["rm", "--quiet", "--cached", ".env"]);
    world.run("plan").exits(0);
    world.run("apply").exits(0);
}

#[test]
fn a_saved_plan_of_what_is_refused_is_applied_as_far_as_it_promised() {
    let world = World::with(&format!("{START}{TWO}"));
    git(&world, &["init", "--quiet"]);
    world.write(".env", "PORT=1\n");
    git(&world, &["add", ".env"]);
    let plan = world.run("plan --out plan.json").exits(1);
    assert!(plan.stdout.contains("Plan: 2 to create, 2 blocked"), "{}", plan.stdout);
    let ran = world.run("apply --plan plan.json").exits(3);
    assert!(ran.stdout.contains("Incomplete: 2 changed, 2 failed"), "{}", ran.stdout);
}

#[test]
fn a_hard_link_is_blocked_in_the_plan() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write("other.env", "PORT=1\n");
    std::fs::hard_link(world.path("other.env"), world.path(".env")).unwrap();
    is_refused(&world, "(hard links)");
}

#[test]
fn a_folder_that_may_not_be_written_is_blocked_in_the_plan_and_so_is_a_table_that_cannot_be_created() {
    if rustix::process::getuid().is_root() {
        // Root may write everywhere: as somebody else, in a folder of theirs.
        let Some(setpriv) = tests::programs::find("setpriv") else { tests::skip!("needs `setpriv`") };
        let world = World::with(&format!("{START}{TWO}").replace("path = \".env\"", "path = \"sub/.env\""));
        std::fs::create_dir(world.path("sub")).unwrap();
        let run = |words: &str| -> Ran {
            let inner = world.command(words.split_whitespace());
            let mut command = Command::new(&setpriv);
            world.prepare(&mut command);
            command.args(["--reuid", "1002", "--clear-groups"]).arg(inner.get_program());
            finish(command.args(words.split_whitespace()).stdin(Stdio::null()).spawn().unwrap(), None)
        };
        mode(&world, "..", 0o755);
        mode(&world, "../..", 0o755);
        let denied = run("plan");
        if denied.stderr.contains("ermission denied") && denied.code == Some(126) {
            tests::skip!("the command cannot be run by another user");
        }
        assert!(denied.stderr.contains("latchkey.db` cannot be created"), "{denied:?}");
        assert_eq!(denied.code, Some(1));
        std::os::unix::fs::chown(world.folder(), Some(1002), None).unwrap();
        std::os::unix::fs::chown(world.path("tokens.toml"), Some(1002), None).unwrap();
        let plan = run("plan");
        assert_eq!(plan.code, Some(1), "{plan:?}");
        assert!(plan.stdout.contains("cannot write `sub/.env BUILD_TOKEN`: no permission to write"), "{plan:?}");
        return;
    }
    let world = World::with(&format!("{START}{TWO}").replace("path = \".env\"", "path = \"sub/.env\""));
    std::fs::create_dir(world.path("sub")).unwrap();
    mode(&world, "sub", 0o555);
    is_refused(&world, "no permission to write");
}

/// Runs `provision` in a mount namespace of its own in which `.env` is a mount point.
fn mounted(world: &World, words: &str) -> Option<Ran> {
    let inner = world.command(words.split_whitespace());
    let mut command = Command::new("unshare");
    world.prepare(&mut command);
    let script = format!("mount --bind other.env .env || exit 99; exec \"$0\" {words}");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]).arg(inner.get_program());
    let ran = finish(command.stdin(Stdio::null()).spawn().expect("`unshare` is there"), None);
    if ran.code == Some(99) || ran.stderr.starts_with("unshare:") {
        tests::skip!("needs leave to mount: {}", ran.stderr.trim());
    }
    Some(ran)
}

#[test]
fn a_mount_point_is_blocked_in_the_plan() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write("other.env", "PORT=1\n");
    world.write(".env", "");
    let Some(plan) = mounted(&world, "plan") else { return };
    let plan = plan.exits(1);
    assert!(plan.stdout.contains("is a mount point, so it cannot be replaced"), "{}", plan.stdout);
    let Some(ran) = mounted(&world, "apply") else { return };
    ran.exits(3);
    let Some(again) = mounted(&world, "apply") else { return };
    again.exits(1);
}

#[test]
fn what_is_not_written_in_this_run_blocks_nothing() {
    let world = applied();
    std::fs::hard_link(world.path(".env"), world.path("other.env")).unwrap();
    let plan = world.run("plan --detailed-exitcode").exits(0);
    assert!(plan.stderr.contains("(hard links)"), "the next rotation will need it: {plan:?}");
    let refused = world.run("rotate --all").exits(1);
    assert!(refused.stdout.contains("(hard links)"), "{refused:?}");
}

#[test]
fn a_run_that_did_a_part_exits_3_and_one_that_can_do_nothing_exits_1() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", "BUILD_TOKEN=of-somebody-else\n");
    let first = world.run("apply").exits(3);
    assert!(first.stdout.contains("Incomplete: 3 changed, 1 failed"), "{}", first.stdout);
    let second = world.run("apply").exits(1);
    assert!(second.stdout.contains("Incomplete: 0 changed, 1 failed"), "{}", second.stdout);
}
