//! Azure Key Vault, from the manifest to what a consumer reads.

use latchkey_sinks::conformance::Bench as _;
use serde_json::json;
use tests::engines::StrictSecretsManager;
use tests::provision::{Ran, World};
use tests::sinks::KeyVaultBench;
use tests::sinks::azure_key_vault::CLIENT_SECRET;

use super::{START, assert_told};

const TOKENS: &str = r#"
[sinks.box]
type = "azure-key-vault"
vault = "acme"
endpoint = "ENDPOINT"

[tokens.build-api]
user = "ci"
push = [{ sink = "box", name = "build-token" }]

[tokens.deploy-api]
user = "ci"
push = [{ sink = "box", name = "deploy-token" }]
"#;

struct Vault {
    world: World,
    bench: KeyVaultBench,
}

impl Vault {
    async fn start() -> Self {
        let bench = KeyVaultBench::start().await;
        let (start, _) = START.split_once("[sinks.dev]").unwrap();
        let world = World::with(&format!("{start}{}", TOKENS.trim_start().replace("ENDPOINT", &bench.vault.url())));
        Self { world, bench }
    }

    fn run(&self, words: &str) -> Ran {
        self.run_but("", "", words)
    }

    /// With one variable of the sign-in changed.
    fn run_but(&self, name: &str, value: &str, words: &str) -> Ran {
        let mut variables = self.bench.vault.variables();
        if !name.is_empty() {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.world.run_in(&variables, words)
    }

    /// What a consumer reads.
    fn value(&self, name: &str) -> Option<String> {
        let newest = self.bench.vault.versions(name).pop()?;
        newest.enabled.then_some(newest.value)
    }

    fn holds_what_works(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| self.world.is_valid(&value))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_from_the_first_plan_to_a_rotation() {
    let vault = Vault::start().await;
    vault.run("plan").exits(0);
    vault.run("apply").exits(0);
    vault.run("plan --detailed-exitcode").exits(0);
    let first = vault.value("build-token").unwrap();
    assert!(vault.holds_what_works("build-token") && vault.holds_what_works("deploy-token"));
    vault.run("rotate tokens.toml build-api").exits(0);
    assert_ne!(vault.value("build-token").unwrap(), first);
    assert!(vault.holds_what_works("build-token") && vault.world.is_valid(&first));
    vault.run("status").exits(0);
    assert_told!(vault.world);
    let changes = vault.bench.vault.changes();
    assert_eq!(changes, 3, "one version a token, and one more");
    vault.run("apply").exits(0);
    assert_eq!(vault.bench.vault.changes(), changes, "nothing to do, and nothing is written");
    assert!(!vault.bench.spoken().contains(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_to_a_vault_is_found_and_mended() {
    let vault = Vault::start().await;
    vault.bench.vault.set_by_hand("deploy-token", "somebody's own", &[]);
    vault.run("apply").exits(3);
    assert_eq!(vault.value("deploy-token").as_deref(), Some("somebody's own"));
    vault.world.edit(r#"name = "deploy-token" }"#, r#"name = "deploy-token", adopt = true }"#);
    vault.run("apply").exits(0);
    assert!(vault.holds_what_works("deploy-token"));
    vault.bench.vault.set_by_hand("build-token", "edited-by-hand", &[]);
    vault.bench.vault.enable_by_hand("deploy-token", false);
    vault.run("plan --detailed-exitcode").exits(2);
    vault.run("apply").exits(0);
    assert!(vault.holds_what_works("build-token") && vault.holds_what_works("deploy-token"));
    vault.run("plan --detailed-exitcode").exits(0);
    // Somebody deletes one: they are told what to do, and then it goes on.
    vault.bench.vault.delete_by_hand("build-token");
    vault.run("plan").exits(1);
    assert_told!(vault.world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_leaves_and_comes_back() {
    let vault = Vault::start().await;
    vault.run("apply").exits(0);
    let _ = vault.world.told();
    let first = vault.value("build-token").unwrap();
    vault.world.edit("\"build-token\"", "\"other-token\"");
    vault.run("apply --prune").exits(0);
    assert_eq!(vault.value("build-token"), None);
    assert_eq!(vault.value("other-token").as_deref(), Some(&*first), "the secret went along");
    vault.world.edit("\"other-token\"", "\"build-token\"");
    vault.run("plan").exits(0);
    vault.run("apply").exits(0);
    assert_told!(vault.world);
    assert!(vault.holds_what_works("build-token"));
    let [put_away, back] = &vault.bench.vault.versions("build-token")[..] else { panic!("two versions") };
    assert!(!put_away.enabled && back.enabled, "nobody could read the old one when it was recovered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_does_not_work_is_told_and_nothing_is_staged() {
    let vault = Vault::start().await;
    vault.run_but("AZURE_CLIENT_SECRET", "wrong-secret", "plan").exits(1);
    vault.run_but("AZURE_CLIENT_ID", "", "plan").exits(1);
    vault.run_but("AZURE_AUTHORITY_HOST", "https://login.evil.test", "plan").exits(1);
    vault.bench.vault.rule(|rules| drop(rules.forbidden.insert("get".to_owned(), "ForbiddenByRbac".to_owned())));
    vault.bench.vault.rule(|rules| drop(rules.forbidden.insert("list".to_owned(), "ForbiddenByRbac".to_owned())));
    vault.run("plan").exits(1);
    vault.run("apply").exits(3);
    assert_told!(vault.world);
    assert_eq!(vault.bench.vault.changes(), 0);
}

/// Whoever has three variables to set learns of all three at once, of every sink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_credentials_that_are_missing_are_named_in_one_run() {
    let bench = KeyVaultBench::start().await;
    let (start, _) = START.split_once("[sinks.dev]").unwrap();
    let sinks = r#"[sinks.app]
type = "heroku"
app = "acme-app"

[sinks.box]
type = "azure-key-vault"
vault = "acme"
endpoint = "ENDPOINT"
sign_in = "client-secret"

[tokens.build-api]
user = "ci"
push = [{ sink = "app", name = "BUILD_TOKEN" }, { sink = "box", name = "build-token" }]
"#;
    let url = bench.vault.url();
    let world = World::with(&format!("{start}{}", sinks.replace("ENDPOINT", &url)));
    let cloud = [("AZURE_AUTHORITY_HOST", url.as_str())];
    world.run_in(&cloud, "plan").exits(1);
    world.run_in(&cloud, "doctor").exits(1);
    assert_told!(world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_secret_stands_in_secrets_manager() {
    let vault = Vault::start().await;
    let manager = StrictSecretsManager::start().await;
    let person = manager.person("eu-west-1");
    let stored = json!({ "Name": "latchkey/logins/acme/azure", "SecretString": CLIENT_SECRET });
    assert!(person.call("CreateSecret", stored).await.status.is_success());
    vault.world.edit("vault = \"acme\"", "vault = \"acme\"\nlogin = { secret = \"latchkey/logins/acme/azure\" }");
    let url = manager.url();
    let mut variables = vault.bench.vault.variables();
    variables.remove("AZURE_CLIENT_SECRET");
    let mut variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend([
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "login"),
    ]);
    let ran = vault.world.run_in(&variables, "apply").exits(0);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(CLIENT_SECRET));
    assert!(vault.holds_what_works("build-token"));
    // One that is not there is told by its name.
    person.call("DeleteSecret", json!({ "SecretId": "latchkey/logins/acme/azure" })).await;
    let ran = vault.world.run_in(&variables, "plan").exits(1);
    assert!(ran.stdout.contains("latchkey/logins/acme/azure") || ran.stderr.contains("latchkey/logins/acme/azure"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_signed_in_with_the_azure_cli_is_signed_in() {
    let vault = Vault::start().await;
    vault.world.edit("vault = \"acme\"", "vault = \"acme\"\nsign_in = \"az\"");
    let folder = vault.world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let az = |script: &str| {
        let path = folder.join("az");
        vault.world.write("bin/az", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    };
    // Whatever else is installed on this machine is not found.
    let path = folder.display().to_string();
    let url = vault.bench.vault.url();
    let run =
        |words: &str| vault.world.run_in(&[("PATH", path.as_str()), ("AZURE_AUTHORITY_HOST", url.as_str())], words);
    run("plan --verbose").exits(1);
    az("echo 'Please run az login: hunter2' >&2; echo hunter2; exit 1");
    run("plan --verbose").exits(1);
    az("echo '{\"access_token\": \"hunter2\"}'");
    run("plan --verbose").exits(1);
    let told = vault.world.told();
    assert!(!told.contains("hunter2"), "{told}");
    let blocked = |line: &&str| line.contains("`ci/build-api`: blocked: cannot read `");
    let reason = |line| str::split_once(line, "cannot read `")?.1.split_once("`: ");
    let reasons: Vec<&str> = told.lines().filter(blocked).map(|line| reason(line).unwrap().1).collect();
    insta::assert_snapshot!(reasons.join("\n"), @"
    there are no Azure credentials in the environment, and `az` is not installed
    `az account get-access-token` failed: nobody is signed in
    `az account get-access-token` printed no token
    ");
    let token = vault.bench.vault.token();
    az(&format!(
        "[ \"$*\" = 'account get-access-token --output json --resource https://vault.azure.net' ] || exit 2\n\
         echo '{{\"accessToken\": \"{token}\", \"expiresOn\": \"2026-01-01\", \"tokenType\": \"Bearer\"}}'"
    ));
    let ran = run("apply").exits(0);
    assert!(vault.holds_what_works("build-token"));
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(&token));
}
