//! Secrets that several tokens share, with `json_key`.

use serde_json::json;
use tests::engines::Fault;

use super::*;

#[tokio::test]
async fn a_shared_secret_keeps_what_is_not_ours() {
    let world = World::start().await;
    two_tokens_go_in_with_one_write(&world).await;
    other_keys_stay_to_the_byte(&world).await;
    a_lost_race_is_merged_again(&world).await;
    an_edited_key_is_changed_and_the_other_is_written(&world).await;
    a_staged_value_can_be_read(&world).await;
    a_secret_without_a_value_is_filled(&world).await;
    what_is_no_object_is_refused(&world).await;
    sizes_are_refused_before_any_write(&world).await;
    a_key_is_taken_out_and_the_secret_stays(&world).await;
}

async fn two_tokens_go_in_with_one_write(world: &World) {
    let name = "shared/two";
    let places = [world.key(name, "A").await, world.key(name, "B").await];
    assert_eq!(world.sink.unit(&places[0]), world.sink.unit(&places[1]));
    let versions = [Version::first(), Version::first()];
    let absent = [Seen::Absent, Seen::Absent];
    assert!(world.sink.prepare(&[&places[0], &places[1]]).await.into_iter().all(|answer| answer.is_ok()));
    let write = async |versions: &[Version; 2], seen: &[Seen; 2]| {
        let writes: Vec<_> = (0..2).map(|i| versions[i].to(&places[i], &seen[i])).collect();
        world.write_all(&writes, soon()).await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let receipts = write(&versions, &absent).await;
    assert_eq!(receipts[1].0, versions[1].marker.fingerprint.as_str());
    let reads = world.manager.count("GetSecretValue");
    let seen = world.sink.look(&[&places[0], &places[1]]).await;
    assert_eq!(world.manager.count("GetSecretValue"), reads + 1);
    for (version, seen) in versions.iter().zip(seen) {
        assert_eq!(seen.unwrap(), version.seen(version.marker.fingerprint.as_str()));
    }
    // Again: nothing changes.
    let puts = world.manager.count("PutSecretValue");
    assert_eq!(write(&versions, &absent).await, receipts);
    assert_eq!(world.manager.count("PutSecretValue"), puts);
    // Both rotated: one new version.
    let next = [versions[0].next(), versions[1].next()];
    let seen = [0, 1].map(|i: usize| versions[i].seen(versions[i].marker.fingerprint.as_str()));
    write(&next, &seen).await;
    assert_eq!(world.manager.count("PutSecretValue"), puts + 1);
    let value = json!({ "A": next[0].secret.expose(), "B": next[1].secret.expose() });
    assert_eq!(world.value(name).await, value.to_string());
}

async fn other_keys_stay_to_the_byte(world: &World) {
    let name = "shared/others";
    let before = r#"{"größe":12345678901234567890.50,"T":"old","u":"\u00fc\/☃","deep":{"b": [1e400], "a":null}}"#;
    world.by_hand(name, before).await;
    let (place, version) = (world.key(name, "T").await, Version::first());
    let seen = world.look(&place).await.unwrap();
    assert!(matches!(&seen, Seen::Holds(held) if held.token_id.is_none()));
    world.write(&version, &place, &seen).await.unwrap();
    assert_eq!(world.value(name).await, before.replace("old", version.secret.expose()));
}

async fn a_lost_race_is_merged_again(world: &World) {
    let name = "shared/race";
    world.by_hand(name, r#"{"theirs":1}"#).await;
    let (place, version) = (world.key(name, "T").await, Version::first());
    let person = world.person.clone();
    let put = json!({ "SecretId": name, "SecretString": r#"{"theirs":2}"# });
    let deed = || async move { drop(person.call("PutSecretValue", put).await) };
    world.manager.fail("UpdateSecretVersionStage", 1, Fault::meanwhile(deed));
    world.write(&version, &place, &Seen::Absent).await.unwrap();
    assert_eq!(world.value(name).await, json!({ "theirs": 2, "T": version.secret.expose() }).to_string());
    // Somebody who is always first wins.
    let other = world.key(name, "U").await;
    for round in 1..=4 {
        let person = world.person.clone();
        let put = json!({ "SecretId": name, "SecretString": json!({ "theirs": round }).to_string() });
        let deed = move || async move { drop(person.call("PutSecretValue", put).await) };
        world.manager.fail("UpdateSecretVersionStage", round, Fault::meanwhile(deed));
    }
    let lost = world.write(&version, &other, &Seen::Absent).await;
    assert!(matches!(lost, Err(SinkError::Changed)), "{lost:?}");
    assert_eq!(world.value(name).await, r#"{"theirs":4}"#);
}

async fn an_edited_key_is_changed_and_the_other_is_written(world: &World) {
    let name = "shared/edited";
    world.by_hand(name, r#"{"A":"by hand"}"#).await;
    let places = [world.key(name, "A").await, world.key(name, "B").await];
    let versions = [Version::first(), Version::first()];
    let writes = [versions[0].to(&places[0], &Seen::Absent), versions[1].to(&places[1], &Seen::Absent)];
    let answers = world.write_all(&writes, soon()).await;
    assert!(matches!(answers[0], Err(SinkError::Changed)));
    assert!(answers[1].is_ok());
    assert_eq!(world.value(name).await, json!({ "A": "by hand", "B": versions[1].secret.expose() }).to_string());
}

async fn a_staged_value_can_be_read(world: &World) {
    let name = "shared/staged";
    let (place, first) = (world.key(name, "T").await, Version::first());
    assert!(world.sink.read(&place, &first.marker).await.unwrap().is_none());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let second = first.next();
    world.manager.fail(
        "UpdateSecretVersionStage",
        1,
        Fault::Refuse(400.try_into().unwrap(), "AccessDeniedException", String::new()),
    );
    let seen = world.look(&place).await.unwrap();
    assert!(matches!(world.write(&second, &place, &seen).await, Err(SinkError::Denied { .. })));
    for version in [&first, &second] {
        let found = world.sink.read(&place, &version.marker).await.unwrap().unwrap();
        assert_eq!(found.expose(), version.secret.expose());
    }
}

async fn a_secret_without_a_value_is_filled(world: &World) {
    let name = "shared/empty";
    world.person.call("CreateSecret", json!({ "Name": name })).await;
    let (place, version) = (world.key(name, "T").await, Version::first());
    world.prepare(&place).await.unwrap();
    assert_eq!(world.look(&place).await.unwrap(), Seen::Absent);
    world.write(&version, &place, &Seen::Absent).await.unwrap();
    assert_eq!(world.value(name).await, json!({ "T": version.secret.expose() }).to_string());
}

async fn what_is_no_object_is_refused(world: &World) {
    let version = Version::first();
    world.by_hand("shared/text", "just text").await;
    world.person.call("CreateSecret", json!({ "Name": "shared/binary", "SecretBinary": "AAEC" })).await;
    for (name, wanted) in [("shared/text", "does not contain a JSON object"), ("shared/binary", "is binary")] {
        let place = world.key(name, "T").await;
        refused(world.prepare(&place).await, wanted);
        refused(world.look(&place).await, wanted);
        refused(world.write(&version, &place, &Seen::Absent).await, wanted);
    }
    assert_eq!(world.value("shared/text").await, "just text");
    let name = "shared/scheduled";
    world.by_hand(name, "{}").await;
    world.person.call("DeleteSecret", json!({ "SecretId": name })).await;
    let place = world.key(name, "T").await;
    refused(world.look(&place).await, "is scheduled for deletion on 20");
    world.remove(&place, &version.seen("any")).await.unwrap();
}

async fn sizes_are_refused_before_any_write(world: &World) {
    let name = "shared/large";
    world.by_hand(name, &json!({ "x": "y".repeat(65_500) }).to_string()).await;
    let (place, version) = (world.key(name, "T").await, Version::first());
    refused(world.prepare(&place).await, "larger than 65536 bytes");
    let puts = world.manager.count("PutSecretValue");
    refused(world.write(&version, &place, &Seen::Absent).await, "larger than 65536 bytes");
    assert_eq!(world.manager.count("PutSecretValue"), puts);
}

async fn a_key_is_taken_out_and_the_secret_stays(world: &World) {
    let name = "shared/removed";
    let (place, version) = (world.key(name, "T").await, Version::first());
    world.remove(&place, &Seen::Absent).await.unwrap();
    world.write(&version, &place, &Seen::Absent).await.unwrap();
    assert!(matches!(world.remove(&place, &Seen::Absent).await, Err(SinkError::Changed)));
    let seen = world.look(&place).await.unwrap();
    world.remove(&place, &seen).await.unwrap();
    assert_eq!(world.value(name).await, "{}");
    world.remove(&place, &seen).await.unwrap();
    world.by_hand(name, r#"{"T":"theirs"}"#).await;
    let seen = world.look(&place).await.unwrap();
    refused(world.remove(&place, &seen).await, "contains a value that Latchkey did not write");
}
