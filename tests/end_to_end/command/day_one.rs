//! The first day, and the mistakes that are made on it: each with the words that the user sees.

use tests::provision::{DAY, World};

use super::{START, TWO, applied, assert_told};

#[test]
fn without_a_manifest_every_command_says_how_to_begin() {
    let world = World::new();
    for command in [
        "check",
        "plan",
        "apply",
        "rotate",
        "status",
        "plan missing.toml",
        "plan .",
        "token list",
        "token set build-api",
        "token show build-api",
        "user list",
        "user set ci",
        "role list",
    ] {
        world.run(command).exits(1);
    }
    assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 0, "nothing is left behind");
    assert_told!(world);
}

#[test]
fn init_then_apply_works_in_an_empty_folder() {
    let world = World::new();
    world.run("init").exits(0);
    world.run("init").exits(1);
    world.run("check").exits(0);
    world.run("apply").exits(0);
    assert_told!(world);
    assert!(world.is_valid(&world.entry(".env", "DOCUMENTS_TOKEN")));
}

#[test]
fn init_takes_a_name_and_refuses_a_bad_one() {
    let world = World::new();
    world.run("init other.toml --name Bad_Name").exits(1);
    world.run("init none/other.toml").exits(1);
    world.run("init other.toml --name acme-platform").exits(0);
    assert_told!(world);
    assert!(world.read("other.toml").contains("manifest = \"acme-platform\""));
}

#[test]
fn a_first_token_needs_only_the_name_of_a_file() {
    let world = World::new();
    world.run("token set ci-release").exits(1);
    world.run("--service embedded:x.db token list").exits(1);
    assert!(!world.path("x.db").exists(), "a look makes no table");
    let made = world.run("--service embedded:x.db token set ci-release").exits(0);
    assert_told!(world);
    let secret = made.stdout.trim_end();
    let verified = world.pipe("--service embedded:x.db token verify --format json", secret).exits(0).json();
    assert_eq!(verified["user"], tests::provision::login());
    assert_eq!(verified["name"], "ci-release");
}

#[test]
fn bad_addresses_of_a_service_are_told_apart() {
    let world = World::new();
    world.write("text.db", "not a table\n");
    for address in [
        "latchkey.db",
        "embedded:none/x.db",
        "embedded:text.db",
        "embedded:.",
        "table:latchkey",
        "https://tokens.example.com",
    ] {
        world.run(&format!("--service {address} token set ci-release")).exits(1);
    }
    assert_eq!(world.read("text.db"), "not a table\n");
    assert_told!(world);
}

#[test]
fn names_that_nobody_declared_are_looked_up_and_the_nearest_is_offered() {
    let world = World::with(&format!(
        r#"{START}
[tokens.build-api]
user = "cii"
push = [{{ sink = "dev", name = "BUILD_TOKEN" }}]

[tokens.other-api]
user = "somebody-else"
roles = ["writer"]
push = [{{ sink = "dev", name = "OTHER_TOKEN" }}]

"#
    ));
    world.run("plan").exits(1);
    world.run("apply").exits(1);
    assert!(!world.path(".env").exists());
    assert_told!(world);
}

#[test]
fn a_renamed_token_is_refused_until_moved_from_says_so_and_keeps_its_secret() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    let id = world.run("token show build-api -u ci --format json").exits(0).json()["id"].clone();
    let _ = world.told();
    world.edit("[tokens.build-api]", "[tokens.builder-api]");
    world.run("plan").exits(1);
    world.run("apply").exits(1);
    assert!(world.is_valid(&secret));
    world.edit("[tokens.builder-api]\n", "[tokens.builder-api]\nmoved_from = \"build-api\"\n");
    world.run("apply").exits(0);
    world.run("apply").exits(0);
    assert_told!(world);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    assert_eq!(world.run("token show builder-api -u ci --format json").exits(0).json()["id"], id);
    let verified = world.pipe("token verify --format json", &secret).exits(0).json();
    assert_eq!(verified["name"], "builder-api");
    // The line may stay, or go.
    world.edit("moved_from = \"build-api\"\n", "");
    world.run("plan --detailed-exitcode").exits(0);
}

const BOTH: &str = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "BUILD_TOKEN_OLD" }]"#;
const ONE: &str = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }]"#;

#[test]
fn a_push_that_is_no_longer_declared_is_leaving_until_its_entry_is_removed() {
    let world = World::with(&format!("{START}{}", TWO.replace(ONE, BOTH)));
    world.run("apply").exits(0);
    let _ = world.told();
    world.edit(BOTH, ONE);
    world.run("plan").exits(0);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_eq!(
        world.entry(".env", "BUILD_TOKEN_OLD"),
        world.entry(".env", "BUILD_TOKEN"),
        "it stays until it is pruned"
    );
    world.run("apply --prune").exits(0);
    world.run("plan --prune --detailed-exitcode").exits(0);
    assert_told!(world);
    assert!(!world.read(".env").contains("BUILD_TOKEN_OLD"));
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
}

#[test]
fn a_leaving_place_can_be_forgotten_and_keeps_its_entry() {
    let world = World::with(&format!("{START}{}", TWO.replace(ONE, BOTH)));
    world.run("apply").exits(0);
    world.edit(BOTH, ONE);
    world.run("apply").exits(0);
    let shown = world.run("plan").exits(0).stdout;
    let (_, rest) = shown.split_once("--forget ").unwrap();
    let id = rest.split('`').next().unwrap().to_owned();
    let _ = world.told();
    // A write that was announced for it may still arrive.
    world.clock(14 * 60);
    world.run(&format!("apply --forget {id}")).exits(3);
    world.clock(15 * 60 + 60);
    world.run(&format!("apply --forget {id}")).exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN_OLD")));
}

#[test]
fn a_changed_path_takes_the_secret_along() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    world.edit("path = \".env\"", "path = \"local.env\"");
    world.run("plan").exits(0);
    world.run("apply").exits(0);
    assert_eq!(world.entry("local.env", "BUILD_TOKEN"), secret);
    world.run("apply --prune").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    assert!(!world.read(".env").contains("TOKEN"));
}

#[test]
fn a_declared_token_that_expired_gets_a_new_version() {
    let world = applied();
    let first = world.entry(".env", "BUILD_TOKEN");
    world.clock(200 * DAY);
    assert!(!world.is_valid(&first));
    world.run("status").exits(0);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    let second = world.entry(".env", "BUILD_TOKEN");
    assert_ne!(second, first);
    assert!(world.is_valid(&second));
}

#[test]
fn more_tokens_than_the_quota_are_refused_before_anything_is_made() {
    let mut manifest = START.to_owned();
    for number in 1..=11 {
        use std::fmt::Write as _;
        let push = format!("push = [{{ sink = \"dev\", name = \"B{number}\" }}]");
        let _ = write!(manifest, "\n[tokens.build-{number}]\nuser = \"ci\"\n{push}\n");
    }
    let world = World::with(&manifest);
    world.run("plan").exits(1);
    world.run("apply").exits(1);
    world.edit("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 11");
    assert_told!(world);
    world.run("apply").exits(0);
    assert_eq!(world.run("token list -u ci --format json").json()["active"].as_array().unwrap().len(), 11);
}

#[test]
fn tokens_made_by_hand_count_against_the_quota() {
    let world =
        World::with(&format!("{START}{TWO}").replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 2"));
    world.run("role set reader -p documents:read").exits(0);
    world.run("user set ci --kind service --roles reader").exits(0);
    world.run("token set by-hand -u ci").exits(0);
    let _ = world.told();
    world.run("apply").exits(1);
    assert_told!(world);
}

#[test]
fn what_another_manifest_declared_first_is_left_to_it() {
    let world = applied();
    world.write(
        "second.toml",
        &format!("{START}{TWO}").replace("\"acme\"", "\"umbrella\"").replace(".env", "second.env"),
    );
    world.run("plan second.toml").exits(1);
    world.run("apply second.toml").exits(1);
    assert!(!world.path("second.env").exists());
    assert_told!(world);
    // To refer to them is fine.
    let (_, sinks) = START.split_once("[sinks.dev]").unwrap();
    world.write(
        "second.toml",
        &format!(
            "manifest = \"umbrella\"\n[service]\nembedded = \"latchkey.db\"\n[sinks.dev]{}\n[tokens.other-api]\nuser = \"ci\"\nroles = [\"reader\"]\npush = [{{ sink = \"dev\", name = \"OTHER\" }}]\n",
            sinks.replace(".env", "second.env")
        ),
    );
    world.run("apply second.toml").exits(0);
    let verified = world.pipe("token verify --format json", &world.entry("second.env", "OTHER")).exits(0).json();
    assert_eq!((&verified["roles"], &verified["managed_by"]), (&serde_json::json!(["reader"]), &"umbrella".into()));
}

#[test]
fn a_token_made_by_hand_is_taken_over_by_the_first_manifest_that_declares_it() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("role set reader -p documents:read").exits(0);
    world.run("user set ci --kind service --roles reader").exits(0);
    let by_hand = world.run("token set build-api -u ci").exits(0).stdout.trim().to_owned();
    let _ = world.told();
    world.run("plan").exits(0);
    world.run("apply").exits(0);
    world.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    let delivered = world.entry(".env", "BUILD_TOKEN");
    assert_ne!(delivered, by_hand);
    assert!(
        world.is_valid(&by_hand) && world.is_valid(&delivered),
        "the one created by hand stays valid for the overlap"
    );
}
