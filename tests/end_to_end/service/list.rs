//! Listing tokens.

use latchkey::lifetime::Seconds;
use tests::world::{World, key, name};

#[tokio::test]
async fn active_tokens_come_by_name_and_page_by_page() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.user("ben", &[]).await;
    world.token("ben", "aaa").await;
    for token in ["cherry", "apple", "date", "banana", "elder"] {
        world.token("ana", token).await;
    }
    world.delete("ana", "date").await;
    let mut seen = Vec::new();
    let mut from = None;
    loop {
        let page = world.service.list_active(&name("ana"), 2, from).await.unwrap();
        assert!(page.tokens.len() <= 2);
        seen.extend(page.tokens.into_iter().map(|token| token.name.to_string()));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["apple", "banana", "cherry", "elder"]);
}

#[tokio::test]
async fn ended_tokens_come_newest_first() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    for token in ["first", "second", "third"] {
        world.token("ana", token).await;
        world.clock.advance(Seconds(10));
        world.delete("ana", token).await;
    }
    let page = world.service.list_ended(&name("ana"), (2, None), None).await.unwrap();
    let names: Vec<&str> = page.tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["third", "second"]);
    let rest = world.service.list_ended(&name("ana"), (2, page.next), None).await.unwrap();
    assert_eq!(rest.tokens[0].name.as_str(), "first");
}

#[tokio::test]
async fn one_token_is_shown_only_while_it_is_active() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let key = &key("ana", "laptop");
    assert_eq!(world.service.show(key).await.unwrap().map(|token| token.id), Some(made.token.id.clone()));
    world.clock.advance(Seconds::days(31));
    assert_eq!(world.service.show(key).await.unwrap(), None);
    assert_eq!(world.service.holder(key).await.unwrap().map(|token| token.id), Some(made.token.id));
}
