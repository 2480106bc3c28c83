//! Each way to sign in, the order in which they are tried, and what half a set of variables says.

use std::collections::BTreeMap;
use std::io::Write as _;

use latchkey_sinks::azure_key_vault::{SignInMethod, Variables};
use latchkey_sinks::conformance::Bench as _;
use latchkey_sinks::login::Login;
use latchkey_sinks::{Seen, Sink as _, SinkError};
use tests::sinks::azure_key_vault::{ASSERTION, CLIENT, CLIENT_SECRET, IDENTITY_HEADER, JOB_TOKEN, TENANT};
use tests::sinks::{KeyVaultBench, Nap};

use super::{place, told};

type Environment = Vec<(&'static str, String)>;

/// Looks with such an environment.
async fn look(bench: &KeyVaultBench, way: Option<SignInMethod>, variables: &Environment) -> Result<Seen, SinkError> {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let sink = bench.sink_with(bench.settings(way), Variables::These(variables));
    let place = place(bench, "API_TOKEN").await;
    let seen = sink.look(&[&place]).await.remove(0);
    if let Err(error) = &seen {
        let said = format!("{} {error:?}", told(error));
        for login in [CLIENT_SECRET, ASSERTION, JOB_TOKEN, IDENTITY_HEADER] {
            assert!(!said.contains(login), "a login was shown: {said}");
        }
    }
    seen
}

fn application(bench: &KeyVaultBench) -> Environment {
    vec![
        ("AZURE_TENANT_ID", TENANT.to_owned()),
        ("AZURE_CLIENT_ID", CLIENT.to_owned()),
        ("AZURE_AUTHORITY_HOST", bench.vault.url()),
    ]
}

fn with(mut variables: Environment, more: &[(&'static str, &str)]) -> Environment {
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    variables
}

/// A vault that sends sign-ins to where Azure's own does.
async fn vault() -> KeyVaultBench {
    let bench = KeyVaultBench::start().await;
    let login = format!("https://login.microsoftonline.com/{TENANT}");
    let challenge = format!("Bearer authorization=\"{login}\", resource=\"https://vault.azure.net\"");
    bench.vault.rule(|rules| rules.challenge = Some(challenge));
    bench
}

fn assertion() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{ASSERTION}").unwrap();
    file
}

#[tokio::test]
async fn every_way_to_sign_in_brings_a_token() {
    let bench = vault().await;
    let (file, url) = (assertion(), bench.vault.url());
    let path = file.path().to_str().unwrap();
    let (github, metadata, service) = (format!("{url}/github/token?id=7"), url.clone(), format!("{url}/msi/token"));
    let machine = vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata)];
    let ways: [(Option<SignInMethod>, Environment); 9] = [
        (None, with(application(&bench), &[("AZURE_FEDERATED_TOKEN_FILE", path)])),
        (
            None,
            with(
                application(&bench),
                &[("ACTIONS_ID_TOKEN_REQUEST_URL", &github), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_TOKEN)],
            ),
        ),
        (None, with(application(&bench), &[("AZURE_CLIENT_SECRET", CLIENT_SECRET)])),
        (None, vec![("IDENTITY_ENDPOINT", service), ("IDENTITY_HEADER", IDENTITY_HEADER.to_owned())]),
        (None, machine.clone()),
        (Some(SignInMethod::ManagedIdentity), machine.clone()),
        // These stand in every job of GitHub that may sign in anywhere: alone they say nothing of Azure.
        (None, with(machine.clone(), &[("ACTIONS_ID_TOKEN_REQUEST_URL", &github)])),
        // Which of several identities.
        (None, with(machine.clone(), &[("AZURE_CLIENT_ID", CLIENT)])),
        // One that is wanted hides the others.
        (
            Some(SignInMethod::ClientSecret),
            with(
                application(&bench),
                &[("AZURE_CLIENT_SECRET", CLIENT_SECRET), ("AZURE_FEDERATED_TOKEN_FILE", "/nowhere")],
            ),
        ),
    ];
    for (way, variables) in ways {
        let before = bench.vault.issued();
        let seen = look(&bench, way, &variables).await;
        assert!(matches!(seen, Ok(Seen::Absent)), "{way:?} {variables:?}: {seen:?}");
        assert!(bench.vault.issued() > before);
    }
}

#[tokio::test]
async fn half_a_set_of_variables_names_the_rest_and_is_never_passed_over() {
    let bench = vault().await;
    // A machine's identity would work: as somebody else.
    let machine = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", bench.vault.url())];
    let machine: Vec<(&str, &str)> = machine.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (tenant, client, secret) =
        (("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT), ("AZURE_CLIENT_SECRET", CLIENT_SECRET));
    let file = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token");
    let (url, token) =
        (("ACTIONS_ID_TOKEN_REQUEST_URL", "https://example.com/x"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_TOKEN));
    for (given, missing) in [
        (vec![secret], "AZURE_TENANT_ID"),
        (vec![secret, tenant], "AZURE_CLIENT_ID"),
        (vec![secret, client], "AZURE_TENANT_ID"),
        (vec![tenant], "AZURE_CLIENT_ID"),
        (vec![tenant, client], "AZURE_CLIENT_SECRET"),
        (vec![file], "AZURE_TENANT_ID"),
        (vec![file, tenant], "AZURE_CLIENT_ID"),
        (vec![file, client, secret], "AZURE_TENANT_ID"),
        (vec![url, tenant, client], "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        (vec![token, tenant, client], "ACTIONS_ID_TOKEN_REQUEST_URL"),
        (vec![url, token, client], "AZURE_TENANT_ID"),
        (vec![("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")], "IDENTITY_HEADER"),
        (vec![("IDENTITY_HEADER", IDENTITY_HEADER)], "IDENTITY_ENDPOINT"),
    ] {
        let error = look(&bench, None, &with(with(Vec::new(), &machine), &given)).await.unwrap_err();
        assert!(matches!(error, SinkError::Login { .. }), "{given:?}: {error:?}");
        assert!(told(&error).contains(&format!("`{missing}`")), "{given:?}: {}", told(&error));
    }
    assert_eq!(bench.vault.issued(), 0, "nobody signed in as somebody else");
    for (given, missing) in [
        (vec![secret], vec!["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]),
        (vec![file], vec!["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]),
        (vec![tenant], vec!["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"]),
        (vec![url, client], vec!["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_TENANT_ID"]),
        (vec![token, client], vec!["ACTIONS_ID_TOKEN_REQUEST_URL", "AZURE_TENANT_ID"]),
    ] {
        let error = look(&bench, None, &with(Vec::new(), &given)).await.unwrap_err();
        for missing in missing {
            assert!(error.to_string().contains(&format!("`{missing}`")), "{given:?}: {error}");
            assert!(error.hint().unwrap().contains(missing) || given == [tenant], "{given:?}: {}", told(&error));
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_is_refused_says_why_and_not_with_what() {
    let bench = KeyVaultBench::start().await;
    let wrong = with(application(&bench), &[("AZURE_CLIENT_SECRET", "wrong-secret")]);
    let error = look(&bench, None, &wrong).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    could not sign in as `11111111-2222-3333-4444-555555555555`: the client secret is wrong (`AADSTS7000215`)
    set the secret's value, not its id
    ");
    assert!(!format!("{error:?}").contains("wrong-secret"));
    let good = with(application(&bench), &[("AZURE_CLIENT_SECRET", CLIENT_SECRET)]);
    let mut said = Vec::new();
    for code in [7_000_222, 700_016, 90_002, 700_213, 53_003] {
        bench.vault.rule(|rules| rules.sign_in_fails = Some(code));
        said.push(look(&bench, None, &good).await.unwrap_err().to_string().split_once(": ").unwrap().1.to_owned());
    }
    insta::assert_snapshot!(said.join("\n"), @"
    the client secret has expired (`AADSTS7000222`)
    there is no such application in that tenant (`AADSTS700016`)
    there is no such tenant (`AADSTS90002`)
    no federated credential of the application matches this job (`AADSTS700213`)
    it was refused (`AADSTS53003`)
    ");
}

#[tokio::test]
async fn the_client_secret_may_stand_elsewhere() {
    let bench = KeyVaultBench::start().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{CLIENT_SECRET}").unwrap();
    let mut config = bench.settings(None);
    config.login = Some(Login::File { file: file.path().to_owned() });
    let variables = application(&bench).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let place = place(&bench, "API_TOKEN").await;
    let seen = bench.sink_with(config, Variables::These(variables)).look(&[&place]).await.remove(0);
    assert!(matches!(seen, Ok(Seen::Absent)), "{seen:?}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_once_when_it_is_refused() {
    let bench = KeyVaultBench::start().await;
    let sink = bench.sink();
    let place = place(&bench, "API_TOKEN").await;
    for _ in 0..3 {
        sink.look(&[&place]).await.remove(0).unwrap();
    }
    assert_eq!(bench.vault.issued(), 1);
    // 56 minutes later it would work for four minutes yet.
    aws_smithy_async::rt::sleep::AsyncSleep::sleep(&Nap, std::time::Duration::from_mins(56)).await;
    sink.look(&[&place]).await.remove(0).unwrap();
    assert_eq!(bench.vault.issued(), 2);
    bench.vault.end_tokens();
    sink.look(&[&place]).await.remove(0).unwrap();
    assert_eq!(bench.vault.issued(), 3);
    // Where new tokens are no good either it is said, and not tried for ever.
    bench.vault.rule(|rules| rules.token_seconds = 0);
    bench.vault.end_tokens();
    let error = sink.look(&[&place]).await.remove(0).unwrap_err();
    assert!(matches!(error, SinkError::Login { .. }), "{error:?}");
    assert_eq!(bench.vault.issued(), 4);
}
