//! Usage: counts and last uses.

use latchkey::lifetime::Seconds;
use latchkey::token::Use;
use tests::world::{World, key};

async fn noted(world: &World) -> Use {
    let record = world.service.show(&key("ana", "laptop")).await.unwrap().unwrap();
    record.uses["1"].clone()
}

#[tokio::test]
async fn counts_of_two_processes_add_up_and_a_repeated_flush_counts_once() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    let other = world.another(2).await;
    for _ in 0..3 {
        world.service.note_use(&valid, None).await.unwrap();
    }
    for _ in 0..4 {
        other.note_use(&valid, None).await.unwrap();
    }
    for service in [&*world.service, &other, &*world.service, &other] {
        service.flush_usage().await.unwrap();
    }
    let days = world.service.usage(&made.token.id, world.now()).await.unwrap();
    assert_eq!(days.iter().map(|day| day.uses).collect::<Vec<_>>(), [7]);
    // The rows are cumulative.
    other.note_use(&valid, None).await.unwrap();
    other.flush_usage().await.unwrap();
    assert_eq!(world.service.usage(&made.token.id, world.now()).await.unwrap()[0].uses, 8);
}

#[tokio::test]
async fn days_are_counted_apart_and_of_ended_tokens_too() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    world.service.note_use(&valid, None).await.unwrap();
    world.clock.advance(Seconds::hours(12));
    for _ in 0..2 {
        world.service.note_use(&valid, None).await.unwrap();
    }
    world.service.flush_usage().await.unwrap();
    world.clock.advance(Seconds::days(1));
    world.service.note_use(&valid, None).await.unwrap();
    world.service.flush_usage().await.unwrap();
    world.delete("ana", "laptop").await;
    let days = world.service.usage(&made.token.id, world.now()).await.unwrap();
    let counted: Vec<(String, u64)> = days.iter().map(|day| (day.day.to_string(), day.uses)).collect();
    let wanted = [("2026-03-01", 1), ("2026-03-02", 2), ("2026-03-03", 1)];
    assert_eq!(counted, wanted.map(|(day, uses)| (day.to_owned(), uses)));
    assert_eq!(days[2].last, world.now());
}

#[tokio::test]
async fn the_first_use_is_noted_at_once_and_later_ones_at_most_hourly() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    let start = world.now();
    world.service.note_use(&valid, Some("192.0.2.1".parse().unwrap())).await.unwrap();
    let first = noted(&world).await;
    assert_eq!((first.first, first.last, first.ip.as_deref()), (start, start, Some("192.0.2.1")));
    let before = world.store.table.counted().calls;
    world.clock.advance(Seconds::minutes(10));
    world.service.note_use(&valid, None).await.unwrap();
    assert_eq!(world.store.table.counted().calls, before, "no write per use");
    world.clock.advance(Seconds::minutes(50));
    world.service.note_use(&valid, None).await.unwrap();
    assert_eq!(noted(&world).await.last, start, "an hour has not passed");
    world.clock.advance(Seconds::minutes(15));
    world.service.note_use(&valid, None).await.unwrap();
    let last = noted(&world).await;
    assert_eq!((last.first, last.last, last.ip), (start, world.now(), None));
}

#[tokio::test]
async fn a_version_in_constant_use_is_noted_within_75_minutes() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    for _ in 0..300 {
        world.service.note_use(&valid, None).await.unwrap();
        let lag = world.now().duration_since(noted(&world).await.last);
        assert!(lag.as_mins() <= 75, "{lag}");
        world.clock.advance(Seconds::minutes(1));
    }
}

#[tokio::test]
async fn a_first_use_that_could_not_be_noted_is_noted_with_the_next() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    world.store.faults.cut_after(0);
    assert!(world.service.note_use(&valid, None).await.is_err());
    assert!(!world.store.faults.mend());
    world.service.note_use(&valid, None).await.unwrap();
    assert_eq!(noted(&world).await.first, world.now());
    world.service.flush_usage().await.unwrap();
    assert_eq!(world.service.usage(&made.token.id, world.now()).await.unwrap()[0].uses, 2, "both are counted");
}

#[tokio::test]
async fn a_killed_process_loses_what_it_counted_since_its_last_flush_and_no_more() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    let other = world.another(2).await;
    for _ in 0..5 {
        other.note_use(&valid, None).await.unwrap();
    }
    other.flush_usage().await.unwrap();
    other.note_use(&valid, None).await.unwrap();
    drop(other);
    assert_eq!(world.service.usage(&made.token.id, world.now()).await.unwrap()[0].uses, 5);
}

#[tokio::test]
async fn a_flush_that_failed_is_made_good_by_the_next() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    world.service.note_use(&valid, None).await.unwrap();
    world.store.faults.cut_after(0);
    assert!(world.service.flush_usage().await.is_err());
    assert!(!world.store.faults.mend());
    world.service.flush_usage().await.unwrap();
    assert_eq!(world.service.usage(&made.token.id, world.now()).await.unwrap()[0].uses, 1);
    let before = world.store.table.counted().calls;
    world.service.flush_usage().await.unwrap();
    assert_eq!(world.store.table.counted().calls, before, "nothing was left to write");
}
