//! Plans in files: written by one job, carried out by another, refused when things have changed since.

use std::os::unix::fs::PermissionsExt as _;

use tests::provision::{World, secrets_in};

use super::{START, TWO, applied, assert_told};

#[test]
fn a_plan_in_a_file_is_carried_out_as_it_was_read() {
    let world = World::with(&format!("{START}{TWO}"));
    let plan = world.run("plan --out plan.json --format json").exits(0).json();
    let text = world.read("plan.json");
    assert_eq!(secrets_in(&text), Vec::<String>::new());
    assert_eq!(std::fs::metadata(world.path("plan.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&saved["plan_id"], &saved["has_changes"]), (&plan["plan_id"], &true.into()));
    let _ = world.told();
    world.run("apply --plan plan.json").exits(0);
    assert_told!(world);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    // What was applied is no longer the plan.
    world.run("apply --plan plan.json").exits(5);
    let nothing = world.run("plan --out plan.json --detailed-exitcode").exits(0);
    assert!(nothing.stdout.starts_with("No changes"));
    world.run("apply --plan plan.json").exits(0);
}

#[test]
fn a_stale_plan_says_what_differs_and_changes_nothing() {
    let world = applied();
    world.edit("[\"documents:read\"]", "[\"documents:read\", \"documents:write\"]");
    world.run("plan --out plan.json").exits(0);
    let _ = world.told();
    world.edit("\"documents:write\"]", "\"audits:read\"]");
    world.run("apply --plan plan.json").exits(5);
    assert_told!(world);
    world.edit("\"audits:read\"]", "\"documents:write\"] # as it was");
    world.run("apply --plan plan.json").exits(0);
}

#[test]
fn a_plan_is_applied_with_the_options_that_it_was_made_with() {
    let world = applied();
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.run("plan --prune --allow-deletes 1 --out plan.json").exits(0);
    world.run("apply --plan plan.json --prune").exits(1);
    world.run("apply --plan plan.json").exits(0);
    assert!(!world.read(".env").contains("DEPLOY_TOKEN"), "it was planned with `--prune`");
}

#[test]
fn what_is_not_a_plan_of_this_manifest_and_service_is_refused() {
    let world = applied();
    world.run("plan --out plan.json").exits(0);
    let _ = world.told();
    world.run("apply --plan missing.json").exits(1);
    world.write("not.json", "{}");
    world.run("apply --plan not.json").exits(1);
    let text = world.read("plan.json");
    world.write("newer.json", &text.replace("\"latchkey_plan\": 1", "\"latchkey_plan\": 2"));
    world.run("apply --plan newer.json").exits(1);
    world.write("more.json", &text.replace("\"latchkey_plan\": 1", "\"latchkey_plan\": 1, \"more\": 1"));
    world.run("apply --plan more.json").exits(1);
    world.run("apply --plan plan.json --service embedded:other.db").exits(5);
    assert!(!world.path("other.db").exists());
    world.edit("manifest = \"acme\"", "manifest = \"other\"");
    world.run("apply --plan plan.json").exits(1);
    world.run("plan --out plan.json --offline").exits(1);
    assert_told!(world);
}
