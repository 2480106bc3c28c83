//! What answers and events tell, and to whom: what a plan needs and no more, who tried what, and never a secret.

use serde_json::{Value, json};

use super::scene::Scene;

#[tokio::test]
async fn a_right_to_read_for_planning_reads_what_a_plan_needs_and_changes_nothing() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
    scene.world.role("planner", &["manifests-read:acme"]).await;
    scene.world.user("bob", &["planner"]).await;
    let planner = scene.actor("bob", "planner", &["planner"]).await;
    let id = scene.deploy_id().await;
    for target in ["/v1/manifests/acme", "/v1/manifests/acme/tokens"] {
        let _ = planner.get(target).await.expect(200);
    }
    let wanted = json!({"users": ["ada"], "roles": true, "tokens": [{"user": "ada", "name": "deploy"}]});
    let _ = planner.json("POST", "/v1/manifests/acme/lookup", &wanted).await.expect(200);
    let digest = json!({"user": "ada", "name": "deploy", "id": id, "digest": "0".repeat(64)});
    let _ = planner.json("POST", "/v1/manifests/acme/confirm", &digest).await.expect(200);
    assert_eq!(planner.get("/v1/manifests/other/tokens").await.status(), 404);
    let deploy = "/v1/users/ada/tokens/deploy";
    for (method, target, body) in [
        ("PUT", "/v1/manifests/acme/lease".to_owned(), json!({"holder": "x"})),
        ("PUT", "/v1/manifests/acme".to_owned(), json!({"applied": {"revision": 9}})),
        ("POST", "/v1/manifests/acme/publication".to_owned(), json!({})),
        ("POST", format!("{deploy}/versions"), json!({"id": id})),
        ("PATCH", deploy.to_owned(), json!({"leaving": true})),
        ("DELETE", deploy.to_owned(), Value::Null),
    ] {
        let reply = planner.json(method, &target, &body).await;
        assert_eq!(reply.status(), 404, "{method} {target}: {}", reply.body);
    }
    let role = json!({"permissions": [], "manifest": "acme"});
    assert_eq!(planner.json("PUT", "/v1/roles/own", &role).await.status(), 403);
}

/// Events by what they are about.
async fn events(scene: &Scene, action: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in scene.world.items().await {
        let text = |name: &str| latchkey::table::item::text(&item, name).unwrap_or_default().to_owned();
        if text("action") == action {
            found.push(format!("{} {} {}", text("user"), text("actor"), text("detail")));
        }
    }
    found
}

#[tokio::test]
async fn a_missing_right_leaves_an_event_and_one_caller_leaves_so_many() {
    let scene = Scene::new().await;
    let bob = scene.actor("bob", "laptop", &["reader"]).await;
    for number in 0..40 {
        assert_eq!(bob.json("DELETE", &format!("/v1/users/nobody-{number}"), &Value::Null).await.status(), 403);
    }
    let noted = events(&scene, "refused").await;
    assert_eq!(noted.len(), 20, "{noted:?}");
    assert!(noted.iter().all(|event| event.starts_with(":roles bob/laptop ")), "nobody's history is filled: {noted:?}");
    assert_eq!(noted.iter().filter(|event| event.contains("are not recorded")).count(), 1);
    // Others' attempts are noted all the same.
    let eve = scene.actor("eve", "laptop", &["auditor"]).await;
    assert_eq!(eve.json("DELETE", "/v1/users/ada", &Value::Null).await.status(), 403);
    assert!(events(&scene, "refused").await.iter().any(|event| event.starts_with("ada eve/laptop ")));
}

#[tokio::test]
async fn a_lease_that_is_taken_or_stolen_leaves_an_event_and_its_renewal_none() {
    let scene = Scene::new().await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let lease = "/v1/manifests/acme/lease";
    for _ in 0..3 {
        let _ = job.json("PUT", lease, &json!({"holder": "one"})).await.expect(200);
    }
    assert_eq!(events(&scene, "lease.take").await, [":roles ci/github acme"]);
    let root = scene.actor("root", "laptop", &["root"]).await;
    assert_eq!(root.json("PUT", lease, &json!({"holder": "two"})).await.status(), 409);
    let _ = root.json("PUT", lease, &json!({"holder": "two", "steal": true})).await.expect(200);
    assert_eq!(events(&scene, "lease.steal").await, [":roles root/laptop acme, from ci/github"]);
}

#[tokio::test]
async fn a_secret_in_a_wrong_place_is_not_said_again() {
    let scene = Scene::new().await;
    let secret = scene.secret("ada", "spilt", &["reader"]).await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    for (method, target, body) in [
        ("PUT", "/v1/users/ada", json!({"kind": secret})),
        ("PUT", "/v1/users/ada", json!({secret.clone(): 1})),
        ("PUT", "/v1/roles/x", json!({"permissions": [secret]})),
        ("POST", "/v1/users/ada/tokens", json!({"name": "x", "labels": {secret.clone(): 1}})),
        ("PATCH", "/v1/users/ada/tokens/spilt", json!({"expires_at": secret})),
        ("PUT", "/v1/manifests/acme/grant", json!({"new_users": [secret]})),
        ("POST", "/v1/introspect", json!({"token": "x", secret.clone(): true})),
        ("POST", "/v1/introspect", json!({"token": "x", "client_ip": secret})),
    ] {
        let reply = root.json(method, target, &body).await;
        assert_eq!(reply.status(), 422, "{method} {target}: {}", reply.body);
        assert!(!reply.body.to_string().contains(&secret), "{method} {target}: {}", reply.body);
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for body in [format!("{secret}=1"), format!("token=a&{secret}=1&{secret}=2"), format!("{{\"token\":\"{secret}\"}}")]
    {
        let reply = root.send("POST", "/v1/introspect", &form, body.as_bytes()).await;
        assert!([415, 422].contains(&reply.status()), "{}", reply.body);
        assert!(!reply.body.to_string().contains(&secret), "{}", reply.body);
    }
}

#[tokio::test]
async fn only_admins_decide_where_notices_of_a_user_are_sent() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let ada = scene.actor("ada", "laptop", &["reader", "writer"]).await;
    let job = scene.actor("ci", "job", &["ci-acme"]).await;
    let there = json!({"email": "ada@example.com"});
    let reply = root.json("PUT", "/v1/users/ada", &there).await.expect(200);
    assert_eq!(reply.body["email"], "ada@example.com");
    for (target, body) in [
        ("/v1/users/ada", json!({"email": "eve@example.com"})),
        ("/v1/users/ada", json!({"email": null})),
        ("/v1/users/ada", json!({"email": "eve@example.com", "manifest": "acme"})),
        ("/v1/users/new-one", json!({"email": "eve@example.com", "manifest": "acme", "kind": "service"})),
    ] {
        assert_eq!(ada.json("PUT", target, &body).await.status(), 403, "{body}");
        assert_eq!(job.json("PUT", target, &body).await.status(), 403, "{body}");
    }
    let without = json!({"manifest": "acme", "kind": "service"});
    let _ = job.json("PUT", "/v1/users/new-one", &without).await.expect(200);
    for bad in ["", "ada", "a@b@c", "a b@example.com", "ada@example.com\r\nBcc: eve@example.com"] {
        let refused = root.json("PUT", "/v1/users/ada", &json!({"email": bad})).await;
        assert_eq!(refused.status(), 422, "{bad}: {}", refused.body);
        assert!(refused.body.to_string().contains("/email"), "{}", refused.body);
    }
    let shown = ada.get("/v1/users/ada").await.expect(200);
    assert_eq!(shown.body["email"], "ada@example.com", "and the rest of what is put leaves it alone");
    let _ = root.json("PUT", "/v1/users/ada", &json!({"email": null})).await.expect(200);
    assert_eq!(ada.get("/v1/users/ada").await.expect(200).body.get("email"), None);
    let noted = events(&scene, "user.change").await;
    let told = |what: &str| noted.iter().filter(|event| event.contains(what)).count();
    assert_eq!((told("; email set"), told("; email removed"), told("@example.com")), (1, 1, 0), "{noted:?}");
}

#[tokio::test]
async fn everybody_is_told_their_own_limit_of_tokens_also_where_it_is_the_default() {
    let scene = Scene::new().await;
    let (ada, root) = (scene.actor("ada", "laptop", &["reader"]).await, scene.actor("root", "laptop", &["root"]).await);
    assert_eq!(ada.get("/v1/settings").await.status(), 403);
    let limits = async |given: &tests::api::Actor, target: &str| {
        let user = given.get(target).await.expect(200).body;
        (user["max_tokens"].as_u64(), user["limit"].as_u64())
    };
    assert_eq!(limits(&ada, "/v1/users/me").await, (None, Some(10)));
    assert_eq!(ada.get("/v1/users/bob").await.status(), 404, "nobody else's");
    let _ = root.json("PATCH", "/v1/settings", &json!({"max_tokens": 4})).await.expect(200);
    assert_eq!(limits(&ada, "/v1/users/ada").await, (None, Some(4)));
    let own = root.json("PUT", "/v1/users/ada", &json!({"max_tokens": 7})).await.expect(200).body;
    assert_eq!((own["max_tokens"].as_u64(), own["limit"].as_u64()), (Some(7), Some(7)));
    let listed = root.get("/v1/users").await.expect(200).body;
    let limits: Vec<Option<u64>> =
        listed["users"].as_array().unwrap().iter().map(|user| user["limit"].as_u64()).collect();
    assert!(limits.contains(&Some(7)) && limits.iter().all(|limit| matches!(limit, Some(4 | 7))), "{limits:?}");
}
