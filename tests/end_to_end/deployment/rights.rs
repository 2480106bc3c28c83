//! The functions' roles against the calls that they really make: nothing that is needed is missing, and nothing is
//! allowed that is never used.

use std::collections::BTreeSet;

use latchkey::api::{Function, Route};
use latchkey::clock::Clock as _;
use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey_sinks::files::write_atomic;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{ManifestSinks, SinkSet as _};
use provisioner::manifest::parse;
use serde_json::{Value, json};
use tests::deployment::{Access, Allowed, Template, root};

use super::deployed::{Deployed, HERE, text};

/// Every route, on every way through it that asks the table for something else.
async fn use_everything(all: &mut Deployed) {
    let none = Value::Null;
    // Roles and users, and what happens to tokens when a user loses a role or is suspended.
    all.ask("PUT", "/v1/roles/reader", json!({"permissions": ["documents:read"]}), 200).await;
    all.ask("PUT", "/v1/roles/reader", json!({"permissions": ["documents:read", "documents:list"]}), 200).await;
    all.ask("PUT", "/v1/roles/writer", json!({"permissions": ["documents:write"]}), 200).await;
    all.ask("PUT", "/v1/users/ana", json!({"roles": ["reader", "writer"], "max_tokens": 2}), 200).await;
    let tokens = "/v1/users/ana/tokens";
    let made = all.ask("POST", tokens, json!({"name": "laptop"}), 201).await;
    let (id, secret) = (text(&made["token"]["id"]), text(&made["secret"]));
    all.ask("POST", tokens, json!({"name": "laptop"}), 409).await;
    all.ask("PUT", "/v1/users/ana", json!({"roles": ["reader"]}), 200).await;
    all.ask("PUT", "/v1/users/ana", json!({"suspended": true}), 200).await;
    all.ask("PUT", "/v1/users/ana", json!({"suspended": false}), 200).await;
    all.ask("DELETE", "/v1/users/ana", none.clone(), 409).await;
    all.ask("DELETE", "/v1/roles/reader", none.clone(), 409).await;
    // Reading.
    all.ask("GET", tokens, none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}?state=deleted"), none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}/laptop"), none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}/laptop/usage"), none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}/laptop/usage?id={id}"), none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}/laptop/events"), none.clone(), 200).await;
    all.ask("GET", &format!("{tokens}/laptop/events?id={id}"), none.clone(), 200).await;
    all.ask("GET", "/v1/events", none.clone(), 200).await;
    all.ask("GET", "/v1/events?user=ana", none.clone(), 200).await;
    all.ask_as(&secret, "GET", "/v1/me", none.clone(), 200).await;
    // What only reads, and has no line above.
    let read = |route: &&Route| route.method == "GET" && !route.path.contains("{manifest}");
    for route in tests::api::routes().filter(read).collect::<Vec<_>>() {
        if !all.served.contains(&(route.method, route.path)) {
            let target = route.path.replace("{user}", "ana").replace("{name}", "laptop").replace("{role}", "reader");
            let target = target.replace("{id}", &id);
            all.ask("GET", &target, none.clone(), 200).await;
        }
    }
    // Changes of a token, its name too.
    all.ask("PATCH", &format!("{tokens}/laptop"), json!({"description": "Ana's", "name": "notebook"}), 200).await;
    all.ask("PATCH", &format!("{tokens}/notebook"), json!({"allowed_ips": ["192.0.2.0/24"]}), 200).await;
    all.ask("PUT", &format!("{tokens}/notebook/roles"), json!({"roles": []}), 200).await;
    all.ask("PUT", &format!("{tokens}/notebook/roles"), json!({"roles": ["reader"]}), 200).await;
    // Checks, also by who may not ask.
    all.ask("POST", "/v1/introspect", json!({"token": secret, "client_ip": HERE}), 200).await;
    all.authorize(HERE, &secret).await;
    all.ask_as(&secret, "POST", "/v1/introspect", json!({"token": secret}), 403).await;
    all.ask("PATCH", "/v1/settings", json!({"max_tokens": 20}), 200).await;
    manifests(all).await;
    all.ask("GET", "/v1/manifests", json!(null), 200).await;
    from_elsewhere(all, &secret).await;
    gains(all).await;
    scheduled(all).await;
    ends(all, &secret).await;
}

/// A use from a new address is told, whichever function notes it.
async fn from_elsewhere(all: &mut Deployed, secret: &str) {
    let none = Value::Null;
    let mut addresses = (2..).map(|last| format!("192.0.2.{last}"));
    let mut from = || addresses.next().unwrap();
    let tokens = "/v1/users/ana/tokens";
    let asked = [
        ("GET", "/v1/me".to_owned(), none.clone(), 200),
        ("POST", tokens.to_owned(), json!({"name": "elsewhere"}), 403),
        ("DELETE", format!("{tokens}/elsewhere"), none.clone(), 404),
        ("PUT", format!("{tokens}/notebook/roles"), json!({"roles": ["writer"]}), 403),
        ("POST", format!("{tokens}/notebook/versions"), json!({"id": "0123456789abcdef"}), 403),
        ("GET", "/v1/manifests/acme".to_owned(), none, 404),
        ("POST", "/v1/introspect".to_owned(), json!({"token": secret}), 403),
    ];
    for (method, path, body, wanted) in asked {
        all.ask_from(&from(), secret, (method, &path), body, wanted).await;
        // Two of one version in a quarter of an hour are one note.
        all.clock.advance(Seconds::minutes(16));
    }
    all.authorize(&from(), secret).await;
}

/// What the job delivers to here: it asks the table for the same, whatever a place is.
const SINKS: &str = r#"
manifest = "jobs"
[users.jobs-bot]
kind = "service"
[sinks.vault]
type = "dotenv"
path = "job.env"
[tokens.api]
user = "jobs-bot"
push = [{ sink = "vault", name = "API" }]
"#;

/// The published form of it, which is read and not gone by.
const PUBLISHED: &str =
    "[sinks.vault]\ntype = \"heroku\"\napp = \"acme-worker\"\nlogin = { secret = \"latchkey/logins/jobs/heroku\" }\n";

/// What falls due of a published manifest, and of a token that was created by hand.
async fn scheduled(all: &mut Deployed) {
    let none = Value::Null;
    let folder = tempfile::tempdir().unwrap();
    let (manifest, _) =
        parse(&folder.path().join("tokens.toml"), folder.path(), SINKS, &Allowances::default()).ok().unwrap();
    let sinks = ManifestSinks::new(&manifest.sinks, "test-machine", &manifest.bounds);
    let place = sinks.place(&manifest.tokens[0].pushes[0]).await.unwrap();
    all.ask("PUT", "/v1/roles/runner", json!({"permissions": ["manifests:jobs"]}), 200).await;
    all.ask("PUT", "/v1/users/runner", json!({"kind": "service", "roles": ["runner"]}), 200).await;
    let made = all.ask("POST", "/v1/users/runner/tokens", json!({"name": "actions"}), 201).await;
    let job = text(&made["secret"]);
    let jobs = "/v1/manifests/jobs";
    let entries = json!([place.entry()]);
    let grant = json!({"permissions": ["documents:read"], "new_users": ["jobs-*"], "new_roles": ["jobs-*"], "entries": entries});
    all.ask("PUT", &format!("{jobs}/grant"), grant, 200).await;
    let role = json!({"permissions": ["documents:read"], "manifest": "jobs"});
    all.ask_as(&job, "PUT", "/v1/roles/jobs-reader", role, 200).await;
    let user = json!({"kind": "service", "roles": ["jobs-reader"], "manifest": "jobs"});
    all.ask_as(&job, "PUT", "/v1/users/jobs-bot", user, 200).await;
    let terms = json!({"expires_in": "90d", "rotate_every": "1d", "overlap": "1h"});
    let declared = json!({"name": "api", "manifest": "jobs", "terms": terms, "places": [place]});
    all.ask_as(&job, "POST", "/v1/users/jobs-bot/tokens", declared, 201).await;
    let publication = format!("{jobs}/publication");
    let number = all.ask_as(&job, "POST", &publication, json!({}), 200).await["number"].clone();
    let push = "push = [{ sink = \"vault\", name = \"API\" }]";
    let row = |push: Value| json!({"number": number, "tokens": [{"user": "jobs-bot", "name": "api", "push": push}]});
    all.ask_as(&job, "PUT", &format!("{publication}/tokens"), row(json!(push)), 204).await;
    let complete = json!({"number": number, "sinks": PUBLISHED, "tokens": 1});
    all.ask_as(&job, "PUT", &publication, complete, 200).await;
    let expires = soon(all);
    all.ask("POST", "/v1/users/ana/tokens", json!({"name": "brief", "expires_at": expires}), 201).await;
    // Its first version is delivered as drift, as nothing of it is due; then it rotates, and the older one is retired.
    let report = all.turn(&manifest).await;
    assert_eq!(report["repaired"], 1, "{report}");
    all.clock.advance(Seconds::days(2));
    let report = all.turn(&manifest).await;
    assert_eq!((&report["rotated"], &report["expired"]), (&json!(1), &json!(1)), "{report}");
    all.clock.advance(Seconds::hours(12));
    let report = all.turn(&manifest).await;
    assert_eq!((&report["done"], &report["rotated"]), (&json!(1), &json!(0)), "{report}");
    // A person puts the secret of another token there, whose origin is asked for.
    write_atomic(&folder.path().join("job.env"), format!("API={job}\n").as_bytes(), 0o600).unwrap();
    let report = all.turn(&manifest).await;
    assert_eq!(report["repaired"], 1, "{report}");
    // What is not published is put off.
    all.ask_as(&job, "PUT", &format!("{publication}/tokens"), row(none.clone()), 204).await;
    all.clock.advance(Seconds::days(2));
    let report = all.turn(&manifest).await;
    assert_eq!(report["skipped"][0]["name"], "api", "{report}");
    all.ask_as(&job, "GET", &publication, none, 200).await;
}

/// A manifest's job, with and without a grant.
async fn manifests(all: &mut Deployed) {
    let none = Value::Null;
    all.ask("PUT", "/v1/roles/deployer", json!({"permissions": ["manifests:acme"]}), 200).await;
    all.ask("PUT", "/v1/users/job", json!({"kind": "service", "roles": ["deployer"]}), 200).await;
    let made = all.ask("POST", "/v1/users/job/tokens", json!({"name": "actions"}), 201).await;
    let job = text(&made["secret"]);
    let acme = "/v1/manifests/acme";
    all.ask_as(&job, "GET", acme, none.clone(), 404).await;
    let grant = json!({"permissions": ["documents:read", "documents:list"], "roles": ["reader"], "users": ["ana"], "new_users": ["ci"], "new_roles": ["o*"]});
    all.ask("PUT", &format!("{acme}/grant"), grant, 200).await;
    let less = json!({"permissions": ["documents:read", "documents:list", "documents:write"], "roles": ["reader"], "users": ["ana"], "new_users": ["ci"], "new_roles": ["o*"]});
    all.ask("PUT", &format!("{acme}/grant"), less, 200).await;
    all.ask_as(&job, "PUT", &format!("{acme}/lease"), json!({"holder": "run"}), 200).await;
    all.ask("PUT", &format!("{acme}/lease"), json!({"holder": "other"}), 409).await;
    for revision in [1, 2] {
        all.ask_as(&job, "PUT", acme, json!({"applied": {"revision": revision}}), 204).await;
    }
    let publication = format!("{acme}/publication");
    for _ in 0..2 {
        let number = all.ask_as(&job, "POST", &publication, json!({}), 200).await["number"].clone();
        let row = |push: Value| json!({"number": number, "tokens": [{"user": "ci", "name": "api", "push": push}]});
        all.ask_as(&job, "PUT", &format!("{publication}/tokens"), row(json!("push = []")), 204).await;
        let complete = json!({"number": number, "sinks": "", "tokens": 1});
        all.ask_as(&job, "PUT", &publication, complete, 200).await;
        all.ask_as(&job, "PUT", &format!("{publication}/tokens"), row(none.clone()), 204).await;
        all.ask_as(&job, "PUT", &format!("{publication}/tokens"), row(json!("push = []")), 204).await;
    }
    all.ask_as(&job, "GET", &publication, none.clone(), 200).await;
    all.ask_as(&job, "GET", &format!("{publication}/tokens"), none.clone(), 200).await;
    all.ask_as(&job, "GET", acme, none.clone(), 200).await;
    all.ask_as(&job, "DELETE", &publication, none.clone(), 204).await;
    // What it declares: a role, a user and tokens, of its own and of somebody that its grant names.
    all.ask_as(&job, "PUT", "/v1/roles/own", json!({"permissions": ["documents:read"], "manifest": "acme"}), 200).await;
    let permissions = json!({"permissions": ["documents:list"], "manifest": "acme"});
    all.ask_as(&job, "PUT", "/v1/roles/own", permissions, 200).await;
    let user = json!({"kind": "service", "roles": ["own"], "manifest": "acme"});
    all.ask_as(&job, "PUT", "/v1/users/ci", user, 200).await;
    let user = json!({"roles": ["own", "reader"], "manifest": "acme"});
    all.ask_as(&job, "PUT", "/v1/users/ci", user, 200).await;
    let terms = json!({"expires_in": "90d", "rotate_every": "30d", "overlap": "24h"});
    let place = Place::new("dotenv", &[("machine", "here"), ("path", ".env"), ("name", "API")], true);
    let declared = json!({"name": "api", "manifest": "acme", "terms": terms, "places": [place]});
    let made = all.ask_as(&job, "POST", "/v1/users/ci/tokens", declared, 201).await;
    let (id, secret) = (text(&made["token"]["id"]), text(&made["secret"]));
    let tokens = "/v1/users/ci/tokens";
    all.ask_as(&job, "GET", &format!("{acme}/tokens"), none.clone(), 200).await;
    let wanted = json!({
        "users": ["ci", "ana"], "roles": true, "tokens": [{"user": "ana", "name": "notebook"}], "ids": [id],
        "expired": ["ana"],
    });
    all.ask_as(&job, "POST", &format!("{acme}/lookup"), wanted, 200).await;
    let digest = latchkey::secret::Digest::of(secret.as_bytes()).hex();
    let confirm = json!({"user": "ci", "name": "api", "id": id, "digest": digest});
    let confirmed = all.ask_as(&job, "POST", &format!("{acme}/confirm"), confirm, 200).await;
    assert_eq!(confirmed["version"], 1);
    // Two versions on their way, and the end of the first.
    let place = place.id();
    for version in [1, 2] {
        let versions = format!("{tokens}/api/versions");
        if version == 2 {
            all.ask_as(&job, "POST", &versions, json!({"id": id}), 201).await;
        }
        let delivery = format!("{versions}/{version}/deliveries/{place}");
        all.ask_as(&job, "PUT", &delivery, json!({"id": id, "state": "announced"}), 200).await;
        let several = json!({"id": id, "places": [place]});
        all.ask_as(&job, "POST", &format!("{versions}/{version}/announcements"), several, 200).await;
        all.ask_as(&job, "PUT", &delivery, json!({"id": id, "state": "delivered", "receipt": "r"}), 200).await;
        all.ask_as(&job, "POST", &format!("{versions}/{version}/promote"), json!({"id": id}), 200).await;
    }
    all.authorize(HERE, &secret).await;
    all.clock.advance(Seconds::hours(60));
    let record = all.ask_as(&job, "GET", &format!("{acme}/tokens"), none.clone(), 200).await;
    let revision = &record["tokens"][0]["revision"];
    let now = all.clock.now().to_string();
    let retire = format!("{tokens}/api/versions/1?id={id}&looked_at={now}&revision={revision}");
    all.ask_as(&job, "DELETE", &retire, none.clone(), 200).await;
    // Its records change, and one leaves.
    let change = json!({"id": id, "manifest": "acme", "labels": {"team": "a"}, "terms": {"expires_in": "60d", "rotate_every": "20d", "overlap": "24h"}});
    all.ask_as(&job, "PATCH", &format!("{tokens}/api"), change, 200).await;
    all.ask_as(&job, "PATCH", &format!("{tokens}/api"), json!({"id": id, "leaving": true}), 200).await;
    let record = all.ask_as(&job, "GET", &format!("{acme}/tokens"), none.clone(), 200).await;
    let revision = &record["tokens"][0]["revision"];
    let now = all.clock.now().to_string();
    let leave = format!("{tokens}/api?id={id}&looked_at={now}&revision={revision}");
    all.ask_as(&job, "DELETE", &leave, none.clone(), 200).await;
    all.ask_as(&job, "DELETE", &format!("{acme}/lease?holder=run"), none, 204).await;
}

/// Attempts to gain are refused, and noted.
async fn gains(all: &mut Deployed) {
    let none = Value::Null;
    all.ask("PUT", "/v1/roles/self", json!({"permissions": ["tokens:write"]}), 200).await;
    all.ask("PUT", "/v1/users/eve", json!({"roles": ["self", "writer"]}), 200).await;
    let weak = json!({"name": "weak", "roles": ["self"], "allowed_ips": ["192.0.2.0/24"]});
    let weak = text(&all.ask("POST", "/v1/users/eve/tokens", weak, 201).await["secret"]);
    let strong = all.ask("POST", "/v1/users/eve/tokens", json!({"name": "strong", "roles": ["writer"]}), 201).await;
    let id = text(&strong["token"]["id"]);
    let tokens = "/v1/users/eve/tokens";
    all.ask_as(&weak, "POST", tokens, json!({"name": "more", "roles": ["writer"]}), 403).await;
    all.ask_as(&weak, "PUT", &format!("{tokens}/weak/roles"), json!({"roles": ["writer"]}), 403).await;
    all.ask_as(&weak, "POST", &format!("{tokens}/strong/versions"), json!({"id": id}), 403).await;
    // Within its own, everything goes.
    let same = json!({"name": "same", "roles": ["self"], "allowed_ips": ["192.0.2.1/32"], "expires_at": "2026-03-20"});
    all.ask_as(&weak, "POST", tokens, same, 201).await;
    all.ask_as(&weak, "PATCH", &format!("{tokens}/same"), json!({"description": "mine"}), 200).await;
    all.ask_as(&weak, "DELETE", &format!("{tokens}/same"), none.clone(), 204).await;
    // A manifest's job beyond its grant.
    let made = all.ask("POST", "/v1/users/job/tokens", json!({"name": "greedy"}), 201).await;
    let job = text(&made["secret"]);
    let terms = json!({"expires_in": "90d", "rotate_every": "30d", "overlap": "24h"});
    let foreign = json!({"name": "api", "manifest": "acme", "terms": terms, "places": []});
    all.ask_as(&job, "POST", tokens, foreign, 403).await;
    all.ask_as(&job, "PUT", "/v1/roles/own", json!({"permissions": ["users:delete"], "manifest": "acme"}), 403).await;
    all.ask_as(&job, "PUT", "/v1/users/ci", json!({"roles": ["own", "writer"], "manifest": "acme"}), 403).await;
}

/// Ends of every kind, and names that expired tokens hold.
async fn ends(all: &mut Deployed, secret: &str) {
    let none = Value::Null;
    let tokens = "/v1/users/ana/tokens";
    all.ask_as(secret, "DELETE", "/v1/me/token", none.clone(), 204).await;
    for name in ["first", "second"] {
        let soon = soon(all);
        all.ask("POST", tokens, json!({"name": name, "expires_at": soon}), 201).await;
    }
    all.clock.advance(Seconds::days(2));
    // The name of one that expired, then the room of the other.
    all.ask("POST", tokens, json!({"name": "first"}), 201).await;
    let expiring = json!({"name": "third", "expires_at": soon(all)});
    all.ask("POST", tokens, expiring, 201).await;
    all.ask("DELETE", &format!("{tokens}/first"), none.clone(), 204).await;
    let expiring = json!({"name": "fourth", "expires_at": soon(all)});
    all.ask("POST", tokens, expiring, 201).await;
    all.clock.advance(Seconds::days(2));
    all.ask("DELETE", &format!("{tokens}/third"), none.clone(), 404).await;
    all.ask("POST", tokens, json!({"name": "fifth"}), 201).await;
    all.ask("PATCH", &format!("{tokens}/fifth"), json!({"name": "fourth"}), 200).await;
    all.ask("DELETE", &format!("{tokens}/fourth"), none.clone(), 204).await;
    let expiring = json!({"name": "last", "expires_at": soon(all)});
    all.ask("POST", tokens, expiring, 201).await;
    all.clock.advance(Seconds::days(2));
    all.ask("DELETE", "/v1/users/ana", none.clone(), 204).await;
    all.ask("DELETE", "/v1/roles/deployer", none.clone(), 409).await;
    all.ask("PUT", "/v1/roles/unused", json!({"permissions": []}), 200).await;
    all.ask("DELETE", "/v1/roles/unused", none, 204).await;
}

/// An expiry within a day.
fn soon(all: &Deployed) -> String {
    Seconds::days(1).after(all.clock.now()).to_string()
}

/// So many requests in one future are more than a test's thread has room for when nothing is optimized.
const STACK: usize = 64 << 20;

#[test]
fn every_function_may_do_what_it_does_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = move || runtime.block_on(hold_roles_against_calls());
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

async fn hold_roles_against_calls() {
    let template = Template::read(&root().join("infra/template.yaml"));
    let mut all = Deployed::new().await;
    use_everything(&mut all).await;
    let routes: BTreeSet<_> = tests::api::routes().map(|route| (route.method, route.path)).collect();
    assert_eq!(routes.difference(&all.served).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "never served");
    let (mut faults, mut seen) = (Vec::new(), Vec::new());
    // The page's binary has no client, so that it needs no right; here it is a process like the others.
    assert!(template.allowed(Function::DASHBOARD.as_str()).is_empty());
    for (function, (recorder, _)) in all.functions.iter().filter(|(name, _)| **name != Function::DASHBOARD.as_str()) {
        let (made, allowed) = (recorder.take(), template.allowed(function));
        let kinds: BTreeSet<String> = made.iter().map(Access::told).collect();
        seen.extend(kinds.into_iter().map(|kind| format!("{function}: {kind}")));
        let refused = Allowed::refused(&allowed, &made);
        faults.extend(refused.into_iter().map(|wanted| format!("{function}: may not: {wanted:?}")));
        // What strangers may call changes what it notes, and nothing that decides who may do what.
        if ["authorize", "introspect"].contains(function) {
            for held in allowed.iter().filter(|held| held.action == "UpdateItem") {
                for name in ["roles", "versions", "revision", "suspended", "expires_at", "allowed_ips", "grant"] {
                    assert!(!held.attributes.is_empty() && !held.names(name), "{function} may change `{name}`");
                }
                let named = |own: &String| {
                    made.iter().any(|access| {
                        held.covers(access)
                            && access
                                .attributes
                                .iter()
                                .any(|name| own.strip_suffix('*').map_or(own == name, |start| name.starts_with(start)))
                    })
                };
                faults.extend(
                    held.attributes
                        .iter()
                        .filter(|own| !named(own))
                        .map(|own| format!("{function}: never names: {own}")),
                );
            }
        }
        for held in &allowed {
            if !made.iter().any(|access| held.covers(access)) {
                faults.push(format!("{function}: never does: {} {:?} {}", held.action, held.index, held.keys));
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{}\n\nseen:\n{}", faults.join("\n"), seen.join("\n"));
}
