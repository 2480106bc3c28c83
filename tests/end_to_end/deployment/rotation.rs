//! The scheduled job as it is deployed: the real template's schedule invokes the real function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use latchkey_sinks::files::write_atomic;
use serde_json::json;
use tests::deployment::{ROTATED, Stack, binaries};
use tests::engines::{Person, StrictSecretsManager};
use tests::provision::{DAY, HOUR};

/// A turn comes once a minute, within ten seconds.
const WITHIN: Duration = Duration::from_secs(150);

/// What consumers read.
async fn value(person: &Person) -> String {
    let asked = json!({ "SecretId": "prod/build-token", "VersionStage": "AWSCURRENT" });
    person.call("GetSecretValue", asked).await.value()["SecretString"].as_str().unwrap().to_owned()
}

/// Waits until something holds.
async fn until(stack: &Stack, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    };
    let waited = tokio::time::timeout(WITHIN, waited).await;
    assert!(waited.is_ok(), "{what}: {}", stack.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_rotates_what_is_due_with_nobody_touching_it() {
    let (manager, folder) = (StrictSecretsManager::start().await, tempfile::tempdir().unwrap());
    let clock = folder.path().join("clock");
    let set_clock = |seconds: i64| write_atomic(&clock, seconds.to_string().as_bytes(), 0o600).unwrap();
    set_clock(0);
    let vault = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", manager.url())];
    let variables = [("LATCHKEY_TEST_CLOCK", clock.to_str().unwrap()), (vault[0].0, vault[0].1.as_str())];
    let stack = Stack::start_with(&variables);
    let outputs = stack.deploy("latchkey", &["RotateSchedule=rate(1 minute)", "ThrottlingRate=1000"]);
    write_atomic(&folder.path().join("tokens.toml"), ROTATED.as_bytes(), 0o600).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = stack.command(binaries().join("provision"));
        command.args(arguments).current_dir(folder.path()).envs(vault.clone()).env("LATCHKEY_ALLOW_HOSTS", "127.0.0.1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["apply", "--publish"]);
    run(&["manifest", "grant", "acme", "--entry", "aws-secrets-manager:account=000000000000,region=eu-west-1,*"]);
    let person = manager.person("eu-west-1");
    let first = value(&person).await;
    let valid = async |secret: &str| stack.send(&outputs["ApiId"], ("GET", "/v1/me"), Some(secret), None).await.status;
    assert_eq!(valid(&first).await, 200);

    // From now on a consumer reads its place again and again, and is never refused.
    let (ends, checks) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let consumer = async {
        while !ends.load(Ordering::Relaxed) {
            let read = value(&person).await;
            assert_eq!(valid(&read).await, 200, "{}", stack.logs());
            checks.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let story = async {
        set_clock(30 * DAY + HOUR);
        // Its turn has to be over: it would go on at the next time. One that began before the clock moved finds the same as
        // drift.
        let turn = |told: &str| stack.logs_of("/aws/lambda/latchkey-rotate").contains(told);
        until(&stack, "it is not rotated", async || turn("\"rotated\":2,")).await;
        assert_ne!(value(&person).await, first);
        assert_eq!(valid(&first).await, 200, "it works through the overlap");
        set_clock(33 * DAY);
        // Whoever asked with it would be a consumer of it, and it would not end.
        until(&stack, "the older version does not end", async || {
            turn("\"done\":2,\"rotated\":0") || turn("\"repaired\":2")
        })
        .await;
        assert_eq!(valid(&first).await, 401);
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(consumer, story);
    assert!(checks.load(Ordering::Relaxed) > 20);
    let told = stack.logs();
    assert!(told.contains("\"rotated\":2.0"), "{told}");
    assert_eq!(tests::provision::secrets_in(&told), Vec::<String>::new());
}
