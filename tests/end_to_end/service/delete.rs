//! Deleting a token.

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey::service::{ChangeError, Invalid};
use latchkey::token::{EndState, TokenState};
use tests::world::{World, key, managed_token, name};

#[tokio::test]
async fn the_next_check_fails_and_the_record_stays_listed_with_who_and_when() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    world.clock.advance(Seconds(90));
    world.delete("ana", "laptop").await;
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Deleted));
    assert_eq!(world.service.show(&key("ana", "laptop")).await.unwrap(), None);
    let ended = world.service.list_ended(&name("ana"), (10, None), None).await.unwrap().tokens;
    assert_eq!(ended.len(), 1);
    let how = ended[0].ended.clone().unwrap();
    assert_eq!((how.state, how.at, how.by.as_deref()), (EndState::Deleted, world.now(), Some("operator:admin")));
    assert_eq!(ended[0].state(world.now()), TokenState::Deleted);
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 0);
}

#[tokio::test]
async fn every_version_ends_and_a_tombstone_knows_whose_they_were() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let made = world.create(managed_token("ci", "deploy", &[Place::new("dotenv", &[("path", ".env")], true)])).await;
    let place = made.token.places.keys().next().unwrap().clone();
    let token = made.token.reference();
    world.service.announce(&world.admin, &token, 1, &place).await.unwrap();
    let staged = world.service.stage(&world.admin, &token).await.unwrap();
    world.delete("ci", "deploy").await;
    for secret in [&made.secret, &staged.secret] {
        assert_eq!(world.invalid(secret.expose()).await, Some(Invalid::Deleted));
    }
    let origins = world.service.origins(std::slice::from_ref(&made.token.id)).await.unwrap();
    let [origin] = origins.as_slice() else { panic!("one origin") };
    assert_eq!((&origin.id, origin.user.as_str(), origin.name.as_str()), (&made.token.id, "ci", "deploy"));
    assert!(origin.ended);
    assert_eq!(origin.managed_by, Some(name("acme")));
    assert_eq!(origin.fingerprints, [made.secret.fingerprint(), staged.secret.fingerprint()]);
}

#[tokio::test]
async fn a_second_deletion_finds_nothing() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    world.delete("ana", "laptop").await;
    let again = world.service.delete(&world.admin, &key("ana", "laptop"), None).await;
    assert!(matches!(again, Err(ChangeError::NoSuchToken { .. })));
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 0);
}

#[tokio::test]
async fn a_deletion_of_another_token_of_the_name_is_refused() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let first = world.token("ana", "laptop").await;
    world.delete("ana", "laptop").await;
    let second = world.token("ana", "laptop").await;
    let wrong = world.service.delete(&world.admin, &key("ana", "laptop"), Some(&first.token.id)).await;
    assert!(matches!(wrong, Err(ChangeError::Replaced { found, .. }) if found == second.token.id));
    world.valid(second.secret.expose()).await;
}

#[tokio::test]
async fn an_expired_token_is_not_deleted_but_listed_as_expired() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    world.clock.advance(Seconds::days(31));
    let late = world.service.delete(&world.admin, &key("ana", "laptop"), None).await;
    assert!(matches!(late, Err(ChangeError::NoSuchToken { .. })));
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Expired));
    let ended = world.service.list_ended(&name("ana"), (10, None), None).await.unwrap().tokens;
    assert_eq!(ended[0].state(world.now()), TokenState::Expired);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_counts_once() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    world.token("ana", "phone").await;
    world.store.faults.lose_answer_after(1);
    world.delete("ana", "laptop").await;
    assert_eq!(world.store.table.counted().retries, 1);
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 1);
}
