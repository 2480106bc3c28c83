//! AWS's own rotation: Secrets Manager calls the real function step by step, on a table behind a socket and a Secrets Manager
//! that registers, refuses and moves as AWS does.

mod kills;
mod others;
mod steps;
mod tags;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::engines::{Person, StrictSecretsManager};
use tests::lambda::{Endpoint, Function, Invoked, Started, events};
use tests::provision::{Ran, World};

use super::function;

const MANIFEST: &str = r#"
manifest = "acme"
[service]
table = "latchkey"
region = "us-east-1"
[defaults]
user = "ci"
expires_in = "90d"
rotate_every = "30d"
overlap = "24h"
[roles.reader]
permissions = ["documents:read"]
[users.ci]
kind = "service"
roles = ["reader"]
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
[tokens.build-api]
push = [{ sink = "vault", name = "prod/build-token" }, { sink = "vault", name = "prod/build-copy" }]
[tokens.deploy-api]
push = [{ sink = "vault", name = "prod/deploy-token" }]
[tokens.shared-api]
push = [{ sink = "vault", name = "prod/shared", json_key = "API" }]
"#;

/// The secret that AWS rotates here, and the other place of its token.
const ROTATED: &str = "prod/build-token";
const COPY: &str = "prod/build-copy";
/// The function `rotate` of a stack with the usual name.
const OURS: &str = "arn:aws:lambda:eu-west-1:123456789012:function:latchkey-rotate";
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// A manifest that was applied, published and granted, a secret that is tagged, and the functions.
struct Scene {
    world: World,
    endpoint: Endpoint,
    manager: StrictSecretsManager,
    person: Person,
    rotate: Started,
    authorizer: Started,
}

impl Scene {
    async fn new() -> Self {
        let (world, endpoint) = (World::with(MANIFEST), Endpoint::plain().await);
        let manager = StrictSecretsManager::start().await;
        let rotate = start("rotate", &world, &endpoint, &manager).await;
        let authorizer = start("authorize", &world, &endpoint, &manager).await;
        let person = manager.person("eu-west-1");
        let scene = Self { world, endpoint, manager, person, rotate, authorizer };
        scene.run("apply --publish").exits(0);
        scene.run("manifest grant acme --entry aws-secrets-manager:account=123456789012,region=eu-west-1,*").exits(0);
        scene.tag(ROTATED, "ci/build-api").await;
        scene
    }

    /// Somebody at a shell, for instance in CI.
    fn run(&self, words: &str) -> Ran {
        let environment = environment(&self.endpoint, &self.manager);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.world.run_in(&environment, words)
    }

    async fn tag(&self, secret: &str, token: &str) {
        let tags = json!([{ "Key": "latchkey:token", "Value": token }]);
        let tagged = self.person.call("TagResource", json!({ "SecretId": secret, "Tags": tags })).await;
        assert!(tagged.status.is_success(), "{:?}", tagged.value());
    }

    /// Somebody has AWS rotate a secret by a function, or AWS's schedule does; the version that is to be made.
    async fn begin(&self, secret: &str, by: &str) -> String {
        let began = self.person.call("RotateSecret", json!({ "SecretId": secret, "RotationLambdaARN": by })).await;
        assert!(began.status.is_success(), "{:?}", began.value());
        began.value()["VersionId"].as_str().unwrap().to_owned()
    }

    /// One step, as Secrets Manager asks for it.
    async fn step(&self, step: &str, secret: &str, version: &str) -> Invoked {
        let arn = self.described(secret).await["ARN"].clone();
        self.rotate.invoke(&json!({ "Step": step, "SecretId": arn, "ClientRequestToken": version })).await
    }

    /// The same, and what was said where it failed.
    async fn refused(&self, step: &str, secret: &str, version: &str) -> String {
        let refused = self.step(step, secret, version).await.unwrap_err();
        refused["errorMessage"].as_str().unwrap_or_else(|| panic!("{refused}")).to_owned()
    }

    /// All steps in their order, none of which fails.
    async fn rotate(&self, version: &str) {
        for step in STEPS {
            let done = self.step(step, ROTATED, version).await;
            assert!(done.is_ok(), "{step}: {done:?} {:?}", self.rotate.lines());
        }
    }

    async fn described(&self, secret: &str) -> Value {
        self.person.call("DescribeSecret", json!({ "SecretId": secret })).await.value()
    }

    /// The version that each label is on.
    async fn labels(&self, secret: &str) -> BTreeMap<String, String> {
        let described = self.described(secret).await;
        let versions = described["VersionIdsToStages"].as_object().cloned().unwrap_or_default();
        let labels = versions.iter().flat_map(|(version, labels)| {
            let label = |label: &Value| (label.as_str().unwrap().to_owned(), version.clone());
            labels.as_array().unwrap().iter().map(label).collect::<Vec<_>>()
        });
        labels.collect()
    }

    /// What a version with a label contains, if it contains anything.
    async fn value(&self, secret: &str, label: &str) -> Option<String> {
        let read = self.person.call("GetSecretValue", json!({ "SecretId": secret, "VersionStage": label })).await;
        read.status.is_success().then(|| read.value()["SecretString"].as_str().unwrap().to_owned())
    }

    /// What consumers of the token read, at each of its places.
    async fn current(&self) -> [String; 2] {
        [self.value(ROTATED, "AWSCURRENT").await.unwrap(), self.value(COPY, "AWSCURRENT").await.unwrap()]
    }

    async fn is_valid(&self, secret: &str) -> bool {
        self.authorizer.invoke(&events::authorizer(secret)).await.unwrap()["isAuthorized"] == true
    }

    /// What a consumer reads now is valid now.
    async fn consumers_are_well(&self, when: &str) {
        for read in self.current().await {
            assert!(self.is_valid(&read).await, "{when}");
        }
    }

    /// The number of the current version and of the highest.
    async fn versions(&self) -> (u32, u32) {
        let tokens = self.endpoint.service.managed_tokens(&tests::world::name("acme")).await.unwrap();
        let token = tokens.into_iter().find(|token| token.name.as_str() == "build-api").unwrap();
        (token.current().unwrap().number, token.highest)
    }

    /// Whether a rotation is finished: consumers of every place read one version, which is pending no more.
    async fn is_finished(&self, version: &str) -> bool {
        let labels = self.labels(ROTATED).await;
        let [one, other] = self.current().await;
        let (current, highest) = self.versions().await;
        labels.get("AWSCURRENT").is_some_and(|current| current == version)
            && !labels.contains_key("AWSPENDING")
            && one == other
            && current == highest
    }
}

async fn start(name: &str, world: &World, endpoint: &Endpoint, manager: &StrictSecretsManager) -> Started {
    let clock = world.clock_file();
    let function = function(name, endpoint).with("LATCHKEY_TEST_CLOCK", clock.to_str().unwrap());
    let with = |function: Function, (name, value): (&str, String)| function.with(name, &value);
    environment(endpoint, manager).into_iter().fold(function, with).start().await
}

fn environment(endpoint: &Endpoint, manager: &StrictSecretsManager) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL", manager.url()),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url.clone()),
        ("AWS_ACCESS_KEY_ID", "AKIATEST".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "login".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}
