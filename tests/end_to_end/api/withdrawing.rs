//! Withdrawing an announcement over HTTP: by its number, once, and nobody else's.

use serde_json::{Value, json};

use super::scene::{Scene, place};

#[tokio::test]
async fn an_announcement_is_withdrawn_by_its_number_and_no_other_is() {
    let scene = Scene::new().await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let id = scene.deploy_id().await;
    let _ = root.json("POST", "/v1/users/ada/tokens/deploy/versions", &json!({ "id": id })).await.expect(201);
    let target = format!("/v1/users/ada/tokens/deploy/versions/2/deliveries/{}", place().id());
    let put = async |state: &str, more: Value| {
        let mut body = json!({ "id": id, "state": state });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        root.json("PUT", &target, &body).await
    };
    let withdraw = async |announcement: &Value| put("withdrawn", json!({ "announcement": announcement })).await;
    let ours = put("announced", json!({})).await.expect(200).body["announcement"].clone();
    let theirs = put("announced", json!({})).await.expect(200).body["announcement"].clone();
    assert!(ours.is_u64() && ours != theirs, "{ours} {theirs}");
    let announced = |reply: &Value| reply["token"]["versions"][1]["announced"].is_string();
    assert!(announced(&withdraw(&ours).await.expect(200).body), "the other one stands");
    let twice = withdraw(&ours).await;
    assert_eq!((twice.status(), twice.code()), (409, "not_announced"));
    assert!(!announced(&withdraw(&theirs).await.expect(200).body));
    for (state, more, pointer) in [
        ("withdrawn", json!({}), "/announcement"),
        ("announced", json!({ "announcement": 1 }), "/announcement"),
        ("withdrawn", json!({ "announcement": 1, "receipt": "r" }), "/receipt"),
    ] {
        let refused = put(state, more).await;
        assert_eq!((refused.status(), refused.text("/errors/0/pointer")), (422, pointer), "{}", refused.body);
    }
}
