//! Region, login and account as they come from the environment. Each case is a process with an environment of its own:
//! this test binary again, with one ignored test.

use std::process::Command;

use super::*;

const CASE: &str = "LATCHKEY_TEST_CASE";

#[tokio::test]
async fn logins_come_from_where_awss_own_tools_take_them() {
    let manager = StrictSecretsManager::start().await;
    let home = tempfile::tempdir().unwrap();
    let profile = "[profile ours]\nregion = eu-central-1\naws_access_key_id = key\naws_secret_access_key = login\n";
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::io::Write::write_all(&mut std::fs::File::create(home.path().join(".aws/config")).unwrap(), profile.as_bytes())
        .unwrap();
    let run = async |case: &str, environment: &[(&str, &str)]| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "secrets_manager::logins::child", "--ignored", "--nocapture"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            child.env_remove(name);
        }
        child.env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true").env(CASE, case);
        child.envs(environment.iter().copied());
        // Off this thread, which serves the child.
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let (endpoint, region) = (("AWS_ENDPOINT_URL", manager.url()), ("AWS_REGION", REGION));
    let endpoint = (endpoint.0, endpoint.1.as_str());
    let login = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "login")];
    run("no-region", &login).await;
    run("no-login", &[region, endpoint]).await;
    run("account", &[region, endpoint, login[0], login[1]]).await;
    run("profile", &[endpoint]).await;
    assert!(manager.count("GetCallerIdentity") >= 3);
}

#[tokio::test]
#[ignore = "run by the test above, in a process with an environment of its own"]
async fn child() {
    let case = std::env::var(CASE).unwrap_or_default();
    let place = async |settings| AwsSecretsManager::new(settings).place("any", None).await;
    match case.as_str() {
        "no-region" => login_error(place(Settings::default()).await, "no AWS region is set"),
        "no-login" => login_error(place(Settings::default()).await, "no AWS credentials were found"),
        "account" => {
            let found = place(Settings::default()).await.unwrap();
            assert_eq!((found.part("account"), found.part("region")), (Some("123456789012"), Some(REGION)));
            assert!(found.part("endpoint").is_some());
            let same = Settings { account: Some("123456789012".to_owned()), ..Settings::default() };
            assert_eq!(place(same).await.unwrap(), found);
            let other = Settings { account: Some("999999999999".to_owned()), ..Settings::default() };
            login_error(place(other).await, "to account `123456789012`, but the sink is set to account `999999999999`");
        }
        "profile" => {
            let settings = Settings { profile: Some("ours".to_owned()), ..Settings::default() };
            assert_eq!(place(settings).await.unwrap().part("region"), Some("eu-central-1"));
            let settings = Settings {
                profile: Some("missing".to_owned()),
                region: Some(REGION.to_owned()),
                ..Settings::default()
            };
            login_error(place(settings).await, "there is no AWS profile `missing`, which the sink names");
        }
        // Somebody runs all ignored tests.
        _ => {}
    }
}

#[track_caller]
fn login_error(answer: Result<Place, SinkError>, wanted: &str) {
    match answer {
        Err(SinkError::Login { reason, hint }) => assert!(reason.contains(wanted) && !hint.is_empty(), "{reason}"),
        other => panic!("should be a login error: {other:?}"),
    }
}
