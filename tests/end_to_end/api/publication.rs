//! Publications over HTTP: their shapes, and what is refused.

use serde_json::{Value, json};

use super::scene::Scene;

const PUBLICATION: &str = "/v1/manifests/acme/publication";
const TOKENS: &str = "/v1/manifests/acme/publication/tokens";

#[tokio::test]
async fn a_job_publishes_its_manifest_and_withdraws_it() {
    let scene = Scene::new().await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    assert_eq!(job.get(PUBLICATION).await.status(), 404);
    let number = job.json("POST", PUBLICATION, &json!({ "revision": 7 })).await.expect(200).body["number"].clone();
    let rows = |tokens: Value| json!({ "number": number, "tokens": tokens });
    let [deploy, other] = ["deploy", "other"].map(|name| json!({ "user": "ada", "name": name, "push": "push = []" }));
    let _ = job.json("PUT", TOKENS, &rows(json!([deploy, other]))).await.expect(204);
    let complete = json!({ "number": number, "sinks": "[sinks]", "tokens": 1 });
    let done = job.json("PUT", PUBLICATION, &complete).await.expect(200);
    let _ = job.json("PUT", TOKENS, &rows(json!([{ "user": "ada", "name": "other" }]))).await.expect(204);
    assert_eq!(done.body, job.get(PUBLICATION).await.expect(200).body);
    assert_eq!(done.text("/sinks"), "[sinks]");
    let shown = job.get("/v1/manifests/acme").await.expect(200);
    assert_eq!(shown.body["publication"], done.body["publication"]);
    let wanted =
        json!({ "revision": 7, "number": number, "tokens": 1, "published": scene.world.now(), "by": "ci/github" });
    assert_eq!(shown.body["publication"], wanted);
    let listed = job.get(TOKENS).await.expect(200);
    let row = json!({ "user": "ada", "name": "deploy", "push": "push = []", "number": number });
    assert_eq!(listed.body, json!({ "tokens": [row] }));
    let _ = job.json("DELETE", PUBLICATION, &Value::Null).await.expect(204);
    assert_eq!(job.get(PUBLICATION).await.status(), 404);
    assert_eq!(job.get(TOKENS).await.expect(200).body, json!({ "tokens": [] }));
    let _ = job.json("DELETE", PUBLICATION, &Value::Null).await.expect(204);
}

#[tokio::test]
async fn tokens_come_page_by_page() {
    let scene = Scene::new().await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let number = job.json("POST", PUBLICATION, &json!({})).await.expect(200).body["number"].clone();
    let rows: Vec<Value> =
        (0..5).map(|token| json!({ "user": "ada", "name": format!("t{token}"), "push": "p" })).collect();
    let _ = job.json("PUT", TOKENS, &json!({ "number": number, "tokens": rows })).await.expect(204);
    let mut found = Vec::new();
    let mut target = format!("{TOKENS}?limit=2");
    loop {
        let page = job.get(&target).await.expect(200).body;
        found.extend(page["tokens"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("{TOKENS}?limit=2&cursor={}", next.replace('/', "%2F"));
    }
    assert_eq!(found, ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(job.get(&format!("{TOKENS}?cursor=nothing")).await.status(), 422);
}

#[tokio::test]
async fn what_is_refused_says_where_and_why() {
    let scene = Scene::new().await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let _ = job.json("PUT", "/v1/manifests/acme", &json!({ "applied": { "revision": 9 } })).await.expect(204);
    let older = job.json("POST", PUBLICATION, &json!({ "revision": 8 })).await;
    assert_eq!((older.status(), older.code()), (409, "older_revision"));
    assert_eq!((&older.body["revision"], &older.body["newer"]), (&json!(8), &json!(9)));
    let forced = json!({ "revision": 8, "force": true });
    let first = job.json("POST", PUBLICATION, &forced).await.expect(200).body["number"].as_u64().unwrap();
    let number = job.json("POST", PUBLICATION, &forced).await.expect(200).body["number"].as_u64().unwrap();
    assert_eq!(number, first + 1);
    let row = json!({ "user": "ada", "name": "deploy", "push": "p" });
    for (method, target, body) in [
        ("PUT", TOKENS, json!({ "number": first, "tokens": [row] })),
        ("PUT", PUBLICATION, json!({ "number": first, "sinks": "", "tokens": 0 })),
    ] {
        let late = job.json(method, target, &body).await;
        assert_eq!((late.status(), late.code()), (409, "publication_overtaken"), "{target}");
    }
    let long = "p".repeat(8193);
    let many: Vec<Value> = (0..100).map(|token| json!({ "user": "ada", "name": format!("t{token}") })).collect();
    for (tokens, pointer) in [
        (json!([]), "/tokens"),
        (json!(many), "/tokens"),
        (json!([row, { "user": "ada", "name": "other", "push": long }]), "/tokens/1/push"),
        (json!([row, { "user": "ada", "name": "other", "push": "" }]), "/tokens/1/push"),
        (json!([row, row]), "/tokens/1"),
    ] {
        let refused = job.json("PUT", TOKENS, &json!({ "number": number, "tokens": tokens })).await;
        assert_eq!((refused.status(), refused.text("/errors/0/pointer")), (422, pointer), "{}", refused.body);
    }
    let long = json!({ "number": number, "sinks": "s".repeat(48 * 1024 + 1), "tokens": 0 });
    let refused = job.json("PUT", PUBLICATION, &long).await;
    assert_eq!((refused.status(), refused.text("/errors/0/pointer")), (422, "/sinks"));
    let large = json!({ "number": number, "sinks": "s".repeat(64 * 1024), "tokens": 0 });
    assert_eq!(job.json("PUT", PUBLICATION, &large).await.status(), 413);
}

/// As if there were none, and nothing is written; who may plan reads it.
#[tokio::test]
async fn who_does_not_run_the_manifest_publishes_nothing_and_learns_nothing() {
    let scene = Scene::new().await;
    scene.world.role("planner", &["manifests-read:acme"]).await;
    scene.world.user("bob", &["planner", "reader"]).await;
    let job = scene.actor("ci", "github", &["ci-acme"]).await;
    let number = job.json("POST", PUBLICATION, &json!({})).await.expect(200).body["number"].clone();
    let complete = json!({ "number": number, "sinks": "[sinks]", "tokens": 0 });
    let _ = job.json("PUT", PUBLICATION, &complete).await.expect(200);
    let planner = scene.actor("bob", "planner", &["planner"]).await;
    let stranger = scene.actor("ada", "laptop", &["writer"]).await;
    let rows = json!({ "number": number, "tokens": [{ "user": "ada", "name": "deploy", "push": "p" }] });
    // A check writes uses, but later.
    let before = scene.world.items().await.len();
    for (method, target, body) in [
        ("GET", PUBLICATION, Value::Null),
        ("GET", TOKENS, Value::Null),
        ("POST", PUBLICATION, json!({})),
        ("PUT", PUBLICATION, complete.clone()),
        ("PUT", TOKENS, rows),
        ("DELETE", PUBLICATION, Value::Null),
    ] {
        assert_eq!(stranger.json(method, target, &body).await.status(), 404, "{method} {target}");
        let reads = if method == "GET" { 200 } else { 404 };
        assert_eq!(planner.json(method, target, &body).await.status(), reads, "{method} {target}");
    }
    assert_eq!(scene.world.items().await.len(), before);
    assert_eq!(job.get(PUBLICATION).await.expect(200).body["publication"]["number"], number);
}

#[tokio::test]
async fn the_entries_of_a_grant_are_set_and_shown() {
    let scene = Scene::new().await;
    let root = scene.actor("root", "laptop", &["root"]).await;
    let grant = json!({ "entries": ["heroku:app=acme,name=A", "vercel:team=acme,*"] });
    let set = root.json("PUT", "/v1/manifests/acme/grant", &grant).await.expect(200);
    assert_eq!(set.body["grant"]["entries"], grant["entries"]);
    let refused =
        root.json("PUT", "/v1/manifests/acme/grant", &json!({ "entries": ["heroku:app=a", "heroku:*"] })).await;
    assert_eq!((refused.status(), refused.text("/errors/0/pointer")), (422, "/entries/1"));
    let shown = root.get("/v1/manifests/acme").await.expect(200);
    assert_eq!(shown.body["grant"]["entries"], grant["entries"]);
}
