//! Every route against everybody, with the exact status, code and headers.

use std::fmt::Write;

use insta::assert_snapshot;
use latchkey::api::Route;
use latchkey::lifetime::Seconds;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Caller, Life, NewToken, UserChange};
use serde_json::{Value, json};
use tests::api::{Actor, Reply};
use tests::clock::SeededEntropy;
use tests::world::{key, name, new_token};

use super::scene::{Scene, place};

/// Who asks, in the order of the columns.
const CALLERS: [&str; 15] = [
    "none",
    "malformed",
    "unknown",
    "expired",
    "deleted",
    "retired",
    "suspended",
    "other",
    "few",
    "own",
    "service",
    "job",
    "outside",
    "admin",
    "auditor",
];

/// Somebody of a kind. The scene is changed as far as the kind asks for it.
async fn caller(scene: &Scene, kind: &str) -> Actor {
    let (api, world) = (&scene.api, &scene.world);
    match kind {
        "none" => Actor::anonymous(api),
        "malformed" => Actor::with(api, "lk_not-a-secret"),
        "unknown" => {
            let id: TokenId = name("0123456789abcdef");
            let secret = Secret::mint(&world.service.policy().prefix, &id, &SeededEntropy::new(9)).unwrap();
            Actor::with(api, secret.expose())
        }
        "expired" => {
            let life = Life::Until(Some(Seconds::minutes(1).after(world.now())));
            let created = world.create(NewToken { life, ..new_token("ada", "old") }).await;
            world.clock.advance(Seconds::minutes(1));
            Actor::with(api, created.secret.expose())
        }
        "deleted" => {
            let created = world.token("ada", "gone").await;
            world.delete("ada", "gone").await;
            Actor::with(api, created.secret.expose())
        }
        "retired" => {
            // A staged version that nobody announced is replaced by the next one.
            let created = world.token("ada", "turned").await;
            let (token, operator) = (created.token.reference(), Caller::operator("x"));
            let staged = world.service.stage(&operator, &token).await.unwrap();
            world.service.stage(&operator, &token).await.unwrap();
            Actor::with(api, staged.secret.expose())
        }
        "suspended" => {
            let actor = scene.actor("sue", "laptop", &["writer"]).await;
            world.change_user("sue", UserChange { suspended: Some(true), ..UserChange::default() }).await;
            actor
        }
        "other" => scene.actor("bob", "laptop", &["reader"]).await,
        "few" => scene.actor("ada", "laptop", &["reader"]).await,
        "own" => scene.actor("ada", "laptop", &["writer"]).await,
        "service" => scene.actor("robot", "job", &["reader"]).await,
        "job" => {
            scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
            scene.actor("ci", "github", &["ci-acme"]).await
        }
        "outside" => {
            scene.grant(&["invoices:read"], &[], &[]).await;
            scene.actor("ci", "github", &["ci-acme"]).await
        }
        "admin" => {
            scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
            scene.actor("root", "laptop", &["root"]).await
        }
        "auditor" => scene.actor("eve", "laptop", &["auditor"]).await,
        other => panic!("{other}"),
    }
}

/// The number of a publication that was begun.
async fn begun(scene: &Scene) -> u64 {
    let (service, operator) = (&scene.world.service, Caller::operator("x"));
    service.begin_publication(&operator, &name("acme"), None, false).await.unwrap()
}

/// A good request for a route.
pub(super) async fn request(scene: &Scene, route: &Route) -> (String, Value) {
    let id = scene.deploy_id().await;
    let (user, token) = match route.operation {
        "deleteUser" => ("bob", "deploy"),
        "putUser" => ("acme-bot", "deploy"),
        _ => ("ada", "deploy"),
    };
    let role = match route.operation {
        "deleteRole" => "unused",
        "putRole" => "acme-role",
        _ => "reader",
    };
    let mut target = route
        .path
        .replace("{user}", user)
        .replace("{name}", token)
        .replace("{id}", &id)
        .replace("{role}", role)
        .replace("{manifest}", "acme")
        .replace("{version}", "1")
        .replace("{place}", place().id().as_str());
    let body = match route.operation {
        "createToken" => json!({
            "name": "new", "roles": ["reader"], "manifest": "acme", "places": [place()],
            "terms": {"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"},
        }),
        "editToken" => json!({"id": id, "description": "new"}),
        "setTokenRoles" => json!({"id": id, "roles": ["reader"]}),
        "putRole" => json!({"permissions": ["documents:read"], "manifest": "acme"}),
        "putUser" => json!({"kind": "service", "roles": ["reader"], "manifest": "acme"}),
        "stageVersion" | "promoteVersion" => json!({"id": id}),
        "deliverVersion" => json!({"id": id, "state": "announced"}),
        "announceVersion" => json!({"id": id, "places": [place().id()]}),
        "noteApplied" => json!({"applied": {"revision": 7}}),
        "beginPublication" => json!({"revision": 7}),
        "completePublication" => json!({"number": begun(scene).await, "sinks": "[sinks]", "tokens": 1}),
        "publishTokens" => {
            json!({"number": begun(scene).await, "tokens": [{"user": "ada", "name": "deploy", "push": "push = []"}]})
        }
        "lookUp" => json!({"users": ["ada"], "roles": true, "tokens": [{"user": "ada", "name": "deploy"}]}),
        "confirm" => json!({"user": "ada", "name": "deploy", "id": id, "digest": "0".repeat(64)}),
        "setGrant" => json!({"permissions": ["documents:read"]}),
        "changeSettings" => json!({"max_tokens": 20}),
        "takeLease" => json!({"holder": "run-1"}),
        "introspect" => json!({"token": "lk_not-a-secret"}),
        _ => Value::Null,
    };
    match route.operation {
        // The current version: a rule refuses whoever may ask.
        "retireVersion" => {
            let token = scene.world.service.holder(&key("ada", "deploy")).await.unwrap().unwrap();
            let now = scene.world.now();
            target = format!("{target}?id={id}&looked_at={now}&revision={}", token.revision);
        }
        "freeLease" => target.push_str("?holder=run-1"),
        "showPublication" => {
            let (service, operator, acme) = (&scene.world.service, Caller::operator("x"), name("acme"));
            let number = begun(scene).await;
            service.complete_publication(&operator, &acme, number, ("[sinks]", 0)).await.unwrap();
        }
        _ => {}
    }
    (target, body)
}

/// What every reply has to have.
fn check_headers(route: &Route, kind: &str, reply: &Reply) {
    let place = format!("{} {} by {kind}: {}", route.method, route.path, reply.body);
    let header = |name: &str| reply.response.header(name).unwrap_or_default().to_owned();
    assert!(header("x-request-id").starts_with("request-"), "{place}");
    let keep = if route.operation == "openApi" { "public, max-age=300" } else { "no-store" };
    assert_eq!(header("cache-control"), keep, "{place}");
    let challenge = header("www-authenticate");
    match (reply.status(), reply.code()) {
        (401, "unauthenticated") => assert_eq!(challenge, "Bearer realm=\"latchkey\"", "{place}"),
        (401, code) => {
            assert_eq!(code, "invalid_token", "{place}");
            let wanted =
                "Bearer realm=\"latchkey\", error=\"invalid_token\", error_description=\"the token is not valid\"";
            assert_eq!(challenge, wanted, "{place}");
        }
        (403, "insufficient_scope") => {
            let scope = reply.text("/permission");
            let wanted = format!("Bearer realm=\"latchkey\", error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(challenge, wanted, "{place}");
        }
        _ => assert_eq!(challenge, "", "{place}"),
    }
    let kind = header("content-type");
    match reply.status() {
        204 => assert!(reply.response.body.is_empty() && kind.is_empty(), "{place}"),
        200..=299 => assert_eq!(kind, "application/json", "{place}"),
        status => {
            assert_eq!(kind, "application/problem+json", "{place}");
            assert_eq!(reply.body["status"], status, "{place}");
            assert_eq!(reply.text("/request_id"), header("x-request-id"), "{place}");
            assert!(!reply.text("/detail").is_empty(), "{place}");
        }
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_it_should() {
    let mut table = String::new();
    for route in tests::api::routes() {
        writeln!(table, "{} {}", route.method, route.path).unwrap();
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for kind in CALLERS {
            let scene = Scene::new().await;
            let actor = caller(&scene, kind).await;
            let (target, body) = request(&scene, route).await;
            let reply = actor.json(route.method, &target, &body).await;
            check_headers(route, kind, &reply);
            let answer = format!("{} {}", reply.status(), reply.code()).trim_end().to_owned();
            match groups.iter_mut().find(|(held, _)| *held == answer) {
                Some((_, kinds)) => kinds.push(kind),
                None => groups.push((answer, vec![kind])),
            }
        }
        for (answer, kinds) in groups {
            writeln!(table, "    {answer:<24} {}", kinds.join(" ")).unwrap();
        }
    }
    assert_snapshot!("everybody", table);
}

#[tokio::test]
async fn what_is_not_valid_has_one_answer() {
    let mut answers = Vec::new();
    for kind in ["malformed", "unknown", "expired", "deleted", "retired", "suspended"] {
        let scene = Scene::new().await;
        let mut reply = caller(&scene, kind).await.get("/v1/me").await;
        reply.body["request_id"] = Value::Null;
        answers.push((reply.status(), reply.body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "nobody learns what was wrong with a secret: {answers:?}");
}

#[tokio::test]
async fn what_one_may_not_see_looks_like_what_is_not_there() {
    let scene = Scene::new().await;
    let bob = caller(&scene, "other").await;
    let id = scene.deploy_id().await;
    for (method, there, nowhere) in [
        ("GET", "/v1/users/ada/tokens", "/v1/users/nobody/tokens"),
        ("GET", "/v1/users/ada/tokens/deploy", "/v1/users/nobody/tokens/deploy"),
        ("GET", "/v1/users/ada/tokens/deploy", "/v1/users/ada/tokens/nothing"),
        ("GET", "/v1/users/ada/usage", "/v1/users/nobody/usage"),
        ("DELETE", "/v1/users/ada/tokens/deploy", "/v1/users/ada/tokens/nothing"),
        ("GET", &format!("/v1/tokens/{id}"), "/v1/tokens/0123456789abcdef"),
        ("GET", "/v1/users/ada", "/v1/users/nobody"),
        ("GET", "/v1/manifests/acme", "/v1/manifests/nothing"),
    ] {
        let mut replies = [bob.json(method, there, &Value::Null).await, bob.json(method, nowhere, &Value::Null).await];
        for reply in &mut replies {
            reply.body["request_id"] = Value::Null;
        }
        assert_eq!(replies[0].status(), 404, "{there}");
        assert_eq!(replies[0].body, replies[1].body, "{there} and {nowhere}");
    }
}
