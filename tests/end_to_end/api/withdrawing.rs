//! Announcing and withdrawing over HTTP: an announcement by its number, once, and nobody else's; several places as one
//! change, with what is wrong named by its place in the request.

use serde_json::{Value, json};
use tests::api::Actor;

use super::scene::{Scene, place};

/// The deployment's second version, staged: who asks, the token's id, and its path.
async fn staged(scene: &Scene) -> (Actor, String, &'static str) {
    let root = scene.actor("root", "laptop", &["root"]).await;
    let id = scene.deploy_id().await;
    let _ = root.json("POST", "/v1/users/ada/tokens/deploy/versions", &json!({ "id": id })).await.expect(201);
    (root, id, "/v1/users/ada/tokens/deploy/versions/2")
}

/// A body with more in it.
fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_announcement_is_withdrawn_by_its_number_and_no_other_is() {
    let scene = Scene::new().await;
    let (root, id, version) = staged(&scene).await;
    let target = format!("{version}/deliveries/{}", place().id());
    let put = async |state: &str, more: Value| {
        root.json("PUT", &target, &with(json!({ "id": id, "state": state }), &more)).await
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

#[tokio::test]
async fn several_places_are_announced_and_reported_as_one_change_or_refused_with_the_field() {
    let scene = Scene::new().await;
    let (root, id, version) = staged(&scene).await;
    let announce = async |places: Value| {
        root.json("POST", &format!("{version}/announcements"), &json!({ "id": id, "places": places })).await
    };
    let place = place().id().to_string();
    for (places, pointer) in [(json!([]), "/places"), (json!(vec![&place; 21]), "/places")] {
        let refused = announce(places).await;
        assert_eq!(refused.status() / 100, 4, "{}", refused.body);
        assert!(refused.text("/errors/0/pointer").starts_with(pointer), "{}", refused.body);
    }
    assert!(announce(json!([place])).await.expect(200).body["announcement"].is_u64());
    let promote =
        async |more: Value| root.json("POST", &format!("{version}/promote"), &with(json!({ "id": id }), &more)).await;
    let at = |receipt: &str| json!({ "place": place, "receipt": receipt, "looked_at": scene.world.now() });
    for (more, pointer) in [
        (json!({ "deliveries": [at("r"), at("two\nlines")] }), "/deliveries/1/receipt"),
        (json!({ "deliveries": vec![at("r"); 21] }), "/deliveries"),
        (json!({ "deliveries": [at("r")], "overlap": "1h" }), "/deliveries"),
    ] {
        let refused = promote(more).await;
        assert_eq!((refused.status(), refused.text("/errors/0/pointer")), (422, pointer), "{}", refused.body);
    }
    let missing = promote(json!({})).await;
    assert_eq!((missing.status(), missing.code()), (409, "not_delivered"));
    let promoted = promote(json!({ "deliveries": [at("r")] })).await.expect(200).body;
    assert_eq!(promoted["versions"][1]["state"], "current", "{promoted}");
}
