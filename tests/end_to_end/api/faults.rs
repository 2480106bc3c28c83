//! Trouble with the table: the right status and code, and nobody is let in.

use std::sync::Arc;
use std::time::Duration;

use latchkey::api::Api;
use latchkey::service::Service;
use latchkey::table::Table;
use serde_json::json;
use tests::api::Actor;
use tests::clock::SeededEntropy;
use tests::engine::{Engine, Store};

use super::scene::Scene;

#[tokio::test]
async fn a_table_that_refuses_lets_nobody_in() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let _ = own.get("/v1/me").await.expect(200);
    scene.world.store.faults.cut_after(0);
    let reply = own.get("/v1/me").await;
    assert_eq!((reply.status(), reply.code()), (500, "internal"));
    assert!(reply.record.internal.is_some_and(|text| text.contains("denied")), "the log knows why");
    assert!(!reply.body.to_string().contains("denied"), "and the caller does not");
    let authorized = scene.api.authorize("lk_x", None).await;
    assert!(authorized.verdict.is_ok(), "what is malformed needs no table");
    let secret = own.authorization.clone().unwrap();
    let authorized = scene.api.authorize(secret.trim_start_matches("Bearer "), None).await;
    assert!(authorized.verdict.is_err());
    let _ = scene.world.store.faults.mend();
    let _ = own.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_busy_or_silent_table_is_503_and_says_when_to_come_back() {
    let scene = Scene::new().await;
    let secret = scene.secret("ada", "laptop", &["writer"]).await;
    let table = scene.world.store.table.clone().retrying_for(Duration::from_millis(50));
    let service = Service::open(table, scene.world.clock.clone(), Arc::new(SeededEntropy::new(6))).await.unwrap();
    let own = Actor::with(&Api::new(Arc::new(service)), &secret);
    let _ = own.get("/v1/me").await.expect(200);
    for (fault, code) in [("throttle", "busy"), ("silence", "unavailable"), ("partial", "unavailable")] {
        match fault {
            "throttle" => scene.world.store.faults.throttle_after(0),
            "silence" => scene.world.store.faults.silence_after(0),
            _ => scene.world.store.faults.partial_after(0),
        }
        let reply = own.get("/v1/me").await;
        assert_eq!((reply.status(), reply.code()), (503, code), "{}", reply.body);
        assert!(reply.response.header("retry-after").is_some());
        let _ = scene.world.store.faults.mend();
    }
    // A clock that is wrong does not become right by trying again.
    scene.world.store.faults.skew_after(0);
    let reply = own.get("/v1/me").await;
    assert_eq!((reply.status(), reply.code()), (500, "internal"), "{}", reply.body);
    let _ = scene.world.store.faults.mend();
    let _ = own.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_lost_answer_loses_no_update() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    // At every request to the table in turn; the transaction carries a token, so it is done once.
    for lost in 0..6 {
        let name = format!("app-{lost}");
        scene.world.store.faults.lose_answer_after(lost);
        let made = own.json("POST", "/v1/users/me/tokens", &json!({"name": name, "roles": ["reader"]})).await;
        let _ = scene.world.store.faults.mend();
        let made = made.expect(201);
        let reader = Actor::with(&scene.api, made.text("/secret"));
        let _ = reader.get("/v1/me").await.expect(200);
        scene.world.store.faults.lose_answer_after(lost);
        let gone = own.json("DELETE", &format!("/v1/users/me/tokens/{name}"), &serde_json::Value::Null).await;
        let _ = scene.world.store.faults.mend();
        assert!(matches!(gone.status(), 204 | 404), "{}", gone.body);
        assert_eq!(reader.get("/v1/me").await.status(), 401);
    }
    let user = scene.world.service.user(&"ada".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(user.active, 2, "`deploy` and `laptop`: none counts twice");
}

#[tokio::test]
async fn conflicts_are_tried_again() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let _ = own.get("/v1/me").await.expect(200);
    // After the check of the caller, the user and the roles: the transaction.
    let mut made_all_the_same = 0;
    for at in 0..5 {
        scene.world.store.faults.conflict_after(at);
        let made =
            own.json("POST", "/v1/users/me/tokens", &json!({"name": format!("c-{at}"), "roles": ["reader"]})).await;
        let met = !scene.world.store.faults.mend();
        // A read never conflicts: such an answer is nothing that we know.
        assert!(matches!(made.status(), 201 | 500), "{}", made.body);
        made_all_the_same += u32::from(met && made.status() == 201);
    }
    assert!(made_all_the_same > 0, "no transaction met a conflict");
}

#[tokio::test]
async fn a_missing_table_is_an_error_of_ours() {
    let scene = Scene::new().await;
    let secret = scene.secret("ada", "laptop", &["writer"]).await;
    let store = &scene.world.store;
    let service = Service::open(store.table.clone(), scene.world.clock.clone(), Arc::new(SeededEntropy::new(4)));
    let opened = service.await.unwrap();
    assert!(Actor::with(&Api::new(Arc::new(opened)), &secret).get("/v1/me").await.status() == 200);
    let aws = Store::on(Engine::of_aws()).await;
    let nowhere = Table::new(aws.client().clone(), "no-such-table");
    let service = Service::open(nowhere, scene.world.clock.clone(), Arc::new(SeededEntropy::new(5))).await;
    assert!(service.is_err(), "it says so before it answers anybody");
}
