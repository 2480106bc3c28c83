//! By URL and on a table of AWS: `doctor`, and secrets that have leaked.

use std::collections::BTreeSet;

use latchkey::table::Table;
use tests::provision::World;
use tests::remote::DynamoDb;

use super::{Remote, manifest};

#[test]
fn the_grant_is_compared_with_what_the_manifest_grants() {
    let remote = Remote::start();
    remote.run("doctor").exits(0);
    remote.world.edit("[\"documents:read\"]", "[\"documents:read\", \"audits:read\"]");
    let told = remote.run("doctor").exits(1).stdout;
    assert!(told.contains("lacks `audits:read`"), "{told}");
    let (_, fix) = told.split_once("ask an admin to run `provision ").unwrap();
    let (fix, _) = fix.split_once('`').unwrap();
    remote.admin(fix).exits(0);
    remote.run("doctor").exits(0);
    remote.run("apply").exits(0);
    let rights = remote.run("doctor --policy").exits(0);
    assert!(rights.stderr.contains("the permission `manifests:acme`"), "{}", rights.stderr);
}

#[test]
fn a_job_ends_what_has_leaked_with_the_rights_that_it_has() {
    let remote = Remote::start();
    remote.run("apply").exits(0);
    let leaked = remote.world.entry(".env", "BUILD_TOKEN");
    assert!(remote.is_valid(&leaked));
    let done = remote.run("rotate --compromised build-api --yes --format json").exits(0).json();
    assert_eq!((&done["tokens"][0]["ended"], &done["tokens"][0]["current"]), (&serde_json::json!([1]), &true.into()));
    assert!(!remote.is_valid(&leaked) && remote.is_valid(&remote.world.entry(".env", "BUILD_TOKEN")));
    remote.run("plan --detailed-exitcode").exits(0);
    let shown = remote.admin("token show build-api -u ci --format json").exits(0).json();
    let ended = shown["events"].as_array().unwrap().iter().find(|event| event["action"] == "version.compromised");
    assert_eq!(ended.unwrap()["actor"], "pipeline/main-pipeline");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_on_a_table_are_those_that_runs_use() {
    let there = DynamoDb::start();
    Table::new(tests::engine::client_at(&there.url()), "latchkey").create_if_absent().await.unwrap();
    let _ = there.sent();
    let environment = there.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
    let world = World::with(&manifest("table = \"latchkey\"\nregion = \"us-east-1\""));
    let run = |words: &str| world.run_in(&environment, words);
    run("apply --revision 1").exits(0);
    run("rotate --all").exits(0);
    run("rotate --compromised build-api --yes").exits(0);
    world.edit("[tokens.build-api]", "[tokens.ship-api]\nmoved_from = \"build-api\"");
    run("apply --revision 2").exits(0);
    let text = world.read("tokens.toml");
    world.write("tokens.toml", text.split_once("[tokens.deploy-api]").unwrap().0);
    run("apply --prune --revision 3").exits(0);
    run("status").exits(0);
    run("doctor").exits(0);
    let policy = run("doctor --policy").exits(0).json();
    let table = policy["Statement"].as_array().unwrap().iter().find(|statement| statement["Sid"] == "Table").unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let allowed: BTreeSet<String> = table["Action"].as_array().unwrap().iter().map(text).collect();
    let resources: BTreeSet<String> = table["Resource"].as_array().unwrap().iter().map(text).collect();
    let called: Vec<(String, Option<String>)> =
        there.sent().iter().flat_map(tests::remote::Sent::table_actions).collect();
    let actions: BTreeSet<String> = called.iter().map(|(action, _)| format!("dynamodb:{action}")).collect();
    assert_eq!(allowed, actions);
    let arn = |index: &Option<String>| {
        let index = index.as_ref().map(|index| format!("/index/{index}")).unwrap_or_default();
        format!("arn:aws:dynamodb:us-east-1:*:table/latchkey{index}")
    };
    assert_eq!(resources, called.iter().map(|(_, index)| arn(index)).collect());
}
