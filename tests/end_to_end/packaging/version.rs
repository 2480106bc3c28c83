//! The commit that `provision --version` shows: its build script in a package of a moment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::deployment::root;
use tests::programs::missing;
use tests::provision::World;

macro_rules! needs_cargo {
    () => {
        if let Some(why) = missing(&["cargo", "git"]) {
            tests::skip!("{why}");
        }
    };
}

/// A package with the build script of the command, and a program that prints what it was told.
fn package(world: &World, folder: &str) -> PathBuf {
    std::fs::create_dir_all(world.path(folder).join("provisioner/src")).unwrap();
    let script = std::fs::read_to_string(root().join("provisioner/build.rs")).unwrap();
    let manifest = "[package]\nname = \"shown\"\nversion = \"1.2.3\"\nedition = \"2024\"\n[workspace]\n";
    world.write(&format!("{folder}/provisioner/Cargo.toml"), manifest);
    world.write(&format!("{folder}/provisioner/build.rs"), &script);
    let program = "fn main() { println!(\"{}\", env!(\"LATCHKEY_VERSION\")); }\n";
    world.write(&format!("{folder}/provisioner/src/main.rs"), program);
    world.write(&format!("{folder}/.gitignore"), "target\nCargo.lock\n");
    world.path(folder)
}

fn cargo(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut cargo = Command::new("cargo");
    for name in ["LATCHKEY_COMMIT", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    cargo.args(words).arg("--offline").current_dir(folder.join("provisioner")).envs(environment.iter().copied());
    cargo.output().unwrap()
}

/// What a release build shows, and whether anything was compiled for it.
fn shown_with(folder: &Path, environment: &[(&str, &str)]) -> (String, bool) {
    let output = cargo(folder, &["run", "--release"], environment);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    (String::from_utf8(output.stdout).unwrap().trim().to_owned(), told.contains("Compiling"))
}

fn shown(folder: &Path) -> (String, bool) {
    shown_with(folder, &[])
}

fn git(folder: &Path, words: &str) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words.split(' ')).current_dir(folder);
    let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What is to be shown of the commit that is checked out.
fn commit(folder: &Path) -> String {
    format!("1.2.3 ({})", git(folder, "show -s --abbrev=9 --format=%h\u{a0}%cs HEAD").replace('\u{a0}', " "))
}

#[test]
fn a_release_shows_the_commit_that_is_checked_out_and_is_built_anew_for_another_one_only() {
    needs_cargo!();
    let world = World::new();
    let folder = package(&world, "one");
    assert_eq!(shown(&folder), ("1.2.3".to_owned(), true), "there is no repository");
    git(&folder, "init -q -b main .");
    git(&folder, "add .");
    git(&folder, "commit -q -m first");
    // Nothing that the script watches was there: whoever has a checkout has had it from the beginning.
    std::fs::remove_dir_all(folder.join("provisioner/target")).unwrap();
    let first = commit(&folder);
    assert_eq!(first.len(), "1.2.3 (51d4b42c1 2026-11-28)".len());
    assert_eq!(shown(&folder), (first.clone(), true));
    assert_eq!(shown(&folder), (first.clone(), false));
    git(&folder, "commit -q --allow-empty -m second");
    let second = commit(&folder);
    assert!(second != first);
    assert_eq!(shown(&folder), (second, true));
    // In a worktree `.git` is a file, and what is watched is elsewhere.
    git(&folder, "worktree add -q ../two HEAD~1");
    let worktree = world.path("two");
    assert!(worktree.join(".git").is_file());
    assert_eq!(shown(&worktree), (first.clone(), true));
    git(&worktree, "commit -q --allow-empty -m third");
    assert_eq!(shown(&worktree), (commit(&worktree), true));
    assert!(!shown(&worktree).1);
    assert!(!shown(&folder).1, "a commit elsewhere is none of its own");
    // As GitHub checks out, and a clone without a log of what was checked out.
    git(&folder, "config core.logAllRefUpdates false");
    git(&folder, "checkout -q --detach HEAD~1");
    std::fs::remove_dir_all(folder.join(".git/logs")).unwrap();
    assert_eq!(shown(&folder).0, first);
    git(&folder, "checkout -q main");
    git(&folder, "commit -q --allow-empty -m fourth");
    assert_eq!(shown(&folder).0, commit(&folder));
    git(&folder, "commit -q --allow-empty -m fifth");
    assert_eq!(shown(&folder), (commit(&folder), true));
    git(&folder, "pack-refs --all");
    shown(&folder);
    git(&folder, "commit -q --allow-empty -m sixth");
    assert_eq!(shown(&folder), (commit(&folder), true));
}

#[test]
fn the_commit_of_somebody_elses_repository_is_never_shown() {
    needs_cargo!();
    let world = World::new();
    git(world.folder(), "init -q -b main .");
    let folder = package(&world, "unpacked");
    git(world.folder(), "commit -q --allow-empty -m theirs");
    assert_eq!(shown(&folder).0, "1.2.3", "a tarball in a repository");
    git(world.folder(), "add .");
    git(world.folder(), "commit -q -m vendored");
    std::fs::remove_dir_all(folder.join("provisioner/target")).unwrap();
    assert_eq!(shown(&folder).0, "1.2.3", "and one that was committed there");
    // A hook of theirs names their repository to all that it runs.
    let own = package(&world, "own");
    git(&own, "init -q -b main .");
    git(&own, "add .");
    git(&own, "commit -q -m ours");
    let theirs = world.path(".git");
    assert_eq!(shown_with(&own, &[("GIT_DIR", theirs.to_str().unwrap())]).0, commit(&own));
}

#[test]
fn packagers_name_the_commit_and_a_debug_build_is_never_built_anew_for_one() {
    needs_cargo!();
    let world = World::new();
    let folder = package(&world, "one");
    git(&folder, "init -q -b main .");
    git(&folder, "add .");
    git(&folder, "commit -q -m first");
    for (given, wanted) in [("abc1234 2026-01-02", "1.2.3 (abc1234 2026-01-02)"), ("", "1.2.3")] {
        assert_eq!(shown_with(&folder, &[("LATCHKEY_COMMIT", given)]).0, wanted);
    }
    let refused = cargo(&folder, &["build", "--release"], &[("LATCHKEY_COMMIT", "abc\ncargo::rustc-env=PATH=x")]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("`LATCHKEY_COMMIT` is more than one line"), "{told}");
    let debug = |environment: &[(&str, &str)]| {
        let output = cargo(&folder, &["run"], environment);
        let compiled = String::from_utf8_lossy(&output.stderr).contains("Compiling");
        (String::from_utf8(output.stdout).unwrap().trim().to_owned(), compiled)
    };
    assert_eq!(debug(&[]), ("1.2.3".to_owned(), true));
    git(&folder, "commit -q --allow-empty -m second");
    assert_eq!(debug(&[]), ("1.2.3".to_owned(), false));
    assert_eq!(debug(&[("LATCHKEY_COMMIT", "abc")]), ("1.2.3 (abc)".to_owned(), true));
}

#[test]
fn the_command_shows_its_version() {
    let told = World::new().run("--version").exits(0).stdout;
    assert!(told.starts_with(concat!("provision ", env!("CARGO_PKG_VERSION"))), "{told}");
}
