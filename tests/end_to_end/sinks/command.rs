//! The command itself on the fakes of Vercel and Heroku, as a person at a shell sees it.

use latchkey_sinks::conformance::{On, Trouble};
use serde_json::json;
use tests::provision::{DAY, HOUR, Ran, World};
use tests::sinks::heroku::{Heroku, PIPELINE};
use tests::sinks::vendor::Listening;
use tests::sinks::vercel::Vercel;

const APP: &str = "acme-worker";

struct Shell {
    world: World,
    vercel: Listening<Vercel>,
    heroku: Listening<Heroku>,
}

impl Shell {
    async fn new() -> Self {
        let vercel = Vercel::new("vercel-login").serve().await;
        let heroku = Heroku::new("heroku-login", &[APP]).serve().await;
        let manifest = format!(
            r#"manifest = "acme-platform"

[service]
embedded = "latchkey.db"

[roles.documents-writer]
permissions = ["documents:read", "documents:write"]

[users."ci@example.com"]
kind = "service"
roles = ["documents-writer"]

[sinks.web]
type = "vercel"
project = "acme-web"
endpoint = "{}"

[sinks.worker]
type = "heroku"
app = "acme-worker"
endpoint = "{}"

[tokens.production-api]
user = "ci@example.com"
push = [
  {{ sink = "web", name = "API_TOKEN", targets = ["production", "preview"] }},
  {{ sink = "worker", name = "API_TOKEN" }},
]

[tokens.billing-api]
user = "ci@example.com"
push = [
  {{ sink = "web", name = "BILLING_TOKEN", targets = ["production"] }},
  {{ sink = "worker", name = "BILLING_TOKEN" }},
]
"#,
            vercel.url(),
            heroku.url()
        );
        Self { world: World::with(&manifest), vercel, heroku }
    }

    fn run(&self, words: &str) -> Ran {
        self.run_as("vercel-login", "heroku-login", words)
    }

    fn run_as(&self, vercel: &str, heroku: &str, words: &str) -> Ran {
        let ran = self.world.run_in(&[("VERCEL_TOKEN", vercel), ("HEROKU_API_KEY", heroku)], words);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(tests::provision::secrets_in(&all).is_empty() && !all.contains("vercel-login"), "{all}");
        assert!(!all.contains("heroku-login"), "{all}");
        ran
    }

    fn held(&self, name: &str) -> [Option<String>; 2] {
        [self.vercel.vendor().value(name, "production", None), self.heroku.vendor().value(APP, name)]
    }

    /// The one secret that every place of a token holds; it works.
    #[track_caller]
    fn secret(&self, name: &str) -> String {
        let [web, worker] = self.held(name);
        assert_eq!(web, worker, "{name}");
        let secret = web.unwrap();
        assert!(self.world.is_valid(&secret), "{name}");
        secret
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_for_heroku_that_is_none_ends_every_command_before_it_does_anything() {
    let shell = Shell::new().await;
    for (address, rule) in [
        ("http://heroku.example.com", "plain `http` would expose secrets to the network"),
        ("https://key@heroku.example.com", "write `https://`, a host, and a port or path where needed; no credentials"),
    ] {
        let ran = shell.world.run_in(&[("LATCHKEY_HEROKU_URL", address)], "apply tokens.toml").exits(1);
        let said = "nothing was done: `LATCHKEY_HEROKU_URL` is not an address that Heroku can be reached at";
        assert!(ran.stderr.contains(said) && ran.stderr.contains(rule), "{}", ran.stderr);
        assert!(!ran.stderr.contains(address), "{}", ran.stderr);
    }
    assert_eq!((shell.vercel.requests(), shell.heroku.requests()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_lives_on_vercel_and_heroku() {
    let shell = Shell::new().await;
    let (world, web, worker) = (&shell.world, shell.vercel.vendor(), shell.heroku.vendor());
    shell.run("plan tokens.toml").exits(0);
    assert_eq!((shell.vercel.changes(), shell.heroku.changes()), (0, 0), "a plan writes nothing");
    shell.run("apply tokens.toml").exits(0);
    assert_eq!(worker.releases(APP), 2, "one release for all entries");
    assert_eq!(shell.vercel.count("POST"), 1, "one request for all rows");
    let first = shell.secret("API_TOKEN");
    assert_eq!(web.value("API_TOKEN", "preview", None), Some(first.clone()));
    let changes = (shell.vercel.changes(), shell.heroku.changes());
    shell.run("apply tokens.toml").exits(0);
    assert_eq!((shell.vercel.changes(), shell.heroku.changes()), changes, "nothing to do is nothing done");
    shell.run("status tokens.toml").exits(0);
    println!("{}", world.told());

    // Rotated: both work, until nobody reads the older one.
    web.deploy("production", None);
    web.deploy("preview", None);
    shell.run("rotate tokens.toml production-api").exits(0);
    let second = shell.secret("API_TOKEN");
    assert_ne!(first, second);
    assert!(world.is_valid(&first), "the overlap");
    assert_eq!(worker.releases(APP), 3);
    println!("{}", world.told());

    // Drift by hand, on either side, is found and mended.
    worker.by_hand(APP, "BILLING_TOKEN", Some("by hand"));
    web.removed_by_hand("BILLING_TOKEN", "production", None);
    shell.run("plan tokens.toml --detailed-exitcode").exits(2);
    shell.run("apply tokens.toml").exits(0);
    shell.secret("BILLING_TOKEN");
    web.by_hand("API_TOKEN", "production", None, "by hand");
    shell.run("apply tokens.toml").exits(0);
    let third = shell.secret("API_TOKEN");
    println!("{}", world.told());

    // The older ones end once their overlap is over and a newer deployment serves.
    web.deploy("production", None);
    web.deploy("preview", None);
    world.clock(2 * DAY + HOUR);
    shell.run("apply tokens.toml").exits(0);
    assert!(world.is_valid(&third));
    assert!(!world.is_valid(&first), "its overlap has ended and no place contains it");
    println!("{}", world.told());

    // Foreign: refused, and adopted when asked.
    worker.by_hand(APP, "SEARCH_TOKEN", Some("theirs"));
    let tokens = world.read("tokens.toml");
    let push =
        "\n[tokens.search-api]\nuser = \"ci@example.com\"\npush = [{ sink = \"worker\", name = \"SEARCH_TOKEN\" }]\n";
    world.write("tokens.toml", &format!("{tokens}{push}"));
    shell.run("apply tokens.toml").exits(1);
    assert_eq!(worker.value(APP, "SEARCH_TOKEN").as_deref(), Some("theirs"));
    world.edit("name = \"SEARCH_TOKEN\"", "name = \"SEARCH_TOKEN\", adopt = true");
    shell.run("apply tokens.toml").exits(0);
    assert!(world.is_valid(&worker.value(APP, "SEARCH_TOKEN").unwrap()));
    println!("{}", world.told());

    // Logins that do not work are told before anything is staged.
    shell.run_as("wrong", "heroku-login", "rotate tokens.toml production-api").exits(1);
    shell.run_as("vercel-login", "wrong", "rotate tokens.toml production-api").exits(1);
    assert_eq!(shell.secret("API_TOKEN"), third);
    println!("{}", world.told());

    // A release that fails keeps its app on what it had; nothing is lost.
    worker.release_fails(0);
    shell.run("rotate tokens.toml production-api").exits(3);
    assert_eq!(worker.running(APP, "API_TOKEN").as_deref(), Some(third.as_str()));
    assert!(world.is_valid(&third));
    shell.run("apply tokens.toml").exits(3);
    worker.deploy(APP);
    shell.run("apply tokens.toml").exits(0);
    shell.secret("API_TOKEN");
    println!("{}", world.told());

    // Pruned: entries go first.
    let releases = worker.releases(APP);
    let start = world.read("tokens.toml");
    let (kept, _) = start.split_once("[tokens.billing-api]").unwrap();
    world.write("tokens.toml", kept);
    shell.run("apply tokens.toml --prune --allow-deletes 2").exits(0);
    assert_eq!(shell.held("BILLING_TOKEN"), [None, None]);
    assert_eq!(worker.value(APP, "SEARCH_TOKEN"), None);
    assert_eq!(worker.releases(APP), releases + 1, "what leaves an app leaves in one release");
    println!("{}", world.told());
}

/// Long-lived branches are deployed seldom, merged ones never again, and production goes back in an incident.
#[tokio::test(flavor = "multi_thread")]
async fn what_consumers_of_vercel_really_read_decides_when_a_version_ends() {
    let shell = Shell::new().await;
    let (world, web) = (&shell.world, shell.vercel.vendor());
    shell.run("apply tokens.toml").exits(0);
    web.deploy("production", None);
    for branch in ["staging", "merged"] {
        web.deploy("preview", Some(branch));
    }
    let first = shell.secret("API_TOKEN");
    shell.run("rotate tokens.toml production-api").exits(0);
    web.deploy("production", None);
    web.deploy("preview", Some("fix-typo"));
    world.clock(2 * DAY);
    shell.run("apply tokens.toml").exits(0);
    assert_eq!(web.serving("API_TOKEN", "preview", Some("staging")).as_ref(), Some(&first));
    assert!(world.is_valid(&first), "the branch `staging` has had no deployment since");
    let told = shell.run("plan tokens.toml").exits(0).stdout;
    assert!(told.contains("no preview deployment of `merged`, `staging` is newer than the variable"), "{told}");
    assert!(told.contains("`--forget-branch NAME`"), "{told}");

    web.deploy("preview", Some("staging"));
    shell.run("apply tokens.toml").exits(0);
    assert!(world.is_valid(&first), "the preview of a merged branch stays for ever");
    let slip = shell.run("apply tokens.toml --forget-branch meregd").exits(0);
    assert!(slip.stderr.contains("nothing waits for a deployment of `meregd`"), "{}", slip.stderr);
    assert!(world.is_valid(&first));

    web.roll_back(0);
    shell.run("apply tokens.toml --forget-branch merged").exits(0);
    assert!(world.is_valid(&first), "production runs the older deployment again");
    web.promote(3);
    shell.run("plan tokens.toml --forget-branch merged --out plan.json").exits(0);
    let ended = shell.run("apply tokens.toml --plan plan.json").exits(0);
    assert!(ended.stderr.contains("not waiting for deployments of `merged`, as requested"), "{}", ended.stderr);
    assert!(!world.is_valid(&first), "nobody reads it any more");
    assert!(world.is_valid(&shell.secret("API_TOKEN")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_name_the_branches_whose_previews_count() {
    let shell = Shell::new().await;
    let (world, web) = (&shell.world, shell.vercel.vendor());
    world.edit(
        r#"targets = ["production", "preview"] }"#,
        r#"targets = ["production", "preview"], branches = ["staging"] }"#,
    );
    shell.run("apply tokens.toml").exits(0);
    web.deploy("production", None);
    for branch in ["staging", "merged"] {
        web.deploy("preview", Some(branch));
    }
    let first = shell.secret("API_TOKEN");
    shell.run("rotate tokens.toml production-api").exits(0);
    web.deploy("production", None);
    world.clock(2 * DAY);
    shell.run("apply tokens.toml").exits(0);
    assert!(world.is_valid(&first));
    web.deploy("preview", Some("staging"));
    shell.run("apply tokens.toml").exits(0);
    assert!(!world.is_valid(&first));
}

/// Review apps keep the copy that they were made with.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_a_review_app_runs_with_stays_until_that_is_gone() {
    let shell = Shell::new().await;
    let (world, worker) = (&shell.world, shell.heroku.vendor());
    world.edit("app = \"acme-worker\"", &format!("pipeline = \"{PIPELINE}\"\nstage = \"review\""));
    shell.run("apply tokens.toml").exits(0);
    let first = worker.stage("review", "API_TOKEN").unwrap();
    let app = worker.review_app("fix-typo", 24);
    shell.run("rotate tokens.toml production-api").exits(0);
    world.clock(2 * DAY);
    shell.run("apply tokens.toml").exits(0);
    assert_eq!(worker.running(&app, "API_TOKEN").as_ref(), Some(&first));
    assert!(world.is_valid(&first));
    let told = shell.run("plan tokens.toml").exits(0).stdout;
    assert!(told.contains("the review app `fix-typo` #24 may still use an older value"), "{told}");
    worker.close_review("fix-typo");
    shell.run("apply tokens.toml").exits(0);
    assert!(!world.is_valid(&first));
}

/// Case: a vendor refuses a token's first secret again and again, then what it refused for is put right.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_vendor_lock_no_token_out() {
    let shell = Shell::new().await;
    for run in 0..9 {
        shell.heroku.meets(Trouble::Forbidden, On::Write);
        shell.vercel.meets(Trouble::Forbidden, On::Write);
        let refused = shell.run("apply").exits(if run == 0 { 3 } else { 1 });
        assert!(refused.stderr.contains("not allowed to create variables"), "run {run}: {}", refused.stderr);
        assert!(!refused.stdout.contains("blocked"), "run {run}: {}", refused.stdout);
    }
    shell.run("apply").exits(0);
    for name in ["API_TOKEN", "BILLING_TOKEN"] {
        shell.secret(name);
    }
}

/// A row that is read by more than the push is for is refused by every write.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_environment_reads_is_blocked_in_the_plan() {
    let shell = Shell::new().await;
    shell.vercel.vendor().foreign(&json!({ "key": "BILLING_TOKEN", "target": ["production", "preview"] }));
    let adopted = "name = \"BILLING_TOKEN\", targets = [\"production\"], adopt = true";
    shell.world.edit("name = \"BILLING_TOKEN\", targets = [\"production\"]", adopted);
    let plan = shell.run("plan").exits(1).stdout;
    assert!(plan.contains("blocked: cannot write") && plan.contains("is also set for preview"), "{plan}");
    shell.run("apply").exits(3);
    let ran = shell.run("apply").exits(1);
    assert!(ran.stdout.contains("Incomplete: 0 changed, 1 failed"), "{}", ran.stdout);
    let plan = shell.run("plan").exits(1).stdout;
    assert!(plan.contains("is also set for preview"), "{plan}");
}

/// A pull request is planned by a login that may only read, and applied by another one.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_login_of_a_plan_may_not_write_is_a_note() {
    let shell = Shell::new().await;
    shell.heroku.vendor().scopes("read-protected");
    let plan = shell.run("plan --out plan.json").exits(0).stdout;
    assert!(plan.contains("this login cannot write") && plan.contains("Plan: 4 to create"), "{plan}");
    assert_eq!(shell.run("plan --format json").exits(0).json()["blocked"], false);
    shell.run("apply").exits(3);
    let refused = shell.run("apply").exits(1);
    assert!(refused.stderr.contains("not to change them"), "{}", refused.stderr);
    assert!(refused.stdout.contains("Incomplete: 0 changed, 2 failed"), "{}", refused.stdout);
    shell.run("plan --out plan.json").exits(0);
    shell.heroku.vendor().scopes("global");
    shell.run("apply --plan plan.json").exits(0);
    shell.secret("API_TOKEN");
}

#[test]
fn the_sample_of_hosted_sinks_passes_as_it_is() {
    let world = World::with(include_str!("../../../samples/hosting.toml"));
    let checked = world.run("check tokens.toml").exits(0);
    assert!(!checked.stderr.contains("warning"), "{}", checked.stderr);
}
