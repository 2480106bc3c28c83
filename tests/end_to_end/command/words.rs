//! What a line says is so: in sync, valid until, revoked, adopted.

use serde_json::Value;
use tests::provision::{DAY, HOUR, World};

use super::{START, TWO, applied};

const BUILD: &str = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }]"#;
const BOTH: &str = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "OLD" }]"#;

#[test]
fn only_what_is_not_open_is_in_sync() {
    let world = World::with(&format!("{START}{TWO}"));
    let sum = |words: &str, not: &str| {
        let status = world.run("status").exits(0).stdout;
        let last = status.lines().last().unwrap();
        assert!(last.ends_with(words) && (not.is_empty() || !last.contains(not)), "{status}");
    };
    sum("2 not created", "in sync");
    world.run("apply --only build-api").exits(0);
    sum("1 not created", "in sync");
    world.run("apply").exits(0);
    sum("all in sync", "");
    world.write("tokens.toml", START);
    sum("2 not declared", "in sync");
}

#[test]
fn a_leaving_place_is_not_said_to_be_valid_after_it_expired() {
    let world = World::with(&format!("{START}{}", TWO.replace(BUILD, BOTH)));
    world.run("apply").exits(0);
    world.edit(BOTH, BUILD);
    let leaving = |words: &str| {
        let plan = world.run("plan").exits(0).stdout;
        let line = format!("`.env OLD` is no longer declared and still contains version 1, which {words}");
        assert!(plan.contains(&line), "{plan}");
    };
    leaving("is valid until");
    world.clock(91 * DAY);
    leaving("expired at");
    world.run("apply").exits(0);
    world.run("rotate build-api").exits(0);
    leaving("is no longer valid");
    let status = world.run("status").exits(0).stdout;
    assert!(status.contains("1 expired, 1 leaving") && !status.contains("in sync"), "{status}");
    assert!(status.contains("leaving  `ci/build-api`: `.env OLD`") && status.contains("--forget "), "{status}");
}

#[test]
fn every_version_that_a_leak_revoked_is_named() {
    let world = applied();
    for _ in 0..3 {
        world.run("rotate build-api").exits(0);
    }
    for _ in 0..4 {
        let secret = world.entry(".env", "BUILD_TOKEN");
        world.write(".env", &world.read(".env").replace(&secret, "by-hand"));
        world.run("apply").exits(0);
    }
    let ran = world.run("rotate --compromised build-api --yes").exits(0);
    assert!(ran.stdout.contains("version 9 is current, versions 1, 2, 3, 4, 5, 6, 7, 8 revoked"), "{}", ran.stdout);
}

#[test]
fn places_that_two_tokens_swapped_are_not_recorded_for_ever() {
    let world = applied();
    let text = world.read("tokens.toml");
    let swapped = text.replace("BUILD_TOKEN", "X_TOKEN").replace("DEPLOY_TOKEN", "BUILD_TOKEN");
    world.write("tokens.toml", &swapped.replace("X_TOKEN", "DEPLOY_TOKEN"));
    world.run("apply").exits(0);
    world.clock(HOUR);
    // While the version that was there is valid somebody could put it back there, so the place is looked at.
    let recorded = || {
        world.run("apply").exits(0);
        let json = world.run("status --format json").exits(0).json();
        let places = |token: &Value| token["places"].as_array().unwrap().len();
        json["tokens"].as_array().unwrap().iter().map(places).collect::<Vec<_>>()
    };
    assert_eq!(recorded(), [2, 2]);
    world.run("rotate --all").exits(0);
    world.clock(26 * HOUR);
    world.run("apply").exits(0);
    assert_eq!(recorded(), [1, 1]);
    for name in ["BUILD_TOKEN", "DEPLOY_TOKEN"] {
        assert!(world.is_valid(&world.entry(".env", name)));
    }
}

#[test]
fn what_is_replaced_is_named_for_what_it_is() {
    let world = applied();
    world.edit(
        BUILD,
        r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "MORE", adopt = true }]"#,
    );
    world.write(".env", &format!("{}MORE=by-hand\n", world.read(".env")));
    let plan = world.run("plan").exits(0).stdout;
    assert!(plan.contains("adopt `.env MORE`, replacing a value that Latchkey did not write"), "{plan}");
    // A place that another token of the manifest has left.
    let world = applied();
    world.edit(BUILD, r#"push = [{ sink = "dev", name = "BUILD" }]"#);
    let more = "\n[tokens.new-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]\n";
    world.write("tokens.toml", &format!("{}{more}", world.read("tokens.toml")));
    let plan = world.run("plan").exits(0).stdout;
    let line = "push version 1 to `.env BUILD_TOKEN`, replacing the secret of another token of this manifest";
    assert!(plan.contains(line), "{plan}");
}
