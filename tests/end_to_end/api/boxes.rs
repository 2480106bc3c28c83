//! Permissions, networks and life are one box: whoever lets a token grow on any side of it must hold all that comes out.
//! And whoever runs no manifest steers none.

use latchkey::lifetime::Seconds;
use latchkey::service::{Caller, Grant, Life, NewToken, UserChange};
use serde_json::{Value, json};
use tests::api::{Actor, Reply};
use tests::world::{World, name, new_token, permissions};

use super::scene::{Scene, place};

/// A token of a user's that is bound to networks and lives for some hours.
async fn bound(scene: &Scene, (user, token): (&str, &str), roles: &[&str], hours: u32, networks: &[&str]) -> Actor {
    let allowed_ips = networks.iter().map(|network| network.parse().unwrap()).collect();
    let life = Life::Until(Some(Seconds::hours(hours.into()).after(scene.world.now())));
    let roles = Some(roles.iter().map(|role| name(role)).collect());
    let new = NewToken { roles, allowed_ips, life, ..new_token(user, token) };
    Actor::with(&scene.api, scene.world.create(new).await.secret.expose())
}

#[track_caller]
fn refused(reply: &Reply, code: &str) {
    assert_eq!((reply.status(), reply.code()), (403, code), "{}", reply.body);
}

#[tokio::test]
async fn a_short_and_bound_token_makes_no_long_and_free_one_stronger() {
    let scene = Scene::new().await;
    let strong = bound(&scene, ("ada", "strong"), &["reader", "writer"], 2, &["192.0.2.0/24"]).await;
    scene.secret("ada", "weak", &[]).await;
    let roles = json!({"roles": ["writer"]});
    refused(&strong.json("PUT", "/v1/users/me/tokens/weak/roles", &roles).await, "gain_refused");
    refused(&strong.json("PATCH", "/v1/users/me/tokens/weak", &roles).await, "gain_refused");
    // Less is always possible, and so is more within its own box.
    let _ =
        strong.json("PATCH", "/v1/users/me/tokens/weak", &json!({"allowed_ips": ["192.0.2.0/28"]})).await.expect(200);
    let soon = Seconds::hours(1).after(scene.world.now()).to_string();
    let _ = strong.json("PATCH", "/v1/users/me/tokens/weak", &json!({"expires_at": soon})).await.expect(200);
    let _ = strong.json("PATCH", "/v1/users/me/tokens/weak", &roles).await.expect(200);
}

#[tokio::test]
async fn a_weak_token_sets_no_strong_one_free() {
    let scene = Scene::new().await;
    scene.world.role("pen", &["tokens:write"]).await;
    scene.world.role("help", &["admin:tokens"]).await;
    scene.world.user("ada", &["reader", "writer", "pen", "help"]).await;
    bound(&scene, ("ada", "strong"), &["writer"], 2, &["192.0.2.0/24"]).await;
    for role in ["pen", "help"] {
        let weak = scene.actor("ada", role, &[role]).await;
        let later = Seconds::days(300).after(scene.world.now()).to_string();
        let strong = "/v1/users/ada/tokens/strong";
        refused(&weak.json("PATCH", strong, &json!({"allowed_ips": []})).await, "gain_refused");
        refused(&weak.json("PATCH", strong, &json!({"allowed_ips": ["0.0.0.0/0"]})).await, "gain_refused");
        refused(&weak.json("PATCH", strong, &json!({"expires_at": later})).await, "gain_refused");
        let _ = weak.json("PATCH", strong, &json!({"description": format!("seen by {role}")})).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_that_is_bound_or_brief_widens_no_role_and_no_grant() {
    let scene = Scene::new().await;
    let wider = json!({"permissions": ["documents:read", "documents:write"]});
    let (free, brief) = (&[][..], 23);
    for (token, hours, networks) in [("bound", 800, &["192.0.2.0/24"][..]), ("brief", brief, free)] {
        let admin = bound(&scene, ("root", token), &["root"], hours, networks).await;
        refused(&admin.json("PUT", "/v1/roles/reader", &wider).await, "gain_refused");
        let grant = json!({"permissions": ["documents:read"]});
        refused(&admin.json("PUT", "/v1/manifests/acme/grant", &grant).await, "gain_refused");
        // Narrower is no matter of how long.
        let _ = admin.json("PUT", "/v1/roles/unused", &json!({"permissions": []})).await.expect(200);
        let _ = admin.json("PUT", "/v1/manifests/acme/grant", &json!({})).await.expect(200);
        scene.world.role("unused", &["documents:read"]).await;
    }
    // Whoever lives shorter than those who hold the role may well do it.
    let admin = bound(&scene, ("root", "day"), &["root"], 25, free).await;
    let _ = admin.json("PUT", "/v1/roles/reader", &wider).await.expect(200);
}

#[tokio::test]
async fn a_job_that_is_bound_and_short_does_what_its_grant_allows() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
    let job = bound(&scene, ("ci", "job"), &["ci-acme"], 1, &["192.0.2.0/24"]).await;
    let id = scene.deploy_id().await;
    let _ = job.json("POST", "/v1/users/ada/tokens/deploy/versions", &json!({"id": id})).await.expect(201);
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let token = json!({"name": "new", "roles": ["reader"], "manifest": "acme", "terms": terms});
    let _ = job.json("POST", "/v1/users/ada/tokens", &token).await.expect(201);
    let role = json!({"permissions": ["documents:read"], "manifest": "acme"});
    let _ = job.json("PUT", "/v1/roles/own", &role).await.expect(200);
}

#[tokio::test]
async fn a_star_for_all_resources_does_not_reach_latchkeys_own() {
    let scene = Scene::new().await;
    scene.world.role("stars", &["*:acme", "*:tokens", "*:users", "*:introspect", "*:roles", "*:write"]).await;
    scene.world.user("bob", &["reader", "stars"]).await;
    let secret = scene.secret("bob", "stars", &["stars"]).await;
    let stars = Actor::with(&scene.api, &secret);
    assert_eq!(stars.json("PUT", "/v1/manifests/acme/lease", &json!({"holder": "x"})).await.status(), 404);
    refused(&stars.json("POST", "/v1/introspect", &json!({"token": "lk_x"})).await, "insufficient_scope");
    refused(&stars.get("/v1/users").await, "insufficient_scope");
    refused(&stars.get("/v1/roles").await, "insufficient_scope");
    assert_eq!(stars.get("/v1/users/ada/tokens").await.status(), 404);
    refused(&stars.json("POST", "/v1/users/me/tokens", &json!({"name": "x"})).await, "insufficient_scope");
    // What a user's own service sees stays.
    let valid = scene.world.valid(&secret).await;
    assert!(valid.permissions.allow(&"documents:write".parse().unwrap()));
    // Nor does it give them to others.
    scene.world.role("smith", &["admin:roles", "*:acme"]).await;
    scene.world.user("sue", &["smith"]).await;
    let smith = scene.actor("sue", "smith", &["smith"]).await;
    let role = json!({"permissions": ["manifests:acme"]});
    refused(&smith.json("PUT", "/v1/roles/taker", &role).await, "gain_refused");
    let _ = smith.json("PUT", "/v1/roles/taker", &json!({"permissions": ["*:acme"]})).await.expect(200);
}

#[tokio::test]
async fn no_token_changes_the_role_of_the_admins() {
    let scene = Scene::new().await;
    let operator = Caller::operator("here");
    let first =
        scene.world.service.bootstrap(&operator, &tests::world::key("chief", "first"), None, false).await.unwrap();
    let chief = Actor::with(&scene.api, first.secret.expose());
    scene.world.role("smith", &["admin:roles"]).await;
    scene.world.user("bob", &["smith"]).await;
    let smith = scene.actor("bob", "smith", &["smith"]).await;
    for admin in [&smith, &chief] {
        refused(&admin.json("PUT", "/v1/roles/admin", &json!({"permissions": []})).await, "reserved");
        refused(&admin.json("DELETE", "/v1/roles/admin", &Value::Null).await, "reserved");
    }
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let declared = json!({"permissions": [], "manifest": "acme"});
    refused(&job.json("PUT", "/v1/roles/admin", &declared).await, "reserved");
    let _ = chief.get("/v1/roles").await.expect(200);
    // An operator may narrow it; while it is narrow nobody is made an admin to be, and bootstrap brings it back.
    scene.world.role("admin", &["documents:read"]).await;
    scene.world.role("people", &["admin:users", "documents:read"]).await;
    scene.world.user("sue", &["people"]).await;
    let people = scene.actor("sue", "people", &["people"]).await;
    refused(&people.json("PUT", "/v1/users/eve", &json!({"roles": ["admin"]})).await, "gain_refused");
    let again =
        scene.world.service.bootstrap(&operator, &tests::world::key("chief", "again"), None, true).await.unwrap();
    let chief = Actor::with(&scene.api, again.secret.expose());
    let _ = chief.get("/v1/users").await.expect(200);
}

#[tokio::test]
async fn only_who_runs_a_manifest_gives_it_people_and_roles_and_steers_its_tokens() {
    let scene = Scene::new().await;
    scene
        .world
        .role("offices", &["admin:users", "admin:roles", "admin:tokens", "documents:read", "tokens:write"])
        .await;
    scene.world.user("bob", &["reader", "offices"]).await;
    let admin = scene.actor("bob", "offices", &["offices"]).await;
    refused(&admin.json("PUT", "/v1/users/sue", &json!({"manifest": "acme"})).await, "insufficient_scope");
    let role = json!({"permissions": ["documents:read"], "manifest": "acme"});
    refused(&admin.json("PUT", "/v1/roles/reader", &role).await, "insufficient_scope");
    refused(&admin.json("PUT", "/v1/roles/other", &role).await, "insufficient_scope");
    let owner = scene.actor("ada", "laptop", &["reader", "writer"]).await;
    let id = scene.deploy_id().await;
    let deploy = "/v1/users/ada/tokens/deploy";
    let delivery = format!("{deploy}/versions/1/deliveries/{}", place().id());
    for weak in [&owner, &admin] {
        for change in [
            json!({"places": [place()]}),
            json!({"places": []}),
            json!({"terms": {"expires_in": "10d", "rotate_every": "3d", "overlap": "2h"}}),
            json!({"leaving": true}),
            json!({"name": "other"}),
            json!({"forget": place().id()}),
        ] {
            refused(&weak.json("PATCH", deploy, &change).await, "insufficient_scope");
        }
        for state in ["announced", "delivered"] {
            let body = json!({"id": id, "state": state, "receipt": "r"});
            let body = if state == "announced" { json!({"id": id, "state": state}) } else { body };
            refused(&weak.json("PUT", &delivery, &body).await, "insufficient_scope");
        }
        let all = json!({"id": id, "places": [place().id()]});
        refused(&weak.json("POST", &format!("{deploy}/versions/1/announcements"), &all).await, "insufficient_scope");
        let arrived = json!([{"place": place().id(), "receipt": "r", "looked_at": scene.world.now()}]);
        for promotion in [json!({"id": id}), json!({"id": id, "deliveries": arrived})] {
            refused(
                &weak.json("POST", &format!("{deploy}/versions/1/promote"), &promotion).await,
                "insufficient_scope",
            );
        }
        let _ = weak.json("PATCH", deploy, &json!({"description": "of ada's"})).await.expect(200);
    }
    // Ending it stays with owner and admins.
    assert_eq!(owner.json("DELETE", deploy, &Value::Null).await.status(), 204);
}

#[tokio::test]
async fn what_a_manifest_has_is_released_by_an_admin() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let account = json!({"kind": "service", "roles": [], "manifest": "acme"});
    let _ = job.json("PUT", "/v1/users/new", &account).await.expect(200);
    let _ = job.json("PUT", "/v1/roles/own", &json!({"permissions": [], "manifest": "acme"})).await.expect(200);
    scene.world.role("offices", &["admin:users", "admin:roles"]).await;
    scene.world.user("bob", &["offices"]).await;
    let admin = scene.actor("bob", "offices", &["offices"]).await;
    let free = json!({"manifest": null});
    let user = admin.json("PUT", "/v1/users/new", &free).await.expect(200);
    assert_eq!(user.body.get("managed_by"), None, "{}", user.body);
    let role = admin.json("PUT", "/v1/roles/own", &json!({"permissions": [], "manifest": null})).await.expect(200);
    assert_eq!(role.body.get("managed_by"), None, "{}", role.body);
    // They are an admin's then: the job changes them no more.
    refused(&job.json("PUT", "/v1/users/new", &account).await, "not_granted");
}

#[tokio::test]
async fn a_manifest_creates_the_names_that_its_grant_lets_it_and_so_many() {
    let scene = Scene::new().await;
    let grant = async |max_users| {
        let new_users = [name("acme-*"), name("robot-1")].into();
        let grant = Grant { new_users, max_users, permissions: permissions(&["documents:read"]), ..Grant::default() };
        scene.world.service.set_grant(&Caller::operator("scene"), &name("acme"), &grant).await.unwrap();
    };
    grant(Some(2)).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let account = json!({"kind": "service", "roles": [], "manifest": "acme"});
    let role = json!({"permissions": [], "manifest": "acme"});
    for stranger in ["new.hire@example.com", "robot-2", "acme"] {
        refused(&job.json("PUT", &format!("/v1/users/{stranger}"), &account).await, "not_granted");
    }
    let reply = job.json("PUT", "/v1/roles/billing-admin", &role).await;
    refused(&reply, "not_granted");
    assert!(reply.text("/detail").contains("provision manifest grant acme --from"), "{}", reply.body);
    for own in ["acme-1", "robot-1"] {
        let _ = job.json("PUT", &format!("/v1/users/{own}"), &account).await.expect(200);
    }
    refused(&job.json("PUT", "/v1/users/acme-2", &account).await, "not_granted");
    // What it has stays, and what is deleted makes room.
    let _ = job.json("PUT", "/v1/users/acme-1", &account).await.expect(200);
    scene.world.service.delete_user(&Caller::operator("scene"), &name("acme-1")).await.unwrap();
    let _ = job.json("PUT", "/v1/users/acme-2", &account).await.expect(200);
    refused(&job.json("PUT", "/v1/users/acme-3", &account).await, "not_granted");
    grant(Some(3)).await;
    let _ = job.json("PUT", "/v1/users/acme-3", &account).await.expect(200);
}

#[tokio::test]
async fn many_at_once_do_not_create_more_than_the_grant_says() {
    let scene = Scene::new().await;
    let grant = Grant { new_roles: [name("r*")].into(), max_roles: Some(3), ..Grant::default() };
    scene.world.service.set_grant(&Caller::operator("scene"), &name("acme"), &grant).await.unwrap();
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let role = json!({"permissions": [], "manifest": "acme"});
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (job, role) = (job.clone(), role.clone());
        requests.spawn(async move { job.json("PUT", &format!("/v1/roles/r{number}"), &role).await.status() });
    }
    let answers = requests.join_all().await;
    let made = answers.iter().filter(|status| **status == 200).count();
    assert_eq!(made, 3, "{answers:?}");
}

#[tokio::test]
async fn a_refusal_does_not_tell_what_is_there() {
    let scene = Scene::new().await;
    scene.grant(&["documents:read"], &[], &[]).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let answer = async |target: &str, body: &Value, there: &str| {
        let mut reply = job.json("PUT", target, body).await;
        reply.body["request_id"] = Value::Null;
        (reply.status(), reply.body.to_string().replace(there, "NAME"))
    };
    for kind in ["person", "service"] {
        let body = json!({"kind": kind, "roles": [], "manifest": "acme"});
        let there = answer("/v1/users/root", &body, "root").await;
        assert_eq!(there, answer("/v1/users/nobody-here", &body, "nobody-here").await);
        assert_eq!(there.0, 403);
    }
    let body = json!({"permissions": [], "manifest": "acme"});
    let there = answer("/v1/roles/writer", &body, "writer").await;
    assert_eq!(there, answer("/v1/roles/nothing-here", &body, "nothing-here").await);
}

#[tokio::test]
async fn who_takes_a_name_again_is_somebody_else() {
    let scene = Scene::new().await;
    scene.world.user("joe", &["reader"]).await;
    scene.grant(&["documents:read"], &["reader"], &["joe"]).await;
    let former = scene.secret("joe", "laptop", &["reader"]).await;
    let id = scene.world.valid(&former).await.id;
    let operator = Caller::operator("scene");
    scene.world.delete("joe", "laptop").await;
    scene.world.service.delete_user(&operator, &name("joe")).await.unwrap();
    scene.world.clock.advance(Seconds(60));
    let again = UserChange { roles: Some(vec![name("reader"), name("writer")]), ..UserChange::default() };
    scene.world.change_user("joe", again).await;
    scene.world.clock.advance(Seconds(60));
    let joe = scene.actor("joe", "phone", &["reader", "writer"]).await;
    let ended = joe.get("/v1/users/me/tokens?state=deleted").await.expect(200);
    assert_eq!(ended.body["tokens"], json!([]), "{}", ended.body);
    for target in ["usage", "events"] {
        let reply = joe.get(&format!("/v1/users/me/tokens/laptop/{target}?id={id}")).await;
        assert_eq!(reply.status(), 404, "{target}: {}", reply.body);
    }
    // An admin sees who it was.
    let root = scene.actor("root", "laptop", &["root"]).await;
    let ended = root.get("/v1/users/joe/tokens?state=deleted").await.expect(200);
    assert_eq!(ended.body["tokens"].as_array().unwrap().len(), 1);
    // The grant named the former one.
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let token = json!({"name": "new", "roles": ["reader"], "manifest": "acme", "terms": terms});
    refused(&job.json("POST", "/v1/users/joe/tokens", &token).await, "not_granted");
    scene.grant(&["documents:read"], &["reader"], &["joe"]).await;
    let _ = job.json("POST", "/v1/users/joe/tokens", &token).await.expect(201);
}

/// What a check reads does not grow with the roles of the deployment.
#[tokio::test]
async fn a_check_reads_the_roles_that_its_token_names_and_no_others() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    for number in 0..150 {
        let many: Vec<String> = (0..100).map(|action| format!("resource-{number}:action-{action}")).collect();
        world.role(&format!("other-{number}"), &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    world.user("ana", &["reader"]).await;
    let secret = world.token("ana", "laptop").await.secret;
    let service = std::sync::Arc::new(world.another(7).await);
    let before = service.table().counted();
    let mut checks = tokio::task::JoinSet::new();
    let mut check = || {
        let (service, secret) = (service.clone(), secret.expose().to_owned());
        checks.spawn(async move { service.verify(&secret, None).await });
    };
    // The first one's read of the role takes long, and all others come meanwhile.
    world.store.faults.hold_after(1);
    check();
    world.store.faults.held().await;
    (1..20).for_each(|_| check());
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    world.store.faults.release();
    for verdict in checks.join_all().await {
        assert!(matches!(verdict.unwrap(), latchkey::service::Verdict::Valid(valid) if !valid.permissions.is_empty()));
    }
    let after = service.table().counted();
    assert_eq!(after.calls - before.calls, 21, "one read a check, and one of the role for all of them");
    let _ = service.verify(secret.expose(), None).await.unwrap();
    assert_eq!(service.table().counted().calls - after.calls, 1);
}
