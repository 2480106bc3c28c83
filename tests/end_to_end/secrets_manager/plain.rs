//! Secrets that hold one token's secret.

use serde_json::json;
use tests::engines::Fault;

use super::*;

#[tokio::test]
async fn a_plain_secret_is_swapped_never_overwritten() {
    let world = World::start().await;
    writing_twice_makes_one_version(&world).await;
    a_second_version_leaves_the_first_as_previous(&world).await;
    what_a_person_put_stays(&world).await;
    what_a_person_put_during_the_write_stays(&world).await;
    a_staged_version_can_be_read(&world).await;
    an_older_version_is_mended_by_its_label(&world).await;
    a_secret_without_a_value_is_filled(&world).await;
    a_secret_scheduled_for_deletion_is_refused(&world).await;
    many_rotations_use_up_no_labels(&world).await;
    only_what_is_ours_is_removed(&world).await;
    another_account_is_not_looked_for_here(&world).await;
    the_layer_refuses_what_aws_refuses(&world).await;
}

async fn writing_twice_makes_one_version(world: &World) {
    let name = "plain/twice";
    let (place, version) = (world.place(name).await, Version::first());
    assert_eq!(place.part("account"), Some("-"));
    assert_eq!(place.part("endpoint"), Some(world.manager.url().as_str()));
    world.prepare(&place).await.unwrap();
    assert_eq!(world.look(&place).await.unwrap(), Seen::Absent);
    let receipt = world.write(&version, &place, &Seen::Absent).await.unwrap();
    assert_eq!(receipt.0, version.id());
    assert_eq!(world.look(&place).await.unwrap(), version.seen(&version.id()));
    // Whoever saw nothing creates, which AWS refuses.
    let writes = || ["PutSecretValue", "UpdateSecretVersionStage"].map(|call| world.manager.count(call));
    let before = writes();
    assert_eq!(world.write(&version, &place, &Seen::Absent).await.unwrap(), receipt);
    assert_eq!(writes(), before);
    let described = world.described(name).await;
    assert_eq!(described["VersionIdsToStages"], json!({ version.id(): ["AWSCURRENT"] }));
    assert_eq!(described["Description"], "Managed by Latchkey: production-api of acme");
    assert_eq!(world.value(name).await, version.secret.expose());
}

async fn a_second_version_leaves_the_first_as_previous(world: &World) {
    let name = "plain/second";
    let (place, first) = (world.place(name).await, Version::first());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let second = first.next();
    let seen = world.look(&place).await.unwrap();
    world.write(&second, &place, &seen).await.unwrap();
    let versions = world.described(name).await["VersionIdsToStages"].clone();
    assert_eq!(versions[first.id()], json!(["AWSPREVIOUS"]));
    assert_eq!(versions[second.id()], json!(["latchkey", "AWSCURRENT"]));
    assert_eq!(world.value(name).await, second.secret.expose());
}

async fn what_a_person_put_stays(world: &World) {
    let name = "plain/by-hand";
    let (place, first) = (world.place(name).await, Version::first());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let seen = world.look(&place).await.unwrap();
    world.by_hand(name, "by hand").await;
    assert!(matches!(world.write(&first.next(), &place, &seen).await, Err(SinkError::Changed)));
    assert!(matches!(world.write(&first.next(), &place, &Seen::Absent).await, Err(SinkError::Changed)));
    assert!(matches!(world.remove(&place, &seen).await, Err(SinkError::Changed)));
    assert_eq!(world.value(name).await, "by hand");
    let Seen::Holds(held) = world.look(&place).await.unwrap() else { panic!("somebody wrote") };
    assert_eq!((held.fingerprint, held.token_id), (None, None));
}

/// The swap of the label itself is what decides, and so does the name of a new secret.
async fn what_a_person_put_during_the_write_stays(world: &World) {
    let name = "plain/meanwhile";
    let (place, first) = (world.place(name).await, Version::first());
    let person = world.person.clone();
    let create = json!({ "Name": name, "SecretString": "made meanwhile" });
    let deed = || async move { drop(person.call("CreateSecret", create).await) };
    world.manager.fail("CreateSecret", 1, Fault::meanwhile(deed));
    assert!(matches!(world.write(&first, &place, &Seen::Absent).await, Err(SinkError::Changed)));
    assert_eq!(world.value(name).await, "made meanwhile");

    let seen = world.look(&place).await.unwrap();
    let person = world.person.clone();
    let put = json!({ "SecretId": name, "SecretString": "put meanwhile" });
    let deed = || async move { drop(person.call("PutSecretValue", put).await) };
    world.manager.fail("UpdateSecretVersionStage", 1, Fault::meanwhile(deed));
    assert!(matches!(world.write(&first, &place, &seen).await, Err(SinkError::Changed)));
    assert_eq!(world.value(name).await, "put meanwhile");
}

async fn a_staged_version_can_be_read(world: &World) {
    let name = "plain/staged";
    let (place, first) = (world.place(name).await, Version::first());
    assert!(world.sink.read(&place, &first.marker).await.unwrap().is_none());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let second = first.next();
    assert!(world.sink.read(&place, &second.marker).await.unwrap().is_none());
    let refusal = Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", "no".to_owned());
    world.manager.fail("UpdateSecretVersionStage", 1, refusal);
    let seen = world.look(&place).await.unwrap();
    let denied = world.write(&second, &place, &seen).await;
    let Err(SinkError::Denied { hint, .. }) = denied else { panic!("{denied:?}") };
    let arn = "arn:aws:secretsmanager:eu-west-1:*:secret:plain/staged-??????";
    assert_eq!(hint, format!("allow `secretsmanager:UpdateSecretVersionStage` on `{arn}`"));
    assert_eq!(world.look(&place).await.unwrap(), seen);
    for version in [&first, &second] {
        let found = world.sink.read(&place, &version.marker).await.unwrap().unwrap();
        assert_eq!(found.expose(), version.secret.expose());
    }
    // Even when a later version has taken the label over.
    let third = second.next();
    world.write(&third, &place, &seen).await.unwrap();
    assert!(world.sink.read(&place, &second.marker).await.unwrap().is_some());
}

async fn an_older_version_is_mended_by_its_label(world: &World) {
    let name = "plain/mended";
    let (place, first) = (world.place(name).await, Version::first());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let seen = world.look(&place).await.unwrap();
    world.by_hand(name, "by hand").await;
    assert!(matches!(world.write(&first, &place, &seen).await, Err(SinkError::Changed)));
    let edited = world.look(&place).await.unwrap();
    let puts = world.manager.count("PutSecretValue");
    world.write(&first, &place, &edited).await.unwrap();
    assert_eq!(world.manager.count("PutSecretValue"), puts);
    assert_eq!(world.value(name).await, first.secret.expose());
    assert_eq!(world.look(&place).await.unwrap(), seen);
}

async fn a_secret_without_a_value_is_filled(world: &World) {
    let name = "plain/empty";
    world.person.call("CreateSecret", json!({ "Name": name })).await;
    let (place, first) = (world.place(name).await, Version::first());
    world.prepare(&place).await.unwrap();
    assert_eq!(world.look(&place).await.unwrap(), Seen::Absent);
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    assert_eq!(world.value(name).await, first.secret.expose());
}

async fn a_secret_scheduled_for_deletion_is_refused(world: &World) {
    let name = "plain/scheduled";
    let (place, first) = (world.place(name).await, Version::first());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let seen = world.look(&place).await.unwrap();
    world.person.call("DeleteSecret", json!({ "SecretId": name, "RecoveryWindowInDays": 7 })).await;
    let wanted = "`plain/scheduled` is scheduled for deletion on 20";
    refused(world.look(&place).await, wanted);
    refused(world.prepare(&place).await, wanted);
    refused(world.sink.read(&place, &first.marker).await, wanted);
    refused(world.write(&first.next(), &place, &seen).await, wanted);
    world.remove(&place, &seen).await.unwrap();
    world.person.call("RestoreSecret", json!({ "SecretId": name })).await;
    assert_eq!(world.look(&place).await.unwrap(), seen);
}

/// AWS allows 20 labels over all versions of a secret.
async fn many_rotations_use_up_no_labels(world: &World) {
    let name = "plain/many";
    let place = world.place(name).await;
    let mut version = Version::first();
    for _ in 0..6 {
        let seen = world.look(&place).await.unwrap();
        world.write(&version, &place, &seen).await.unwrap();
        version = version.next();
    }
    let versions = world.described(name).await["VersionIdsToStages"].clone();
    let labels: usize = versions.as_object().unwrap().values().map(|stages| stages.as_array().unwrap().len()).sum();
    assert_eq!(labels, 3, "{versions}");
}

async fn only_what_is_ours_is_removed(world: &World) {
    let (place, first) = (world.place("plain/removed").await, Version::first());
    world.remove(&place, &first.seen(&first.id())).await.unwrap();
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    assert!(matches!(world.remove(&place, &Seen::Absent).await, Err(SinkError::Changed)));
    let seen = world.look(&place).await.unwrap();
    world.remove(&place, &seen).await.unwrap();
    assert!(!world.described("plain/removed").await["DeletedDate"].is_null());

    let foreign = world.place("plain/foreign").await;
    world.by_hand("plain/foreign", "not ours").await;
    let seen = world.look(&foreign).await.unwrap();
    refused(world.remove(&foreign, &seen).await, "contains a value that Latchkey did not write");
    assert_eq!(world.value("plain/foreign").await, "not ours");
}

async fn another_account_is_not_looked_for_here(world: &World) {
    let elsewhere = Settings { account: Some("123456789012".to_owned()), ..settings(world.manager.url()) };
    let theirs = sink(elsewhere).place("plain/twice", None).await.unwrap();
    let ours = world.place("plain/none").await;
    let mut seen = world.sink.look(&[&theirs, &ours, &theirs]).await;
    refused(seen.remove(2), "in account `123456789012`");
    assert_eq!(seen.remove(1).unwrap(), Seen::Absent);
    refused(seen.remove(0), "in account `123456789012`");
}

/// What the tests rest on, and moto alone lets pass.
async fn the_layer_refuses_what_aws_refuses(world: &World) {
    let call = async |operation: &str, body: Value| world.person.call(operation, body).await;
    let (name, token) = ("layer", "0".repeat(32));
    let created = json!({ "Name": name, "SecretString": "one", "ClientRequestToken": token });
    assert!(call("CreateSecret", created.clone()).await.status.is_success());
    assert!(call("CreateSecret", created.clone()).await.status.is_success());
    let other = json!({ "SecretId": name, "SecretString": "two", "ClientRequestToken": token });
    for operation in ["PutSecretValue", "UpdateSecret"] {
        assert!(call(operation, other.clone()).await.is_error("ResourceExistsException"));
    }
    let both = json!({ "SecretId": name, "SecretString": "x", "SecretBinary": "AAEC" });
    let large = json!({ "SecretId": name, "SecretString": "x".repeat(65_537) });
    for body in [both, large, json!({ "SecretId": name, "SecretString": "" })] {
        assert!(call("PutSecretValue", body).await.is_error("InvalidParameterException"));
    }
    // A put after the label moved: the one that was current becomes previous, and no other.
    world.by_hand(name, "two").await;
    let versions = world.described(name).await["VersionIdsToStages"].clone();
    let second = versions.as_object().unwrap().keys().find(|id| **id != token).unwrap();
    let back = json!({ "SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": token });
    assert!(call("UpdateSecretVersionStage", back.clone()).await.is_error("InvalidParameterException"));
    let mut from = back.clone();
    from["RemoveFromVersionId"] = json!(token);
    assert!(call("UpdateSecretVersionStage", from.clone()).await.is_error("InvalidParameterException"));
    from["RemoveFromVersionId"] = json!(second);
    assert!(call("UpdateSecretVersionStage", from).await.status.is_success());
    assert_eq!(world.value(name).await, "one");
    world.by_hand(name, "three").await;
    let versions = world.described(name).await["VersionIdsToStages"].clone();
    assert_eq!(versions.as_object().unwrap().len(), 2, "{versions}");
    assert_eq!(versions[&token], json!(["AWSPREVIOUS"]));
    assert_eq!(world.value(name).await, "three");

    call("DeleteSecret", json!({ "SecretId": name })).await;
    for (operation, body) in [("PutSecretValue", other), ("CreateSecret", created), ("UpdateSecretVersionStage", back)]
    {
        assert!(call(operation, body).await.is_error("InvalidRequestException"));
    }
}
