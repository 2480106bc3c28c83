//! What programs read: one JSON document on stdout, with keys that stay.

use tests::provision::{DAY, World, secrets_in};

use super::{START, TWO, applied, assert_told};

#[test]
fn plan_and_apply_and_status_are_documents_without_secrets() {
    let world = World::with(&format!("{START}{TWO}"));
    let mut said = String::new();
    for command in [
        "plan",
        "apply",
        "plan",
        "status",
        "rotate",
        "token list -u ci",
        "token show build-api -u ci",
        "token roles build-api -u ci",
    ] {
        let ran = world.run(&format!("{command} --format json")).exits(0);
        assert!(ran.json().is_object(), "{command}");
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    assert_eq!(secrets_in(&said), Vec::<String>::new());
    assert_told!(world);
}

#[test]
fn changes_problems_and_notes_are_told_apart() {
    let world = applied();
    world.edit(r#"{ sink = "dev", name = "DEPLOY_TOKEN" }"#, r#"{ sink = "dev", name = "DEPLOY" }"#);
    world.edit("[\"documents:read\"]", "[\"documents:write\"]");
    world.write(".env", &format!("{}DEPLOY=foreign\n", world.read(".env").replace("BUILD_TOKEN=lk", "BUILD_TOKEN=xy")));
    let plan = world.run("plan --format json").exits(1).json();
    assert_eq!((&plan["blocked"], &plan["has_changes"]), (&true.into(), &true.into()));
    let applied = world.run("apply --format json").exits(3).json();
    assert_eq!(applied["result"]["failures"], serde_json::json!([]));
    world.clock(2 * DAY);
    world.run("plan --format json").exits(1);
    assert_told!(world);
}

#[test]
fn errors_are_documents_too() {
    let world = World::new();
    for command in ["plan", "status", "token list", "token show x1", "user list"] {
        let ran = world.run(&format!("{command} --format json")).exits(1);
        let error = ran.json();
        assert!(error["error"].is_string() && error["help"].is_string(), "{error}");
    }
    assert_told!(world);
}
