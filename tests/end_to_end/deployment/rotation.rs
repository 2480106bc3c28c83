//! The scheduled job as it is deployed: the real template's schedule invokes the real function.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use latchkey_sinks::files::write_atomic;
use serde_json::json;
use tests::deployment::{ROTATED, Stack, binaries};
use tests::engines::{Person, StrictSecretsManager};
use tests::provision::{DAY, HOUR};
use tests::sinks::heroku::Heroku;

const APP: &str = "acme-worker";

const WORKER: &str = r#"
[sinks.worker]
type = "heroku"
app = "acme-worker"
login = { secret = "latchkey/logins/acme/heroku" }
"#;

/// Where a consumer reads.
#[derive(Clone, Copy)]
enum Place {
    Vault,
    Dyno,
}

/// A turn comes once a minute, within ten seconds.
const WITHIN: Duration = Duration::from_secs(150);

/// What a build reads.
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
    let heroku = Heroku::new("heroku-login", &[APP]).serve().await;
    // Raised on request, as Heroku does: by its clock all this is a few minutes.
    heroku.vendor().left(1_000_000);
    let vendors = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", manager.url()), ("LATCHKEY_HEROKU_URL", heroku.url())];
    let mut variables: Vec<(&str, &str)> = vendors.iter().map(|(name, url)| (*name, url.as_str())).collect();
    variables.push(("LATCHKEY_TEST_CLOCK", clock.to_str().unwrap()));
    let stack = Stack::start_with(&variables);
    let outputs = stack.deploy("latchkey", &["RotateSchedule=rate(1 minute)", "ThrottlingRate=1000"]);
    let login = json!({ "Name": "latchkey/logins/acme/heroku", "SecretString": "heroku-login" });
    manager.person("us-east-1").call("CreateSecret", login).await;
    let build = "{ sink = \"vault\", name = \"prod/build-token\" }";
    let manifest =
        ROTATED.replace(build, &format!("{build}, {{ sink = \"worker\", name = \"BUILD_TOKEN\" }}")) + WORKER;
    write_atomic(&folder.path().join("tokens.toml"), manifest.as_bytes(), 0o600).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = stack.command(binaries().join("provision"));
        command
            .args(arguments)
            .current_dir(folder.path())
            .envs(vendors.clone())
            .env("LATCHKEY_ALLOW_HOSTS", "127.0.0.1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["apply", "--publish"]);
    let vault = "aws-secrets-manager:account=000000000000,region=eu-west-1,*";
    run(&["manifest", "grant", "acme", "--entry", vault, "--entry", "heroku:app=acme-worker,*"]);
    let person = manager.person("eu-west-1");
    let dyno = || heroku.vendor().running(APP, "BUILD_TOKEN").unwrap();
    let first = value(&person).await;
    assert_eq!(dyno(), first);
    let valid = async |secret: &str| stack.send(&outputs["ApiId"], ("GET", "/v1/me"), Some(secret), None).await.status;
    assert_eq!(valid(&first).await, 200);

    // From now on consumers read their place again and again, and are never refused.
    let (ends, checks) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
    let consumer = async |place: Place, checks: &AtomicU64| {
        while !ends.load(Ordering::Relaxed) {
            let read = match place {
                Place::Vault => value(&person).await,
                Place::Dyno => dyno(),
            };
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
        assert_eq!(dyno(), value(&person).await, "both places have it");
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
    tokio::join!(consumer(Place::Vault, &checks[0]), consumer(Place::Dyno, &checks[1]), story);
    assert!(checks.iter().all(|checks| checks.load(Ordering::Relaxed) > 20), "{checks:?}");
    assert_eq!(
        (heroku.vendor().releases(APP), heroku.complaints()),
        (3, Vec::new()),
        "one when it was made, and each once"
    );
    let told = stack.logs();
    assert!(told.contains("\"rotated\":2.0"), "{told}");
    assert_eq!(tests::provision::secrets_in(&told), Vec::<String>::new());
}
