//! What a manifest, or a server that it names, could try in order to get a token or a secret out.

use std::path::Path;

use latchkey_sinks::azure_key_vault::{Cloud, Variables};
use latchkey_sinks::conformance::Bench as _;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{Seen, Sink as _, SinkError};
use provisioner::manifest::parse;
use tests::sinks::KeyVaultBench;
use tests::sinks::azure_key_vault::TENANT;

use super::{Version, look, place, told, write};

/// Looks at a vault that says this in its 401.
async fn challenged(challenge: &str) -> (KeyVaultBench, SinkError) {
    let bench = KeyVaultBench::start().await;
    bench.vault.rule(|rules| rules.challenge = Some(challenge.to_owned()));
    let place = place(&bench, "API_TOKEN").await;
    let error = look(&bench, &place).await.unwrap_err();
    (bench, error)
}

#[tokio::test]
async fn a_server_that_asks_for_a_token_for_something_else_gets_none() {
    let login = format!("https://login.microsoftonline.com/{TENANT}");
    for (authorization, resource) in [
        (login.as_str(), "https://management.azure.com"),
        (&login, "https://graph.microsoft.com"),
        (&login, "https://vault.azure.cn"),
        (&login, "https://vault.azure.net.evil.test"),
        ("https://evil.test/x", "https://vault.azure.net"),
        ("https://login.microsoftonline.com.evil.test/x", "https://vault.azure.net"),
        ("http://login.microsoftonline.com/x", "https://vault.azure.net"),
    ] {
        let challenge = format!("Bearer authorization=\"{authorization}\", resource=\"{resource}\"");
        let (bench, error) = challenged(&challenge).await;
        assert!(matches!(error, SinkError::Refused { .. }), "{challenge}: {error:?}");
        assert!(told(&error).starts_with("no token was sent: "), "{}", told(&error));
        assert_eq!(bench.vault.issued(), 0, "{challenge}");
        assert_eq!(bench.vault.requests().len(), 1, "{challenge}: only the question without a token");
    }
    for none in ["", "Basic realm=\"vault\"", "Bearer realm=\"vault\"", "Negotiate"] {
        let (bench, error) = challenged(none).await;
        assert!(matches!(error, SinkError::Refused { .. }), "{none}: {error:?}");
        assert_eq!(bench.vault.issued(), 0, "{none}");
    }
}

#[tokio::test]
async fn a_vault_of_another_tenant_gets_no_token_and_no_secret() {
    let theirs = "00000000-1111-2222-3333-444444444444";
    let challenge = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{theirs}\", resource=\"https://vault.azure.net\""
    );
    let (bench, error) = challenged(&challenge).await;
    insta::assert_snapshot!(error, @"the vault `acme` belongs to tenant `00000000-1111-2222-3333-444444444444`, but the sign-in to tenant `72f988bf-86f1-41af-91ab-2d7cd011db47`");
    let place = place(&bench, "API_TOKEN").await;
    let refused = write(&bench, &place, &Version::first(), &Seen::Absent).await;
    assert!(matches!(refused, Err(SinkError::Login { .. })), "{refused:?}");
    assert_eq!(bench.vault.issued(), 0);
    assert_eq!(bench.vault.count("PUT"), 0);
}

#[tokio::test]
async fn sign_ins_of_one_cloud_go_to_no_other() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    for cloud in [Cloud::China, Cloud::UsGovernment] {
        let mut config = bench.settings(None);
        config.cloud = cloud;
        let sink = bench.sink_with(config, Variables::These(bench.vault.variables()));
        let there = latchkey_sinks::DeclaredSink::place(&sink, &bench.push("API_TOKEN")).await.unwrap();
        assert_ne!(there.id(), place.id());
        // The fake asks for tokens of the public cloud.
        let error = sink.look(&[&there]).await.remove(0).unwrap_err();
        assert!(matches!(error, SinkError::Refused { .. }), "{error:?}");
    }
    let mut variables = bench.vault.variables();
    variables.insert("AZURE_AUTHORITY_HOST".to_owned(), "https://login.evil.test".to_owned());
    let sink = bench.sink_with(bench.settings(None), Variables::These(variables));
    let error = sink.look(&[&place]).await.remove(0).unwrap_err();
    assert!(matches!(error, SinkError::Login { .. }) && told(&error).contains("AZURE_AUTHORITY_HOST"), "{error:?}");
    assert_eq!(bench.vault.issued(), 0);
}

#[tokio::test]
async fn the_next_page_of_a_list_is_asked_of_the_same_vault_only() {
    let (bench, thief) = (KeyVaultBench::start().await, KeyVaultBench::start().await);
    let place = place(&bench, "API_TOKEN").await;
    for link in [
        format!("{}/secrets?api-version=7.4&$skiptoken=1", thief.vault.url()),
        "https://evil.vault.azure.net/secrets?api-version=7.4".to_owned(),
        format!("{}/metadata/identity/oauth2/token?resource=x", bench.vault.url()),
        format!("{}@{}/secrets", bench.vault.url(), thief.vault.url().trim_start_matches("http://")),
        "/secrets".to_owned(),
    ] {
        bench.vault.rule(|rules| rules.next_link = Some(link.clone()));
        let error = bench.sink().survey(&[&place]).await.remove(0).unwrap_err();
        assert!(matches!(error, SinkError::Refused { .. }), "{link}: {error:?}");
    }
    assert!(thief.vault.requests().is_empty(), "{:?}", thief.vault.requests());
    // A list that leads to itself is given up.
    let itself = format!("{}/secrets?api-version=7.4&maxresults=25", bench.vault.url());
    bench.vault.rule(|rules| rules.next_link = Some(itself));
    let error = bench.sink().survey(&[&place]).await.remove(0).unwrap_err();
    assert!(matches!(error, SinkError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_manifest_cannot_name_a_host_that_gets_the_token() {
    let read = |vault: &str, endpoint: &str, hosts: &[&str]| {
        let text = format!(
            "manifest = \"acme\"\n[users.ci]\nkind = \"service\"\n[sinks.box]\ntype = \"azure-key-vault\"\nvault = {vault:?}\n\
             endpoint = {endpoint:?}\n[tokens.prod-api]\nuser = \"ci\"\npush = [{{ sink = \"box\", name = \"api\" }}]\n"
        );
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let allowances = Allowances { hosts, ..Allowances::default() };
        parse(Path::new("tokens.toml"), Path::new("/repo"), &text, &allowances).is_ok()
    };
    for good in ["https://acme.vault.azure.net", "https://ACME.vault.azure.net:443/"] {
        assert!(read("acme", good, &[]), "{good}");
    }
    for bad in [
        "https://evil.vault.azure.net",
        "https://acme.vault.azure.net.evil.test",
        "https://evil.test/acme.vault.azure.net",
        "https://acme.vault.azure.net@evil.test",
        "http://acme.vault.azure.net",
        "https://acme.vault.azure.cn",
        "https://evil.test",
        "http://127.0.0.1:8080",
    ] {
        assert!(!read("acme", bad, &[]), "{bad}");
    }
    assert!(read("acme", "http://127.0.0.1:8080", &["127.0.0.1"]));
    assert!(read("acme", "https://vault.internal.example.com", &["vault.internal.example.com"]));
    for vault in ["evil.test/", "evil.test#", "acme.evil.test", "acme@evil", "127.0.0.1", "a/../b", "acme:80", ""] {
        assert!(!read(vault, "http://127.0.0.1:8080", &[]), "{vault}");
    }
}
