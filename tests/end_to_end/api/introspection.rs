//! Introspection and the authorizer's check: what they tell, and what they cost.

use latchkey::service::{Caller, NewToken, UserChange, Verdict};
use serde_json::{Value, json};
use tests::engine::Engine;
use tests::world::{key, new_token};

use super::scene::Scene;

async fn ask(scene: &Scene, actor: &tests::api::Actor, body: Value) -> Value {
    let _ = scene;
    actor.json("POST", "/v1/introspect", &body).await.expect(200).body
}

#[tokio::test]
async fn a_trusted_caller_learns_who_a_secret_is() {
    let scene = Scene::new().await;
    let gateway = scene.actor("gateway", "main", &["introspector"]).await;
    let secret = scene.secret("ada", "laptop", &["reader"]).await;
    let told = ask(&scene, &gateway, json!({"token": secret})).await;
    let valid = scene.world.valid(&secret).await;
    let wanted = json!({
        "active": true, "scope": "documents:read", "token_type": "Bearer", "sub": "ada", "username": "ada",
        "exp": valid.expires.as_second(), "jti": valid.id, "token_name": "laptop", "version": 1, "roles": ["reader"],
        "permissions": ["documents:read"],
    });
    assert_eq!(told, wanted);
    // As a form, which RFC 7662 asks for.
    let form = format!("token={secret}&token_type_hint=access_token&count=false");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let reply = gateway.send("POST", "/v1/introspect", &kind, form.as_bytes()).await.expect(200);
    assert_eq!(reply.body, wanted);
}

#[tokio::test]
async fn whatever_is_not_valid_is_inactive_and_no_more() {
    let scene = Scene::new().await;
    let gateway = scene.actor("gateway", "main", &["introspector"]).await;
    let inactive = json!({"active": false});
    let secret = scene.secret("ada", "laptop", &["reader"]).await;
    let mut mistyped = secret.clone();
    mistyped.pop();
    mistyped.push('!');
    for token in ["", "lk_x", &mistyped, &"x".repeat(5000)] {
        assert_eq!(ask(&scene, &gateway, json!({"token": token})).await, inactive, "{token}");
    }
    scene.world.delete("ada", "laptop").await;
    assert_eq!(ask(&scene, &gateway, json!({"token": secret})).await, inactive, "deleted");
    let sue = scene.secret("sue", "laptop", &["reader"]).await;
    scene.world.change_user("sue", UserChange { suspended: Some(true), ..UserChange::default() }).await;
    assert_eq!(ask(&scene, &gateway, json!({"token": sue})).await, inactive, "suspended");
    let allowed_ips = vec!["203.0.113.0/24".parse().unwrap()];
    let bound = scene.world.create(NewToken { allowed_ips, ..new_token("ada", "bound") }).await;
    let bound = bound.secret.expose();
    assert_eq!(ask(&scene, &gateway, json!({"token": bound})).await, inactive, "no address was given");
    let from = |ip: &str| json!({"token": bound, "client_ip": ip});
    assert_eq!(ask(&scene, &gateway, from("198.51.100.1")).await, inactive);
    assert_eq!(ask(&scene, &gateway, from("203.0.113.9")).await["active"], true);
}

#[tokio::test]
async fn who_may_not_ask_learns_nothing() {
    let scene = Scene::new().await;
    let secret = scene.secret("ada", "laptop", &["writer"]).await;
    let own = scene.actor("ada", "other", &["writer"]).await;
    for body in [json!({"token": secret}), json!({"token": "lk_x"}), json!({"nonsense": 1})] {
        let reply = own.json("POST", "/v1/introspect", &body).await;
        assert_eq!((reply.status(), reply.code()), (403, "insufficient_scope"), "{body}");
    }
    // A caller may ask about itself, which is one item and not two.
    let secret = scene.secret("gateway", "main", &["introspector"]).await;
    let gateway = tests::api::Actor::with(&scene.api, &secret);
    assert_eq!(ask(&scene, &gateway, json!({"token": secret})).await["sub"], "gateway");
}

#[tokio::test]
async fn a_check_is_one_read_unit_and_introspection_two() {
    let scene = Scene::on(Engine::Dynoxide).await;
    let gateway = scene.actor("gateway", "main", &["introspector"]).await;
    let secret = scene.secret("ada", "laptop", &["reader"]).await;
    let table = scene.world.service.table();
    let cost = async |body: Value| {
        let before = table.counted();
        ask(&scene, &gateway, body).await;
        let after = table.counted();
        (after.calls - before.calls, after.units - before.units)
    };
    // The first ones note first uses and read what roles permit.
    cost(json!({"token": secret})).await;
    assert_eq!(cost(json!({"token": secret})).await, (1, 2.0), "both in one call");
    assert_eq!(cost(json!({"token": "lk_not-a-secret"})).await, (1, 1.0), "nothing for what is malformed");
    let before = table.counted();
    let authorized = scene.api.authorize(&secret, None).await;
    assert!(matches!(authorized.verdict, Ok(Verdict::Valid(_))));
    let after = table.counted();
    assert_eq!((after.calls - before.calls, after.units - before.units), (1, 1.0));
    for malformed in ["", "lk_x", "Bearer x", &secret[..secret.len() - 1]] {
        let before = table.counted();
        let authorized = scene.api.authorize(malformed, None).await;
        assert!(matches!(authorized.verdict, Ok(Verdict::Invalid(_))));
        assert_eq!(table.counted(), before, "no I/O for {malformed:?}");
    }
}

#[tokio::test]
async fn uses_are_counted_once_and_not_when_told_so() {
    let scene = Scene::new().await;
    let gateway = scene.actor("gateway", "main", &["introspector"]).await;
    let secret = scene.secret("ada", "laptop", &["reader"]).await;
    for _ in 0..3 {
        ask(&scene, &gateway, json!({"token": secret})).await;
    }
    ask(&scene, &gateway, json!({"token": secret, "count": false})).await;
    scene.world.service.flush_usage().await.unwrap();
    let root = scene.actor("root", "laptop", &["root"]).await;
    let usage = root.get("/v1/users/ada/tokens/laptop/usage").await.expect(200);
    assert_eq!(usage.body["uses"], 3, "{}", usage.body);
    // Of an ended token too, by its id.
    let id = usage.text("/id").to_owned();
    scene.world.service.delete(&Caller::operator("x"), &key("ada", "laptop"), None).await.unwrap();
    let gone = root.get("/v1/users/ada/tokens/laptop/usage").await;
    assert_eq!(gone.status(), 404);
    let usage = root.get(&format!("/v1/users/ada/tokens/laptop/usage?id={id}")).await.expect(200);
    assert_eq!(usage.body["uses"], 3);
}

/// RFC 7617, with what RFC 6749, section 2.3.1, does to both parts first.
fn basic(name: &str, password: &str) -> String {
    let text = format!("{name}:{password}");
    format!("Basic {}", aws_smithy_types::base64::encode(text))
}

#[tokio::test]
async fn who_asks_by_http_basic_is_whose_the_password_is() {
    let scene = Scene::new().await;
    let gateway = scene.secret("gateway", "main", &["introspector"]).await;
    let (ada, anybody) = (scene.secret("ada", "laptop", &["reader"]).await, tests::api::Actor::anonymous(&scene.api));
    let form = format!("token={ada}");
    let send = async |authorization: &str, target: &str| {
        let headers = [("authorization", authorization), ("content-type", "application/x-www-form-urlencoded")];
        anybody.send("POST", target, &headers, form.as_bytes()).await
    };
    let encoded = gateway.replace('_', "%5F");
    for good in [
        basic("my-app", &gateway),
        basic("", &gateway),
        basic("a%3Ab+c", &encoded),
        basic("gateway", &gateway).replace("Basic", "basic"),
    ] {
        let told = send(&good, "/v1/introspect").await.expect(200);
        assert_eq!(told.body["sub"], "ada", "{good}");
    }
    let wrong = "Basic realm=\"latchkey\", charset=\"UTF-8\"";
    for bad in [
        basic("my-app", &ada[..ada.len() - 1]),
        basic(&gateway, ""),
        basic("my-app", &"x".repeat(5000)),
        basic("my-app", "%zz"),
        format!("Basic {}", aws_smithy_types::base64::encode(&gateway)),
        format!("Basic {gateway}"),
        "Basic ".to_owned(),
        format!("{},Bearer {gateway}", basic("my-app", &gateway)),
    ] {
        let refused = send(&bad, "/v1/introspect").await.expect(401);
        assert_eq!(
            (refused.code(), refused.response.header("www-authenticate")),
            ("invalid_token", Some(wrong)),
            "{bad}"
        );
        assert!(!format!("{:?}{}", refused.record, refused.body).contains(&gateway[10..]));
    }
    // Who may not ask may not in this way either, and nothing else takes it.
    let _ = send(&basic("ada", &ada), "/v1/introspect").await.expect(403);
    let refused =
        anybody.send("GET", "/v1/me", &[("authorization", &basic("my-app", &gateway))], b"").await.expect(401);
    assert_eq!(refused.response.header("www-authenticate"), Some("Bearer realm=\"latchkey\""));
    // Two ways at once are none.
    let both = [("authorization", basic("my-app", &gateway)), ("authorization", format!("Bearer {gateway}"))];
    let both: Vec<(&str, &str)> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _ = anybody.send("POST", "/v1/introspect", &both, form.as_bytes()).await.expect(400);
}

#[tokio::test]
async fn the_servers_metadata_name_introspection_and_promise_nothing_else() {
    let scene = Scene::new().await;
    let told =
        tests::api::Actor::anonymous(&scene.api).get("/.well-known/oauth-authorization-server").await.expect(200);
    let wanted = json!({
        "issuer": "https://tokens.example.com",
        "introspection_endpoint": "https://tokens.example.com/v1/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        "grant_types_supported": [], "response_types_supported": [],
    });
    assert_eq!(told.body, wanted);
}
