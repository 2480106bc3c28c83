//! A manifest that is a link, or no plain file: whoever sends a pull request puts what they like at its path.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tests::provision::{Ran, World};

use super::{START, TWO, applied, assert_told};

/// Stands for a login that is somewhere on the machine.
const CANARY: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYCANARYKEY";

/// Every command that reads a manifest: named, found by its usual name, or come upon in the folder.
const COMMANDS: &[&str] = &[
    "check",
    "check --format json",
    "check --format markdown",
    "plan",
    "plan --offline",
    "plan --offline --format json",
    "plan --format markdown",
    "plan --out plan.json",
    "apply",
    "apply --format json",
    "rotate --all",
    "rotate --compromised build-api --yes",
    "status",
    "status --format markdown",
    "doctor",
    "doctor --format json",
    "doctor --policy",
    "token list",
    "token set by-hand",
    "token show build-api",
    "user list",
    "role list",
    "manifest show acme",
    "bootstrap",
];

/// A world whose manifest is a link, with logins outside its folder and where Git keeps them.
fn linked(target: &str) -> World {
    let world = World::new();
    std::fs::create_dir(world.path(".git")).unwrap();
    std::fs::create_dir(world.path("../home/.aws")).unwrap();
    let login = format!("[default]\naws_access_key_id = AKIA\naws_secret_access_key = {CANARY}\n");
    for file in ["../home/.aws/credentials", "../home/.aws/tokens.toml", ".git/config", ".git/tokens.toml", "notes"] {
        world.write(file, &login);
    }
    symlink(target, world.path("tokens.toml")).unwrap();
    world
}

/// Runs a command as a job does that writes a summary; asserts that nothing of a login is in anything it says.
#[track_caller]
fn says_nothing(world: &World, words: &str) -> Ran {
    let summary = world.path("summary.md");
    let environment =
        [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()), ("A_LOGIN", CANARY)];
    let ran = world.run_in(&environment, words);
    let summed = std::fs::read_to_string(&summary).unwrap_or_default();
    for said in [&ran.stdout, &ran.stderr, &summed] {
        assert!(!said.contains(CANARY) && !said.contains("AKIA"), "{words}: {said}");
    }
    ran
}

#[test]
fn no_command_shows_a_line_of_a_file_that_a_link_leads_to() {
    for (target, why) in [
        ("../home/.aws/credentials", "to a file outside its folder"),
        ("../home/.aws/tokens.toml", "to a file outside its folder"),
        (".git/config", "into `.git`"),
        ("notes", "to a file with another name"),
    ] {
        let world = linked(target);
        for words in COMMANDS {
            let ran = says_nothing(&world, words).exits(1);
            let sentence = format!("`tokens.toml` leads through a link {why}; it was not read");
            let came_upon =
                format!("`{}` leads through a link {why}; it was not read", world.path("tokens.toml").display());
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains(&sentence) || said.contains(&came_upon), "{target}: {words}: {said}");
        }
        let left: Vec<_> = std::fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name != "latchkey.db" && name != "plan.json"), "{left:?}");
    }
}

#[test]
fn what_has_no_size_and_what_is_no_file_is_refused_at_once() {
    for target in ["/proc/self/environ", "/dev/zero", "/dev/stdin", "pipe", "."] {
        let world = linked(target);
        assert!(Command::new("mkfifo").arg(world.path("pipe")).status().unwrap().success());
        for words in ["check", "plan --offline", "status", "doctor"] {
            says_nothing(&world, words).exits(1);
        }
        // Named outright, it is no better.
        std::fs::remove_file(world.path("tokens.toml")).unwrap();
        says_nothing(&world, &format!("check {target}")).exits(1);
    }
    let world = World::new();
    assert!(Command::new("mkfifo").arg(world.path("tokens.toml")).status().unwrap().success());
    for words in ["check", "plan", "apply", "doctor", "token list"] {
        says_nothing(&world, words).exits(1);
    }
}

#[test]
fn a_refused_link_is_told_with_what_to_do() {
    let world = linked("../home/.aws/credentials");
    for words in ["check", "check --format json", "plan --offline --format markdown", "doctor", "token list"] {
        world.run(words).exits(1);
    }
    // A person who names a link has not named the file that it leads to.
    symlink("tokens.toml", world.path("../home/.aws/linked.toml")).unwrap();
    world.run("check ../home/.aws/linked.toml").exits(1);
    std::fs::remove_file(world.path("tokens.toml")).unwrap();
    symlink("gone", world.path("tokens.toml")).unwrap();
    symlink("gone/other.toml", world.path("other.toml")).unwrap();
    for words in ["check", "check other.toml", "init", "check /proc/self/environ"] {
        world.run(words).exits(1);
    }
    assert!(!world.path("gone").exists(), "`init` writes through no link");
    assert_told!(world);
}

#[test]
fn a_manifest_mounted_from_a_config_map_works_from_plan_to_rotation() {
    let world = World::new();
    std::fs::create_dir(world.path("..2026_11_26")).unwrap();
    world.write("..2026_11_26/tokens.toml", &format!("{START}{TWO}"));
    symlink("..2026_11_26", world.path("..data")).unwrap();
    symlink("..data/tokens.toml", world.path("tokens.toml")).unwrap();
    for words in ["check", "plan --offline", "apply", "rotate --all", "status", "doctor", "token list --user ci"] {
        world.run(words).exits(0);
    }
    // Its paths start beside the link, not beside the file of the day.
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_folder_behind_a_link_and_a_file_elsewhere_that_is_named_are_read() {
    let world = applied();
    symlink("work", world.path("../link")).unwrap();
    std::fs::create_dir(world.path("below")).unwrap();
    let within = |folder: &Path, words: &str| {
        let mut command = world.command(words.split(' '));
        command.current_dir(folder);
        Ran::from(command.output().unwrap()).exits(0);
    };
    within(&world.path("../link"), "check");
    within(&world.path("../link/below"), "token list --user ci");
    within(&world.path("below"), "check ../tokens.toml");
    within(&world.path(".."), "check link/tokens.toml");
    within(&world.path(".."), "plan link/tokens.toml");
}

#[test]
fn a_saved_plan_that_is_named_as_the_manifest_is_told() {
    let world = applied();
    world.run("plan --out plan.json").exits(0);
    let _ = world.told();
    for words in ["apply plan.json", "check plan.json", "doctor plan.json"] {
        world.run(words).exits(1);
    }
    assert_told!(world);
}

#[test]
fn a_link_behind_a_path_of_the_manifest_is_a_fault_in_json_too() {
    let world = World::with(&format!("{START}{TWO}").replace(r#"path = ".env""#, r#"path = "inside/.env""#));
    symlink("../home", world.path("inside")).unwrap();
    let told = world.run("check --format json").exits(1).json();
    assert_eq!((&told["good"], &told["faults"][0]["code"]), (&false.into(), &"path-outside".into()));
    world.run("check --format json --allow-outside").exits(0);
}
