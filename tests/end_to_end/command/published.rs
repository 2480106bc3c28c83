//! The scheduled job, run by hand: it has no file, and goes by what is published and granted.

use serde_json::json;
use tests::engines::StrictSecretsManager;
use tests::provision::{DAY, HOUR, Ran, World};

use super::vault::Gate;
use super::{START, VAULT};

/// A token that the job does not reach.
const LOCAL: &str = r#"
[tokens.local-api]
user = "ci"
push = [{ sink = "dev", name = "LOCAL_TOKEN" }]
"#;

/// All entries of one account and region. The way to the vault is a part of them, as it is not AWS's own.
const ENTRIES: &str = "aws-secrets-manager:account=123456789012,region=eu-west-1,*";

/// A file in which nothing is declared: only where the service is.
const NO_FILE: &str = "manifest = \"nothing\"\n[service]\nembedded = \"latchkey.db\"\n";

/// A manifest that was applied, published and granted, and whose file is gone.
struct Published {
    world: World,
    manager: StrictSecretsManager,
    gate: Gate,
}

impl Published {
    async fn start(tokens: &str) -> Self {
        let published = Self::ungranted(tokens).await;
        published.world.run(&format!("manifest grant acme --entry {ENTRIES}")).exits(0);
        published
    }

    async fn ungranted(tokens: &str) -> Self {
        let manager = StrictSecretsManager::start().await;
        let gate = Gate::to(&manager.url()).await;
        let published = Self { world: World::new(), manager, gate };
        published.with_file(tokens, |_| {
            let applied = published.run("apply --publish").exits(0);
            assert!(applied.stdout.contains("Published: the scheduled job rotates"), "{}", applied.stdout);
        });
        published
    }

    /// Does something where the manifest's file is.
    fn with_file(&self, tokens: &str, act: impl FnOnce(&World)) {
        self.world.write("tokens.toml", &format!("{START}{tokens}"));
        act(&self.world);
        self.world.write("tokens.toml", NO_FILE);
    }

    fn run(&self, words: &str) -> Ran {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "login"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_ENDPOINT_URL", self.gate.url.as_str()),
        ];
        self.world.run_in(&environment, words)
    }

    fn turn(&self) -> Ran {
        self.run("rotate --published")
    }

    async fn value(&self) -> String {
        let person = self.manager.person("eu-west-1");
        let value = person.call("GetSecretValue", json!({ "SecretId": "prod/build-token" })).await.value();
        value["SecretString"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_rotated_without_a_file_and_retired_after_its_overlap() {
    let published = Published::start(&format!("{VAULT}{LOCAL}")).await;
    let world = &published.world;
    let (first, local) = (published.value().await, world.entry(".env", "LOCAL_TOKEN"));
    assert_eq!(published.turn().exits(0).stdout, "Nothing is due\n");
    world.clock(30 * DAY + HOUR);
    let turn = published.turn().exits(1 + 2);
    assert!(
        turn.stdout.contains("Incomplete: 1 of 2 due tokens in sync, 1 rotated, 1 skipped"),
        "{}{}",
        turn.stdout,
        turn.stderr
    );
    assert!(turn.stderr.contains("`ci/local-api` of `acme` is skipped: it is not published"), "{}", turn.stderr);
    let second = published.value().await;
    assert!(first != second && world.is_valid(&first) && world.is_valid(&second));
    assert_eq!(world.entry(".env", "LOCAL_TOKEN"), local, "a file of this machine is nothing that the job reaches");
    world.clock(32 * DAY);
    let turn = published.turn();
    assert!(turn.stdout.contains("1 of 2 due tokens in sync"), "{}{}", turn.stdout, turn.stderr);
    assert!(!world.is_valid(&first) && world.is_valid(&second), "nobody used it, and the overlap is over");
    let told = world.told();
    assert_eq!(tests::provision::secrets_in(&told), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_writes_no_entry_that_is_not_granted_and_none_that_was_not_applied() {
    let published = Published::ungranted(VAULT).await;
    let world = &published.world;
    let first = published.value().await;
    world.clock(31 * DAY);
    let entry =
        format!("aws-secrets-manager:account=123456789012,region=eu-west-1,endpoint={},name=prod/", published.gate.url);
    let refused = published.turn().exits(1);
    assert!(
        refused.stderr.contains(&format!("the grant of `acme` does not contain the entry `{entry}")),
        "{}",
        refused.stderr
    );
    assert_eq!(published.value().await, first);
    // What is put off comes back, here after its first pause.
    assert_eq!(published.turn().exits(0).stdout, "Nothing is due\n");
    world.run(&format!("manifest grant acme --permission documents:read --entry {entry}other*")).exits(0);
    world.clock(31 * DAY + 16 * 60);
    let refused = published.turn().exits(1);
    let cure = refused.stderr.split("provision manifest grant acme ").nth(1).unwrap().split('`').next().unwrap();
    world.run(&format!("manifest grant acme {}", cure.replace('\'', ""))).exits(0);
    let grant = world.run("manifest show acme --format json").exits(0).json()["grant"].clone();
    assert_eq!(grant["permissions"], json!(["documents:read"]), "what was granted before still is: {grant}");
    assert_eq!(grant["entries"].as_array().unwrap().len(), 2, "{grant}");
    // Somebody publishes another destination, and applies it nowhere.
    let elsewhere = VAULT.replace("prod/build-token", "prod/of-another-team");
    published.with_file(&elsewhere, |_| {
        published.run("publish").exits(0);
    });
    world.clock(31 * DAY + 47 * 60);
    let refused = published.turn().exits(1);
    assert!(
        refused.stderr.contains("its published places are not those that it was applied with"),
        "{}",
        refused.stderr
    );
    published.with_file(VAULT, |_| {
        published.run("publish").exits(0);
    });
    world.clock(31 * DAY + 3 * HOUR);
    published.turn().exits(0);
    assert_ne!(published.value().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_keeps_to_the_published_window_and_changes_nothing_that_is_declared() {
    let world = World::new();
    let open = world.now().to_zoned(jiff::tz::TimeZone::UTC).date().checked_add(jiff::Span::new().days(33)).unwrap();
    let window = format!("{VAULT}[rotation]\nwindow = \"{} 12:00-13:00 UTC\"\n", open.strftime("%a"));
    let published = Published::start(&window).await;
    let world = &published.world;
    let first = published.value().await;
    world.run("role set writer -p documents:write").exits(0);
    world.run("user set ci --add-role writer").exits(0);
    world.clock(31 * DAY);
    let turn = published.turn().exits(0);
    assert!(turn.stdout.contains("Done: 0 of 1 due token in sync, 1 waiting"), "{}{}", turn.stdout, turn.stderr);
    // It falls due again when the window opens, and not before.
    assert_eq!(published.turn().exits(0).stdout, "Nothing is due\n");
    let noon = open.at(12, 30, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    world.clock(0);
    world.clock(noon.duration_since(world.now()).as_secs());
    published.turn().exits(0);
    let second = published.value().await;
    assert_ne!(second, first);
    let verified = world.pipe("token verify --format json", &second).exits(0).json();
    assert_eq!(verified["roles"], json!(["reader"]), "the job widens no token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_down_is_tried_again_after_a_growing_pause_and_two_jobs_do_the_work_once() {
    let published = Published::start(VAULT).await;
    let world = &published.world;
    world.clock(31 * DAY);
    published.gate.shut(true);
    let failed = published.run("rotate --published --format json").exits(1).json();
    published.gate.shut(false);
    assert_eq!(failed["failed"][0]["name"], "build-api");
    assert_eq!(published.turn().exits(0).stdout, "Nothing is due\n", "it is put off");
    world.clock(31 * DAY + 16 * 60);
    let start = || {
        let mut command = world.command(["rotate", "--published", "--format", "json"]);
        command.envs([("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "login")]);
        command.env("AWS_ENDPOINT_URL", &published.gate.url).spawn().unwrap()
    };
    let both = [start(), start()];
    let both = both.map(|child| tests::provision::finish(child, None).exits(0).json());
    assert_eq!(both.iter().map(|report| report["done"].as_u64().unwrap()).sum::<u64>(), 1, "{both:?}");
    let shown = world.run("token show build-api -u ci --format json").exits(0).json();
    let versions = shown["token"]["versions"].as_array().or(shown["versions"].as_array()).unwrap().len();
    assert_eq!(versions, 2, "{shown}");
}

#[test]
fn tokens_made_by_hand_that_expired_free_their_names() {
    let world = World::with(NO_FILE);
    world.run("token set laptop").exits(0);
    world.clock(40 * DAY);
    let turn = world.run("rotate --published").exits(0);
    assert_eq!(turn.stdout, "Done: 0 of 1 due token in sync, 1 expired for good\n");
    assert_eq!(world.run("rotate --published").exits(0).stdout, "Nothing is due\n");
    let listed = world.run("token list --format json").exits(0).json();
    assert_eq!(listed["active"], json!([]));
    world.run("token set laptop").exits(0);
    world.run("rotate laptop --published").exits(1);
}
