//! `provision doctor`: what it finds, that it writes nothing, and that the rights it prints are those that runs use.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tests::engines::StrictSecretsManager;
use tests::provision::{DAY, World};

use super::{START, TWO, applied, assert_told};

/// As many tokens more.
fn sixty() -> String {
    let token = |number| {
        let push = format!("push = [{{ sink = \"dev\", name = \"K{number}\" }}]");
        format!("[tokens.key{number}]\nuser = \"ci\"\n{push}\n")
    };
    (0..60).map(token).collect::<Vec<_>>().concat()
}

#[test]
fn a_good_set_up_is_all_well_and_nothing_is_written() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("doctor").exits(0);
    assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 1, "nothing is left behind");
    world.run("apply").exits(0);
    let before = world.read(".env");
    let _ = world.told();
    world.run("doctor").exits(0);
    assert_eq!(world.run("doctor --format json").exits(0).json()["good"], true);
    assert!(world.run("doctor --format markdown").exits(0).stdout.contains("**No problems found**"));
    assert_eq!(world.read(".env"), before);
    let _ = world.told();
    world.run("doctor").exits(0);
    assert_told!(world);
}

#[test]
fn each_problem_comes_with_a_cure() {
    let world = applied();
    let open = |name: &str, mode: u32| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(".env", 0o644);
    open("latchkey.db", 0o644);
    world.edit("[sinks.dev]", "[sinks.far]\ntype = \"dotenv\"\npath = \"far/.env\"\n\n[sinks.dev]");
    world.edit("roles = [\"reader\"]", "roles = [\"raeder\"]");
    world.run("doctor").exits(1);
    world.edit("raeder", "writer");
    world.edit("{ sink = \"dev\", name = \"BUILD_TOKEN\" }", "{ sink = \"far\", name = \"BUILD_TOKEN\" }");
    world.run("doctor").exits(1);
    assert_told!(world);
}

#[test]
fn a_tracked_file_is_a_problem_and_an_unignored_one_a_note() {
    let world = applied();
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        world.prepare(&mut command);
        assert!(command.args(words).status().unwrap().success());
    };
    git(&["init", "--quiet"]);
    let noted = world.run("doctor").exits(0);
    assert!(noted.stdout.contains("is not ignored by git") && noted.stdout.contains("2 notes"), "{}", noted.stdout);
    git(&["add", ".env"]);
    let tracked = world.run("doctor").exits(1);
    assert!(tracked.stdout.contains("problem  sink `dev`"), "{}", tracked.stdout);
}

#[test]
fn many_findings_of_one_kind_are_one_line_that_counts_them_unless_each_is_asked_for() {
    let more = sixty();
    let world = World::with(&format!("{START}{more}"));
    world.edit("[users.ci]", "[users.ci]\nmax_tokens = 100");
    let found = world.run("doctor").exits(0).stdout;
    let lines: Vec<&str> = found.lines().filter(|line| line.contains("not created yet")).collect();
    assert_eq!(lines, ["note     60 tokens: not created yet: `ci/key0`, `ci/key1`, `ci/key2` and 57 more"], "{found}");
    assert!(found.contains("60 tokens have vague names: `key0`, `key1`, `key2` and 57 more"), "{found}");
    assert!(found.contains("run `provision apply`; pass `--verbose` to see each"), "{found}");
    assert!(found.lines().count() < 20, "{found}");
    let each = world.run("doctor --verbose").exits(0).stdout;
    for said in ["not created yet", "is vague"] {
        assert_eq!(each.matches(said).count(), 60, "{each}");
    }
    // Programs get each.
    let checks = world.run("doctor --format json").exits(0).json()["checks"].as_array().unwrap().clone();
    assert_eq!(checks.iter().filter(|check| check["message"] == "not created yet").count(), 60);
}

#[test]
fn many_problems_of_one_kind_in_the_manifest_are_one_line_that_counts_them_unless_each_is_asked_for() {
    let more = sixty();
    let world = World::with(&format!("{START}{more}"));
    let count = |found: &str, said: &str| found.lines().filter(|line| line.contains(said)).count();
    // Of what the service has, and of the manifest alone.
    let found = world.run("doctor").exits(1).stdout;
    assert_eq!(count(&found, "`ci` may have 10 active tokens"), 1, "{found}");
    assert!(
        found.contains("this one would be number 11; 49 more of this kind: line ") && found.contains(" and 46 more"),
        "{found}"
    );
    assert!(found.contains("`max_tokens`") && found.contains("50 problems"), "{found}");
    let each = world.run("doctor --verbose").exits(1).stdout;
    assert_eq!(count(&each, "`ci` may have 10 active tokens"), 50, "{each}");
    let checks = world.run("doctor --format json").exits(1).json()["checks"].as_array().unwrap().clone();
    let limits = checks.iter().filter(|check| check["message"].as_str().unwrap().contains("may have 10 active"));
    assert_eq!(limits.count(), 50);
    let text = world.read("tokens.toml");
    world.write("tokens.toml", &text.replace("sink = \"dev\", name = \"K", "sink = \"absent\", name = \"K"));
    let found = world.run("doctor").exits(1).stdout;
    // Two fixes are told for it, so there are two lines.
    assert_eq!(count(&found, "there is no sink `absent`"), 2, "{found}");
    assert_eq!(count(&world.run("doctor --verbose").exits(1).stdout, "there is no sink `absent`"), 60);
}

const LOGIN: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "login"), ("AWS_MAX_ATTEMPTS", "1")];

/// A manifest with secrets of their own and one that is shared.
fn vault(more: &str) -> World {
    let (start, _) = START.split_once("[sinks.dev]").unwrap();
    World::with(&format!(
        r#"{start}
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
{more}

[tokens.build-api]
user = "ci"
push = [{{ sink = "vault", name = "prod/build-token" }}]

[tokens.deploy-api]
user = "ci"
push = [{{ sink = "vault", name = "prod/shared", json_key = "DEPLOY" }}]
"#
    ))
}

/// The actions that a policy allows, by statement.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_allows_what_runs_call_and_nothing_else() {
    let manager = StrictSecretsManager::start().await;
    let world = vault("");
    let endpoint = manager.url();
    let environment: Vec<(&str, &str)> = LOGIN.into_iter().chain([("AWS_ENDPOINT_URL", endpoint.as_str())]).collect();
    let run = |words: &str| world.run_in(&environment, words);
    let policy = run("doctor --policy").exits(0).json();
    // A life: created, looked at, repaired, rotated, revoked at once, pruned.
    run("apply").exits(0);
    run("doctor").exits(0);
    run("rotate --all").exits(0);
    let person = manager.person("eu-west-1");
    person.call("PutSecretValue", json!({ "SecretId": "prod/build-token", "SecretString": "by hand" })).await;
    run("apply").exits(0);
    run("rotate --compromised deploy-api --yes").exits(0);
    world.clock(2 * DAY);
    run("apply").exits(0);
    let (kept, _) =
        world.read("tokens.toml").split_once("[tokens.build-api]").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    world.write("tokens.toml", &kept);
    run("apply --prune --allow-deletes 2").exits(0);
    world.clock(4 * DAY);
    run("apply --prune --allow-deletes 2").exits(0);
    let called: BTreeSet<String> = manager
        .operations()
        .into_iter()
        .map(|name| if name == "GetCallerIdentity" { format!("sts:{name}") } else { format!("secretsmanager:{name}") })
        .collect();
    assert_eq!(actions(&policy), called);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_names_exact_secrets_keys_and_tables_and_no_more_than_the_manifest_needs() {
    let manager = StrictSecretsManager::start().await;
    let endpoint = manager.url();
    let environment: Vec<(&str, &str)> = LOGIN.into_iter().chain([("AWS_ENDPOINT_URL", endpoint.as_str())]).collect();
    let world = vault("kms_key_id = \"alias/tokens\"\ntags = { team = \"billing\" }");
    world.edit("embedded = \"latchkey.db\"", "table = \"latchkey\"\nregion = \"eu-west-1\"");
    let policy = world.run_in(&environment, "doctor --policy").exits(0).json();
    insta::assert_snapshot!(format!("{policy:#}"));
    // Only a key of a shared secret: nothing is ever deleted whole, tagged or encrypted with a key of one's own.
    let world = vault("");
    world.edit("name = \"prod/build-token\"", "name = \"prod/shared\", json_key = \"BUILD\"");
    let policy = world.run_in(&environment, "doctor --policy --format json").exits(0).json();
    let sids: Vec<&str> =
        policy["policy"]["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids, ["Deliver", "WhoAmI"]);
    assert_eq!(manager.operations(), ["GetCallerIdentity"], "it asks for nothing else");
    // Many secrets are looked at by list.
    let many: String = (0..20)
        .map(|number| {
            format!("[tokens.web-{number}]\nuser = \"ci\"\npush = [{{ sink = \"vault\", name = \"w/{number}\" }}]\n")
        })
        .collect::<Vec<_>>()
        .concat();
    world.edit("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 50");
    world.write("tokens.toml", &format!("{}{many}", world.read("tokens.toml")));
    let policy = world.run_in(&environment, "doctor --policy").exits(0).json();
    assert!(actions(&policy).contains("secretsmanager:ListSecrets"));
    world.run_in(&environment, "plan").exits(0);
    assert!(manager.operations().contains(&"ListSecrets".to_owned()));
}
