//! What falls due: found by the index, told by the records.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::service::{Caller, NewToken, PutOffError, UserChange};
use latchkey::table::item::Value;
use latchkey::table::keys;
use latchkey::token::{Token, TokenKey};
use tests::world::{TERMS, World, key, managed_token};

/// When a token that was staged at the start and never announced is due, and something more.
fn soon(world: &World) -> Timestamp {
    Seconds::hours(25).after(world.now())
}

async fn world() -> World {
    let world = World::new().await;
    let change = UserChange { max_tokens: Some(Some(100)), ..UserChange::default() };
    world.change_user("ci", change).await;
    world
}

async fn make(world: &World, names: impl IntoIterator<Item = String>) {
    for name in names {
        let new = managed_token("ci", &name, &[]);
        world.create(NewToken { roles: Some(Vec::new()), ..new }).await;
    }
}

/// Sets an attribute of a token's item, which nothing else then agrees with.
async fn set(world: &World, token: &TokenKey, attribute: &str, value: &str) {
    world.store.raw.set(&keys::token(token), attribute, Value::S(value.to_owned())).await;
}

/// Puts copies of a token into the table that are due a month later.
async fn put_later(world: &World, like: &TokenKey, numbers: std::ops::Range<u32>) {
    let item = world.item(&keys::token(like)).await.unwrap();
    for number in numbers {
        let mut copy = item.clone();
        let name = format!("later-{number:04}");
        let at = Seconds::days(30).after(world.now());
        for (attribute, value) in [
            (keys::SK, format!("{}{name}", keys::ACTIVE)),
            ("name", name),
            (keys::DUE_PK, keys::due_partition(u8::try_from(number % 16).unwrap())),
            (keys::DUE_SK, keys::due_at(at)),
        ] {
            copy.insert(attribute.to_owned(), Value::S(value));
        }
        world.store.raw.put([copy]).await;
    }
}

fn names(tokens: &[Token]) -> BTreeSet<String> {
    tokens.iter().map(|token| token.name.to_string()).collect()
}

#[tokio::test]
async fn what_is_not_due_costs_nothing_however_much_of_it_there_is() {
    let world = world().await;
    let due: Vec<String> = (0..20).map(|number| format!("due-{number:02}")).collect();
    make(&world, due.clone()).await;
    let mut before = 0;
    let mut costs = Vec::new();
    for more in [20..200, 200..2_000] {
        put_later(&world, &key("ci", "due-00"), before.max(more.start)..more.end).await;
        before = more.end;
        let counted = world.store.table.counted();
        let page = world.service.due(soon(&world), 1000, None).await.unwrap();
        let now = world.store.table.counted();
        costs.push((now.calls - counted.calls, now.units - counted.units));
        assert_eq!((names(&page.tokens), page.next), (due.iter().cloned().collect(), None));
    }
    // Each shard once, and the records.
    assert_eq!(costs[0].0, 16 + 1);
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn pages_go_on_where_they_ended_and_each_shard_comes_earliest_first() {
    let world = world().await;
    make(&world, (0..10).map(|number| format!("early-{number}"))).await;
    world.clock.advance(Seconds::hours(1));
    make(&world, (0..10).map(|number| format!("late-{number}"))).await;
    let until = soon(&world);
    let whole = world.service.due(until, 1000, None).await.unwrap().tokens;
    assert_eq!(whole.len(), 20);
    let order = |token: &Token| (keys::due_shard(&token.id), token.next_deadline());
    assert!(whole.is_sorted_by_key(order), "{:?}", whole.iter().map(order).collect::<Vec<_>>());
    for limit in [1, 3, 20] {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = world.service.due(until, limit, from.as_ref()).await.unwrap();
            assert!(page.tokens.len() <= limit);
            found.extend(page.tokens);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(found, whole, "{limit}");
    }
    let exactly = whole.iter().filter_map(Token::next_deadline).min().unwrap();
    assert_eq!(world.service.due(exactly, 1000, None).await.unwrap().tokens.len(), 10, "at that instant they are");
    let earlier = Seconds(1).before(exactly);
    assert!(world.service.due(earlier, 1000, None).await.unwrap().tokens.is_empty());
}

#[tokio::test]
async fn a_row_of_the_index_that_is_out_of_date_does_no_harm() {
    let world = world().await;
    make(&world, ["staged".to_owned(), "current".to_owned()]).await;
    let current = world.service.holder(&key("ci", "current")).await.unwrap().unwrap();
    world.service.promote(&world.admin, &current.reference(), 1).await.unwrap();
    let until = soon(&world);
    assert_eq!(names(&world.service.due(until, 10, None).await.unwrap().tokens), ["staged".to_owned()].into());
    set(&world, &current.key(), keys::DUE_SK, &keys::due_at(world.now())).await;
    assert_eq!(names(&world.service.due(until, 10, None).await.unwrap().tokens), ["staged".to_owned()].into());
}

#[tokio::test]
async fn what_has_ended_does_not_come_and_what_expired_in_its_place_does() {
    let world = world().await;
    make(&world, ["deleted".to_owned(), "expired".to_owned()]).await;
    world.delete("ci", "deleted").await;
    world.clock.advance(Seconds::days(2));
    let page = world.service.due(world.now(), 10, None).await.unwrap();
    assert_eq!(names(&page.tokens), ["expired".to_owned()].into());
    let ended = world.items().await.into_iter().filter(|item| item.contains_key("ended"));
    assert!(ended.into_iter().all(|item| !item.contains_key(keys::DUE_PK)));
}

#[tokio::test]
async fn a_rotation_falls_due_and_then_no_longer() {
    let world = world().await;
    make(&world, ["api".to_owned()]).await;
    let token = world.service.holder(&key("ci", "api")).await.unwrap().unwrap().reference();
    world.service.promote(&world.admin, &token, 1).await.unwrap();
    world.clock.advance(Seconds::days(31));
    assert_eq!(world.service.due(world.now(), 10, None).await.unwrap().tokens.len(), 1);
    world.service.stage(&world.admin, &token).await.unwrap();
    world.service.promote(&world.admin, &token, 2).await.unwrap();
    assert!(world.service.due(world.now(), 10, None).await.unwrap().tokens.is_empty());
    // The end of the older version's overlap is a deadline too.
    world.clock.advance(Seconds::hours(25));
    assert_eq!(world.service.due(world.now(), 10, None).await.unwrap().tokens.len(), 1);
}

#[tokio::test]
async fn what_is_put_off_falls_due_again_after_a_pause_that_grows_until_something_is_done() {
    let world = world().await;
    make(&world, ["api".to_owned()]).await;
    let api = key("ci", "api");
    let read = async || world.service.holder(&api).await.unwrap().unwrap();
    let is_due = async || !world.service.due(world.now(), 10, None).await.unwrap().tokens.is_empty();
    let token = read().await.reference();
    world.service.promote(&world.admin, &token, 1).await.unwrap();
    world.clock.advance(Seconds::days(30));
    for minutes in [15, 30, 60] {
        assert!(is_due().await);
        world.service.put_off(&world.admin, &read().await, None).await.unwrap();
        world.clock.advance(Seconds(minutes * 60 - 1));
        assert!(!is_due().await, "{minutes}");
        world.clock.advance(Seconds(1));
    }
    let until = Seconds::hours(5).after(world.now());
    let before = read().await;
    world.service.put_off(&world.admin, &before, Some(until)).await.unwrap();
    assert_eq!(read().await.revision, before.revision, "no look of anybody is in vain");
    world.clock.advance(Seconds(5 * 3600 - 1));
    assert!(!is_due().await);
    world.clock.advance(Seconds(1));
    assert!(is_due().await);
    // Whoever did something since knows more.
    let before = read().await;
    world.service.stage(&world.admin, &token).await.unwrap();
    world.service.put_off(&world.admin, &before, None).await.unwrap();
    assert!(is_due().await);
    world.service.put_off(&world.admin, &read().await, None).await.unwrap();
    world.service.promote(&world.admin, &token, 2).await.unwrap();
    let promoted = read().await;
    assert_eq!(promoted.retry, None);
    assert_eq!(promoted.next_deadline(), Some(TERMS.overlap.after(world.now())));
    let hers = world.token("ci", "of-a-stranger").await;
    let stranger = Caller::token(&world.valid(hers.secret.expose()).await, None);
    let refused = world.service.put_off(&stranger, &promoted, None).await;
    assert!(matches!(refused, Err(PutOffError::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn only_what_expired_for_good_is_swept() {
    let world = world().await;
    make(&world, ["managed".to_owned()]).await;
    world.token("ci", "by-hand").await;
    world.clock.advance(Seconds::days(20));
    world.token("ci", "later").await;
    world.clock.advance(Seconds::days(20));
    for (name, swept) in [("managed", false), ("by-hand", true), ("later", false)] {
        let token = world.service.holder(&key("ci", name)).await.unwrap().unwrap();
        assert_eq!(world.service.sweep_expired(&token).await.unwrap(), swept, "{name}");
        assert_eq!(world.service.holder(&key("ci", name)).await.unwrap().is_none(), swept, "{name}");
    }
    let ended = world.service.list_ended(&"ci".parse().unwrap(), (10, None), None).await.unwrap().tokens;
    assert_eq!(names(&ended), ["by-hand".to_owned()].into());
    world.token("ci", "by-hand").await;
}
