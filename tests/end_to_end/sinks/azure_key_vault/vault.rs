//! Versions, deletion and recovery, lists, rights.

use latchkey_sinks::conformance::Bench as _;
use latchkey_sinks::{Seen, SinkError};
use tests::sinks::KeyVaultBench;

use super::{Version, look, place, remove, told, write};

#[tokio::test]
async fn what_was_removed_comes_back_without_anybody_reading_the_old_value() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let first = Version::first();
    write(&bench, &place, &first, &Seen::Absent).await.unwrap();
    remove(&bench, &place).await.unwrap();
    // While it is being deleted and afterwards no consumer can read it, so it is absent.
    for _ in 0..4 {
        assert_eq!(look(&bench, &place).await.unwrap(), Seen::Absent);
    }
    let second = first.next();
    write(&bench, &place, &second, &Seen::Absent).await.unwrap();
    let versions = bench.vault.versions("api-token");
    let [old, new] = versions.as_slice() else { panic!("{versions:?}") };
    assert!(!old.enabled, "recovered, the old value could be read");
    assert!(new.enabled && new.value == second.secret.expose());
    assert_eq!(bench.vault.count("POST /deletedsecrets/api-token/recover"), 1);
}

#[tokio::test]
async fn a_value_is_written_as_soon_as_a_deletion_under_way_is_over() {
    let bench = KeyVaultBench::start().await;
    bench.vault.rule(|rules| rules.polls = 9);
    let place = place(&bench, "API_TOKEN").await;
    let first = Version::first();
    write(&bench, &place, &first, &Seen::Absent).await.unwrap();
    remove(&bench, &place).await.unwrap();
    let second = first.next();
    write(&bench, &place, &second, &Seen::Absent).await.unwrap();
    assert_eq!(bench.value(&place).await.as_deref(), Some(second.secret.expose()));
}

#[tokio::test]
async fn what_a_person_deleted_is_left_to_a_person() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let first = Version::first();
    write(&bench, &place, &first, &Seen::Absent).await.unwrap();
    let seen = look(&bench, &place).await.unwrap();
    bench.vault.delete_by_hand("api-token");
    let changes = bench.vault.changes();
    let error = look(&bench, &place).await.unwrap_err();
    assert!(matches!(error, SinkError::BeingDeleted { .. }), "{error:?}");
    insta::assert_snapshot!(told(&error), @"
    `api-token` was deleted in the vault `acme`, which keeps the name and the old value
    `az keyvault secret recover --vault-name acme --name api-token` restores both; if nobody needs the value, `az keyvault secret purge --vault-name acme --name api-token` frees the name
    ");
    for seen in [Seen::Absent, seen] {
        let refused = write(&bench, &place, &first.next(), &seen).await.unwrap_err();
        assert!(matches!(refused, SinkError::BeingDeleted { .. }), "{refused:?}");
    }
    let surveyed = bench.sink().survey(&[&place]).await.remove(0);
    assert!(matches!(surveyed, Err(SinkError::BeingDeleted { .. })), "{surveyed:?}");
    assert_eq!(bench.vault.changes(), changes, "nothing was recovered or written");
}

#[tokio::test]
async fn without_the_right_to_recover_it_is_said_why_that_is_needed() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let first = Version::first();
    write(&bench, &place, &first, &Seen::Absent).await.unwrap();
    remove(&bench, &place).await.unwrap();
    bench.vault.rule(|rules| drop(rules.forbidden.insert("recover".to_owned(), "ForbiddenByRbac".to_owned())));
    let error = write(&bench, &place, &first.next(), &Seen::Absent).await.unwrap_err();
    insta::assert_snapshot!(error, @"the client secret is not allowed to recover `api-token` (`ForbiddenByRbac`), and Key Vault keeps the name of a deleted secret until it is recovered");
}

#[tokio::test]
async fn refusals_are_told_apart_with_what_to_do() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let mut said = Vec::new();
    for inner in ["ForbiddenByRbac", "ForbiddenByPolicy", "ForbiddenByFirewall"] {
        bench.vault.rule(|rules| drop(rules.forbidden.insert("set".to_owned(), inner.to_owned())));
        let error = write(&bench, &place, &Version::first(), &Seen::Absent).await.unwrap_err();
        let (error, nothing_can_arrive) = error.of_write();
        assert!(matches!(error, SinkError::Denied { .. }) && nothing_can_arrive, "{error:?}");
        said.push(told(&error));
    }
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    the client secret is not allowed to set `api-token` (`ForbiddenByRbac`)
    grant it the role `Key Vault Secrets Officer` on the vault: `az role assignment create --role "Key Vault Secrets Officer" --assignee CLIENT_ID --scope VAULT_ID`; wait some minutes

    the client secret is not allowed to set `api-token` by the vault's access policy
    grant it the secret permissions Get, List, Set, Delete and Recover: `az keyvault set-policy --name acme --secret-permissions get list set delete recover --spn CLIENT_ID`

    the firewall of the vault `acme` blocks this machine (`ForbiddenByFirewall`)
    allow this address under the vault's Networking, or run this inside its network
    "#);
    assert!(bench.vault.versions("api-token").is_empty());
}

#[tokio::test]
async fn a_retired_version_is_disabled_and_no_other() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let (first, other) = (Version::first(), Version::first());
    let second = first.next();
    write(&bench, &place, &other, &Seen::Absent).await.unwrap();
    for version in [&first, &second] {
        let seen = look(&bench, &place).await.unwrap();
        write(&bench, &place, version, &seen).await.unwrap();
    }
    bench.sink().ended(&place, &first.marker).await.unwrap();
    let enabled: Vec<bool> = bench.vault.versions("api-token").iter().map(|version| version.enabled).collect();
    assert_eq!(enabled, [true, false, true], "another token's, the retired one, the current one");
    assert!(bench.sink().read(&place, &first.marker).await.unwrap().is_none(), "nobody reads it any more");
    assert!(bench.sink().read(&place, &other.marker).await.unwrap().is_some(), "an older version can be read back");
    // The current one stays whatever it is told.
    bench.sink().ended(&place, &second.marker).await.unwrap();
    assert_eq!(bench.value(&place).await.as_deref(), Some(second.secret.expose()));
}

#[tokio::test]
async fn a_version_that_was_disabled_by_hand_is_not_current() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let version = Version::first();
    write(&bench, &place, &version, &Seen::Absent).await.unwrap();
    bench.vault.enable_by_hand("api-token", false);
    for seen in [look(&bench, &place).await.unwrap(), bench.sink().survey(&[&place]).await.remove(0).unwrap()] {
        let Seen::Holds(held) = &seen else { panic!("there is an entry") };
        assert_eq!((held.fingerprint.as_ref(), held.token_id.as_ref()), (None, None));
        write(&bench, &place, &version, &seen).await.unwrap();
    }
    assert_eq!(bench.value(&place).await.as_deref(), Some(version.secret.expose()));
    assert_eq!(bench.vault.versions("api-token").len(), 2, "the same value, as a version that can be read");
}

#[tokio::test]
async fn one_list_shows_a_whole_vault() {
    let bench = KeyVaultBench::start().await;
    let mut places = Vec::new();
    for index in 0..60 {
        let place = place(&bench, &format!("TOKEN_{index}")).await;
        write(&bench, &place, &Version::first(), &Seen::Absent).await.unwrap();
        places.push(place);
    }
    let places: Vec<_> = places.iter().collect();
    let looked = bench.sink().look(&places).await;
    let before = bench.vault.requests().len();
    let surveyed = bench.sink().survey(&places).await;
    let requests = bench.vault.requests().split_off(before);
    assert_eq!(surveyed.len(), 60);
    for (surveyed, looked) in surveyed.into_iter().zip(looked) {
        assert_eq!(surveyed.unwrap(), looked.unwrap());
    }
    // One without a token, one for a token, and 60 secrets at 25 a page.
    assert_eq!(requests.len(), 2 + 3, "{requests:?}");
}

#[tokio::test]
async fn tags_that_were_copied_onto_another_value_do_not_hide_it() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let version = Version::first();
    write(&bench, &place, &version, &Seen::Absent).await.unwrap();
    let tags = bench.vault.versions("api-token").remove(0).tags;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    bench.vault.set_by_hand("api-token", "edited-by-hand", &tags);
    let Seen::Holds(held) = look(&bench, &place).await.unwrap() else { panic!("there is an entry") };
    assert_ne!(held.fingerprint.as_ref(), Some(&version.marker.fingerprint));
    assert_eq!(held.token_id, None);
}

/// A list shows tags alone, and a plan rests on it: tags that somebody took along to a later value are told by the time.
#[tokio::test]
async fn a_list_does_not_believe_tags_that_were_copied_onto_a_later_value() {
    let bench = KeyVaultBench::start().await;
    let place = place(&bench, "API_TOKEN").await;
    let (first, sink) = (Version::first(), bench.sink());
    write(&bench, &place, &first, &Seen::Absent).await.unwrap();
    let second = first.next();
    let seen = look(&bench, &place).await.unwrap();
    write(&bench, &place, &second, &seen).await.unwrap();
    let surveyed = async || match sink.survey(&[&place]).await.remove(0).unwrap() {
        Seen::Holds(held) => held.fingerprint,
        other => panic!("there is an entry: {other:?}"),
    };
    let before = bench.vault.count("GET /secrets/api-token");
    assert_eq!(surveyed().await.as_ref(), Some(&second.marker.fingerprint));
    assert_eq!(bench.vault.count("GET /secrets/api-token"), before, "the list tells");
    let tags = bench.vault.versions("api-token").pop().unwrap().tags;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    bench.vault.set_by_hand_at("api-token", first.secret.expose(), &tags, 3_600);
    assert_eq!(surveyed().await.as_ref(), Some(&first.marker.fingerprint), "what is there is the older one");
    // Without them too.
    bench.vault.set_by_hand("api-token", first.secret.expose(), &[]);
    assert_eq!(surveyed().await.as_ref(), Some(&first.marker.fingerprint));
}

#[tokio::test]
async fn tags_say_whose_it_is_and_those_of_people_stay() {
    let bench = KeyVaultBench::start().await;
    bench.vault.set_by_hand("api-token", "theirs", &[("cost-centre", "42"), ("managed-by", "somebody")]);
    let place = place(&bench, "API_TOKEN").await;
    let version = Version::first();
    let seen = look(&bench, &place).await.unwrap();
    write(&bench, &place, &version, &seen).await.unwrap();
    let tags = bench.vault.versions("api-token").pop().unwrap().tags;
    let names: Vec<&str> = tags.keys().map(String::as_str).collect();
    let ours = ["fingerprint", "id", "manifest", "token", "version", "written"].map(|name| format!("latchkey-{name}"));
    let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
    assert_eq!(names, [&["cost-centre"][..], &ours[..], &["managed-by"]].concat());
    assert_eq!((tags["managed-by"].as_str(), tags["latchkey-token"].as_str()), ("latchkey", "production-api"));
}

#[tokio::test]
async fn a_secret_of_a_certificate_is_not_written() {
    let bench = KeyVaultBench::start().await;
    bench.vault.set_by_hand("api-token", "a certificate's", &[]);
    bench.vault.manage("api-token");
    let place = place(&bench, "API_TOKEN").await;
    let seen = look(&bench, &place).await.unwrap();
    let prepared = bench.sink().prepare(&[&place]).await.remove(0);
    assert!(matches!(prepared, Err(SinkError::Refused { .. })), "{prepared:?}");
    let refused = write(&bench, &place, &Version::first(), &seen).await;
    assert!(matches!(refused, Err(SinkError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn names_are_one_without_case() {
    let bench = KeyVaultBench::start().await;
    bench.vault.set_by_hand("Api-Token", "theirs", &[]);
    let (one, other) = (place(&bench, "API_TOKEN").await, place(&bench, "api_token").await);
    assert_eq!(one.id(), other.id());
    assert!(matches!(look(&bench, &one).await, Ok(Seen::Holds(_))));
    assert!(matches!(bench.sink().survey(&[&one]).await.remove(0), Ok(Seen::Holds(_))));
}

#[tokio::test]
async fn a_place_of_another_vault_is_not_looked_for_here() {
    let bench = KeyVaultBench::start().await;
    let mut config = bench.settings(None);
    config.vault = "other".to_owned();
    let other = bench.sink_with(config, latchkey_sinks::azure_key_vault::Variables::Process);
    let place = latchkey_sinks::DeclaredSink::place(&other, &bench.push("API_TOKEN")).await.unwrap();
    assert!(!bench.sink().reaches(&place).await);
    assert!(matches!(look(&bench, &place).await, Err(SinkError::Refused { .. })));
    assert!(bench.vault.requests().is_empty());
}
