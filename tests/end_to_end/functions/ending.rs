//! What functions write before they end or are frozen.

use tests::lambda::{Endpoint, Extensions, events};

use super::{function, token, uses};

#[tokio::test(flavor = "multi_thread")]
async fn uses_are_counted_without_a_write_each_and_none_is_lost_at_the_end() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let mut started = function("authorize", &endpoint).start().await;
    let event = events::authorizer(created.secret.expose());
    started.invoke(&event).await.unwrap();
    started.runtime.polled(2).await;
    assert_eq!(uses(&endpoint, &created).await, 1, "a process that serves one request loses nothing");
    for _ in 0..9 {
        started.invoke(&event).await.unwrap();
    }
    started.runtime.polled(11).await;
    assert_eq!(uses(&endpoint, &created).await, 1, "the others wait for the interval or the end");
    assert!(started.end().await.success());
    assert_eq!(uses(&endpoint, &created).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_add_up() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let event = events::authorizer(created.secret.expose());
    let mut processes = Vec::new();
    for _ in 0..2 {
        let started = function("authorize", &endpoint).start().await;
        for _ in 0..5 {
            started.invoke(&event).await.unwrap();
        }
        processes.push(started);
    }
    for mut process in processes {
        assert!(process.end().await.success());
    }
    assert_eq!(uses(&endpoint, &created).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_the_end_is_taken_without_an_extension_too() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let mut started = function("authorize", &endpoint).extensions(Extensions::Missing).start().await;
    for _ in 0..3 {
        started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    }
    assert!(started.end().await.success());
    assert_eq!(uses(&endpoint, &created).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_gone_does_not_hold_up_the_end() {
    let endpoint = Endpoint::plain().await;
    let created = token(&endpoint).await;
    let mut started = function("authorize", &endpoint).start().await;
    for _ in 0..3 {
        started.invoke(&events::authorizer(created.secret.expose())).await.unwrap();
    }
    started.runtime.polled(4).await;
    drop(endpoint);
    let told = std::time::Instant::now();
    assert!(started.end().await.success());
    assert!(told.elapsed() < std::time::Duration::from_secs(2));
    let log = started.log(4).await;
    assert_eq!(log[3]["level"], "error", "what is lost is told: {log:?}");
}
