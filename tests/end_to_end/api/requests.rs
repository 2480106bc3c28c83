//! What requests may look like, and what is said of those that may not.

use latchkey::api::{Api, Function};
use serde_json::{Value, json};
use tests::api::Actor;

use super::scene::Scene;

#[tokio::test]
async fn a_bad_request_is_told_all_its_faults_at_their_places() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let body = json!({
        "name": "-bad-", "roles": ["Reader", "writer"], "allowed_ips": ["10.0.0.0/8", "nowhere"],
        "expires_at": "tomorrow",
    });
    let reply = own.json("POST", "/v1/users/me/tokens", &body).await.expect(422);
    let pointers: Vec<&str> =
        reply.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/roles/0", "/allowed_ips/1", "/expires_at"]);
    for (body, status, code, said) in [
        (r#"{"name": "x", "nmae": 1}"#, 422, "invalid_field", "no such field"),
        (r#"{"name": "x", "labels": {"a": 1}}"#, 422, "invalid_field", "/labels/a"),
        (r#"{"name": "x", "labels": {"": "a"}}"#, 422, "invalid_field", "a label needs a name"),
        (r#"{"name": "x"} trailing"#, 400, "invalid_request", "has more text after"),
        (r#"{"name": "#, 400, "invalid_request", "not JSON"),
        ("", 400, "invalid_request", "not JSON"),
        (r#"{"name": "x", "name": "y"}"#, 422, "invalid_field", "duplicate field"),
        (r#"["x"]"#, 422, "invalid_field", "expected"),
        (r#"{"name": "x", "terms": ["20d", "7d", "2h"]}"#, 422, "invalid_field", "expected a map"),
    ] {
        let kind = [("content-type", "application/json")];
        let reply = own.send("POST", "/v1/users/me/tokens", &kind, body.as_bytes()).await;
        assert_eq!((reply.status(), reply.code()), (status, code), "{body}: {}", reply.body);
        assert!(reply.text("/detail").contains(said), "{body}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_problem_never_repeats_a_value_of_the_wrong_type() {
    let scene = Scene::new().await;
    let gateway = scene.actor("gateway", "main", &["introspector"]).await;
    let secret = scene.secret("ada", "laptop", &["reader"]).await;
    for body in [json!(secret), json!({"token": "x", "count": secret}), json!({"token": "x", "client_ip": secret})] {
        let reply = gateway.json("POST", "/v1/introspect", &body).await;
        assert_eq!(reply.status(), 422, "{}", reply.body);
        assert!(!reply.body.to_string().contains(&secret), "{}", reply.body);
    }
}

#[tokio::test]
async fn paths_methods_and_queries_are_held_to_the_table() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let refused = async |method: &str, target: &str, status: u16, code: &str| {
        let reply = own.json(method, target, &Value::Null).await;
        assert_eq!((reply.status(), reply.code()), (status, code), "{method} {target}: {}", reply.body);
        reply
    };
    refused("GET", "/v1/nothing", 404, "not_found").await;
    refused("GET", "/v1/users/me/tokens/", 404, "not_found").await;
    let reply = refused("POST", "/v1/me", 405, "method_not_allowed").await;
    assert_eq!(reply.response.header("allow"), Some("GET"));
    refused("GET", "/v1/users/me/tokens?stat=deleted", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?state=gone", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?limit=0", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?limit=1&limit=2", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?cursor=..%2f..", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?state=deleted&cursor=U%23bob", 422, "invalid_field").await;
    refused("GET", "/v1/users/me/tokens?limit=%zz", 400, "invalid_request").await;
    refused("GET", "/v1/users/Ada/tokens", 404, "not_found").await;
    refused("GET", "/v1/users/me/usage?from=2026-03-02&to=2026-03-01", 422, "invalid_field").await;
    // Encoded or not, a name is the same.
    let _ = own.get("/v1/users/%61da/tokens").await.expect(200);
    // A function answers its own routes only.
    let create = Api::with(scene.world.service.clone(), Function::CREATE);
    let narrow = Actor::with(&create, &scene.secret("ada", "narrow", &["reader"]).await);
    assert_eq!(narrow.get("/v1/me").await.status(), 404);
    assert_eq!(narrow.get("/v1/users/me/tokens").await.status(), 405);
}

#[tokio::test]
async fn headers_and_bodies_are_bounded() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let kind = ("content-type", "application/json");
    let reply = own.send("POST", "/v1/users/me/tokens", &[kind], &vec![b' '; 65 * 1024]).await;
    assert_eq!((reply.status(), reply.code()), (413, "too_large"));
    let reply = own.send("GET", "/v1/me", &[("x-padding", &"x".repeat(17 * 1024))], b"").await;
    assert_eq!((reply.status(), reply.code()), (431, "headers_too_large"));
    let reply = own.send("POST", "/v1/users/me/tokens", &[("content-type", "text/plain")], b"{}").await;
    assert_eq!((reply.status(), reply.code()), (415, "unsupported_media_type"));
    // Two tokens are none, RFC 6750 section 2.
    let reply = own.send("GET", "/v1/me", &[("authorization", "Bearer other")], b"").await;
    assert_eq!((reply.status(), reply.code()), (400, "invalid_request"));
    assert_eq!(reply.response.header("www-authenticate"), Some("Bearer realm=\"latchkey\", error=\"invalid_request\""));
    let mut basic = Actor::anonymous(&scene.api);
    basic.authorization = Some("Basic YTpi".to_owned());
    assert_eq!(basic.get("/v1/me").await.code(), "unauthenticated");
    // A forwarded address is nobody's word.
    let reply = own.send("GET", "/v1/me", &[("x-forwarded-for", "203.0.113.9")], b"").await;
    let _ = reply.expect(200);
}

#[tokio::test]
async fn pages_go_on_where_they_ended() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    for index in 0..5 {
        let body = json!({"name": format!("app-{index}"), "roles": ["reader"]});
        let _ = own.json("POST", "/v1/users/me/tokens", &body).await.expect(201);
        if index % 2 == 0 {
            scene.world.delete("ada", &format!("app-{index}")).await;
        }
    }
    let mut all = Vec::new();
    for state in ["active", "deleted"] {
        let mut cursor = String::new();
        let mut names = Vec::new();
        loop {
            let page = own.get(&format!("/v1/users/me/tokens?state={state}&limit=2{cursor}")).await.expect(200);
            let tokens = page.body["tokens"].as_array().unwrap();
            names.extend(tokens.iter().map(|token| token["name"].as_str().unwrap().to_owned()));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        all.push(names);
    }
    assert_eq!(all[0], ["app-1", "app-3", "deploy", "laptop"]);
    let mut deleted = all[1].clone();
    deleted.sort();
    assert_eq!(deleted, ["app-0", "app-2", "app-4"]);
}

#[tokio::test]
async fn a_change_of_something_that_changed_meanwhile_is_refused() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let shown = own.get("/v1/users/me/tokens/laptop").await.expect(200);
    let etag = shown.response.header("etag").unwrap().to_owned();
    let edit = async |etag: &str, text: &str| {
        let headers = [("content-type", "application/json"), ("if-match", etag)];
        own.send("PATCH", "/v1/users/me/tokens/laptop", &headers, json!({"description": text}).to_string().as_bytes())
            .await
    };
    let changed = edit(&etag, "one").await.expect(200);
    let refused = edit(&etag, "two").await;
    assert_eq!((refused.status(), refused.code()), (412, "precondition_failed"));
    assert_eq!(edit("nonsense", "two").await.status(), 412);
    let _ = edit(changed.response.header("etag").unwrap(), "two").await.expect(200);
    let _ = edit("*", "three").await.expect(200);
}

#[tokio::test]
async fn a_role_that_changed_meanwhile_is_not_replaced() {
    let scene = Scene::new().await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let put = async |etag: &str, action: &str| {
        let headers = [("content-type", "application/json"), ("if-match", etag)];
        let body = json!({"permissions": [format!("documents:{action}")]}).to_string();
        root.send("PUT", "/v1/roles/guarded", &headers, body.as_bytes()).await
    };
    let made = root.json("PUT", "/v1/roles/guarded", &json!({"permissions": []})).await.expect(200);
    let shown = root.get("/v1/roles/guarded").await.expect(200);
    let etag = made.response.header("etag").unwrap().to_owned();
    assert_eq!(shown.response.header("etag"), Some(etag.as_str()));
    let changed = put(&etag, "read").await.expect(200);
    let refused = put(&etag, "write").await;
    assert_eq!((refused.status(), refused.code()), (412, "precondition_failed"));
    assert_eq!(put("nonsense", "write").await.status(), 412);
    let _ = put(changed.response.header("etag").unwrap(), "list").await.expect(200);
    let _ = put("*", "write").await.expect(200);
}

#[tokio::test]
async fn the_token_in_hand_can_be_shown_and_ended() {
    let scene = Scene::new().await;
    for (user, role) in [("ada", "writer"), ("robot", "reader")] {
        let actor = scene.actor(user, "in-hand", &[role]).await;
        let me = actor.get("/v1/me").await.expect(200);
        assert_eq!((me.text("/user"), me.text("/token")), (user, "in-hand"));
        assert_eq!(actor.json("DELETE", "/v1/me/token", &Value::Null).await.status(), 204);
        assert_eq!(actor.get("/v1/me").await.status(), 401, "it ends at once");
    }
}

#[tokio::test]
async fn who_changed_what_can_be_read_page_by_page() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    for text in ["one", "two", "three"] {
        let _ = own.json("PATCH", "/v1/users/me/tokens/laptop", &json!({"description": text})).await.expect(200);
    }
    let mut cursor = String::new();
    let mut actions = Vec::new();
    loop {
        let page = own.get(&format!("/v1/users/me/tokens/laptop/events?limit=2{cursor}")).await.expect(200);
        for event in page.body["events"].as_array().unwrap() {
            actions.push(format!("{} {}", event["actor"].as_str().unwrap(), event["action"].as_str().unwrap()));
        }
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    actions.sort();
    assert_eq!(actions[..3], ["ada/laptop token.edit"; 3]);
    assert_eq!(actions.len(), 4, "{actions:?}");
    let eve = scene.actor("eve", "laptop", &["auditor"]).await;
    assert!(!eve.get("/v1/events").await.expect(200).body["events"].as_array().unwrap().is_empty());
    let of_ada = eve.get("/v1/events?user=ada").await.expect(200);
    assert!(of_ada.body["events"].as_array().unwrap().iter().all(|event| event["user"] == "ada"));
}
