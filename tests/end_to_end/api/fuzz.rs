//! Random requests on all routes by random callers: whatever is asked, no answer is an error of the server, and every
//! refusal is a problem. `LATCHKEY_FUZZ_SECONDS` is how long; three by default. `LATCHKEY_SEED` gives another run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use latchkey::api::{Function, Route, document};
use latchkey::lifetime::Seconds;
use serde_json::{Map, Value, json};
use tests::api::{Actor, Reply};
use tests::chaos::Random;

use super::scene::{Scene, place};

/// How many requests of those who had a token may be refused as nobody's before everybody is made anew.
const WORN: u64 = 40;

/// Texts that mean something in some place, and texts that mean trouble.
const WORDS: &[&str] = &[
    "ada",
    "bob",
    "sue",
    "root",
    "robot",
    "ci",
    "gateway",
    "me",
    "new-one",
    "acme",
    "other",
    "deploy",
    "laptop",
    "app",
    "reader",
    "writer",
    "admin",
    "own-role",
    "documents:read",
    "*:*",
    "admin:users",
    "manifests:acme",
    "tokens:write",
    "1",
    "2",
    "0",
    "-1",
    "4294967296",
    "18446744073709551616",
    "1e400",
    "true",
    "false",
    "null",
    "active",
    "deleted",
    "person",
    "service",
    "announced",
    "delivered",
    "2026-03-01",
    "2026-03",
    "2026-13-45",
    "2026-03-01T12:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "-009999-01-01T00:00:00Z",
    "P1D",
    "20d",
    "7d",
    "2h",
    "1000000000000d",
    "0s",
    "10.0.0.0/8",
    "::/0",
    "192.0.2.7",
    "::ffff:1.2.3.4",
    "",
    " ",
    ".",
    "..",
    "a/b",
    "%2f",
    "%00",
    "%zz",
    "%ff",
    "\u{0}",
    "\u{202e}",
    "ä",
    "😀",
    "\r\n",
    "\"",
    "\\",
    "{}",
    "[]",
    "#",
    "U#ada",
    "K#x",
    "*",
    "\"1\"",
    "W/\"1\"",
    "lk_",
    "dotenv",
    "0123456789abcdef",
    "new*",
    "x-padding",
];
const METHODS: &[&str] = &["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", ""];
const TYPES: &[&str] =
    &["application/json", "application/x-www-form-urlencoded", "text/plain", "", "application/json; x"];
const HEADERS: &[&str] = &["if-match", "accept", "x-forwarded-for", "content-type", "authorization", "content-length"];

/// One request, as it is shown when it finds something.
#[derive(Debug, Clone)]
struct Fuzzed {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Makes requests up.
struct Maker<'a> {
    random: Random,
    document: Value,
    routes: Vec<&'static Route>,
    /// Secrets, ids and cursors that are real.
    known: Vec<String>,
    templates: &'a [&'a str],
}

impl Maker<'_> {
    fn one_in(&mut self, count: usize) -> bool {
        self.random.below(count) == 0
    }

    fn pick<'b>(&mut self, from: &[&'b str]) -> &'b str {
        from[self.random.below(from.len())]
    }

    fn word(&mut self) -> String {
        match self.random.below(12) {
            0 => "x".repeat(self.random.below(600)),
            1 => {
                (0..self.random.below(12)).map(|_| char::from(u8::try_from(self.random.below(128)).unwrap())).collect()
            }
            2 | 3 if !self.known.is_empty() => self.known[self.random.below(self.known.len())].clone(),
            4 => self.random.number().to_string(),
            _ => self.pick(WORDS).to_owned(),
        }
    }

    /// A name in a path, most often one that is there.
    fn placeholder(&mut self, name: &str) -> String {
        if self.one_in(4) {
            return self.word();
        }
        let likely: &[&str] = match name {
            "user" => &["ada", "bob", "me", "new-one", "robot"],
            "name" => &["deploy", "laptop", "app", "new"],
            "role" => &["reader", "unused", "own-role", "acme-role"],
            "manifest" => &["acme", "other"],
            "version" => &["1", "2", "3"],
            "place" => return place().id().to_string(),
            _ => &[],
        };
        if likely.is_empty() { self.word() } else { self.pick(likely).to_owned() }
    }

    fn target(&mut self, route: &Route, parameters: &[String]) -> String {
        let mut words = Vec::new();
        for word in route.path.split('/') {
            words.push(match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
                Some(name) => self.placeholder(name),
                None if self.one_in(100) => self.word(),
                None => word.to_owned(),
            });
        }
        let mut target = words.join("/");
        if !self.one_in(3) {
            return target;
        }
        target.push('?');
        for _ in 0..self.random.below(5) {
            let name = if parameters.is_empty() || self.one_in(5) {
                self.word()
            } else {
                parameters[self.random.below(parameters.len())].clone()
            };
            let _ = write!(target, "{name}={}&", self.word());
        }
        target
    }

    /// A value of a schema's form, most often.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if depth > 6 || self.one_in(15) {
            return self.junk(depth);
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            let schema = self.document["components"]["schemas"][name].clone();
            return self.value(&schema, depth + 1);
        }
        for choice in ["anyOf", "oneOf", "enum"] {
            if let Some(choices) = schema[choice].as_array().filter(|choices| !choices.is_empty()) {
                let chosen = choices[self.random.below(choices.len())].clone();
                return if choice == "enum" { chosen } else { self.value(&chosen, depth + 1) };
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[self.random.below(kinds.len())].clone(),
            kind => kind.clone(),
        };
        match kind.as_str().unwrap_or_default() {
            "object" => self.object(schema, depth),
            "array" => (0..self.random.below(4)).map(|_| self.value(&schema["items"], depth + 1)).collect(),
            "string" => self.word().into(),
            "integer" | "number" => match self.random.below(4) {
                0 => self.random.number().into(),
                1 => json!(-1),
                _ => self.random.below(5).into(),
            },
            "boolean" => self.one_in(2).into(),
            "null" => Value::Null,
            _ => self.junk(depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, form) in schema["properties"].as_object().cloned().unwrap_or_default() {
            let wanted = if required.contains(&Value::from(name.as_str())) { !self.one_in(20) } else { self.one_in(2) };
            if wanted {
                let likely = if self.one_in(3) { None } else { self.likely(&name) };
                let value = likely.unwrap_or_else(|| self.value(&form, depth + 1));
                object.insert(name, value);
            }
        }
        if schema["additionalProperties"].is_object() || self.one_in(30) {
            for _ in 0..self.random.below(3) {
                let value = self.value(&schema["additionalProperties"], depth + 1);
                object.insert(self.word(), value);
            }
        }
        object.into()
    }

    /// What a field may well have.
    fn likely(&mut self, field: &str) -> Option<Value> {
        Some(match field {
            "name" => format!("app-{}", self.random.below(1000)).into(),
            "user" => self.placeholder("user").into(),
            "id" | "token" => self.known[self.random.below(self.known.len())].clone().into(),
            "roles" => json!([self.pick(&["reader", "writer", "unused"])]),
            "permissions" => json!([self.pick(&["documents:read", "documents:write", "other:read"])]),
            "manifest" => "acme".into(),
            "expires_in" => "20d".into(),
            "rotate_every" => "7d".into(),
            "overlap" => "2h".into(),
            "expires_at" => "2026-03-20".into(),
            "allowed_ips" => json!(["192.0.2.0/24"]),
            "places" => json!([place()]),
            "labels" => json!({"team": "a"}),
            _ => return None,
        })
    }

    fn junk(&mut self, depth: usize) -> Value {
        match self.random.below(8) {
            0 => Value::Null,
            1 => self.one_in(2).into(),
            2 => self.random.number().into(),
            3 => json!(-0.5e300),
            4 if depth < 6 => (0..self.random.below(4)).map(|_| self.junk(depth + 1)).collect(),
            5 if depth < 6 => {
                Value::Object((0..self.random.below(4)).map(|_| (self.word(), self.junk(depth + 1))).collect())
            }
            _ => self.word().into(),
        }
    }

    fn body(&mut self, operation: &Value) -> Vec<u8> {
        let schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
        if schema.is_null() && !self.one_in(10) {
            return Vec::new();
        }
        if self.one_in(20) {
            return (0..self.random.below(300)).map(|_| u8::try_from(self.random.below(256)).unwrap()).collect();
        }
        if self.one_in(200) {
            return vec![*b" [{\"0".get(self.random.below(5)).unwrap(); 66 * 1024];
        }
        let mut body = self.value(&schema, 0).to_string().into_bytes();
        if self.one_in(10) && !body.is_empty() {
            let at = self.random.below(body.len());
            match self.random.below(3) {
                0 => body.truncate(at),
                1 => body[at] = u8::try_from(self.random.below(256)).unwrap(),
                _ => body.insert(at, u8::try_from(self.random.below(256)).unwrap()),
            }
        }
        body
    }

    fn request(&mut self) -> Fuzzed {
        let route = self.routes[self.random.below(self.routes.len())];
        let operation = self.document["paths"][route.path][route.method.to_ascii_lowercase()].clone();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let queries: Vec<String> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect();
        let method = if self.one_in(30) { self.pick(METHODS) } else { route.method }.to_owned();
        let target = if self.one_in(50) { self.pick(self.templates).to_owned() } else { self.target(route, &queries) };
        let body = self.body(&operation);
        let kind = if self.one_in(12) { self.pick(TYPES) } else { TYPES[0] };
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        while self.one_in(6) {
            headers.push((self.pick(HEADERS).to_owned(), self.word()));
        }
        Fuzzed { method, target, headers, body }
    }
}

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
    let routes: Vec<_> = Function::ALL.iter().flat_map(|function| function.routes()).collect();
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
    assert!(done * 12 > all, "too few requests did anything: {counts:?}");
}
