//! Tokens created by hand: `provision token`.

use tests::provision::{DAY, HOUR, World, login};

use super::assert_told;

const SERVICE: (&str, &str) = ("LATCHKEY_SERVICE", "embedded:x.db");

/// A table with a role and a user.
fn world() -> World {
    let world = World::new();
    world.run_in(&[SERVICE], "role set reader -p documents:read").exits(0);
    world.run_in(&[SERVICE], "role set writer -p documents:write,documents:read").exits(0);
    world.run_in(&[SERVICE], "user set service-account@example.com --kind service --roles reader").exits(0);
    let _ = world.told();
    world
}

fn with_spaces(world: &World, words: &[&str]) -> tests::provision::Ran {
    let words = ["--service", "embedded:x.db"].iter().chain(words);
    world.run_words(words)
}

#[test]
fn a_secret_stands_alone_on_stdout_once() {
    let world = world();
    let made = world.run_in(&[SERVICE], "token set ci-release").exits(0);
    assert_eq!(tests::provision::secrets_in(&made.stdout).join("\n") + "\n", made.stdout);
    assert_eq!(tests::provision::secrets_in(&made.stderr), Vec::<String>::new());
    let shown = world.run_in(&[SERVICE], "token show ci-release").exits(0);
    assert!(!shown.stdout.contains(made.stdout.trim()));
    insta::assert_snapshot!(world.redact(&made.stderr), @r"
    Created `<me>/ci-release` with no roles, so it allows nothing; it expires <time>
    The secret is shown only once: store it now
    ");
}

#[test]
fn the_forms_of_the_flags_all_work() {
    let world = world();
    let date = world.date(100);
    let account = "service-account@example.com";
    with_spaces(
        &world,
        &["token", "set", "long-flags", "--expires-at", &date, "--description", "Renders invoices", "--user", account],
    )
    .exits(0);
    with_spaces(
        &world,
        &["token", "set", "short-flags", "-e", &date, "-d", "My token description", "-u", account, "-t", "text"],
    )
    .exits(0);
    let json = with_spaces(&world, &["token", "set", "as-json", "-u", account, "-t", "json"]).exits(0).json();
    let _ =
        with_spaces(&world, &["token", "set", "format-type", "-u", account, "--format-type", "json"]).exits(0).json();
    let day = |text: &serde_json::Value| text.as_str().unwrap()[..10].to_owned();
    // A date means the end of that day.
    let shown = with_spaces(&world, &["token", "show", "short-flags", "-u", account, "-t", "json"]).exits(0).json();
    assert_eq!(shown["expires"], format!("{}T00:00:00Z", world.date(101)));
    assert_eq!(shown["description"], "My token description");
    assert_eq!(day(&json["expires"]), world.date(31), "31 days when nothing is said");
    let made = json["secret"].as_str().unwrap().to_owned();
    assert!(with_in(&world, &made));
    with_spaces(
        &world,
        &[
            "token",
            "set",
            "instant-api",
            "-u",
            account,
            "-e",
            &format!("{date}T12:00:00Z"),
            "--allow-ip",
            "10.0.0.0/8",
            "--label",
            "team=billing",
        ],
    )
    .exits(0);
    with_spaces(&world, &["token", "show", "instant-api", "-u", account]).exits(0);
    world.clock(32 * DAY);
    assert!(!with_in(&world, &made), "it has expired");
    assert_told!(world);
}

fn with_in(world: &World, secret: &str) -> bool {
    let mut command = world.command(["--service", "embedded:x.db", "token", "verify"]);
    command.stdin(std::process::Stdio::piped());
    let ran = tests::provision::finish(command.spawn().unwrap(), Some(secret));
    match ran.code {
        Some(0) => true,
        Some(1) => false,
        code => panic!("{code:?}: {}", ran.stderr),
    }
}

#[test]
fn json_is_one_document_with_the_secret() {
    let world = world();
    let made =
        with_spaces(&world, &["token", "set", "as-json", "-u", "service-account@example.com", "--format", "json"])
            .exits(0);
    assert_eq!(tests::provision::secrets_in(&made.stdout).len(), 1);
    assert_told!(world);
}

#[test]
fn expiries_that_cannot_be_are_refused_with_those_that_can() {
    let world = world();
    for expiry in ["tomorrow", "2026-13-01", "2026-02-30", "31.12.2026", "2020-01-01", "2020-01-01T00:00:00Z"] {
        world.run_in(&[SERVICE], &format!("token set build-api -e {expiry}")).exits(1);
    }
    world.run_in(&[SERVICE], &format!("token set build-api -e {}", world.date(366))).exits(1);
    assert_told!(world);
    // What the words above offer is so.
    world.run_in(&[SERVICE], &format!("token set build-api -e {}", world.date(365))).exits(0);
    world.run_in(&[SERVICE], &format!("token set other-api -e {}", world.date(0))).exits(0);
}

#[test]
fn names_are_checked_taken_ones_refused_and_empty_ones_warned_of() {
    let world = world();
    for name in ["-x", "a/b", "", "ends-with-", "x2345678901234567890123456789012345678901234567890123456789012345"] {
        with_spaces(&world, &["token", "set", "--", name]).exits(1);
    }
    for name in ["token1", "test", "my-token", "abc123"] {
        world.run_in(&[SERVICE], &format!("token set {name}")).exits(0);
    }
    world.run_in(&[SERVICE], "token set production-api-server").exits(0);
    world.run_in(&[SERVICE], "token set production-api-server").exits(1);
    assert_told!(world);
}

#[test]
fn an_eleventh_token_is_refused_until_one_is_deleted() {
    let world = world();
    for number in 1..=10 {
        world.run_in(&[SERVICE], &format!("token set build-api-{number}")).exits(0);
    }
    let _ = world.told();
    world.run_in(&[SERVICE], "token set build-api-11").exits(1);
    assert_told!(world);
    world.run_in(&[SERVICE], "token delete build-api-3 -y").exits(0);
    world.run_in(&[SERVICE], "token set build-api-11").exits(0);
    // A name is free again once its token is gone.
    world.run_in(&[SERVICE], "token delete build-api-4 -y").exits(0);
    world.run_in(&[SERVICE], "token set build-api-3").exits(0);
}

#[test]
fn an_expired_token_is_listed_so_and_gives_its_name_and_its_place_in_the_quota_back() {
    let world = world();
    world.run_in(&[SERVICE], "user set service-account@example.com --max-tokens 1").exits(0);
    let first = with_spaces(&world, &["token", "set", "build-api", "-u", "service-account@example.com"]).exits(0);
    let _ = world.told();
    world.clock(31 * DAY + HOUR);
    world.run_in(&[SERVICE], "token list -u service-account@example.com").exits(0);
    let second = with_spaces(&world, &["token", "set", "build-api", "-u", "service-account@example.com"]).exits(0);
    world.run_in(&[SERVICE], "token list -u service-account@example.com").exits(0);
    assert_told!(world);
    assert!(!with_in(&world, first.stdout.trim()) && with_in(&world, second.stdout.trim()));
}

#[test]
fn roles_are_those_of_the_user_and_no_more() {
    let world = world();
    let account = "service-account@example.com";
    let all = with_spaces(&world, &["token", "set", "has-all", "-u", account]).exits(0);
    with_spaces(&world, &["token", "set", "has-none", "-u", account, "--no-roles"]).exits(0);
    with_spaces(&world, &["token", "set", "has-more", "-u", account, "--role", "writer"]).exits(1);
    with_spaces(&world, &["token", "roles", "has-all", "-u", account]).exits(0);
    with_spaces(&world, &["token", "roles", "has-none", "-u", account]).exits(0);
    with_spaces(&world, &["token", "roles", "has-none", "-u", account, "--set", "reader"]).exits(0);
    with_spaces(&world, &["token", "roles", "has-none", "-u", account, "--set", "reader,writer"]).exits(1);
    with_spaces(&world, &["token", "roles", "has-none", "-u", account, "--none"]).exits(0);
    with_spaces(&world, &["token", "roles", "has-nothing", "-u", account]).exits(1);
    // A role that its user loses leaves the token too.
    with_spaces(&world, &["user", "set", account, "--remove-role", "reader", "--yes"]).exits(0);
    let verified = world.pipe("--service embedded:x.db token verify", all.stdout.trim()).exits(0);
    assert!(verified.stdout.contains("allows   nothing"), "{}", verified.stdout);
    assert_told!(world);
}

#[test]
fn a_token_of_somebody_unknown_is_refused_with_the_nearest() {
    let world = world();
    with_spaces(&world, &["token", "set", "build-api", "-u", "service-acount@example.com"]).exits(1);
    with_spaces(&world, &["token", "list", "-u", "nobody"]).exits(1);
    with_spaces(&world, &["token", "show", "build-api", "-u", "Not A User"]).exits(1);
    assert_told!(world);
}

#[test]
fn deleting_asks_unless_told_not_to_and_lists_who_and_when() {
    let world = world();
    let made = world.run_in(&[SERVICE], "token set build-api -d Builds").exits(0);
    world.run_in(&[SERVICE], "token list").exits(0);
    world.run_in(&[SERVICE], "token delete build-api").exits(4);
    assert!(with_in(&world, made.stdout.trim()));
    world.run_in(&[SERVICE], "token delete build-api --yes").exits(0);
    world.run_in(&[SERVICE], "token list").exits(0);
    assert_told!(world);
    let listed = world.run_in(&[SERVICE], "token list -t json").exits(0).json();
    assert_eq!(listed["ended"][0]["ended"]["by"], format!("operator:{}", login()));
    assert_eq!(listed["ended"][0]["state"], "deleted");
}

#[test]
fn a_reader_that_left_is_told_of_and_the_secret_is_known_to_be_lost() {
    let world = world();
    let mut command = world.command(["--service", "embedded:x.db", "token", "set", "build-api"]);
    // A pipe whose other end is closed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let child = command.spawn().unwrap();
    drop(command);
    let ran = tests::provision::finish(child, None).exits(1);
    world.note("provision token set build-api | true", &ran);
    world.run_in(&[SERVICE], "token delete build-api -y").exits(0);
    assert_told!(world);
}
