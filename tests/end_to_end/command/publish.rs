//! Publishing: what the scheduled job takes over, what it skips and why, and what an admin has to grant.

use serde_json::json;
use tests::engines::StrictSecretsManager;
use tests::provision::{Ran, World};

use super::{START, VAULT, assert_told};

/// A token that the job does not reach.
const LOCAL: &str = r#"
[tokens.deploy-api]
user = "ci"
push = [{ sink = "dev", name = "DEPLOY_TOKEN" }]
"#;

/// A world with a table, in which nothing is applied yet.
fn world() -> World {
    let world = World::with(&format!("{START}{VAULT}{LOCAL}"));
    world.run("role set other -p documents:read").exits(0);
    let _ = world.told();
    world
}

#[test]
fn what_the_job_takes_over_and_skips_is_shown_with_the_entries_that_it_may_not_write() {
    let world = world();
    world.run("publish").exits(0);
    world.run("publish").exits(0);
    world.run("manifest grant acme --from tokens.toml").exits(0);
    world.run("publish --revision 7").exits(0);
    world.run("manifest show acme").exits(0);
    world.run("publish --withdraw").exits(0);
    world.run("publish --withdraw").exits(0);
    assert_told!(world);
}

#[test]
fn the_same_is_json_for_programs() {
    let world = world();
    let published = world.run("publish --revision 7 --format json").exits(0).json();
    let entry = "aws-secrets-manager:account=123456789012,region=eu-west-1,name=prod/build-token";
    for (field, value) in [
        ("number", json!(1)),
        ("revision", json!(7)),
        ("tokens", json!(1)),
        ("unchanged", json!(false)),
        ("written", json!(1)),
        ("not_applied", json!([{ "user": "ci", "name": "build-api" }])),
        ("not_granted", json!([entry])),
        ("help", json!(format!("run `provision manifest grant acme --entry {entry}`"))),
    ] {
        assert_eq!(published[field], value, "{field}");
    }
    assert_eq!(published["skipped"][0]["name"], "deploy-api");
    assert!(published["skipped"][0]["reason"].as_str().unwrap().contains("`dev`"));
    let again = world.run("publish --revision 7 --format json").exits(0).json();
    assert_eq!((&again["unchanged"], &again["number"]), (&json!(true), &json!(1)));
    let shown = world.run("manifest show acme --format json").exits(0).json();
    assert_eq!(shown["publication"]["tokens"], 1);
    let withdrawn = world.run("publish --withdraw --format json").exits(0).json();
    assert_eq!(withdrawn, json!({ "manifest": "acme", "withdrawn": true }));
}

#[test]
fn the_command_that_is_shown_grants_what_is_missing_and_keeps_what_there_was() {
    let world = world();
    world.run_words(["manifest", "grant", "acme", "-p", "documents:read", "--entry", "heroku:app=acme,*"]).exits(0);
    let published = world.run("publish --format json").exits(0).json();
    let command = published["help"].as_str().unwrap().replace(['\'', '`'], "");
    world.run(command.strip_prefix("run provision ").unwrap()).exits(0);
    let published = world.run("publish --format json").exits(0).json();
    assert_eq!((&published["not_granted"], &published["help"]), (&json!([]), &json!(null)));
    let grant = &world.run("manifest show acme --format json").exits(0).json()["grant"];
    assert_eq!(
        (grant["permissions"][0].as_str(), grant["entries"].as_array().unwrap().len()),
        (Some("documents:read"), 2)
    );
}

/// A grant has 200 entries at most: more are named by their beginnings.
#[test]
fn entries_that_are_too_many_to_name_each_are_granted_by_their_beginnings() {
    let token = |number| {
        format!("[tokens.api-{number}]\nuser = \"ci\"\npush = [{{ sink = \"vault\", name = \"prod/{number}\" }}]\n")
    };
    let many: Vec<String> = (0..201).map(token).collect();
    let world = World::with(
        &format!("{START}{VAULT}{LOCAL}{}", many.concat())
            .replace("roles = [\"reader\"]", "roles = [\"reader\"]\nmax_tokens = 500"),
    );
    world.run("role set other -p documents:read").exits(0);
    let published = world.run("publish --format json").exits(0).json();
    assert_eq!(published["not_granted"].as_array().unwrap().len(), 202);
    assert!(published["help"].as_str().unwrap().contains("--from tokens.toml --entry 'BEGINNING*'"), "{published}");
    let warned = world.run("manifest grant acme --from tokens.toml").exits(0);
    assert!(warned.stderr.contains("pass their beginnings with `--entry`"), "{}", warned.stderr);
    let beginning = "aws-secrets-manager:account=123456789012,region=eu-west-1,name=prod/*";
    world.run_words(["manifest", "grant", "acme", "--from", "tokens.toml", "--entry", beginning]).exits(0);
    assert_eq!(world.run("publish --format json").exits(0).json()["not_granted"], json!([]));
}

#[test]
fn a_manifest_of_which_the_job_reaches_nothing_is_not_published() {
    let world = World::with(&format!("{START}{}", super::TWO));
    world.run("role set other -p documents:read").exits(0);
    let _ = world.told();
    world.run("publish").exits(1);
    world.run("manifest show acme").exits(1);
    assert_told!(world);
}

#[test]
fn an_older_revision_is_not_published_unless_it_is_forced() {
    let world = world();
    world.run("publish --revision 7").exits(0);
    world.edit("prod/build-token", "prod/other-token");
    let refused = world.run("publish --revision 6").exits(4);
    assert!(refused.stderr.contains("revision 6 of `acme` is older than 7"), "{}", refused.stderr);
    assert!(refused.stderr.contains("`--force-revision`"), "{}", refused.stderr);
    world.run("publish --revision 6 --force-revision").exits(0);
    assert_eq!(world.run("manifest show acme --format json").exits(0).json()["publication"]["revision"], 6);
}

/// A world whose vault is a Secrets Manager of this machine, as its environment says.
struct Applied {
    world: World,
    manager: StrictSecretsManager,
}

impl Applied {
    async fn start() -> Self {
        Self { world: world(), manager: StrictSecretsManager::start().await }
    }

    fn run(&self, words: &str) -> Ran {
        let url = self.manager.url();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "login"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_ENDPOINT_URL", url.as_str()),
        ];
        self.world.run_in(&environment, words)
    }

    fn is_published(&self) -> bool {
        self.world.run("manifest show acme --format json").exits(0).json()["publication"]["tokens"] == 1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_publishes_after_a_run_that_ended_well_and_after_no_other() {
    let applied = Applied::start().await;
    applied.world.write(".env", "DEPLOY_TOKEN=somebody-elses\n");
    let partly = applied.run("apply --publish");
    assert!(partly.code != Some(0), "{}", partly.stdout);
    assert!(partly.stderr.contains("nothing was published, as the run did not end well"), "{}", partly.stderr);
    assert!(!applied.is_published());
    let json = applied.run("apply --publish --format json").json();
    assert_eq!(json["publication"], json!(null));
    applied.world.write(".env", "");
    let good = applied.run("apply --publish --revision 3").exits(0);
    assert!(good.stdout.contains("Published: the scheduled job rotates 1 token of `acme`"), "{}", good.stdout);
    assert!(applied.is_published());
    let json = applied.run("apply --publish --revision 3 --format json").exits(0).json();
    assert_eq!((&json["publication"]["unchanged"], &json["publication"]["revision"]), (&json!(true), &json!(3)));
    assert_eq!(json["publication"]["not_applied"], json!([]));
    let plain = applied.run("apply --format json").exits(0).json();
    assert_eq!(plain.get("publication"), None);
}

#[test]
fn nothing_secret_is_in_what_is_said_or_stored_of_a_publication() {
    let world = world();
    let secret = world.run("token set laptop").exits(0).stdout.trim().to_owned();
    world.run("publish").exits(0);
    world.run("publish --format json").exits(0);
    world.run("manifest show acme --format json").exits(0);
    assert!(!world.told().replace(&secret, "").contains("lk_"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let service = world.service("latchkey.db").await;
        let acme = "acme".parse().unwrap();
        let head = service.publication(&acme).await.unwrap().unwrap();
        let rows = service.published_tokens(&acme, 10, None).await.unwrap().tokens;
        let events = service.role_events(service.now(), 50).await.unwrap();
        assert!(!format!("{head:?} {rows:?} {events:?}").contains("lk_"));
        assert_eq!(rows.len(), 1);
    });
}
