//! Secrets that AWS rotates: what is pending may be what is to be written, what an older rotation left, or somebody else's.

use serde_json::{Value, json};
use tests::engines::Fault;

use super::*;

/// What AWS names the versions of rotations.
const CHOSEN: [&str; 3] = [
    "5f0c7a52-6c1d-4bd7-a2c4-9d9c3dbe0f60",
    "5f0c7a52-6c1d-4bd7-a2c4-9d9c3dbe0f61",
    "5f0c7a52-6c1d-4bd7-a2c4-9d9c3dbe0f62",
];

impl World {
    /// A rotation has put a value.
    async fn pending(&self, name: &str, id: &str, value: &str) {
        let by = "arn:aws:lambda:eu-west-1:123456789012:function:latchkey-rotate";
        let begin = json!({ "SecretId": name, "RotationLambdaARN": by, "ClientRequestToken": id });
        assert!(self.person.call("RotateSecret", begin).await.status.is_success());
        let put = json!({ "SecretId": name, "ClientRequestToken": id, "SecretString": value, "VersionStages": ["AWSPENDING"] });
        assert!(self.person.call("PutSecretValue", put).await.status.is_success());
    }

    async fn labels(&self, name: &str, id: &str) -> Value {
        self.described(name).await["VersionIdsToStages"][id].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_our_function_rotates_is_written_by_its_pending_version() {
    let world = World::start().await;
    what_is_pending_becomes_current(&world).await;
    what_an_older_rotation_left_is_taken_off(&world).await;
    what_is_somebody_elses_is_left_alone(&world).await;
    whoever_was_first_is_not_written_over(&world).await;
}

async fn what_is_pending_becomes_current(world: &World) {
    let (name, place) = ("rotated/own", world.place("rotated/own").await);
    let first = Version::first();
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    world.went_to(&place);
    let (seen, second) = (world.look(&place).await.unwrap(), first.next());
    world.pending(name, CHOSEN[0], second.secret.expose()).await;
    assert_eq!(world.look(&place).await.unwrap(), seen, "what is pending no consumer reads");
    world.prepare(&place).await.unwrap();
    let read = world.sink.read(&place, &second.marker).await.unwrap().unwrap();
    assert!(read.digest().matches(&second.secret.digest()));
    let puts = world.manager.count("PutSecretValue");
    let receipt = world.write(&second, &place, &seen).await.unwrap();
    assert_eq!((receipt.0.as_str(), world.manager.count("PutSecretValue")), (CHOSEN[0], puts));
    assert_eq!(world.value(name).await, second.secret.expose());
    assert_eq!(world.labels(name, CHOSEN[0]).await, json!(["AWSCURRENT"]));
    // A version id that AWS chose counts by its value, and a second write changes nothing, whatever it had seen.
    let after = world.look(&place).await.unwrap();
    assert_eq!(after, second.seen(CHOSEN[0]));
    for seen in [&seen, &after] {
        assert_eq!(world.write(&second, &place, seen).await.unwrap(), receipt);
    }
    assert_eq!(world.labels(name, &second.id()).await, Value::Null);
    // An answer that was lost is asked for.
    let third = second.next();
    world.pending(name, CHOSEN[1], third.secret.expose()).await;
    world.manager.fail("UpdateSecretVersionStage", 1, Fault::LoseReply);
    assert_eq!(world.write(&third, &place, &after).await.unwrap().0, CHOSEN[1]);
    assert_eq!(world.labels(name, CHOSEN[1]).await, json!(["AWSCURRENT"]));
}

async fn what_an_older_rotation_left_is_taken_off(world: &World) {
    let (name, place) = ("rotated/left", world.place("rotated/left").await);
    let first = Version::first();
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let (seen, second) = (world.look(&place).await.unwrap(), first.next());
    world.pending(name, CHOSEN[0], second.secret.expose()).await;
    let third = second.next();
    assert_eq!(world.write(&third, &place, &seen).await.unwrap().0, third.id());
    assert_eq!(
        (world.value(name).await, world.labels(name, CHOSEN[0]).await),
        (json!(third.secret.expose()), Value::Null)
    );
    let again = json!({ "SecretId": name });
    assert!(world.person.call("RotateSecret", again).await.status.is_success(), "AWS rotates again");
    // One that has no value yet is a rotation that has only begun.
    let (seen, fourth) = (world.look(&place).await.unwrap(), third.next());
    world.write(&fourth, &place, &seen).await.unwrap();
    assert!(world.described(name).await["VersionIdsToStages"].to_string().contains("AWSPENDING"));
}

async fn what_is_somebody_elses_is_left_alone(world: &World) {
    let (name, place) = ("rotated/theirs", world.place("rotated/theirs").await);
    let first = Version::first();
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    for (id, theirs) in [(CHOSEN[0], "not a secret of ours"), (CHOSEN[1], Version::first().secret.expose())] {
        world.pending(name, id, theirs).await;
        let seen = world.look(&place).await.unwrap();
        let Seen::Holds(held) = &seen else { panic!("{seen:?}") };
        let second = Version::of(&first.marker.token_id, 2 + u32::from(held.receipt.0 != first.id()));
        assert_eq!(world.write(&second, &place, &seen).await.unwrap().0, second.id());
        assert_eq!(world.labels(name, id).await, json!(["AWSPENDING"]));
        let end = json!({ "SecretId": name, "VersionStage": "AWSPENDING", "RemoveFromVersionId": id });
        assert!(world.person.call("UpdateSecretVersionStage", end).await.status.is_success());
    }
}

async fn whoever_was_first_is_not_written_over(world: &World) {
    let (name, place) = ("rotated/raced", world.place("rotated/raced").await);
    let first = Version::first();
    world.write(&first, &place, &Seen::Absent).await.unwrap();
    let (seen, second) = (world.look(&place).await.unwrap(), first.next());
    world.pending(name, CHOSEN[0], second.secret.expose()).await;
    let person = world.person.clone();
    let edit = Fault::meanwhile(move || async move {
        person.call("PutSecretValue", json!({ "SecretId": "rotated/raced", "SecretString": "edited" })).await;
    });
    world.manager.fail("UpdateSecretVersionStage", 1, edit);
    let raced = world.write(&second, &place, &seen).await;
    assert!(matches!(raced, Err(SinkError::Changed)), "{raced:?}");
    assert_eq!(world.value(name).await, "edited");
}
