//! What a plan needs about a manifest's tokens.

use latchkey::service::{NewToken, UserChange};
use tests::world::{World, key, managed_token, name};

#[tokio::test]
async fn all_tokens_of_a_manifest_come_in_calls_that_grow_with_pages_not_with_tokens() {
    let world = World::new().await;
    let many = if world.store.engine == tests::engine::Engine::Sqlite { 1000 } else { 230 };
    for user in 0..4 {
        let change = UserChange { max_tokens: Some(Some(many)), ..UserChange::default() };
        world.change_user(&format!("ci-{user}"), change).await;
    }
    for number in 0..many {
        let user = format!("ci-{}", number % 4);
        let new = managed_token(&user, &format!("token-{number:04}"), &[]);
        world.create(NewToken { roles: Some(Vec::new()), ..new }).await;
    }
    world.token("ci-0", "by-hand").await;
    let before = world.store.table.counted().calls;
    let tokens = world.service.managed_tokens(&name("acme")).await.unwrap();
    let calls = world.store.table.counted().calls - before;
    assert_eq!(tokens.len(), many as usize);
    assert!(tokens.is_sorted_by_key(|token| (token.user.clone(), token.name.clone())));
    // One page of the index, then 100 records a call.
    assert_eq!(calls, 1 + u64::from(many).div_ceil(100));
    world.delete("ci-0", "token-0000").await;
    assert_eq!(world.service.managed_tokens(&name("acme")).await.unwrap().len(), many as usize - 1);
    assert!(world.service.managed_tokens(&name("other")).await.unwrap().is_empty());
}

#[tokio::test]
async fn holders_come_whoever_manages_them_and_once_each() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    world.create(managed_token("ana", "deploy", &[])).await;
    let wanted = [("ana", "laptop"), ("ana", "deploy"), ("ana", "laptop"), ("ana", "none")];
    let wanted = wanted.map(|(user, token)| key(user, token));
    assert_eq!(world.service.holders(&wanted).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_origin_of_an_id_is_known_while_it_lives_and_afterwards() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let ids = [made.token.id.clone(), name("0000000000000000")];
    let origins = world.service.origins(&ids).await.unwrap();
    assert_eq!((origins.len(), origins[0].ended), (1, false));
    world.delete("ana", "laptop").await;
    let origins = world.service.origins(&ids).await.unwrap();
    assert_eq!((origins.len(), origins[0].ended), (1, true));
    assert_eq!(origins[0].fingerprints, [made.secret.fingerprint()]);
}

#[tokio::test]
async fn the_applied_revision_only_rises_whoever_notes_it() {
    let world = World::new().await;
    let acme = name("acme");
    let note = async |applied| world.service.note_applied(&world.admin, &acme, Some(applied), None).await.unwrap();
    let applied = async || world.service.manifest(&acme).await.unwrap().unwrap().applied;
    note(3).await;
    note(2).await;
    assert_eq!(applied().await, Some(3));
    let (one, two) = (world.another(2).await, world.another(3).await);
    let (first, second) = tokio::join!(
        one.note_applied(&world.admin, &acme, Some(7), None),
        two.note_applied(&world.admin, &acme, Some(9), None)
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(applied().await, Some(9));
}
