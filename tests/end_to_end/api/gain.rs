//! Attempts to gain something: each is refused, changes nothing and leaves an event.

use latchkey::service::{Life, NewToken, UserChange};
use serde_json::{Value, json};
use tests::api::Actor;
use tests::world::{World, name, new_token};

use super::scene::Scene;

/// The events about refusals, with the code that each gives.
async fn refusals(world: &World) -> Vec<String> {
    let mut refusals = Vec::new();
    for item in world.items().await {
        let text = |name: &str| latchkey::table::item::text(&item, name).unwrap_or_default().to_owned();
        if text("action") == "refused" {
            refusals.push(format!("{} {}", text("actor"), text("detail")));
        }
    }
    refusals
}

/// Tries something that has to be refused.
#[track_caller]
fn refused(reply: &tests::api::Reply, status: u16, code: &str) {
    assert_eq!((reply.status(), reply.code()), (status, code), "{}", reply.body);
}

/// Tries something, and holds the table to be as before but for one event about the refusal.
async fn attempt(scene: &Scene, actor: &Actor, method: &str, target: &str, body: Value, code: &str) {
    // A first use is noted once; it must not look like a change.
    let _ = actor.get("/v1/me").await.expect(200);
    let before = scene.world.items().await.len();
    let refusals_before = refusals(&scene.world).await.len();
    let reply = actor.json(method, target, &body).await;
    let status = if code == "token_replaced" { 409 } else { 403 };
    refused(&reply, status, code);
    let after = refusals(&scene.world).await;
    assert_eq!(after.len(), refusals_before + 1, "{method} {target} {body} left no event");
    assert!(after.iter().any(|event| event.contains(code)), "{after:?}");
    assert_eq!(scene.world.items().await.len(), before + 1, "{method} {target} changed something");
}

#[tokio::test]
async fn a_weak_token_gains_nothing_from_a_strong_one() {
    let scene = Scene::new().await;
    let strong = scene.secret("ada", "strong", &["reader", "writer"]).await;
    let strong = scene.world.valid(&strong).await;
    scene.world.role("pen", &["tokens:write"]).await;
    scene.world.user("ada", &["reader", "writer", "pen"]).await;
    let weak = scene.actor("ada", "weak", &["pen"]).await;
    let of_strong = "/v1/users/ada/tokens/strong";
    attempt(&scene, &weak, "POST", &format!("{of_strong}/versions"), json!({"id": strong.id}), "gain_refused").await;
    attempt(&scene, &weak, "POST", "/v1/users/me/tokens", json!({"name": "more"}), "gain_refused").await;
    let roles = json!({"name": "more", "roles": ["writer"]});
    attempt(&scene, &weak, "POST", "/v1/users/me/tokens", roles, "gain_refused").await;
    let roles = json!({"roles": ["pen", "writer"]});
    attempt(&scene, &weak, "PUT", "/v1/users/me/tokens/weak/roles", roles.clone(), "gain_refused").await;
    attempt(&scene, &weak, "PATCH", "/v1/users/me/tokens/weak", roles, "gain_refused").await;
    // What it holds itself it may hand on.
    let same = json!({"name": "same", "roles": ["pen"]});
    let _ = weak.json("POST", "/v1/users/me/tokens", &same).await.expect(201);
}

#[tokio::test]
async fn a_token_does_not_lengthen_its_own_life() {
    let scene = Scene::new().await;
    let soon = jiff::Timestamp::from_second(scene.world.now().as_second() + 86_400).unwrap();
    let roles = Some(vec![name("writer")]);
    let new = NewToken { roles, life: Life::Until(Some(soon)), ..new_token("ada", "short") };
    let short = Actor::with(&scene.api, scene.world.create(new).await.secret.expose());
    let later = json!({"expires_at": "2026-12-31"});
    attempt(&scene, &short, "PATCH", "/v1/users/me/tokens/short", later, "gain_refused").await;
    let other = json!({"name": "other", "roles": ["writer"], "expires_at": "2026-12-31"});
    attempt(&scene, &short, "POST", "/v1/users/me/tokens", other, "gain_refused").await;
    // A version of the manifest's token would live for 20 days.
    let id = scene.deploy_id().await;
    let target = "/v1/users/ada/tokens/deploy/versions";
    attempt(&scene, &short, "POST", target, json!({"id": id}), "gain_refused").await;
    // Who names no expiry gets the longest that is allowed.
    let made = short.json("POST", "/v1/users/me/tokens", &json!({"name": "other", "roles": ["writer"]})).await;
    assert_eq!(made.expect(201).text("/token/expires_at"), soon.to_string());
}

#[tokio::test]
async fn a_token_does_not_leave_its_networks() {
    let scene = Scene::new().await;
    let roles = Some(vec![name("writer")]);
    let allowed_ips = vec!["192.0.2.0/24".parse().unwrap()];
    let new = NewToken { roles, allowed_ips, ..new_token("ada", "bound") };
    let bound = Actor::with(&scene.api, scene.world.create(new).await.secret.expose());
    let own = "/v1/users/me/tokens/bound";
    attempt(&scene, &bound, "PATCH", own, json!({"allowed_ips": []}), "gain_refused").await;
    attempt(&scene, &bound, "PATCH", own, json!({"allowed_ips": ["192.0.0.0/16"]}), "gain_refused").await;
    let free = json!({"name": "free", "roles": ["writer"]});
    attempt(&scene, &bound, "POST", "/v1/users/me/tokens", free, "gain_refused").await;
    let _ = bound.json("PATCH", own, &json!({"allowed_ips": ["192.0.2.0/28"]})).await.expect(200);
    let mut elsewhere = bound.clone();
    elsewhere.source = "198.51.100.1".parse().unwrap();
    refused(&elsewhere.get("/v1/me").await, 401, "invalid_token");
}

#[tokio::test]
async fn a_manifest_hands_out_what_its_grant_holds_and_no_more() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let token = |roles: &[&str]| json!({"name": "new", "roles": roles, "manifest": "acme", "terms": terms});
    for permission in ["admin:tokens", "manifests:acme", "*:read"] {
        let role = json!({"permissions": [permission], "manifest": "acme"});
        attempt(&scene, &job, "PUT", "/v1/roles/sneaky", role, "not_by_manifest").await;
    }
    let wider = json!({"permissions": ["documents:write"], "manifest": "acme"});
    attempt(&scene, &job, "PUT", "/v1/roles/sneaky", wider, "not_granted").await;
    // A foreign user, and a role that the grant does not name.
    attempt(&scene, &job, "POST", "/v1/users/bob/tokens", token(&["reader"]), "not_granted").await;
    attempt(&scene, &job, "POST", "/v1/users/ada/tokens", token(&["writer"]), "not_granted").await;
    let user = |roles: &[&str]| json!({"kind": "service", "roles": roles, "manifest": "acme"});
    attempt(&scene, &job, "PUT", "/v1/users/bob", user(&["reader"]), "not_granted").await;
    attempt(&scene, &job, "PUT", "/v1/users/new", user(&["writer"]), "not_granted").await;
    attempt(&scene, &job, "PUT", "/v1/users/new", user(&["root"]), "not_granted").await;
    // A person, a user and a role that others made, even those that the grant names.
    let person = json!({"roles": ["reader"], "manifest": "acme"});
    attempt(&scene, &job, "PUT", "/v1/users/chief", person.clone(), "not_granted").await;
    attempt(&scene, &job, "PUT", "/v1/users/ada", json!({"roles": [], "manifest": "acme"}), "not_granted").await;
    let other = json!({"permissions": [], "manifest": "acme"});
    attempt(&scene, &job, "PUT", "/v1/roles/reader", other, "not_granted").await;
    // Somebody else's token does not become the manifest's by saying so.
    scene.world.create(NewToken { roles: Some(vec![name("reader")]), ..new_token("bob", "own") }).await;
    let adopt = json!({"manifest": "acme", "terms": terms});
    attempt(&scene, &job, "PATCH", "/v1/users/bob/tokens/own", adopt, "not_granted").await;
    // Neither without the manifest, nor with another one.
    refused(&job.json("POST", "/v1/users/ada/tokens", &json!({"name": "new"})).await, 404, "not_found");
    let other = json!({"name": "new", "roles": ["reader"], "manifest": "other", "terms": terms});
    refused(&job.json("POST", "/v1/users/ada/tokens", &other).await, 404, "not_found");
    // What is within works.
    let _ = job
        .json("PUT", "/v1/roles/own", &json!({"permissions": ["documents:read"], "manifest": "acme"}))
        .await
        .expect(200);
    let _ = job.json("PUT", "/v1/users/new", &user(&["own", "reader"])).await.expect(200);
    let _ = job.json("POST", "/v1/users/new/tokens", &token(&["own"])).await.expect(201);
    let _ = job.json("POST", "/v1/users/ada/tokens", &token(&["reader"])).await.expect(201);
    // A grant that is narrowed holds back what is there already.
    scene.grant(&[], &["reader"], &["ada"]).await;
    let id = scene.deploy_id().await;
    let versions = "/v1/users/ada/tokens/deploy/versions";
    attempt(&scene, &job, "POST", versions, json!({"id": id}), "not_granted").await;
}

#[tokio::test]
async fn nobody_plants_a_token_in_somebody_elses_manifest() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let planted = json!({"name": "x", "roles": ["reader"], "manifest": "acme", "terms": terms});
    refused(&own.json("POST", "/v1/users/me/tokens", &planted).await, 403, "insufficient_scope");
    let _ = own.json("POST", "/v1/users/me/tokens", &json!({"name": "x", "roles": ["reader"]})).await.expect(201);
    let moved = json!({"manifest": "acme", "terms": terms});
    refused(&own.json("PATCH", "/v1/users/me/tokens/x", &moved).await, 403, "insufficient_scope");
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_users_their_roles_and_their_names() {
    let scene = Scene::new().await;
    let bob = scene.actor("bob", "laptop", &["reader"]).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let answer = async |actor: &Actor, method: &str, target: &str, body: Value| {
        let mut reply = actor.json(method, target, &body).await;
        reply.body["request_id"] = Value::Null;
        (reply.status(), reply.body.to_string())
    };
    // Of a user who is there and has the role, who has not, and who is not there.
    for (method, path, body) in [
        ("PUT", "/tokens/x/roles", json!({"roles": ["writer"]})),
        ("PUT", "/tokens/x/roles", json!({"roles": ["root"]})),
        ("PATCH", "/tokens/x", json!({"name": "deploy"})),
        ("PATCH", "/tokens/deploy", json!({"name": "other"})),
    ] {
        let there = answer(&bob, method, &format!("/v1/users/ada{path}"), body.clone()).await;
        let nowhere = answer(&bob, method, &format!("/v1/users/nobody{path}"), body.clone()).await;
        assert_eq!(there, nowhere, "{method} {path} {body}");
        assert_eq!(there.0, 404);
    }
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let body = json!({"name": "x", "roles": ["root"], "manifest": "acme", "terms": terms});
    let answers = ["bob", "nobody", "root"].map(|user| format!("/v1/users/{user}/tokens"));
    for target in answers {
        refused(&job.json("POST", &target, &body).await, 403, "not_granted");
    }
}

#[tokio::test]
async fn a_name_that_is_used_again_is_another_token() {
    let scene = Scene::new().await;
    let own = scene.actor("ada", "laptop", &["writer"]).await;
    let make = json!({"name": "app", "roles": ["reader"]});
    let first = own.json("POST", "/v1/users/me/tokens", &make).await.expect(201);
    let id = first.text("/token/id").to_owned();
    assert_eq!(own.json("DELETE", "/v1/users/me/tokens/app", &Value::Null).await.status(), 204);
    let _ = own.json("POST", "/v1/users/me/tokens", &make).await.expect(201);
    let app = "/v1/users/me/tokens/app";
    let by_id = json!({"id": id});
    attempt(&scene, &own, "POST", &format!("{app}/versions"), by_id.clone(), "token_replaced").await;
    attempt(&scene, &own, "POST", &format!("{app}/versions/1/promote"), by_id, "token_replaced").await;
    attempt(&scene, &own, "PATCH", app, json!({"id": id, "description": "x"}), "token_replaced").await;
    attempt(&scene, &own, "DELETE", &format!("{app}?id={id}"), Value::Null, "token_replaced").await;
    let retire = format!("{app}/versions/1?id={id}&looked_at={}&revision=1", scene.world.now());
    attempt(&scene, &own, "DELETE", &retire, Value::Null, "token_replaced").await;
}

#[tokio::test]
async fn an_admin_of_one_thing_gives_only_what_it_holds() {
    let scene = Scene::new().await;
    scene.world.role("people", &["admin:users", "documents:read"]).await;
    scene.world.role("smith", &["admin:roles", "documents:read"]).await;
    scene.world.user("root", &["root", "people", "smith"]).await;
    let people = scene.actor("root", "people", &["people"]).await;
    attempt(&scene, &people, "PUT", "/v1/users/bob", json!({"roles": ["reader", "root"]}), "gain_refused").await;
    let _ = people.json("PUT", "/v1/users/bob", &json!({"roles": ["reader"]})).await.expect(200);
    let smith = scene.actor("root", "smith", &["smith"]).await;
    let everything = json!({"permissions": ["*:*"]});
    attempt(&scene, &smith, "PUT", "/v1/roles/reader", everything, "gain_refused").await;
    attempt(&scene, &smith, "PUT", "/v1/roles/new", json!({"permissions": ["invoices:read"]}), "gain_refused").await;
    let _ = smith.json("PUT", "/v1/roles/new", &json!({"permissions": ["documents:read"]})).await.expect(200);
    refused(&smith.json("PUT", "/v1/manifests/acme/grant", &json!({})).await, 403, "insufficient_scope");
    // Taking a role away from others is no gain.
    let _ = people.json("PUT", "/v1/users/root", &json!({"roles": ["people", "smith"]})).await.expect(200);
    let _ = scene.world.change_user("root", UserChange::default()).await;
}
