//! The steps themselves: in their order, twice, in another order, and with what AWS shows late.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyper::StatusCode;
use serde_json::json;
use tests::engines::Fault;

use super::{OURS, ROTATED, STEPS, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn four_steps_rotate_a_token_at_every_place_and_each_may_come_twice() {
    let scene = Scene::new().await;
    let first = scene.current().await;
    let version = scene.begin(ROTATED, OURS).await;
    // A consumer reads its secret all the time and is never refused.
    let (ends, checks) = (AtomicBool::new(false), AtomicU64::new(0));
    let consumer = async {
        while !ends.load(Ordering::Relaxed) {
            scene.consumers_are_well("meanwhile").await;
            checks.fetch_add(1, Ordering::Relaxed);
        }
    };
    let story = async {
        for step in STEPS {
            for _ in 0..2 {
                let done = scene.step(step, ROTATED, &version).await;
                assert!(done.is_ok(), "{step}: {done:?} {:?}", scene.rotate.lines());
            }
            if step != "finishSecret" {
                let pending = scene.value(ROTATED, "AWSPENDING").await.unwrap();
                assert!(scene.is_valid(&pending).await, "{step}");
                assert_eq!((scene.current().await, scene.versions().await), (first.clone(), (1, 2)), "{step}");
            }
        }
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(consumer, story);
    assert!(checks.load(Ordering::Relaxed) > 3);
    assert!(scene.is_finished(&version).await, "{:?} {:?}", scene.labels(ROTATED).await, scene.rotate.lines());
    assert_eq!(scene.versions().await, (2, 2));
    let second = scene.current().await;
    assert_ne!(first, second);
    // Consumers that read it before are let in through the overlap, and can still read it as AWSPREVIOUS.
    assert_eq!(scene.value(ROTATED, "AWSPREVIOUS").await.as_ref(), Some(&first[0]));
    assert!(scene.is_valid(&first[0]).await);
    // CI has nothing to do, and AWS may rotate again.
    scene.run("plan --detailed-exitcode").exits(0);
    let third = scene.begin(ROTATED, OURS).await;
    scene.rotate(&third).await;
    assert!(scene.is_finished(&third).await, "{:?}", scene.labels(ROTATED).await);
    assert_eq!(tests::provision::secrets_in(&scene.rotate.lines().join("\n")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_come_out_of_order_change_nothing_that_consumers_read() {
    let scene = Scene::new().await;
    let (first, version) = (scene.current().await, scene.begin(ROTATED, OURS).await);
    for step in ["finishSecret", "setSecret"] {
        let refused = scene.refused(step, ROTATED, &version).await;
        assert!(refused.contains("no value that can be read yet"), "{step}: {refused}");
    }
    assert_eq!((scene.current().await, scene.versions().await), (first, (1, 1)));
    for step in ["createSecret", "finishSecret", "testSecret", "createSecret", "setSecret", "finishSecret"] {
        let done = scene.step(step, ROTATED, &version).await;
        assert!(done.is_ok(), "{step}: {done:?}");
        scene.consumers_are_well(step).await;
    }
    assert!(scene.is_finished(&version).await);
    assert_eq!(scene.versions().await, (2, 2));
    let refused = scene.refused("dropSecret", ROTATED, &version).await;
    assert!(refused.contains("`dropSecret` is not a step"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_to_begin_later_is_tested_with_what_consumers_have() {
    let scene = Scene::new().await;
    let version = scene.begin(ROTATED, OURS).await;
    scene.step("testSecret", ROTATED, &version).await.unwrap();
    // Whether AWS copies the current value or not.
    let current = scene.value(ROTATED, "AWSCURRENT").await.unwrap();
    let copy = json!({ "SecretId": ROTATED, "ClientRequestToken": version, "SecretString": current, "VersionStages": ["AWSPENDING"] });
    scene.person.call("PutSecretValue", copy).await;
    scene.step("testSecret", ROTATED, &version).await.unwrap();
    assert_eq!(scene.versions().await, (1, 1));
    let taken_off = json!({ "SecretId": ROTATED, "VersionStage": "AWSPENDING", "RemoveFromVersionId": version });
    assert!(scene.person.call("UpdateSecretVersionStage", taken_off).await.status.is_success());
    // What nobody would be let in with fails the test.
    scene.run("user set ci --suspend").exits(0);
    let version = scene.begin(ROTATED, OURS).await;
    let refused = scene.refused("testSecret", ROTATED, &version).await;
    assert!(
        refused.contains("`ci` is suspended") && refused.contains("help: lift it: `provision user restore ci`"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_shows_late_is_waited_for_and_an_answer_that_is_lost_costs_no_version() {
    let scene = Scene::new().await;
    let version = scene.begin(ROTATED, OURS).await;
    let late = || {
        let message = "Secrets Manager can't find the specified secret value.".to_owned();
        Fault::Refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    };
    for nth in 1..=5 {
        scene.manager.fail("PutSecretValue", nth, Fault::LoseReply);
    }
    scene.step("createSecret", ROTATED, &version).await.unwrap_err();
    scene.manager.forgive();
    scene.manager.fail("GetSecretValue", 1, late());
    scene.step("createSecret", ROTATED, &version).await.unwrap();
    assert_eq!((scene.versions().await, scene.manager.pending("GetSecretValue")), ((1, 2), 0));
    for step in ["setSecret", "testSecret"] {
        scene.manager.fail("GetSecretValue", 1, late());
        scene.manager.fail("GetSecretValue", 2, late());
        scene.step(step, ROTATED, &version).await.unwrap();
    }
    scene.manager.fail("UpdateSecretVersionStage", 1, Fault::LoseReply);
    scene.step("finishSecret", ROTATED, &version).await.unwrap();
    assert!(scene.is_finished(&version).await, "{:?}", scene.labels(ROTATED).await);
    assert_eq!(scene.versions().await, (2, 2));
}
