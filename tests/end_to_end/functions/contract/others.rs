//! What others do in between: CI, the job, a place that is down, a rotation that was given up.

use latchkey::service::Caller;
use serde_json::json;
use tests::provision::{DAY, HOUR};
use tests::world::name;

use super::{COPY, OURS, ROTATED, STEPS, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_current_before_every_place_of_the_token_has_it() {
    let scene = Scene::new().await;
    let (first, version) = (scene.current().await, scene.begin(ROTATED, OURS).await);
    for step in &STEPS[..3] {
        scene.step(step, ROTATED, &version).await.unwrap();
    }
    scene.person.call("DeleteSecret", json!({ "SecretId": COPY })).await;
    let refused = scene.refused("finishSecret", ROTATED, &version).await;
    assert!(refused.contains("prod/build-copy") && refused.contains("scheduled for deletion"), "{refused}");
    assert_eq!(scene.versions().await, (1, 2), "it is not promoted");
    assert_eq!(scene.value(ROTATED, "AWSCURRENT").await.as_ref(), Some(&first[0]));
    assert_eq!(scene.labels(ROTATED).await["AWSPENDING"], version);
    scene.person.call("RestoreSecret", json!({ "SecretId": COPY })).await;
    scene.consumers_are_well("restored").await;
    // AWS repeats the rotation from its first step.
    scene.rotate(&version).await;
    assert!(scene.is_finished(&version).await);
    assert_eq!(scene.versions().await, (2, 2));
    // Nothing is staged while a place is down.
    let version = scene.begin(ROTATED, OURS).await;
    scene.person.call("DeleteSecret", json!({ "SecretId": COPY })).await;
    let refused = scene.refused("createSecret", ROTATED, &version).await;
    assert!(refused.contains("prod/build-copy"), "{refused}");
    assert_eq!(scene.versions().await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_ci_overtakes_ends_and_a_late_step_revives_nothing() {
    let scene = Scene::new().await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.step("createSecret", ROTATED, &version).await.unwrap();
    let pending = scene.value(ROTATED, "AWSPENDING").await.unwrap();
    scene.run("rotate --compromised ci/build-api --yes").exits(0);
    assert!(!scene.is_valid(&pending).await, "it was revoked with the others");
    let (current, versions) = (scene.current().await, scene.versions().await);
    assert!(!scene.labels(ROTATED).await.contains_key("AWSPENDING"), "{:?}", scene.labels(ROTATED).await);
    for step in ["finishSecret", "createSecret"] {
        let refused = scene.refused(step, ROTATED, &version).await;
        assert!(refused.contains("its rotation has ended") && refused.contains("help: start another"), "{refused}");
        assert_eq!((scene.current().await, scene.versions().await), (current.clone(), versions), "{step}");
    }
    scene.consumers_are_well("afterwards").await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.rotate(&version).await;
    assert!(scene.is_finished(&version).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_stuck_is_taken_off_and_aws_can_rotate_again() {
    let scene = Scene::new().await;
    let before = scene.current().await;
    // Another tool left a value of its own behind.
    let version = scene.begin(ROTATED, OURS).await;
    let junk = json!({ "SecretId": ROTATED, "ClientRequestToken": version, "SecretString": "junk", "VersionStages": ["AWSPENDING"] });
    scene.person.call("PutSecretValue", junk).await;
    let again = scene.person.call("RotateSecret", json!({ "SecretId": ROTATED })).await;
    assert!(again.is_error("InvalidRequestException"), "AWS begins no other");
    let refused = scene.refused("createSecret", ROTATED, &version).await;
    assert!(refused.contains("contains no secret of Latchkey, so its label AWSPENDING was removed"), "{refused}");
    assert_eq!((scene.current().await, scene.versions().await), (before, (1, 1)));
    // A rotation was given up, and its version is valid no more when AWS comes back to it.
    let version = scene.begin(ROTATED, OURS).await;
    scene.step("createSecret", ROTATED, &version).await.unwrap();
    scene.run("rotate --compromised ci/build-api --yes").exits(0);
    let stuck = json!({ "SecretId": ROTATED, "VersionStage": "AWSPENDING", "MoveToVersionId": version });
    // A version without labels stays readable for a while.
    assert!(scene.person.call("UpdateSecretVersionStage", stuck).await.status.is_success());
    let refused = scene.refused("finishSecret", ROTATED, &version).await;
    assert!(refused.contains("not valid any more, so its label AWSPENDING was removed"), "{refused}");
    assert!(!scene.labels(ROTATED).await.contains_key("AWSPENDING"));
    scene.consumers_are_well("afterwards").await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.rotate(&version).await;
    assert!(scene.is_finished(&version).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_under_way_is_not_run_into() {
    let scene = Scene::new().await;
    let (service, ci) = (&scene.endpoint.service, Caller::operator("ci"));
    service.take_lease(&ci, &name("acme"), "elsewhere", false).await.unwrap();
    let version = scene.begin(ROTATED, OURS).await;
    let refused = scene.refused("createSecret", ROTATED, &version).await;
    assert!(refused.starts_with("another run is applying `acme`"), "{refused}");
    assert_eq!((scene.versions().await, scene.value(ROTATED, "AWSPENDING").await), ((1, 1), None));
    service.free_lease(&ci, &name("acme"), "elsewhere").await.unwrap();
    scene.rotate(&version).await;
    assert!(scene.is_finished(&version).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_current_under_another_id_counts_by_its_value() {
    let scene = Scene::new().await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.step("createSecret", ROTATED, &version).await.unwrap();
    let pending = scene.value(ROTATED, "AWSPENDING").await.unwrap();
    // As a run does that is not shown the label yet.
    scene.person.call("PutSecretValue", json!({ "SecretId": ROTATED, "SecretString": pending })).await;
    for step in ["finishSecret", "finishSecret", "createSecret"] {
        let done = scene.step(step, ROTATED, &version).await;
        assert!(done.is_ok(), "{step}: {done:?}");
        assert!(!scene.labels(ROTATED).await.contains_key("AWSPENDING"), "{step}");
    }
    assert_eq!((scene.current().await, scene.versions().await), ([pending.clone(), pending], (2, 2)));
    let version = scene.begin(ROTATED, OURS).await;
    scene.rotate(&version).await;
    assert!(scene.is_finished(&version).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_in_between_finishes_what_is_pending() {
    let scene = Scene::new().await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.step("createSecret", ROTATED, &version).await.unwrap();
    let pending = scene.value(ROTATED, "AWSPENDING").await.unwrap();
    scene.world.clock(30 * DAY + HOUR);
    let turn = scene.rotate.invoke(&json!({})).await.unwrap();
    assert_eq!(turn["failed"], 0, "{:?}", scene.rotate.lines());
    assert!(scene.is_finished(&version).await, "{:?} {:?}", scene.labels(ROTATED).await, scene.rotate.lines());
    assert_eq!((scene.current().await, scene.versions().await), ([pending.clone(), pending], (2, 2)));
    for step in &STEPS[1..] {
        scene.step(step, ROTATED, &version).await.unwrap();
    }
    // AWS has not heard of it, and begins anew with the same version.
    scene.rotate(&version).await;
    assert_eq!(scene.versions().await, (2, 2));
}
