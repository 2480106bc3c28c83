//! What policies of an organisation demand of a secret.

use jiff::Timestamp;
use latchkey::clock::{Clock as _, SystemClock};
use latchkey::lifetime::Seconds;
use latchkey_sinks::azure_key_vault::{AzureKeyVault, Expires, Settings, Variables};
use latchkey_sinks::{Seen, Sink as _, SinkError, Write};
use tests::sinks::KeyVaultBench;

use super::{Version, place, soon, told, write};

#[tokio::test]
async fn an_expiry_and_a_content_type_are_set_where_the_sink_says_so() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let version = Version::first();
    write(&bench, &place, &version, &Seen::Absent).await.unwrap();
    let plain = bench.vault.versions("api-token").pop().unwrap();
    assert_eq!((plain.expires, plain.content_type.as_deref()), (None, Some("text/plain")));
    let with = |expires: Expires| {
        let content_type = Some("application/x-latchkey".to_owned());
        let settings = Settings { expires: Some(expires), content_type, ..bench.settings(None) };
        bench.sink_with(settings, Variables::These(bench.vault.variables()))
    };
    let write_with = async |sink: &AzureKeyVault, version: &Version| {
        let seen = sink.look(&[&place]).await.remove(0).unwrap();
        let Version { secret, marker } = version;
        let write =
            Write { place: &place, secret, marker, token_name: "production-api", manifest: "acme", seen: &seen };
        sink.write(&[write], soon()).await.remove(0)
    };
    let next = version.next();
    let before = SystemClock.now().as_second();
    write_with(&with(Expires::After(Seconds::days(90))), &next).await.unwrap();
    let written = bench.vault.versions("api-token").pop().unwrap();
    assert_eq!(written.content_type.as_deref(), Some("application/x-latchkey"));
    let from = written.expires.unwrap() - 90 * 86_400;
    assert!((before - 2..before + 60).contains(&from), "{from} {before}");
    // A date that has passed is told before anything is staged.
    let over = with(Expires::At(Timestamp::from_second(before - 1).unwrap()));
    let prepared = over.prepare(&[&place]).await.remove(0).unwrap_err();
    assert!(
        told(&prepared).contains("has passed") && told(&prepared).contains("set a later date"),
        "{}",
        told(&prepared)
    );
    assert!(matches!(write_with(&over, &next.next()).await, Err(SinkError::Refused { .. })));
    let date = Timestamp::from_second(before + 86_400).unwrap();
    write_with(&with(Expires::At(date)), &next.next()).await.unwrap();
    assert_eq!(bench.vault.versions("api-token").pop().unwrap().expires, Some(date.as_second()));
}

#[tokio::test]
async fn a_refusal_by_azure_policy_names_it_and_what_to_set() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let mut said = Vec::new();
    for words in ["Operation \"set\" was disallowed by policy 'Secrets should have expiration date set'.", "Forbidden"]
    {
        bench.vault.rule(|rules| rules.demands_expiry = Some(words));
        let error = write(&bench, &place, &Version::first(), &Seen::Absent).await.unwrap_err();
        let error = error.of_write().0;
        assert!(matches!(error, SinkError::Denied { .. }) && !told(&error).contains("disallowed"), "{error:?}");
        said.push(told(&error));
    }
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    an Azure Policy does not allow to set `api-token` (`Forbidden`)
    set what the policy demands in the sink: `expires = "90d"`, or a `content_type`; or have the vault exempted from it

    the client secret is not allowed to set `api-token` (`Forbidden`)
    grant it the role `Key Vault Secrets Officer` on the vault: `az role assignment create --role "Key Vault Secrets Officer" --assignee CLIENT_ID --scope VAULT_ID`; wait some minutes; where an Azure Policy demands an expiry or a content type, set `expires` or `content_type` in the sink
    "#);
    let settings = Settings { expires: Some(Expires::After(Seconds::days(90))), ..bench.settings(None) };
    let sink = bench.sink_with(settings, Variables::These(bench.vault.variables()));
    let Version { secret, marker } = Version::first();
    let write = Write {
        place: &place,
        secret: &secret,
        marker: &marker,
        token_name: "production-api",
        manifest: "acme",
        seen: &Seen::Absent,
    };
    sink.write(&[write], soon()).await.remove(0).unwrap();
}
