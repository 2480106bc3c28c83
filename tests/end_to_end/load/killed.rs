//! Servers that end without a word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latchkey::mutex::Mutex;
use serde_json::{Value, json};
use tests::client::Client;
use tests::provision::World;
use tests::remote::Served;

use super::{dice, setting};

/// What somebody was told of a token.
#[derive(Debug, Clone)]
enum Told {
    /// It was made, and this is its secret.
    Made(String),
    /// It was rotated: both work.
    Rotated(String, String),
    /// It is gone. These were its secrets.
    Ended(Vec<String>),
    /// A request about it was never answered; what its secrets do is open.
    Open,
}

type Ledger = Arc<Mutex<BTreeMap<String, Told>>>;

fn told(ledger: &Ledger, token: &str, what: Told) {
    ledger.lock().insert(token.to_owned(), what);
}

/// Makes tokens, rotates and ends some, and writes down what it is told, until nobody answers.
async fn act(ledger: Ledger, answers: Arc<AtomicUsize>, mut client: Client, worker: String) -> Option<()> {
    for number in 0.. {
        let token = format!("{worker}-{number}");
        let base = format!("/v1/users/app/tokens/{token}");
        told(&ledger, &token, Told::Open);
        let body = json!({"name": token, "roles": ["reader"]});
        let (_, made) = answer(&mut client, &answers, "POST", "/v1/users/app/tokens", Some(&body), 201).await?;
        let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (id, secret) = (text(&made, "/token/id"), text(&made, "/secret"));
        told(&ledger, &token, Told::Made(secret.clone()));
        let mut secrets = vec![secret.clone()];
        if number % 3 == 0 {
            let body = json!({"id": id});
            let (_, staged) =
                answer(&mut client, &answers, "POST", &format!("{base}/versions"), Some(&body), 201).await?;
            let second = text(&staged, "/secret");
            told(&ledger, &token, Told::Rotated(secret, second.clone()));
            secrets.push(second);
        }
        if number % 2 == 0 {
            told(&ledger, &token, Told::Open);
            answer(&mut client, &answers, "DELETE", &format!("{base}?id={id}"), None, 204).await?;
            told(&ledger, &token, Told::Ended(secrets));
        }
    }
    None
}

async fn answer(
    client: &mut Client,
    answers: &AtomicUsize,
    method: &str,
    target: &str,
    body: Option<&Value>,
    expected: u16,
) -> Option<(u16, Value)> {
    let answer = client.try_ask(method, target, body).await.ok()?;
    assert_eq!(answer.0, expected, "{method} {target}: {}", answer.1);
    answers.fetch_add(1, Ordering::Relaxed);
    Some(answer)
}

/// `LATCHKEY_KILLS` is how often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_that_it_answered() {
    let kills = std::env::var("LATCHKEY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let world = World::new();
    let (gateway, maker) = setting(&world.path("latchkey.db")).await;
    let ledger = Ledger::default();
    let mut server = Served::start(&world, "latchkey.db");
    for kill in 0..kills {
        let answers = Arc::new(AtomicUsize::new(0));
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..6 {
            let client = Client::of(server.url(), &maker);
            workers.spawn(act(ledger.clone(), answers.clone(), client, format!("token-{kill}-{worker}")));
        }
        let enough = 60 + dice(60);
        while answers.load(Ordering::Relaxed) < enough && !workers.is_empty() {
            // A worker that ends by itself has found something.
            assert!(
                workers.try_join_next().is_none_or(|ended| ended.unwrap().is_some()),
                "nobody was to be stopped yet"
            );
            tokio::task::yield_now().await;
        }
        server.kill();
        while let Some(worker) = workers.join_next().await {
            assert!(worker.unwrap().is_none());
        }
        server = Served::start(&world, "latchkey.db");
        let mut asking = Client::of(server.url(), &gateway);
        let all: Vec<(String, Told)> =
            ledger.lock().iter().map(|(token, told)| (token.clone(), told.clone())).collect();
        let mut open = 0;
        for (token, told) in &all {
            let (secrets, is_valid) = match told {
                Told::Made(secret) => (vec![secret], true),
                Told::Rotated(first, second) => (vec![first, second], true),
                Told::Ended(secrets) => (secrets.iter().collect(), false),
                Told::Open => {
                    open += 1;
                    continue;
                }
            };
            for secret in secrets {
                let (status, answer) = asking.ask("POST", "/v1/introspect", Some(&json!({"token": secret}))).await;
                assert_eq!((status, &answer["active"]), (200, &json!(is_valid)), "{token}: {answer}");
            }
        }
        println!("kill {kill}: {} tokens, {open} of them open", all.len());
    }
}
