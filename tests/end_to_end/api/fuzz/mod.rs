//! Random requests on all routes by random callers: whatever is asked, no answer is an error of the server, and every
//! refusal is a problem. `LATCHKEY_FUZZ_SECONDS` is how long; three by default. `LATCHKEY_SEED` gives another run.

mod maker;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use latchkey::api::document;
use latchkey::lifetime::Seconds;
use serde_json::Value;
use tests::api::{Actor, Reply};
use tests::chaos::Random;

use super::scene::{Scene, place};
use maker::{Fuzzed, Maker};

/// How many requests of those who had a token may be refused as nobody's before everybody is made anew.
const WORN: u64 = 40;

/// Everybody who asks, newly made.
async fn actors(scene: &Scene) -> (Vec<Actor>, Vec<String>) {
    let mut known = vec![scene.deploy_id().await, place().id().to_string()];
    let mut actors = vec![Actor::anonymous(&scene.api), Actor::with(&scene.api, "lk_not-a-secret")];
    for (user, role) in [
        ("ada", "writer"),
        ("bob", "reader"),
        ("root", "root"),
        ("eve", "auditor"),
        ("ci", "ci-acme"),
        ("gateway", "introspector"),
    ] {
        let secret = scene.secret(user, "fuzzer", &[role]).await;
        actors.push(Actor::with(&scene.api, &secret));
        // The root does most, and what it can do to itself is soon done.
        if user == "root" {
            actors.push(Actor::with(&scene.api, &scene.secret(user, "fuzzer-2", &[role]).await));
        }
        known.push(secret);
    }
    scene.grant(&["documents:read"], &["reader"], &["ada", "robot"]).await;
    (actors, known)
}

fn check(fuzzed: &Fuzzed, reply: &Reply) {
    let status = reply.status();
    assert!((200..500).contains(&status), "{fuzzed:?}: {status} {} {:?}", reply.body, reply.record);
    if status >= 400 {
        assert_eq!(reply.body["status"], status, "{fuzzed:?}: {}", reply.body);
        assert!(!reply.code().is_empty() && !reply.text("/detail").is_empty(), "{fuzzed:?}: {}", reply.body);
    }
}

fn length() -> Duration {
    let seconds = std::env::var("LATCHKEY_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[tokio::test]
async fn no_request_makes_the_server_fail() {
    let (started, length) = (Instant::now(), length());
    let routes: Vec<_> = tests::api::routes().collect();
    let templates =
        ["", "/", "//", "/v1", "/v1/", "/v1/users/../roles", "/v1//me", "/v1/me/", "*", "http://x/v1/me", "/V1/ME"];
    let document = document();
    let mut maker = Maker { random: Random::seeded(), document, routes, known: Vec::new(), templates: &templates };
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    while started.elapsed() < length {
        let scene = Scene::new().await;
        let (mut actors, known) = actors(&scene).await;
        maker.known = known;
        let mut refused = 0;
        while refused < WORN && started.elapsed() < length {
            let fuzzed = maker.request();
            let index = maker.random.below(actors.len());
            actors[index].source = if maker.one_in(2) {
                IpAddr::from([192, 0, 2, 7])
            } else {
                IpAddr::from(u128::from(maker.random.number()).to_be_bytes())
            };
            let headers: Vec<_> = fuzzed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let reply = actors[index].send(&fuzzed.method, &fuzzed.target, &headers, &fuzzed.body).await;
            check(&fuzzed, &reply);
            *counts.entry(reply.status()).or_default() += 1;
            refused += u64::from(index > 1 && reply.status() == 401);
            // What was made is asked about, and presented.
            for pointer in ["/secret", "/token/id", "/next", "/token/places/0/id"] {
                if let Some(text) = reply.body.pointer(pointer).and_then(Value::as_str) {
                    maker.known.push(text.to_owned());
                }
            }
            if maker.one_in(200) {
                scene.world.clock.advance(Seconds::hours(1));
            }
        }
    }
    let all: u64 = counts.values().sum();
    println!("{all} requests in {:?}, by status: {counts:?}", started.elapsed());
    let done: u64 = counts.range(200..300).map(|(_, count)| count).sum();
    // About one in ten does, more or fewer as the requests fall out.
    assert!(done * 20 > all, "too few requests did anything: {counts:?}");
}
