//! How much is said: many of one kind are one line, what was found is named, and slips are answered.

use std::fmt::Write as _;

use tests::provision::{World, finish};

use super::{START, TWO, applied};

/// So many tokens with names that say nothing.
fn vague(number: usize) -> String {
    let mut text = START.replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 100");
    for index in 0..number {
        write!(text, "\n[tokens.token-{index}]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"T{index}\" }}]\n")
            .unwrap();
    }
    text
}

#[test]
fn sixty_warnings_of_one_kind_are_one_line_and_each_is_there_for_who_wants_it() {
    let world = World::with(&vague(60));
    let checked = world.run("check").exits(0).stderr;
    assert_eq!(checked.lines().count(), 2, "{checked}");
    assert!(
        checked.starts_with("warning: 60 tokens have vague names: `token-0`, `token-1`, `token-2` and 57 more\n"),
        "{checked}"
    );
    assert_eq!(world.run("check --verbose").exits(0).stderr.matches("is vague").count(), 60);
    assert_eq!(world.run("check --format json").exits(0).json()["faults"].as_array().unwrap().len(), 60);
    // Few are at their lines.
    let world = World::with(&vague(3));
    assert_eq!(world.run("check").exits(0).stderr.matches("is vague").count(), 3);
}

#[test]
fn older_versions_in_their_overlap_are_one_note() {
    let world = World::with(&vague(4));
    world.run("apply").exits(0);
    world.run("rotate --all").exits(0);
    let plan = world.run("plan").exits(0).stdout;
    let note = "    . 4 older versions in their overlap stay valid, the last until at least ";
    assert!(
        plan.starts_with(note) && plan.contains(": `ci/token-0`, `ci/token-1`, `ci/token-2` and 1 more\n"),
        "{plan}"
    );
    assert_eq!(plan.lines().count(), 2, "{plan}");
    assert_eq!(world.run("plan --verbose").exits(0).stdout.matches("version 1 stays valid").count(), 4);
    assert!(!world.run("plan --quiet").exits(0).stdout.contains("stay"));
}

#[test]
fn a_sink_that_is_down_is_one_line_without_a_way_to_give_its_places_up() {
    let world = World::with(&vague(3).replace("path = \".env\"", "path = \"env/.env\""));
    std::fs::create_dir(world.path("env")).unwrap();
    world.run("apply").exits(0);
    std::fs::rename(world.path("env"), world.path("gone")).unwrap();
    let plan = world.run("plan").exits(1).stdout;
    assert_eq!(plan.matches("sink `dev`: ").count(), 1, "{plan}");
    assert!(plan.contains("; 3 tokens and 3 places wait: `ci/token-0`, `ci/token-1`, `ci/token-2`\n"), "{plan}");
    assert!(plan.contains("Plan: 3 blocked") && !plan.contains("--forget"), "{plan}");
    let status = world.run("status").exits(0).stdout;
    assert_eq!(status.matches("unknown  ").count(), 1, "{status}");
    assert!(status.contains("unknown  sink `dev`: ") && status.contains(": 3 places of 3 tokens\n"), "{status}");
    assert_eq!(world.run("status --verbose").exits(0).stdout.matches("unknown  ").count(), 3);
    assert_eq!(world.run("plan --verbose").exits(1).stdout.matches("cannot read `env/.env").count(), 3);
}

#[test]
fn a_permission_that_is_added_is_shown_as_added() {
    let world = applied();
    world.edit("permissions = [\"documents:read\"]", "permissions = [\"documents:read\", \"invoices:write\"]");
    assert!(world.run("plan").exits(0).stdout.contains("\n      permissions: + invoices:write\n"));
    world.run("apply").exits(0);
    world.edit("permissions = [\"documents:read\", \"invoices:write\"]", "permissions = [\"invoices:write\"]");
    assert!(world.run("plan").exits(0).stdout.contains("\n      permissions: - documents:read\n"));
}

#[test]
fn every_command_finds_the_manifest_above_and_names_it() {
    let world = applied();
    std::fs::create_dir_all(world.path("a/b")).unwrap();
    for words in [
        "plan",
        "apply",
        "status",
        "check",
        "check --format json",
        "doctor",
        "rotate",
        "token list -u ci",
        "user list",
        "plan --offline",
    ] {
        let mut command = world.command(words.split_whitespace());
        let ran = finish(command.current_dir(world.path("a/b")).spawn().unwrap(), None).exits(0);
        assert!(ran.stderr.contains("Using `../../tokens.toml`\n"), "{words}: {}", ran.stderr);
        // The same from anywhere, and then there is nothing to say.
        let there = world.folder().display().to_string();
        let mut command = world.command(["-C", &there].into_iter().chain(words.split_whitespace()));
        let ran = finish(command.current_dir("/").spawn().unwrap(), None).exits(0);
        assert!(!ran.stderr.contains("Using"), "{words}: {}", ran.stderr);
    }
    let ran = world.run("-C nowhere plan").exits(1);
    assert!(ran.stderr.contains("cannot change to the folder `nowhere`"), "{}", ran.stderr);
}

#[test]
fn a_service_is_not_taken_where_none_is_asked() {
    let world = World::with(&format!("{START}{TWO}"));
    for words in ["init x.toml", "check", "schema", "completions bash", "man", "copy embedded:a embedded:b", "accounts"]
    {
        let name = words.split(' ').next().unwrap();
        let ran = world.run(&format!("{words} --service table:x")).exits(1);
        assert!(ran.stderr.contains(&format!("`--service` means nothing to `provision {name}`")), "{}", ran.stderr);
        assert!(!world.run(&format!("{name} --help")).exits(0).stdout.contains("--service"));
        // In the environment it is for the other commands.
        assert!(!world.run_in(&[("LATCHKEY_SERVICE", "table:x")], words).stderr.contains("means nothing"));
    }
}

#[test]
fn a_secret_of_any_vendor_in_a_bad_line_is_not_said_again() {
    let world = World::with(START);
    for words in [
        "plan ghp_16C7e42F292c6912E7710c838347Ae178B4a two three",
        "login --token hunter2",
        "login --token=hunter2",
        "token list --password hunter2",
        "token set x --expires-at --secret=hunter2",
        "user set --kind=eyJhbGciOi.eyJzdWIi.c2ln ana",
        "AKIAIOSFODNN7EXAMPLE",
    ] {
        let ran = world.run(words).exits(1);
        for part in ["ghp_16C7e42F", "hunter2", "eyJzdWIi", "AKIAIOSF"] {
            assert!(!ran.stderr.contains(part) && !ran.stdout.contains(part), "{words}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_shell_completes_names_from_the_manifest_and_the_table_and_never_fails() {
    let world = applied();
    let complete = |words: &str| {
        let line: Vec<&str> = words.split(' ').collect();
        let mut command = world.command(["--", "provision"].into_iter().chain(line));
        finish(command.env("LATCHKEY_COMPLETE", "fish").spawn().unwrap(), None).exits(0)
    };
    for (line, wanted) in [
        ("rotate ", "build-api\ndeploy-api\n"),
        ("apply --only d", "deploy-api\n"),
        ("plan --sink ", "dev\n"),
        ("token show b", "build-api\n"),
        ("role delete ", "reader\n"),
        ("token list --user c", "ci\n"),
    ] {
        let ran = complete(line);
        assert!(ran.stderr.is_empty(), "{line}: {}", ran.stderr);
        assert!(wanted.lines().all(|name| ran.stdout.lines().any(|found| found == name)), "{line}: {}", ran.stdout);
    }
    world.write("tokens.toml", "broken = [");
    for line in ["rotate ", "token show ", "--service https://127.0.0.1:9/ role delete "] {
        assert!(complete(line).stderr.is_empty(), "{line}");
    }
}
