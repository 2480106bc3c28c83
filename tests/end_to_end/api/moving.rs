//! Moving a token between manifests over HTTP: the fields, and what is refused.

use serde_json::{Value, json};

use super::scene::Scene;

const TOKEN: &str = "/v1/users/ada/tokens/deploy";

#[tokio::test]
async fn a_token_moves_with_two_requests_and_neither_is_enough_alone() {
    let scene = Scene::new().await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let patch = async |body: Value| root.json("PATCH", TOKEN, &body).await;
    let take = || json!({"manifest": "umbrella", "moved_from": "acme"});
    let refused = patch(take()).await;
    assert_eq!((refused.status(), refused.code(), refused.text("/managed_by")), (409, "move_not_agreed", "acme"));
    let agreed = patch(json!({"moved_to": "umbrella"})).await.expect(200);
    assert_eq!((agreed.text("/managed_by"), agreed.text("/moved_to")), ("acme", "umbrella"));
    // Absent stays, null takes it back.
    let _ = patch(json!({"description": "other"})).await.expect(200);
    assert_eq!(root.get(TOKEN).await.expect(200).text("/moved_to"), "umbrella");
    assert_eq!(patch(json!({"moved_to": null})).await.expect(200).body.get("moved_to"), None);
    let _ = patch(json!({"moved_to": "umbrella"})).await.expect(200);
    let unnamed = patch(json!({"manifest": "umbrella"})).await;
    assert_eq!((unnamed.status(), unnamed.code()), (409, "other_manifest"));
    let taken = patch(take()).await.expect(200);
    assert_eq!((taken.text("/managed_by"), taken.body.get("moved_to")), ("umbrella", None));
}

#[tokio::test]
async fn what_cannot_be_meant_is_the_fault_of_its_field() {
    let scene = Scene::new().await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let lease = json!({"holder": "run", "steal": true, "token": {"user": "ada", "name": "deploy"}});
    for (method, target, body, pointer) in [
        ("PATCH", TOKEN, json!({"moved_from": "acme"}), "/moved_from"),
        ("PATCH", TOKEN, json!({"moved_to": "acme"}), "/moved_to"),
        ("PATCH", TOKEN, json!({"moved_to": "No Name"}), "/moved_to"),
        ("PUT", "/v1/roles/reader", json!({"permissions": [], "moved_from": "acme"}), "/moved_from"),
        ("PUT", "/v1/roles/reader", json!({"permissions": [], "moved_to": "acme"}), "/moved_to"),
        ("PUT", "/v1/users/bob", json!({"moved_to": "acme"}), "/moved_to"),
        ("PUT", "/v1/manifests/acme/lease", lease, "/steal"),
    ] {
        let reply = root.json(method, target, &body).await;
        assert_eq!((reply.status(), reply.code()), (422, "invalid_field"), "{body}: {}", reply.body);
        assert_eq!(reply.text("/errors/0/pointer"), pointer, "{body}");
    }
}
