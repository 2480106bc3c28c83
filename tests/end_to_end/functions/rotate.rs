//! The scheduled job as Lambda runs it: the real binary, on a table behind a socket and a Secrets Manager.

use hyper::StatusCode;
use latchkey::table::item::Value as Attribute;
use serde_json::{Value, json};
use tests::deployment::ROTATED;
use tests::engines::{Fault, StrictSecretsManager};
use tests::lambda::{Endpoint, Function, Invoked, Started, events};
use tests::provision::{DAY, HOUR, Ran, World};
use tests::world::name;

use super::function;

const SECRETS: [&str; 2] = ["prod/build-token", "prod/deploy-token"];

/// A manifest that was applied, published and granted, and the functions' clock.
pub(super) struct Deployed {
    pub(super) world: World,
    pub(super) endpoint: Endpoint,
    pub(super) manager: StrictSecretsManager,
}

impl Deployed {
    async fn new() -> Self {
        Self::with(ROTATED).await
    }

    pub(super) async fn with(manifest: &str) -> Self {
        let deployed = Self {
            world: World::with(manifest),
            endpoint: Endpoint::plain().await,
            manager: StrictSecretsManager::start().await,
        };
        deployed.run("apply --publish").exits(0);
        deployed
            .run("manifest grant acme --entry aws-secrets-manager:account=123456789012,region=eu-west-1,*")
            .exits(0);
        deployed
    }

    fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL", self.manager.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.endpoint.url.clone()),
            ("AWS_ACCESS_KEY_ID", "AKIATEST".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "login".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Somebody at a shell, at the real time.
    fn run(&self, words: &str) -> Ran {
        let environment = self.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.world.run_in(&environment, words)
    }

    pub(super) fn function(&self, name: &str) -> Function {
        let clock = self.world.clock_file();
        let environment = self.environment().into_iter();
        let start = function(name, &self.endpoint).with("LATCHKEY_TEST_CLOCK", clock.to_str().unwrap());
        environment.fold(start, |function, (name, value)| function.with(name, &value))
    }

    /// A turn of a function that dies at this request of its to the table, before or after it takes effect; false where it
    /// made fewer.
    pub(super) async fn dies_at(&self, at: u64, takes_effect: bool) -> bool {
        let rotate = self.function("rotate").start().await;
        self.endpoint.answer_only(at, takes_effect);
        let died = {
            let event = json!({});
            let turn = rotate.invoke(&event);
            tokio::pin!(turn);
            tokio::select! {
                () = self.endpoint.held() => true,
                _ = &mut turn => false,
            }
        };
        drop(rotate);
        self.endpoint.answer_all();
        died
    }

    async fn values(&self) -> Vec<String> {
        let person = self.manager.person("eu-west-1");
        let mut values = Vec::new();
        for name in SECRETS {
            let value = person.call("GetSecretValue", json!({ "SecretId": name, "VersionStage": "AWSCURRENT" })).await;
            values.push(value.value()["SecretString"].as_str().unwrap().to_owned());
        }
        values
    }
}

/// What the deployed authorizer says of a secret, at the functions' time.
pub(super) async fn is_valid(authorizer: &Started, secret: &str) -> bool {
    authorizer.invoke(&events::authorizer(secret)).await.unwrap()["isAuthorized"] == true
}

/// Nothing goes to Heroku's own address instead.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_an_address_for_heroku_that_is_none_fails_before_it_rotates_anything() {
    let deployed = Deployed::new().await;
    let first = deployed.values().await;
    deployed.world.clock(30 * DAY + HOUR);
    let rotate = deployed.function("rotate").with("LATCHKEY_HEROKU_URL", "http://heroku.example.com").start().await;
    let failed = rotate.invoke(&json!({})).await.unwrap_err();
    let said = failed["errorMessage"].as_str().unwrap();
    assert!(said.contains("`LATCHKEY_HEROKU_URL`: plain `http` would expose secrets"), "{said}");
    assert_eq!(deployed.values().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_rotates_what_is_due_and_retires_it_after_its_overlap() {
    let deployed = Deployed::new().await;
    let (rotate, authorizer) =
        (deployed.function("rotate").start().await, deployed.function("authorize").start().await);
    let first = deployed.values().await;
    let turn = rotate.invoke(&json!({})).await.unwrap();
    assert_eq!(turn, json!({ "due": 0, "done": 0, "failed": 0 }));
    deployed.world.clock(30 * DAY + HOUR);
    let turn = rotate.invoke(&json!({})).await.unwrap();
    assert_eq!(turn, json!({ "due": 2, "done": 2, "failed": 0 }), "{:?}", rotate.lines());
    let second = deployed.values().await;
    for secret in first.iter().chain(&second) {
        assert!(is_valid(&authorizer, secret).await);
    }
    deployed.world.clock(32 * DAY);
    rotate.invoke(&json!({})).await.unwrap();
    for (old, new) in first.iter().zip(&second) {
        assert!(!is_valid(&authorizer, old).await && is_valid(&authorizer, new).await);
    }
    // What each turn did is in its line, with its metrics.
    let log = rotate.log(3).await;
    assert_eq!((&log[1]["rotated"], &log[1]["late_by"].as_f64().map(|late| late > 3000.0)), (&json!(2.0), &Some(true)));
    assert_eq!((&log[1]["outcome"], &log[1]["level"]), (&json!("done"), &json!("info")));
    let told: Vec<&Value> = log[1]["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().iter().collect();
    for name in ["rotated", "failed", "failed_again", "overdue", "oldest_unrotated", "late_by"] {
        assert!(told.iter().any(|metric| metric["Name"] == name), "{told:?}");
    }
    let told = rotate.lines().join("\n");
    assert_eq!(tests::provision::secrets_in(&told), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_somebody_changed_is_found_and_repaired_although_nothing_is_due() {
    let deployed = Deployed::new().await;
    let rotate = deployed.function("rotate").start().await;
    let person = deployed.manager.person("eu-west-1");
    person.call("PutSecretValue", json!({ "SecretId": SECRETS[1], "SecretString": "edited" })).await.value();
    rotate.invoke(&json!({})).await.unwrap();
    let (values, log) = (deployed.values().await, rotate.log(1).await);
    assert_ne!(values[1], "edited", "{log:?}");
    assert_eq!((&log[0]["report"]["repaired"], &log[0]["report"]["looked"]), (&json!(1), &json!(2)), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_to_the_alarms_and_to_whoever_runs_the_manifest() {
    let deployed = Deployed::new().await;
    let rotate = deployed.function("rotate").start().await;
    deployed.world.clock(32 * DAY);
    let refused = || {
        let denied = Fault::Refuse(StatusCode::BAD_REQUEST, "AccessDeniedException", "no".to_owned());
        deployed.manager.fail("PutSecretValue", 1, denied);
    };
    refused();
    rotate.invoke(&json!({})).await.unwrap();
    let log = rotate.log(1).await;
    assert_eq!(
        (&log[0]["level"], &log[0]["failed"], &log[0]["failed_again"]),
        (&json!("error"), &json!(1.0), &json!(0.0))
    );
    assert_eq!(log[0]["overdue"], 1.0, "{log:?}");
    refused();
    deployed.world.clock(32 * DAY + HOUR);
    rotate.invoke(&json!({})).await.unwrap();
    let log = rotate.log(2).await;
    assert_eq!(
        (&log[1]["failed_again"], &log[1]["oldest_unrotated"].as_f64().map(|since| since > 86_400.0)),
        (&json!(1.0), &Some(true)),
        "{log:?}"
    );
    // A shell has the table's time.
    deployed.world.clock(0);
    let status = deployed.run("status --detailed-exitcode").exits(2);
    assert!(status.stdout.contains("by the job: "), "{}{}", status.stdout, status.stderr);
    let shown = deployed.run("status --format json").exits(0).json();
    assert_eq!(shown["job"]["turn"]["troubles"].as_array().unwrap().len(), 1, "{shown}");
}

/// Of two manifests the first has a publication that nobody can read any more, as a table from elsewhere may have.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_whose_record_cannot_be_read_is_reported_and_keeps_no_other_from_being_rotated() {
    let deployed = Deployed::new().await;
    let another =
        [("acme", "aaaa"), ("prod/", "other/"), ("reader", "writer"), ("\"ci\"", "\"cj\""), ("users.ci", "users.cj")];
    let another = another.iter().fold(ROTATED.to_owned(), |text, (from, to)| text.replace(from, to));
    // Notices are on, and the manifest's own wait for somebody who can read what it has published.
    let notify = "[notify.ops]\ntype = \"slack\"\nurl = { secret = \"latchkey/logins/aaaa/slack\" }\n";
    deployed.world.write("other.toml", &format!("{another}{notify}"));
    deployed.run("apply other.toml --publish").exits(0);
    deployed.run("manifest grant aaaa --entry aws-secrets-manager:account=123456789012,region=eu-west-1,*").exits(0);
    let mut broken = latchkey::table::keys::publication(&name("aaaa")).item();
    broken.extend(["number", "sinks"].map(|field| (field.to_owned(), Attribute::Bool(true))));
    deployed.endpoint.raw.put([broken]).await;
    deployed.world.clock(30 * DAY + HOUR);
    let rotate = deployed.function("rotate").start().await;
    let turn = rotate.invoke(&json!({})).await.unwrap();
    assert_eq!(turn, json!({ "due": 4, "done": 2, "failed": 2 }), "{:?}", rotate.lines());
    let log = rotate.log(1).await;
    for trouble in log[0]["report"]["failed"].as_array().unwrap() {
        assert_eq!(trouble["manifest"], "aaaa", "{log:?}");
        assert!(trouble["reason"].as_str().unwrap().starts_with("the turn could not go on with it: "), "{log:?}");
    }
    assert_eq!(log[0]["report"]["notices"]["down"][0]["receiver"], "aaaa/*", "{log:?}");
    // The alarms hear of it.
    deployed.world.clock(32 * DAY);
    rotate.invoke(&json!({})).await.unwrap();
    let log = rotate.log(2).await;
    assert_eq!((&log[1]["failed_again"], &log[1]["overdue"]), (&json!(2.0), &json!(2.0)), "{log:?}");
}

/// A function that dies at any request of its to the table, before or after it takes effect, leaves no consumer with a
/// dead secret, and the next turns bring everything in sync.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_anywhere_leaves_nobody_with_a_dead_secret() {
    let deployed = Deployed::new().await;
    let authorizer = deployed.function("authorize").start().await;
    // The first turn of a table looks through its index, once.
    deployed.function("rotate").start().await.invoke(&json!({})).await.unwrap();
    let mut time = 30 * DAY + HOUR;
    deployed.world.clock(time);
    let before = deployed.endpoint.calls();
    let rotate = deployed.function("rotate").start().await;
    rotate.invoke(&json!({})).await.unwrap();
    let calls = deployed.endpoint.calls() - before;
    assert!(calls > 20, "{calls}");
    drop(rotate);
    let step = if std::env::var_os("LATCHKEY_KILLS").is_some() { 1 } else { 4 };
    for at in (1..calls).step_by(step) {
        time += 31 * DAY;
        deployed.world.clock(time);
        if !deployed.dies_at(at, at % (2 * step as u64) == 1).await {
            // A turn makes some requests more or fewer, as the last one left less to look at.
            assert!(at + 8 >= calls, "it got through {at} of {calls} requests");
            break;
        }
        consumers_are_well(&deployed, &authorizer, at).await;
        // Its lease ends, and what it began is gone on with.
        time += 10 * 60;
        deployed.world.clock(time);
        let rotate = deployed.function("rotate").start().await;
        let done: Invoked = rotate.invoke(&json!({})).await;
        consumers_are_well(&deployed, &authorizer, at).await;
        // What could not be done at once, as an announcement was too young, is done once its overlap is over.
        time += 2 * DAY;
        deployed.world.clock(time);
        rotate.invoke(&json!({})).await.unwrap();
        consumers_are_well(&deployed, &authorizer, at).await;
        let turn = rotate.invoke(&json!({})).await.unwrap();
        assert_eq!(turn["failed"], 0, "dead at {at}: {done:?} {:?}", rotate.lines());
    }
    // Nothing is left over: each token has one version again.
    time += 3 * DAY;
    deployed.world.clock(time);
    let rotate = deployed.function("rotate").start().await;
    rotate.invoke(&json!({})).await.unwrap();
    for token in deployed.endpoint.service.managed_tokens(&name("acme")).await.unwrap() {
        assert_eq!(token.versions.len(), 1, "{token:?}");
    }
}

/// What a consumer reads now is valid now.
async fn consumers_are_well(deployed: &Deployed, authorizer: &Started, at: u64) {
    for value in deployed.values().await {
        assert!(is_valid(authorizer, &value).await, "dead at {at}");
    }
}
