//! `.env` files as they are found: everything but our own lines stays byte for byte, and what cannot be written is
//! told without loss.

use std::process::{Command, Stdio};

use tests::provision::{HOUR, World, finish};

use super::{START, TWO, applied, assert_told};

const FILE: &str = "# Shared by all.\r\nDATABASE_URL=\"postgres://db/x?y=\\\"1\\\"\"\r\n\n  export  SPACED='single # quoted'   # why\nPEM=\"-----BEGIN-----\nOTHER_TOKEN=not this one\n-----END-----\"\nEMPTY=\n# BUILD_TOKEN=commented out\nBUILD_TOKEN=  # to be filled in\nLAST=no newline at the end";

/// The file without the lines that are ours.
fn rest(text: &str) -> String {
    let ours = |line: &&str| !line.contains("=lk_") && !line.contains("# to be filled in");
    text.split_inclusive('\n').filter(ours).collect()
}

#[test]
fn what_is_not_ours_survives_apply_and_rotate_byte_for_byte() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", FILE);
    world.run("apply").exits(0);
    let first = world.read(".env");
    world.run("rotate tokens.toml --all").exits(0);
    let second = world.read(".env");
    for text in [&first, &second] {
        assert!(rest(text).starts_with(rest(FILE).as_str()), "{text}");
        assert_eq!(tests::provision::secrets_in(text).len(), 2, "{text}");
    }
    assert_ne!(first, second);
    // Somebody edits beside it: still not ours, still kept.
    world.write(".env", &second.replace("EMPTY=\n", "EMPTY=\nADDED='by hand'\n"));
    world.run("rotate tokens.toml --all").exits(0);
    let third = world.read(".env");
    assert!(third.contains("ADDED='by hand'\n") && third.contains("PEM=\"-----BEGIN-----\nOTHER_TOKEN=not this one\n"));
    world.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn a_line_edited_or_removed_by_hand_is_mended() {
    let world = applied();
    let (build, deploy) = (world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "DEPLOY_TOKEN"));
    world.write(".env", &format!("BUILD_TOKEN=oops\n# {deploy}\n"));
    world.run("plan --detailed-exitcode").exits(2);
    world.run("apply").exits(0);
    assert_told!(world);
    for (name, before) in [("BUILD_TOKEN", build), ("DEPLOY_TOKEN", deploy)] {
        let now = world.entry(".env", name);
        assert!(world.is_valid(&now) && now != before, "{name}");
    }
    // Two swapped lines hold each other's token.
    let text = world
        .read(".env")
        .replace("BUILD_TOKEN", "X")
        .replace("DEPLOY_TOKEN", "BUILD_TOKEN")
        .replace('X', "DEPLOY_TOKEN");
    world.write(".env", &text);
    world.run("apply").exits(0);
    let verified = world.pipe("token verify -t json", &world.entry(".env", "BUILD_TOKEN")).exits(0).json();
    assert_eq!(verified["name"], "build-api");
}

/// Readers may differ on a line: this one's secret is followed by a note, which is part of the value to a shell and none
/// to Node.
#[test]
fn a_former_value_that_is_read_otherwise_works_until_its_line_is_repaired() {
    let world = applied();
    let first = world.entry(".env", "BUILD_TOKEN");
    world.run("rotate tokens.toml build-api").exits(0);
    let second = world.entry(".env", "BUILD_TOKEN");
    let text = world.read(".env").replace(&second, &format!("{first}#put-back"));
    world.write(".env", &text);
    world.clock(25 * HOUR);
    let _ = world.told();
    world.run("apply").exits(0);
    let third = world.entry(".env", "BUILD_TOKEN");
    assert!(world.read(".env").contains("#put-back\n"));
    assert!(world.is_valid(&third) && third != first);
    assert!(world.is_valid(&first), "nothing ends in a run that repairs");
    world.run("apply").exits(0);
    assert!(!world.is_valid(&first) && world.is_valid(&third));
    assert_told!(world);
}

#[test]
fn a_value_that_is_not_ours_is_refused_until_it_is_adopted() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", "BUILD_TOKEN=of-somebody-else\n");
    world.run("plan").exits(1);
    world.run("apply").exits(3);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), "of-somebody-else");
    assert!(world.is_valid(&world.entry(".env", "DEPLOY_TOKEN")), "the other token is not blocked");
    world.edit(r#"name = "BUILD_TOKEN" }"#, r#"name = "BUILD_TOKEN", adopt = true }"#);
    world.run("apply").exits(0);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert_told!(world);
}

fn git(world: &World, words: &[&str]) {
    let mut command = Command::new("git");
    world.prepare(&mut command);
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words);
    finish(command.spawn().unwrap(), None).exits(0);
}

#[test]
fn a_file_that_git_tracks_is_refused_and_one_that_it_does_not_ignore_warned_of() {
    let world = World::with(&format!("{START}{TWO}"));
    git(&world, &["init", "--quiet"]);
    world.write(".env", "A=1\n");
    git(&world, &["add", ".env"]);
    world.run("plan").exits(1);
    world.run("apply").exits(3);
    assert_eq!(world.read(".env"), "A=1\n");
    git(&world, &["rm", "--quiet", "--cached", ".env"]);
    world.run("apply").exits(0);
    world.write(".gitignore", ".env\n*.db*\n");
    world.run("apply").exits(0);
    assert_told!(world);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_tracked_file_is_refused_where_git_is_not_installed_too() {
    let world = World::with(&format!("{START}{TWO}"));
    git(&world, &["init", "--quiet"]);
    world.write(".env", "A=1\n");
    git(&world, &["add", ".env"]);
    let run = |words: &str| {
        let mut command = world.command(words.split_whitespace());
        finish(command.env("PATH", world.path("nowhere")).stdin(Stdio::null()).spawn().unwrap(), None)
    };
    let refused = run("apply").exits(3);
    assert!(refused.stdout.contains("`.env` is tracked by git"), "{}", refused.stdout);
    assert_eq!(world.read(".env"), "A=1\n");
    git(&world, &["rm", "--quiet", "--cached", ".env"]);
    let done = run("apply").exits(0);
    assert!(done.stderr.contains("cannot tell whether git ignores"), "{}", done.stderr);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    git(&world, &["update-index", "--index-version", "4"]);
    let refused = run("apply").exits(1);
    assert!(refused.stderr.contains("whose index cannot be read, so the table was not opened"), "{}", refused.stderr);
    let told = run("apply --service embedded:../home/elsewhere.db").exits(3);
    assert!(told.stderr.contains("is tracked by git, as `git` is not installed"), "{}", told.stderr);
}

/// A line of blanks above hid the entry from `node --env-file`.
#[test]
fn node_sees_the_entry_below_a_line_of_blanks() {
    let world = World::with(&format!("{START}{TWO}"));
    world.write(".env", "PORT=1\n   \n");
    world.run("apply").exits(0);
    let Some(node) = tests::programs::find("node") else { tests::skip!("needs `node`") };
    let mut command = Command::new(node);
    world.prepare(&mut command);
    command.args(["--env-file=.env", "-p", "process.env.BUILD_TOKEN + ' ' + process.env.PORT"]);
    let seen = finish(command.stdout(Stdio::piped()).spawn().unwrap(), None).exits(0);
    assert_eq!(seen.stdout.trim_end(), format!("{} 1", world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_missing_folder_is_told_and_the_next_run_goes_on() {
    let world = World::with(&format!("{START}{TWO}").replace("path = \".env\"", "path = \"config/.env\""));
    world.run("plan").exits(1);
    world.run("apply").exits(3);
    assert_told!(world);
    std::fs::create_dir(world.path("config")).unwrap();
    world.run("apply").exits(0);
    assert!(world.is_valid(&world.entry("config/.env", "BUILD_TOKEN")));
    world.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn a_file_that_cannot_be_edited_safely_is_told_and_left_alone() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    let broken = format!("BUILD_TOKEN={secret}\nOPEN=\"no end\n");
    world.write(".env", &broken);
    world.run("plan").exits(1);
    world.run("rotate tokens.toml --all").exits(1);
    assert_eq!(world.read(".env"), broken);
    assert_told!(world);
    assert!(world.is_valid(&secret));
    world.write(".env", &format!("BUILD_TOKEN={secret}\n"));
    world.run("rotate tokens.toml --all").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
}

/// Runs `provision` in a mount namespace of its own, where `config` is what `mount` makes of it. `None` where that is
/// not permitted.
fn mounted(world: &World, mount: &str, words: &str) -> Option<tests::provision::Ran> {
    let inner = world.command(words.split_whitespace());
    let mut command = Command::new("unshare");
    world.prepare(&mut command);
    let script = format!("{mount} || exit 99; shift 0; exec \"$0\" {words}");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]).arg(inner.get_program());
    let ran = finish(command.stdin(Stdio::null()).spawn().expect("`unshare` is there"), None);
    if ran.code == Some(99) || ran.stderr.starts_with("unshare:") {
        tests::skip!("needs leave to mount: {}", ran.stderr.trim());
    }
    world.note(&format!("provision {words} # {mount}"), &ran);
    Some(ran)
}

fn with_config() -> World {
    let world = World::with(&format!("{START}{TWO}").replace("path = \".env\"", "path = \"config/.env\""));
    std::fs::create_dir(world.path("config")).unwrap();
    world.run("apply").exits(0);
    let _ = world.told();
    world
}

#[test]
fn a_read_only_file_system_is_told_and_the_next_run_goes_on() {
    let world = with_config();
    let before = world.read("config/.env");
    let mount = "mount --bind config config && mount -o remount,bind,ro config";
    let Some(ran) = mounted(&world, mount, "rotate tokens.toml --all") else { return };
    ran.exits(1);
    assert_eq!(world.read("config/.env"), before);
    assert_told!(world);
    assert!(world.is_valid(&world.entry("config/.env", "BUILD_TOKEN")));
    world.run("rotate tokens.toml --all").exits(0);
    assert_ne!(world.read("config/.env"), before);
    world.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn a_full_disk_is_told_and_leaves_the_file_as_it_was() {
    let world = with_config();
    let secret = world.entry("config/.env", "BUILD_TOKEN");
    let mount = "cp config/.env env && mount -t tmpfs -o size=8k tmpfs config && cp env config/.env && \
                 head -c 4096 /dev/zero > config/ballast && trap 'cat config/.env > after' EXIT && set --";
    // The shell has to stay, to save what the mount holds at the end.
    let script =
        format!("{mount}; \"$0\" rotate tokens.toml --all; code=$?; cat config/.env > after; trap - EXIT; exit $code");
    let inner = world.command(["x"]);
    let mut command = Command::new("unshare");
    world.prepare(&mut command);
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]).arg(inner.get_program());
    let ran = finish(command.stdin(Stdio::null()).spawn().expect("`unshare` is there"), None);
    if ran.stderr.contains("mount:") || ran.stderr.starts_with("unshare:") {
        tests::skip!("needs leave to mount: {}", ran.stderr.trim());
    }
    world.note("provision rotate tokens.toml --all # on a full disk", &ran);
    ran.exits(1);
    assert_told!(world);
    assert_eq!(world.read("after"), world.read("env"), "the file is as it was");
    assert!(world.is_valid(&secret));
    world.run("rotate tokens.toml --all").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert!(world.is_valid(&world.entry("config/.env", "BUILD_TOKEN")));
}
