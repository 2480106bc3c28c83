//! Mixed load on two servers of one table: fifty clients make, rotate, delete and check tokens side by side, one of them
//! slowly and one of them with ill will.
//!
//! `LATCHKEY_LOAD_SECONDS` is how long; one minute by default.

mod killed;
mod strange;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use latchkey::clock::{Clock, SystemClock};
use latchkey::entropy::{Entropy, SystemEntropy};
use latchkey::mutex::Mutex;
use latchkey::secret::TokenId;
use latchkey::service::{Caller, Life, NewToken, Service, UserChange};
use provisioner::embedded;
use serde_json::json;
use tests::client::Client;
use tests::provision::World;
use tests::remote::Served;
use tests::world::{name, new_token, permissions};

/// Where a token stands, as far as those who act on it know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Live,
    /// Its delete was sent; until it returns, either answer is right.
    Ending,
    Ended,
}

#[derive(Debug)]
struct Known {
    id: String,
    token: String,
    /// Of every version; all of them work until the token ends.
    secrets: Vec<String>,
    stand: Stand,
    /// How often a check said that it is valid, and counted.
    uses: u64,
}

/// What the workers share.
#[derive(Debug, Default)]
struct Board {
    known: Mutex<Vec<Known>>,
    checks: AtomicU64,
    changes: AtomicU64,
    refusals: AtomicU64,
}

impl Board {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Known>) -> T) -> T {
        act(&mut self.known.lock())
    }
}

fn dice(below: usize) -> usize {
    let mut bytes = [0_u8; 4];
    SystemEntropy.fill(&mut bytes).unwrap();
    usize::try_from(u32::from_le_bytes(bytes)).unwrap() % below.max(1)
}

fn length() -> Duration {
    let seconds = std::env::var("LATCHKEY_LOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// As many as a busy team has.
const CLIENTS: usize = 50;

/// The most tokens that are alive at once: quotas are not what this is about.
const LIVE_MAX: usize = 60;

async fn setting(path: &std::path::Path) -> (String, String) {
    let table = embedded::open(path).unwrap();
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
    let operator = Caller::operator("load");
    for (role, permits) in [
        ("reader", &["documents:read"][..]),
        ("gateway", &["tokens:introspect"]),
        ("maker", &["documents:read", "admin:tokens", "manifests:load"]),
    ] {
        service.put_role(&operator, &name(role), &permissions(permits), None).await.unwrap();
    }
    let mut secrets = Vec::new();
    for (user, role) in [("gateway", "gateway"), ("maker", "maker"), ("app", "reader")] {
        let roles = Some(vec![name(role)]);
        let change = UserChange { roles, max_tokens: Some(Some(100_000)), ..UserChange::default() };
        service.put_user(&operator, &name(user), &change).await.unwrap();
        let until = SystemClock.now().checked_add((364 * 24).hours()).unwrap();
        let new = NewToken { life: Life::Until(Some(until)), ..new_token(user, "main") };
        secrets.push(service.create(&operator, new).await.unwrap().secret.expose().to_owned());
    }
    (secrets.swap_remove(0), secrets.swap_remove(1))
}

/// Makes, rotates and deletes.
async fn change(board: Arc<Board>, mut client: Client, worker: usize, until: Instant) {
    let mut number = 0;
    while Instant::now() < until {
        let live = board.with(|known| known.iter().filter(|known| known.stand == Stand::Live).count());
        match dice(3) {
            0 if live < LIVE_MAX => {
                number += 1;
                make(&board, &mut client, &format!("token-{worker}-{number}")).await;
            }
            1 => rotate(&board, &mut client).await,
            _ => end(&board, &mut client).await,
        }
        board.changes.fetch_add(1, Ordering::Relaxed);
    }
}

async fn make(board: &Board, client: &mut Client, token: &str) {
    let terms = json!({"expires_in": "20d", "rotate_every": "7d", "overlap": "2h"});
    let place = json!({"kind": "dotenv", "parts": [["name", token]], "readable": true});
    let body = json!({"name": token, "roles": ["reader"], "manifest": "load", "terms": terms, "places": [place]});
    let made = client.ask("POST", "/v1/users/app/tokens", Some(&body)).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let text = |pointer: &str| made.1.pointer(pointer).and_then(|value| value.as_str()).unwrap().to_owned();
    // Announced before anybody else knows of it: the next stage would replace it otherwise.
    let id = text("/token/id");
    let push = Push::of(token, &id, 1, &text("/token/places/0/id"));
    assert_eq!(push.announce(client).await.0, 200);
    let secrets = vec![text("/secret")];
    let known = Known { id, token: token.to_owned(), secrets, stand: Stand::Live, uses: 0 };
    board.with(|all| all.push(known));
    push.finish(client).await;
}

/// One version on its way to its place.
struct Push {
    id: String,
    version: String,
    delivery: String,
}

impl Push {
    fn of(token: &str, id: &str, number: u64, place: &str) -> Self {
        let version = format!("/v1/users/app/tokens/{token}/versions/{number}");
        Self { id: id.to_owned(), delivery: format!("{version}/deliveries/{place}"), version }
    }

    async fn announce(&self, client: &mut Client) -> (u16, serde_json::Value) {
        client.ask("PUT", &self.delivery, Some(&json!({"id": self.id, "state": "announced"}))).await
    }

    async fn finish(&self, client: &mut Client) {
        for (method, path, body) in [
            ("PUT", &self.delivery, json!({"id": self.id, "state": "delivered", "receipt": "x"})),
            ("POST", &format!("{}/promote", self.version), json!({"id": self.id})),
        ] {
            let (status, answer) = client.ask(method, path, Some(&body)).await;
            let code = answer["code"].as_str().unwrap_or_default();
            assert!(status == 200 || matches!(code, "not_found" | "superseded" | "busy"), "{answer}");
        }
    }
}

/// Picks a live token; its number on the board, id and name.
fn pick(board: &Board) -> Option<(usize, String, String)> {
    board.with(|all| {
        let live: Vec<usize> = (0..all.len()).filter(|at| all[*at].stand == Stand::Live).collect();
        let at = *live.get(dice(live.len()))?;
        Some((at, all[at].id.clone(), all[at].token.clone()))
    })
}

async fn rotate(board: &Board, client: &mut Client) {
    let Some((at, id, token)) = pick(board) else { return };
    let path = format!("/v1/users/app/tokens/{token}/versions");
    let (status, staged) = client.ask("POST", &path, Some(&json!({"id": id}))).await;
    if status != 201 {
        // Somebody else ended it meanwhile, or as many versions work as may.
        let code = staged["code"].as_str().unwrap_or_default();
        assert!(matches!(code, "not_found" | "too_many_versions" | "busy"), "{staged}");
        board.refusals.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let place = staged.pointer("/token/places/0/id").and_then(|id| id.as_str()).unwrap();
    let push = Push::of(&token, &id, staged["version"].as_u64().unwrap(), place);
    // Announced, so that no later stage replaces it: from here on it works until the token ends.
    let (status, answer) = push.announce(client).await;
    if status != 200 {
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(matches!(code, "not_found" | "superseded" | "version_not_live" | "busy"), "{answer}");
        return;
    }
    let secret = staged["secret"].as_str().unwrap().to_owned();
    board.with(|all| all[at].secrets.push(secret));
    push.finish(client).await;
}

async fn end(board: &Board, client: &mut Client) {
    let Some((at, id, token)) = pick(board) else { return };
    let mine = board.with(|all| {
        let free = all[at].stand == Stand::Live;
        all[at].stand = Stand::Ending;
        free
    });
    if !mine {
        return;
    }
    let (status, answer) = client.ask("DELETE", &format!("/v1/users/app/tokens/{token}?id={id}"), None).await;
    assert_eq!(status, 204, "{answer}");
    board.with(|all| all[at].stand = Stand::Ended);
}

/// Checks secrets of all kinds.
async fn check(board: Arc<Board>, mut client: Client, until: Instant) {
    while Instant::now() < until {
        let Some((at, secret, before)) = board.with(|all| {
            // The newest ones mostly, dead and alive.
            let at = all.len().checked_sub(1 + dice(all.len().min(80)))?;
            let known = &all[at];
            Some((at, known.secrets[dice(known.secrets.len())].clone(), known.stand))
        }) else {
            tokio::task::yield_now().await;
            continue;
        };
        let (status, answer) = client.ask("POST", "/v1/introspect", Some(&json!({"token": secret}))).await;
        assert_eq!(status, 200, "{answer}");
        let active = answer["active"] == true;
        board.with(|all| {
            let known = &mut all[at];
            assert!(!(before == Stand::Ended && active), "{} was accepted after its delete returned", known.token);
            assert!(known.stand != Stand::Live || active, "{} is alive and was refused", known.token);
            known.uses += u64::from(active);
        });
        board.checks.fetch_add(1, Ordering::Relaxed);
    }
}

/// The memory that a process holds now, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_wrong_under_mixed_load() {
    let world = World::new();
    let (gateway, maker) = setting(&world.path("latchkey.db")).await;
    let mut servers = [Served::start(&world, "latchkey.db"), Served::start(&world, "latchkey.db")];
    let strange = Arc::new(strange::Tally::default());
    let board = Arc::new(Board::default());
    let (started, length) = (Instant::now(), length());
    let until = started + length;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..CLIENTS {
        let url = servers[worker % 2].url().to_owned();
        match worker {
            0 => workers.spawn(strange::slow(strange.clone(), url, gateway.clone(), until)),
            1 => workers.spawn(strange::hostile(strange.clone(), url, until)),
            2..8 => workers.spawn(change(board.clone(), Client::of(&url, &maker), worker, until)),
            _ => workers.spawn(check(board.clone(), Client::of(&url, &gateway), until)),
        };
    }
    // Once everything is warm, and at the end.
    tokio::time::sleep(length / 3).await;
    let warm: Vec<u64> = servers.iter().map(|server| resident(server.process())).collect();
    let changes_then = board.changes.load(Ordering::Relaxed);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    let end: Vec<u64> = servers.iter().map(|server| resident(server.process())).collect();
    for server in &mut servers {
        assert_eq!(server.end(), Some(0), "it ends in order, and writes what it counted");
    }
    let (checks, changes) = (board.checks.load(Ordering::Relaxed), board.changes.load(Ordering::Relaxed));
    println!(
        "{checks} checks and {changes} changes in {:?}, {} refused; memory {warm:?} KiB, then {end:?}",
        started.elapsed(),
        board.refusals.load(Ordering::Relaxed),
    );
    assert!(checks > 100 && changes > 50, "that was no load");
    println!("{strange:?}");
    assert!(strange.slow.load(Ordering::Relaxed) > 1 && strange.hostile.load(Ordering::Relaxed) > 100, "{strange:?}");
    // The embedded engine keeps the answers to transactions for ten minutes, as DynamoDB does on its side: some KiB a
    // change, and nothing a check. What is older than that when the count begins goes as new ones come.
    let grown = end.iter().sum::<u64>().saturating_sub(warm.iter().sum());
    let kept = if length / 3 < Duration::from_mins(10) { 4 * (changes - changes_then) } else { 0 };
    assert!(grown <= kept + 16 * 1024, "memory grew by {grown} KiB, of which {kept} are accounted for");
    let lost = lost_uses(&world.path("latchkey.db"), &board).await;
    assert_eq!(lost, 0, "a server that ends in order loses no count");
}

/// How many uses were answered and are not in the table.
async fn lost_uses(path: &std::path::Path, board: &Board) -> i64 {
    let table = embedded::open(path).unwrap();
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
    let now = SystemClock.now();
    let counted: Vec<(TokenId, u64)> =
        board.with(|all| all.iter().map(|known| (known.id.parse().unwrap(), known.uses)).collect());
    let mut lost = 0;
    for (id, uses) in counted {
        // A run over midnight at the turn of a month has two.
        let mut held = 0;
        for at in [now, now.checked_sub(24.hours()).unwrap()] {
            held = held.max(service.usage(&id, at).await.unwrap().iter().map(|day| day.uses).sum::<u64>());
        }
        lost += i64::try_from(uses).unwrap() - i64::try_from(held).unwrap();
    }
    lost
}
