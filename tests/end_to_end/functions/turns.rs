//! Many turns of the job as Lambda runs it: a whole day with a consumer beside it, and a table that is far larger than what
//! is due.

use std::collections::VecDeque;

use latchkey::secret::TokenId;
use latchkey::table::item::{Item, Value, text as text_of};
use latchkey::table::keys::Key;
use serde_json::json;
use tests::provision::{DAY, HOUR};
use tests::world::name;

use super::rotate::{Deployed, is_valid};

const MINUTE: i64 = 60;

/// A token that is rotated every other hour; its old version works an hour longer.
const OFTEN: &str = r#"
manifest = "acme"
[service]
table = "latchkey"
region = "us-east-1"
[defaults]
user = "ci"
expires_in = "12h"
rotate_every = "2h"
overlap = "1h"
[roles.reader]
permissions = ["documents:read"]
[users.ci]
kind = "service"
roles = ["reader"]
[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
[tokens.api]
push = [{ sink = "vault", name = "prod/api-token" }]
"#;

/// A day on which the job comes every quarter of an hour and every other turn of it dies, each at another request to the
/// table. A consumer reads its place and checks what it reads, and another one keeps what it read for 55 minutes.
/// `LATCHKEY_KILLS`: every second, and not every minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_refused_at_no_moment_of_a_day_on_which_the_job_dies_again_and_again() {
    let deployed = Deployed::with(OFTEN).await;
    let authorizer = deployed.function("authorize").start().await;
    let person = deployed.manager.person("eu-west-1");
    let step = if std::env::var_os("LATCHKEY_KILLS").is_some() { 1 } else { MINUTE };
    let (mut kept, mut versions, mut died, mut turn) = (VecDeque::new(), Vec::new(), 0, 0_u64);
    for time in (0..DAY).step_by(usize::try_from(step).unwrap()) {
        deployed.world.clock(time);
        if time % (15 * MINUTE) == 0 {
            turn += 1;
            if turn.is_multiple_of(2) {
                deployed.function("rotate").start().await.invoke(&json!({})).await.unwrap();
            } else {
                died += u64::from(deployed.dies_at(turn, turn % 4 == 1).await);
            }
        }
        let read = person.call("GetSecretValue", json!({ "SecretId": "prod/api-token" })).await;
        let value = read.value()["SecretString"].as_str().unwrap().to_owned();
        assert!(is_valid(&authorizer, &value).await, "what is there is refused after {time} s");
        kept.push_back((time, value.clone()));
        if kept.front().is_some_and(|(since, _)| *since + 55 * MINUTE <= time) {
            let (since, value) = kept.pop_front().unwrap();
            assert!(is_valid(&authorizer, &value).await, "what was there after {since} s is refused after {time} s");
        }
        if versions.last() != Some(&value) {
            versions.push(value);
        }
    }
    println!("{} versions, {died} turns that died", versions.len());
    assert!(versions.len() >= 10 && died >= 20, "{} versions, {died} turns died", versions.len());
}

/// A manifest of so many tokens.
fn many(tokens: usize) -> String {
    let head = OFTEN.replace("12h", "90d").replace("2h", "30d").replace("1h", "24h");
    let head = head[..head.find("[tokens.api]").unwrap()].to_owned();
    let head = head.replace("kind =", &format!("max_tokens = {}\nkind =", tokens.max(10)));
    let token =
        |number| format!("[tokens.token-{number}]\npush = [{{ sink = \"vault\", name = \"prod/{number}\" }}]\n");
    (0..tokens).fold(head, |text, number| text + &token(number))
}

/// An item of a token as one of another manifest's that is not due for long: in every index as that one would be.
fn another(item: &Item, number: usize) -> Item {
    let mut other = item.clone();
    let id = format!("{number:016x}").parse::<TokenId>().unwrap();
    let shard = id.as_str().bytes().fold(0_u8, u8::wrapping_add) % 16;
    let text = |text: String| Value::S(text);
    other.insert("SK".to_owned(), text(format!("{}-{number}", text_of(item, "SK").unwrap())));
    other.insert("name".to_owned(), text(format!("other-{number}")));
    other.insert("id".to_owned(), text(id.to_string()));
    other.insert("managed_by".to_owned(), text("zzz".to_owned()));
    other.insert("managed".to_owned(), text("M#zzz".to_owned()));
    other.insert("due".to_owned(), text(format!("DUE#{shard}")));
    other.insert("due_at".to_owned(), text(format!("{:015}", 4_000_000_000_000_u64)));
    other
}

/// Puts so many tokens beside those that are there.
async fn crowd(deployed: &Deployed, tokens: usize) {
    let first = deployed.endpoint.service.managed_tokens(&name("acme")).await.unwrap().remove(0);
    let key: Key = latchkey::table::keys::token(&first.key());
    let raw = &deployed.endpoint.raw;
    let item = raw.item(&key).await.unwrap();
    raw.put((0..tokens).map(|number| another(&item, number))).await;
}

/// `LATCHKEY_TOKENS=100000` puts so many tokens beside those that are due, which are one in a hundred of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_turn_grows_with_what_is_due_and_not_with_what_there_is() {
    let there = std::env::var("LATCHKEY_TOKENS").ok().and_then(|tokens| tokens.parse().ok()).unwrap_or(1000_usize);
    let due = there / 100;
    let deployed = Deployed::with(&many(due)).await;
    // What does not fit into one invocation goes on in the next.
    let turn = async |time: i64| {
        deployed.world.clock(time);
        let rotate = deployed.function("rotate").start().await;
        let (before, mut done, mut invocations) = (deployed.endpoint.calls(), 0, 0);
        loop {
            let turn = rotate.invoke(&json!({})).await.unwrap();
            invocations += 1;
            done += turn["done"].as_u64().unwrap();
            if turn["due"] == 0 {
                return (done, deployed.endpoint.calls() - before, invocations);
            }
        }
    };
    // The first turn of all brings the index in order.
    turn(HOUR).await;
    let alone = [turn(30 * DAY + HOUR).await, turn(32 * DAY).await];
    crowd(&deployed, there).await;
    let crowded = [turn(61 * DAY + 2 * HOUR).await, turn(63 * DAY).await];
    let idle = turn(64 * DAY).await;
    println!("{due} due of {due} and of {}: {alone:?}, {crowded:?}; nothing due: {idle:?}", there + due);
    assert_eq!(alone.map(|(done, ..)| done), [due as u64; 2]);
    assert_eq!(crowded.map(|(done, ..)| done), [due as u64; 2]);
    for ((_, alone, once), (_, crowded, again)) in alone.iter().zip(&crowded) {
        // A turn of a thousand is cut by time, so that a slower table takes more invocations, and each may stage in vain.
        let (one, other) = (alone / once, crowded / again);
        let is_same = if once == again { crowded.abs_diff(*alone) <= 4 } else { other.abs_diff(one) <= one / 20 };
        assert!(is_same || due > 100 && other.abs_diff(one) <= one / 20, "{alone} in {once}, and {crowded} in {again}");
    }
}
