//! A server whose connections are taken by callers that never come to an end.

use std::time::Duration;

use serde_json::{Value, json};
use tests::attack::{half_open, is_closed};
use tests::client::Client;
use tests::provision::World;
use tests::remote::Served;

/// What the server is allowed to open, and how many want more of it.
const FILES: u32 = 256;
const HALF_OPEN: usize = 300;

/// Asks on a connection of its own; an answer that does not come fails the test.
async fn ask(served: &Served, secret: &str, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
    let mut client = Client::of(served.url(), secret);
    let answer = tokio::time::timeout(Duration::from_mins(1), client.ask(method, target, body)).await;
    answer.unwrap_or_else(|_| panic!("{method} {target} was not answered"))
}

#[tokio::test]
async fn half_open_connections_at_the_file_limit_leave_others_served() {
    let world = World::new();
    let admin = world.run("bootstrap --user root --service embedded:latchkey.db").exits(0).stdout;
    let admin = admin.trim();
    let served = Served::start_with_files(&world, "latchkey.db", FILES);
    let held = half_open(served.url(), HALF_OPEN);
    for number in 0..20 {
        assert_eq!(ask(&served, admin, "GET", "/v1/me", None).await.0, 200, "{number}");
        let token = Some(json!({"token": admin}));
        let (status, answer) = ask(&served, admin, "POST", "/v1/introspect", token.as_ref()).await;
        assert_eq!((status, &answer["active"]), (200, &json!(true)), "{number}: {answer}");
        // The table is written as well.
        let new = Some(json!({"name": format!("token-{number}"), "roles": []}));
        let (status, answer) = ask(&served, admin, "POST", "/v1/users/me/tokens", new.as_ref()).await;
        assert!(status == 201 || answer["code"] == "token_limit_reached", "{number}: {answer}");
    }
    // Those who were there first have left for others.
    let first_open = held.iter().position(|stream| !is_closed(stream)).unwrap();
    assert!(first_open >= HALF_OPEN - usize::try_from(FILES / 2).unwrap(), "{first_open} of {HALF_OPEN}");
    assert!(!is_closed(&held[HALF_OPEN - 1]), "nobody is closed without need");
}
