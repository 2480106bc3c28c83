//! What a look tells of a version that somebody else put, of replicas, and of what it is not allowed to see.

use hyper::StatusCode;
use latchkey_sinks::Delivered;
use serde_json::json;
use tests::engines::Fault;
use tests::sinks::slept;

use super::*;

#[tokio::test]
async fn a_look_knows_values_and_not_only_markers() {
    let world = World::start().await;
    a_value_by_hand_is_known_by_what_it_is(&world).await;
    a_value_that_cannot_be_read_is_unknown(&world).await;
    nothing_is_read_where_nothing_was_delivered(&world).await;
    a_value_of_ours_under_another_id_is_read_back_and_removed(&world).await;
    a_key_that_contains_a_secret_somewhere_waits(&world).await;
}

fn denied() -> Fault {
    Fault::Refuse(StatusCode::BAD_REQUEST, "AccessDeniedException", "not authorized".to_owned())
}

async fn held(world: &World, place: &Place) -> SeenEntry {
    match world.look(place).await {
        Ok(Seen::Holds(held)) => held,
        other => panic!("something should be there: {other:?}"),
    }
}

/// A secret with two versions of ours, the second one current, which the service knows of.
async fn rotated(world: &World, name: &str) -> (Place, Version, Version) {
    let (place, first) = (world.place(name).await, Version::first());
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let (second, seen) = (first.next(), world.look(&place).await.unwrap());
    world.write(&second, &place, &seen).await.unwrap();
    world.sink.went_to(&[Delivered { place: &place, receipt: None }]);
    (place, first, second)
}

async fn a_value_by_hand_is_known_by_what_it_is(world: &World) {
    let name = "values/by-hand";
    let (place, first, second) = rotated(world, name).await;
    let reads = world.manager.count("GetSecretValue");
    assert_eq!(held(world, &place).await.fingerprint.as_ref(), Some(&second.marker.fingerprint));
    assert_eq!(world.manager.count("GetSecretValue"), reads, "our own version is told by its id");
    for version in [&first, &second] {
        world.by_hand(name, version.secret.expose()).await;
        let shown = held(world, &place).await;
        assert_eq!(shown.fingerprint.as_ref(), Some(&version.marker.fingerprint));
        assert_eq!(shown.token_id.as_ref(), Some(&version.marker.token_id));
        assert_eq!(shown.lagging, None);
        assert!(shown.receipt.0.starts_with("00000000-"), "AWS's own id: {:?}", shown.receipt);
    }
    world.by_hand(name, "somebody's own").await;
    let foreign = held(world, &place).await;
    assert_eq!((foreign.token_id.clone(), foreign.lagging.clone()), (None, None), "nothing waits for it");
    assert!(foreign.fingerprint.is_some());
    for around in ["TEXT\n", "{\"token\":\"TEXT\"}"] {
        world.by_hand(name, &around.replace("TEXT", first.secret.expose())).await;
        let within = held(world, &place).await;
        assert_ne!(within.fingerprint.as_ref(), Some(&first.marker.fingerprint));
        assert!(within.lagging.unwrap().contains("contains a token's secret"), "{around}");
    }
    // And brought back by its label, as ever.
    let seen = world.look(&place).await.unwrap();
    world.write(&second, &place, &seen).await.unwrap();
    assert_eq!(world.value(name).await, second.secret.expose());
}

async fn a_value_that_cannot_be_read_is_unknown(world: &World) {
    let name = "values/unreadable";
    let (place, first, _) = rotated(world, name).await;
    world.by_hand(name, first.secret.expose()).await;
    world.manager.fail("GetSecretValue", 1, denied());
    let unknown = held(world, &place).await;
    assert_eq!(unknown.fingerprint, None);
    let why = unknown.lagging.unwrap();
    assert!(why.contains("cannot be read: the credentials do not allow `secretsmanager:GetSecretValue`"), "{why}");
    // What does not answer is no answer.
    (1..=5).for_each(|nth| world.manager.fail("GetSecretValue", nth, Fault::ServerError));
    assert!(matches!(world.look(&place).await, Err(SinkError::Unreachable { .. })));
    let binary = json!({ "SecretId": name, "SecretBinary": "bGs=" });
    assert!(world.person.call("PutSecretValue", binary).await.status.is_success());
    let binary = held(world, &place).await;
    assert_eq!(binary.fingerprint, None);
    assert!(binary.lagging.unwrap().contains("is binary"));
}

async fn nothing_is_read_where_nothing_was_delivered(world: &World) {
    let place = world.place("values/theirs").await;
    world.by_hand("values/theirs", "their database's password").await;
    let reads = world.manager.count("GetSecretValue");
    let foreign = held(world, &place).await;
    assert_eq!((foreign.fingerprint, foreign.lagging), (None, None));
    assert_eq!(world.manager.count("GetSecretValue"), reads);
}

async fn a_value_of_ours_under_another_id_is_read_back_and_removed(world: &World) {
    let name = "values/moved";
    let (place, version) = (world.place(name).await, Version::first());
    world.by_hand(name, version.secret.expose()).await;
    let back = world.sink.read(&place, &version.marker).await.unwrap().unwrap();
    assert_eq!(back.expose(), version.secret.expose());
    assert!(world.sink.read(&place, &version.next().marker).await.unwrap().is_none());
    let unseen = world.look(&place).await.unwrap();
    refused(world.remove(&place, &unseen).await, "contains a value that Latchkey did not write");
    world.sink.went_to(&[Delivered { place: &place, receipt: None }]);
    let seen = world.look(&place).await.unwrap();
    world.remove(&place, &seen).await.unwrap();
    assert!(!world.described(name).await["DeletedDate"].is_null());
}

async fn a_key_that_contains_a_secret_somewhere_waits(world: &World) {
    let name = "values/keys";
    let (place, version) = (world.key(name, "T").await, Version::first());
    let value = json!({ "T": { "nested": [version.secret.expose()] }, "U": 7 });
    world.by_hand(name, &value.to_string()).await;
    assert!(held(world, &place).await.lagging.unwrap().contains("contains a token's secret"));
    assert_eq!(held(world, &world.key(name, "U").await).await.lagging, None);
}

#[tokio::test]
async fn replicas_that_are_not_in_sync_are_waited_for() {
    let world = World::start().await;
    let (plain, keyed) = (world.place("replicas/plain").await, world.key("replicas/shared", "T").await);
    for place in [&plain, &keyed] {
        world.write(&Version::first(), place, &Seen::Absent).await.unwrap();
        assert_eq!(held(&world, place).await.lagging, None);
    }
    for name in ["replicas/plain", "replicas/shared"] {
        let replicas = [
            ("eu-central-1", "InSync", ""),
            ("us-east-1", "Failed", "KMS key is disabled"),
            ("eu-west-2", "InProgress", ""),
        ];
        world.manager.replicate(name, &replicas);
    }
    for place in [&plain, &keyed] {
        let shown = held(&world, place).await;
        assert!(shown.fingerprint.is_some(), "what the secret itself holds is known");
        let why =
            "its replicas in `us-east-1` (`Failed`), `eu-west-2` (`InProgress`) may still contain an older version";
        assert_eq!(shown.lagging.as_deref(), Some(why));
    }
    // A list does not show it, so whatever is replicated is looked at.
    let mut places = vec![plain.clone()];
    for number in 0..25 {
        places.push(world.place(&format!("replicas/other-{number}")).await);
    }
    let places: Vec<&Place> = places.iter().collect();
    let surveyed = world.sink.survey(&places).await.remove(0).unwrap();
    assert!(surveyed.lagging().is_some_and(|why| why.contains("us-east-1")), "{surveyed:?}");
    for name in ["replicas/plain", "replicas/shared"] {
        world.manager.replicate(name, &[("us-east-1", "InSync", "")]);
    }
    for place in [&plain, &keyed] {
        assert_eq!(held(&world, place).await.lagging, None);
    }
}

#[tokio::test]
async fn a_look_that_is_denied_is_answered_by_creating() {
    let world = World::start().await;
    world.manager.deny_missing(true);
    for place in [world.place("denied/plain").await, world.key("denied/shared", "T").await] {
        let seen = world.look(&place).await.unwrap();
        let Seen::NotShown { reason, hint } = &seen else { panic!("{seen:?}") };
        assert!(reason.contains("do not allow") && hint.contains("allow `secretsmanager:"), "{reason} {hint}");
        world.prepare(&place).await.unwrap();
        let version = Version::first();
        world.write(&version, &place, &seen).await.unwrap();
        let shown = held(&world, &place).await;
        assert_eq!(shown.fingerprint, Some(version.marker.fingerprint));
    }
    // Where something is, it stays, whoever may look at it by then.
    for (name, place) in [
        ("denied/theirs", world.place("denied/theirs").await),
        ("denied/their-keys", world.key("denied/their-keys", "T").await),
    ] {
        let theirs = "{\"A\":\"theirs\"}";
        let seen = world.look(&place).await.unwrap();
        world.by_hand(name, theirs).await;
        for looks in ["DescribeSecret", "GetSecretValue"] {
            (1..=9).for_each(|nth| world.manager.fail(looks, nth, denied()));
        }
        let version = Version::first();
        let answer = world.write(&version, &place, &seen).await;
        let Err(SinkError::Denied { reason, .. }) = &answer else { panic!("{name}: {answer:?}") };
        assert!(reason.contains(&format!("the secret `{name}` exists already")), "{reason}");
        world.manager.forgive();
        assert_eq!(world.value(name).await, theirs);
    }
    // What can be seen by then is compared.
    let place = world.place("denied/by-then").await;
    let seen = world.look(&place).await.unwrap();
    world.by_hand("denied/by-then", "theirs").await;
    assert!(matches!(world.write(&Version::first(), &place, &seen).await, Err(SinkError::Changed)));
}

#[tokio::test]
async fn a_secret_that_was_created_just_now_is_waited_for() {
    let world = World::start().await;
    let late = || {
        let message = "Secrets Manager can't find the specified secret.".to_owned();
        Fault::Refuse(StatusCode::BAD_REQUEST, "ResourceNotFoundException", message)
    };
    let (plain, keyed) = (world.place("late/plain").await, world.key("late/shared", "T").await);
    for (place, looks) in [(&plain, &["DescribeSecret"][..]), (&keyed, &["GetSecretValue", "DescribeSecret"])] {
        let version = Version::first();
        world.write(&version, place, &Seen::Absent).await.unwrap();
        for target in looks {
            world.manager.fail(target, 1, late());
        }
        let before = slept();
        assert_eq!(held(&world, place).await.fingerprint, Some(version.marker.fingerprint));
        assert!(slept().saturating_sub(before).as_millis() >= 1000, "it paused before it looked again");
    }
    // One that nobody created here is not waited for, nor one that has gone since.
    let before = slept();
    assert_eq!(world.look(&world.place("late/nowhere").await).await.unwrap(), Seen::Absent);
    let force = json!({ "SecretId": "late/plain", "ForceDeleteWithoutRecovery": true });
    assert!(world.person.call("DeleteSecret", force).await.status.is_success());
    assert_eq!(world.look(&plain).await.unwrap(), Seen::Absent);
    assert!(slept().saturating_sub(before).as_millis() < 60_000);
}
