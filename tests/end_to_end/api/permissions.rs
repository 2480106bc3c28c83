//! The permission that the document of the API says a route needs is the one that it needs: whoever has it is let in, and
//! whoever has all others is not.

use latchkey::api::Route;
use latchkey::service::{NewToken, UserChange};
use latchkey::user::UserKind;
use regex::Regex;
use serde_json::{Value, json};
use tests::api::{Actor, Reply};
use tests::world::{name, new_token};

use super::matrix::request;
use super::scene::Scene;

/// Every permission that Latchkey itself goes by, for the manifest of the scene.
const ALL: [&str; 9] = [
    "admin:audit",
    "admin:roles",
    "admin:settings",
    "admin:tokens",
    "admin:users",
    "manifests-read:acme",
    "manifests:acme",
    "tokens:introspect",
    "tokens:write",
];

/// What the document says of a route, and the permissions that it names.
fn said(document: &Value, route: &Route) -> Option<(String, Vec<String>)> {
    let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
    let said = operation["description"].as_str()?.to_owned();
    let permission = Regex::new("`([a-z-]+:(?:[a-z-]+|NAME|\\*))`").unwrap();
    let named = permission.captures_iter(&said).map(|found| {
        let named = found[1].replace("NAME", "acme");
        // The one who may all may this one.
        named.replace(":*", ":acme")
    });
    Some((said.clone(), named.collect()))
}

/// A program of another user, or of the owner's, that has some permissions and what the scene's tokens allow.
async fn somebody(scene: &Scene, user: &str, permissions: &[&str], by_all: bool) -> Actor {
    let world = &scene.world;
    let more = if by_all { vec!["manifests:*", "manifests-read:*"] } else { vec![] };
    let permits: Vec<&str> = permissions.iter().copied().chain(["documents:read"]).chain(more).collect();
    world.role("asked", &permits).await;
    let roles = if user == "ada" { vec![name("reader"), name("writer"), name("asked")] } else { vec![name("asked")] };
    let kind = if user == "ada" { None } else { Some(UserKind::Service) };
    world.change_user(user, UserChange { kind, roles: Some(roles), ..UserChange::default() }).await;
    scene.actor(user, "asked", &["asked"]).await
}

/// Asks a route; without what is a manifest's where a person does by their own rights.
async fn ask(scene: &Scene, route: &Route, actor: &Actor, is_run: bool) -> Reply {
    let (target, mut body) = request(scene, route).await;
    if !is_run && let Some(body) = body.as_object_mut() {
        for name in ["manifest", "terms", "places"] {
            if route.operation == "createToken" || name == "manifest" {
                body.remove(name);
            }
        }
    }
    if route.operation == "promoteVersion" && !is_run {
        // The scene's own token is a manifest's.
        let new = NewToken { roles: Some(vec![name("reader")]), ..new_token("ada", "by-hand") };
        let id = scene.world.create(new).await.token.id.to_string();
        let target = target.replace("/deploy/", "/by-hand/");
        return actor.json(route.method, &target, &json!({ "id": id, "overlap": "1h" })).await;
    }
    actor.json(route.method, &target, &body).await
}

/// Whether a reply keeps somebody out.
fn is_out(reply: &Reply) -> bool {
    matches!(reply.status(), 401 | 403 | 404)
}

#[tokio::test]
async fn each_permission_that_the_document_names_lets_in_and_all_others_do_not() {
    let document = latchkey::api::document();
    let (mut asked, mut wrong) = (0, Vec::new());
    for route in tests::api::routes() {
        let Some((said, named)) = said(&document, route) else { continue };
        let (both, by_all) = (said.contains("both `"), said.contains(":*`"));
        let own = said.contains("one's own");
        let others: Vec<&str> = ALL.into_iter().filter(|one| !named.iter().any(|named| named == one)).collect();
        let alone = named.iter().map(|named| vec![named.as_str()]);
        let let_in: Vec<Vec<&str>> =
            if both { vec![named.iter().map(String::as_str).collect()] } else { alone.collect() };
        for permissions in let_in {
            let scene = Scene::new().await;
            scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
            // What is for one's own is asked by whoever owns it.
            let user = if own && permissions == ["tokens:write"] { "ada" } else { "stranger" };
            let actor = somebody(&scene, user, &permissions, by_all && permissions[0].starts_with("manifests")).await;
            let reply = ask(&scene, route, &actor, permissions[0].starts_with("manifests:")).await;
            asked += 1;
            if is_out(&reply) {
                wrong.push(format!("{route} with {permissions:?}: {} {}", reply.status(), reply.body));
            }
        }
        // A route that wants none, or only that one asks for one's own, lets in whoever has a token.
        if named.is_empty() {
            continue;
        }
        let scene = Scene::new().await;
        scene.grant(&["documents:read"], &["reader"], &["ada"]).await;
        let actor = somebody(&scene, "stranger", &others, false).await;
        let reply = ask(&scene, route, &actor, false).await;
        asked += 1;
        if !is_out(&reply) {
            wrong.push(format!("{route} without {named:?}: {} {}", reply.status(), reply.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 100, "{asked}");
}
