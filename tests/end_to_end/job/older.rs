//! Tables that an earlier version of this program wrote.

use latchkey::table::item::{Value, text};
use latchkey::table::keys::{DUE_SK, due_at, token};
use latchkey::token::Token;
use tests::world::{key, new_token};

use super::*;

/// Creates tokens by hand that expire after 40 days, in the index as they were before anybody was told that they expire.
async fn older(scene: &Scene, tokens: usize) {
    let world = &scene.world;
    world.change_user("ana", UserChange { max_tokens: Some(Some(2000)), ..UserChange::default() }).await;
    for number in 0..tokens {
        let life = Life::Until(Some(Seconds::days(40).after(world.now())));
        let made = world.create(NewToken { life, ..new_token("ana", &format!("t{number}")) }).await.token;
        index(scene, &made, &due_at(made.expires_at.unwrap())).await;
    }
}

/// Writes when a token falls due as the index has it.
async fn index(scene: &Scene, made: &Token, at: &str) {
    scene.world.store.raw.set(&token(&made.key()), DUE_SK, Value::S(at.to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_an_earlier_version_created_by_hand_is_told_of_before_it_expires() {
    let scene = Scene::new().await;
    older(&scene, 3).await;
    scene.world.clock.advance(Seconds::days(11));
    let made = scene.world.service.holder(&key("ana", "t1")).await.unwrap().unwrap();
    assert!(scene.world.service.due(scene.world.now(), 10, None).await.unwrap().tokens.is_empty());
    // Another change of it does not bring it in order either.
    let edit = Edit { description: Some("laptop".to_owned()), ..Edit::default() };
    scene.world.service.edit(&scene.world.admin, &made.key(), None, None, &edit).await.unwrap();
    scene.turn().await;
    assert_eq!(events(&scene, "token.expiring").await, 0, "the turn that brings the index in order comes to it later");
    scene.turn().await;
    assert_eq!(events(&scene, "token.expiring").await, 3);
    // One that was written later is not gone through for ever.
    let made = scene.world.service.holder(&key("ana", "t2")).await.unwrap().unwrap();
    let at = due_at(made.expires_at.unwrap());
    index(&scene, &made, &at).await;
    scene.turn().await;
    let item = scene.world.item(&token(&made.key())).await.unwrap();
    assert_eq!(text(&item, DUE_SK), Some(at.as_str()));
    assert_eq!(scene.world.service.last_turn().await.unwrap().unwrap().due_rules, DUE_RULES);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_an_earlier_version_are_gone_through_in_parts_and_each_costs_pages() {
    let scene = Scene::new().await;
    older(&scene, 1200).await;
    let (service, table) = (&scene.world.service, &scene.world.store.table);
    let mut from = None;
    for (limit, written) in [(1000, 1000), (1000, 200), (1000, 0)] {
        let before = table.counted();
        let done = service.reindex_due(limit, from.as_ref()).await.unwrap();
        let calls = table.counted().since(before).calls;
        assert_eq!((done.written, done.next.is_some()), (written, written != 200));
        // Each row that is written anew takes one, and what is read for it comes in pages.
        let read = calls - u64::try_from(written).unwrap();
        assert!((1..=16 + 12).contains(&read), "{calls} for {written}");
        from = done.next;
    }
    scene.world.clock.advance(Seconds::days(11));
    let due = scene.world.service.due(scene.world.now(), 2000, None).await.unwrap().tokens;
    assert_eq!(due.len(), 1200);
}
