//! AWS Secrets Manager, from the manifest to what a consumer reads. Starting moto takes over a second, so some tests
//! hold a story of several promises.

mod older;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tests::engines::{Fault, Person, StrictSecretsManager};
use tests::provision::{DAY, HOUR, Ran, World};
use tokio::net::{TcpListener, TcpStream};

use super::{START, assert_told};

const REGION: &str = "eu-west-1";

const TOKENS: &str = r#"
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
endpoint = "ENDPOINT"
tags = { team = "billing" }

[tokens.build-api]
user = "ci"
push = [{ sink = "vault", name = "prod/build-token" }]
"#;

/// A folder with a manifest, and a Secrets Manager.
struct Vault {
    world: World,
    manager: StrictSecretsManager,
    person: Person,
    gate: Gate,
}

/// The way to the vault, which can be shut: then nothing answers.
pub(super) struct Gate {
    pub(super) url: String,
    open: Arc<AtomicBool>,
}

impl Gate {
    pub(super) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (gate, vault) = (listener.local_addr().unwrap(), url.trim_start_matches("http://").to_owned());
        let open = Arc::new(AtomicBool::new(true));
        let passes = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (vault, passes) = (vault.clone(), Arc::clone(&passes));
                tokio::spawn(async move {
                    if passes.load(Ordering::SeqCst) {
                        let mut far = TcpStream::connect(vault).await.unwrap();
                        // An error is a connection that ended.
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { url: format!("http://{gate}"), open }
    }

    pub(super) fn shut(&self, shut: bool) {
        self.open.store(!shut, Ordering::SeqCst);
    }
}

impl Vault {
    async fn start() -> Self {
        let manager = StrictSecretsManager::start().await;
        let person = manager.person(REGION);
        let gate = Gate::to(&manager.url()).await;
        let (start, _) = START.split_once("[sinks.dev]").unwrap();
        let world = World::with(&format!("{start}{}", TOKENS.trim_start().replace("ENDPOINT", &gate.url)));
        Self { world, manager, person, gate }
    }

    fn run(&self, words: &str) -> Ran {
        let login = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "login"), ("AWS_MAX_ATTEMPTS", "1")];
        self.world.run_in(&login, words)
    }

    async fn described(&self, name: &str) -> Value {
        self.person.call("DescribeSecret", json!({ "SecretId": name })).await.value()
    }

    async fn value(&self, name: &str) -> String {
        let value = self.person.call("GetSecretValue", json!({ "SecretId": name })).await.value();
        value["SecretString"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
    }

    async fn by_hand(&self, name: &str, value: &str) {
        let put = self.person.call("PutSecretValue", json!({ "SecretId": name, "SecretString": value })).await;
        if put.is_error("ResourceNotFoundException") {
            let made = self.person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
            assert!(made.status.is_success(), "{:?}", made.value());
        }
    }

    /// The stages of each version id.
    async fn stages(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let described = self.described(name).await;
        let stages = described["VersionIdsToStages"].as_object().unwrap().iter().map(|(id, stages)| {
            let stages = stages.as_array().unwrap().iter().map(|stage| stage.as_str().unwrap().to_owned());
            (id.clone(), stages.collect())
        });
        stages.collect()
    }
}

/// Notes a use of a secret now, as the deployed service does.
pub(super) async fn note_use(world: &World, secret: &str) {
    let service = world.service("latchkey.db").await;
    let latchkey::service::Verdict::Valid(valid) = service.verify(secret, None).await.unwrap() else {
        panic!("it is not valid");
    };
    service.note_use(&valid, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_version_is_current_under_our_id_with_our_tags() {
    let vault = Vault::start().await;
    vault.run("plan").exits(0);
    vault.run("apply").exits(0);
    vault.run("plan --detailed-exitcode").exits(0);
    assert_told!(vault.world);
    let secret = vault.value("prod/build-token").await;
    let verified = vault.world.pipe("token verify -t json", &secret).exits(0).json();
    let stages = vault.stages("prod/build-token").await;
    let ours = format!("lk-{}-1-{}", verified["id"].as_str().unwrap(), verified["fingerprint"].as_str().unwrap());
    let [(id, labels)] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!(*id, ours);
    assert!(labels.iter().any(|label| label == "AWSCURRENT"), "{labels:?}");
    let described = vault.described("prod/build-token").await;
    let tags = described["Tags"].as_array().unwrap();
    assert!(tags.contains(&json!({ "Key": "team", "Value": "billing" })), "{tags:?}");
    // A rotation: current and previous, both valid.
    vault.run("rotate tokens.toml build-api").exits(0);
    let next = vault.value("prod/build-token").await;
    assert_ne!(next, secret);
    let stages = vault.stages("prod/build-token").await;
    let with = |label: &str| stages.iter().find(|(_, stages)| stages.iter().any(|stage| stage == label));
    assert!(with("AWSCURRENT").is_some_and(|(id, _)| *id != ours), "{stages:?}");
    assert!(with("AWSPREVIOUS").is_some_and(|(id, _)| *id == ours), "{stages:?}");
    assert!(vault.world.is_valid(&secret) && vault.world.is_valid(&next));
    // Nothing more to do, and nothing more is put.
    let puts = vault.manager.count("PutSecretValue");
    vault.run("apply").exits(0);
    assert_eq!(vault.manager.count("PutSecretValue"), puts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_share_one_secret_by_keys_and_leave_other_keys_alone() {
    let vault = Vault::start().await;
    vault.by_hand("prod/shared", r#"{"DATABASE_URL":"postgres://db","Z":"kept"}"#).await;
    vault.world.edit(
        r#"push = [{ sink = "vault", name = "prod/build-token" }]"#,
        r#"push = [{ sink = "vault", name = "prod/shared", json_key = "BUILD" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "vault", name = "prod/shared", json_key = "DEPLOY" }]"#,
    );
    vault.run("apply").exits(0);
    assert_told!(vault.world);
    let read = || async { serde_json::from_str::<Value>(&vault.value("prod/shared").await).unwrap() };
    let first = read().await;
    assert_eq!((&first["DATABASE_URL"], &first["Z"]), (&json!("postgres://db"), &json!("kept")));
    let (build, deploy) = (first["BUILD"].as_str().unwrap(), first["DEPLOY"].as_str().unwrap());
    assert!(vault.world.is_valid(build) && vault.world.is_valid(deploy) && build != deploy);
    vault.run("rotate tokens.toml build-api").exits(0);
    let second = read().await;
    assert_eq!((&second["DEPLOY"], &second["DATABASE_URL"]), (&first["DEPLOY"], &first["DATABASE_URL"]));
    assert_ne!(second["BUILD"], first["BUILD"]);
    vault.run("plan --detailed-exitcode").exits(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_mended_and_what_is_foreign_only_adopted() {
    let vault = Vault::start().await;
    vault.by_hand("prod/build-token", "somebody's own").await;
    vault.run("plan").exits(1);
    vault.run("apply").exits(3);
    assert_eq!(vault.value("prod/build-token").await, "somebody's own");
    vault.world.edit(r#"name = "prod/build-token" }"#, r#"name = "prod/build-token", adopt = true }"#);
    vault.run("apply").exits(0);
    let ours = vault.value("prod/build-token").await;
    assert!(vault.world.is_valid(&ours));
    // From now on it is ours: an edit by hand is drift.
    vault.world.edit(", adopt = true }", " }");
    vault.by_hand("prod/build-token", "typed at the console").await;
    vault.run("status").exits(0);
    vault.run("plan --detailed-exitcode").exits(2);
    vault.run("apply").exits(0);
    let mended = vault.value("prod/build-token").await;
    assert!(vault.world.is_valid(&mended));
    vault.run("plan --detailed-exitcode").exits(0);
    // Scheduled for deletion by somebody: refused with the way back.
    vault.person.call("DeleteSecret", json!({ "SecretId": "prod/build-token", "RecoveryWindowInDays": 7 })).await;
    vault.run("plan").exits(1);
    vault.run("rotate tokens.toml build-api").exits(3);
    assert_told!(vault.world);
    vault.person.call("RestoreSecret", json!({ "SecretId": "prod/build-token" })).await;
    vault.run("rotate tokens.toml build-api").exits(0);
    assert!(vault.world.is_valid(&vault.value("prod/build-token").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_refuses_or_is_away_says_so_and_the_next_good_run_goes_on() {
    let vault = Vault::start().await;
    let world = &vault.world;
    world.edit(
        "[tokens.build-api]",
        "[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n\n[tokens.local-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"LOCAL_TOKEN\" }]\n\n[tokens.build-api]",
    );
    vault.manager.refuse_logins(true);
    vault.run("plan").exits(1);
    vault.run("apply").exits(3);
    assert!(world.is_valid(&world.entry(".env", "LOCAL_TOKEN")), "the other sink goes on");
    vault.manager.refuse_logins(false);
    vault.run("apply").exits(0);
    let first = vault.value("prod/build-token").await;
    assert!(world.is_valid(&first));
    assert_told!(world, "wrong_login");
    // Known places: a rotation stages nothing in vain.
    vault.manager.refuse_logins(true);
    vault.run("rotate tokens.toml build-api local-api").exits(3);
    vault.run("status").exits(0);
    vault.manager.refuse_logins(false);
    vault.run("plan --detailed-exitcode").exits(0);
    assert_told!(world);
    vault.gate.shut(true);
    vault.run("plan").exits(1);
    vault.run("rotate tokens.toml build-api").exits(3);
    vault.gate.shut(false);
    assert_eq!(vault.value("prod/build-token").await, first);
    assert!(world.is_valid(&first));
    vault.run("rotate tokens.toml build-api").exits(0);
    let second = vault.value("prod/build-token").await;
    assert!(world.is_valid(&second) && second != first);
    assert_told!(world, "unreachable");
    // Without any login.
    world.run("plan").exits(1);
    assert_told!(world, "no_login");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_out_of_reach_for_months_is_warned_of_before_it_expires() {
    let vault = Vault::start().await;
    vault.run("apply").exits(0);
    let _ = vault.world.told();
    vault.world.clock(80 * DAY);
    vault.manager.refuse_logins(true);
    vault.run("plan").exits(1);
    assert_told!(vault.world);
}

/// AWS may deny a look at a secret that does not exist yet, as no pattern of an ARN covers its bare name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_may_not_be_looked_at_before_it_exists_is_created() {
    let vault = Vault::start().await;
    vault.manager.deny_missing(true);
    vault.run("plan").exits(0);
    vault.run("apply").exits(0);
    assert!(vault.world.is_valid(&vault.value("prod/build-token").await));
    vault.run("plan --detailed-exitcode").exits(0);
    // One that is there and may not be looked at is not replaced, and one that was delivered to is unknown.
    vault.by_hand("prod/theirs", "theirs").await;
    vault.world.edit(
        r#"name = "prod/build-token" }]"#,
        r#"name = "prod/build-token" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "vault", name = "prod/theirs" }]"#,
    );
    let denied = || Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "not authorized".to_owned());
    (1..=99).for_each(|nth| vault.manager.fail("DescribeSecret", nth, denied()));
    let told = vault.run("apply").exits(1);
    let told = format!("{}{}", told.stdout, told.stderr);
    assert!(told.contains("the secret `prod/theirs` exists already, and what it contains is unknown"), "{told}");
    assert!(told.contains("cannot read `Secrets Manager prod/build-token (eu-west-1)`"), "{told}");
    vault.manager.forgive();
    assert_eq!(vault.value("prod/theirs").await, "theirs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_in_another_region_moves_by_way_of_both() {
    let vault = Vault::start().await;
    vault.run("apply").exits(0);
    let secret = vault.value("prod/build-token").await;
    vault.world.clock(HOUR);
    vault.world.edit("region = \"eu-west-1\"", "region = \"eu-central-1\"");
    let plan = vault.run("plan").exits(1).stdout;
    assert!(plan.contains("declare the former sink beside the new one, run `provision apply --prune`"), "{plan}");
    assert!(plan.contains("if the place is gone for good, run `provision apply --forget "), "{plan}");
    // What the line advises.
    let former = format!(
        "[sinks.former]\ntype = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\nendpoint = \"{}\"\n\n",
        vault.gate.url
    );
    vault.world.edit("[tokens.build-api]", &format!("{former}[tokens.build-api]"));
    vault.run("apply --prune").exits(0);
    vault.world.edit(&former, "");
    vault.run("plan --detailed-exitcode").exits(0);
    let person = vault.manager.person("eu-central-1");
    let moved = person.call("GetSecretValue", json!({ "SecretId": "prod/build-token" })).await.value();
    assert_eq!(moved["SecretString"], secret);
    assert!(vault.run("status").exits(0).stdout.contains("all in sync"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_by_two_spellings_of_an_endpoint_is_one_and_is_not_pruned() {
    let vault = Vault::start().await;
    vault.run("apply").exits(0);
    let secret = vault.value("prod/build-token").await;
    // The former sink stays declared; the push goes to the same Secrets Manager by another address.
    let again = format!(
        "\n[sinks.again]\ntype = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\nendpoint = \"{}\"\n",
        vault.manager.url()
    );
    vault.world.edit("push = [{ sink = \"vault\"", "push = [{ sink = \"again\"");
    vault.world.write("tokens.toml", &format!("{}{again}", vault.world.read("tokens.toml")));
    for hours in [0, 1] {
        vault.world.clock(hours * HOUR);
        let ran = vault.run("apply --prune").exits(0);
        assert!(!ran.stdout.contains("remove the entry") && !ran.stdout.contains("rotate"), "{}", ran.stdout);
        assert_eq!(vault.value("prod/build-token").await, secret);
    }
    vault.run("plan --detailed-exitcode").exits(0);
    assert_eq!(vault.manager.count("DeleteSecret"), 0);
}
