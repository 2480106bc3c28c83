//! Usage: counts and last uses.

use std::sync::atomic::AtomicBool;

use latchkey::lifetime::Seconds;
use latchkey::service::Service;
use latchkey::table::keys;
use latchkey::token::Use;
use tests::world::{World, key};

/// Nobody stops it.
static NEVER: AtomicBool = AtomicBool::new(false);

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

/// The rows of usage, by their sort keys.
async fn rows(world: &World) -> Vec<String> {
    let keys = world.items().await.into_iter().filter_map(|item| keys::Key::of(&item));
    let mut rows: Vec<String> = keys.filter(|key| key.pk.starts_with("Y#")).map(|key| key.sk).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn the_rows_of_a_day_become_one_and_every_sum_stays_as_it_was() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    let others = [world.another(2).await, world.another(3).await, world.another(4).await];
    let count = async |service: &Service, times: u32| {
        for _ in 0..times {
            service.note_use(&valid, None).await.unwrap();
        }
        service.flush_usage().await.unwrap();
    };
    for (other, times) in others.iter().zip([1, 2, 3]) {
        count(other, times).await;
    }
    world.clock.advance(Seconds::days(1));
    count(&others[0], 5).await;
    let usage = async || {
        let days = world.service.usage(&made.token.id, world.now()).await.unwrap();
        days.into_iter().map(|day| (day.day.to_string(), day.uses, day.last)).collect::<Vec<_>>()
    };
    let before = usage().await;
    assert_eq!(before.iter().map(|(_, uses, _)| *uses).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(world.service.fold_usage(100, &NEVER).await.unwrap(), 0, "processes may still write");
    world.clock.advance(Seconds::days(3));
    assert_eq!((world.service.fold_usage(100, &NEVER).await.unwrap(), usage().await), (3, before.clone()));
    assert_eq!(rows(&world).await.iter().filter(|row| row.starts_with("01#")).collect::<Vec<_>>(), ["01#="]);
    assert_eq!(rows(&world).await.len(), 2, "the only row of a day is its total");
    let calls = world.store.table.counted().calls;
    assert_eq!((world.service.fold_usage(100, &NEVER).await.unwrap(), usage().await), (0, before));
    assert_eq!(world.store.table.counted().calls - calls, u64::from(keys::USAGE_SHARDS) + 1, "nothing waits any more");
}

/// A function that was frozen for days counts on where it was.
#[tokio::test]
async fn what_a_process_writes_late_counts_once_whenever_the_day_is_folded() {
    for folded_between in [true, false] {
        let world = World::new().await;
        world.user("ana", &[]).await;
        let made = world.token("ana", "laptop").await;
        let valid = world.valid(made.secret.expose()).await;
        let (frozen, other) = (world.another(2).await, world.another(3).await);
        for service in [&frozen, &other] {
            service.note_use(&valid, None).await.unwrap();
            service.flush_usage().await.unwrap();
        }
        frozen.note_use(&valid, None).await.unwrap();
        frozen.note_use(&valid, None).await.unwrap();
        let day = world.now();
        world.clock.advance(Seconds::days(5));
        if folded_between {
            assert_eq!(world.service.fold_usage(100, &NEVER).await.unwrap(), 2);
        }
        frozen.flush_usage().await.unwrap();
        frozen.flush_usage().await.unwrap();
        let uses = async || world.service.usage(&made.token.id, day).await.unwrap()[0].uses;
        assert_eq!(uses().await, 4, "folded between: {folded_between}");
        world.clock.advance(Seconds::days(3));
        assert!(world.service.fold_usage(100, &NEVER).await.unwrap() > 0);
        assert_eq!((uses().await, rows(&world).await.len()), (4, 1), "folded between: {folded_between}");
    }
}

#[tokio::test]
async fn two_that_fold_at_once_and_one_that_dies_on_the_way_lose_and_invent_no_use() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    // More than a transaction takes.
    for seed in 10..130 {
        let process = world.another(seed).await;
        process.note_use(&valid, None).await.unwrap();
        process.flush_usage().await.unwrap();
    }
    let day = world.now();
    world.clock.advance(Seconds::days(4));
    let uses = async || world.service.usage(&made.token.id, day).await.unwrap()[0].uses;
    for cut in 0..8 {
        world.store.faults.cut_after(cut);
        let _ = world.service.fold_usage(1000, &NEVER).await;
        world.store.faults.mend();
        assert_eq!(uses().await, 120, "cut after {cut}");
    }
    let other = world.another(2).await;
    let (one, two) = tokio::join!(world.service.fold_usage(1000, &NEVER), other.fold_usage(1000, &NEVER));
    drop((one, two));
    for _ in 0..3 {
        world.service.fold_usage(1000, &NEVER).await.unwrap();
    }
    assert_eq!((uses().await, rows(&world).await), (120, vec!["01#=".to_owned()]));
}

/// Days that waited while no job came, of one token and so in one part of the index.
#[tokio::test]
async fn one_turn_folds_all_that_waits_however_few_rows_it_reads_at_once() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let valid = world.valid(made.secret.expose()).await;
    let others = [world.another(2).await, world.another(3).await];
    for _ in 0..5 {
        for other in &others {
            other.note_use(&valid, None).await.unwrap();
            other.flush_usage().await.unwrap();
        }
        world.clock.advance(Seconds::days(1));
    }
    world.clock.advance(Seconds::days(4));
    assert_eq!(world.service.fold_usage(3, &NEVER).await.unwrap(), 10);
    let left = rows(&world).await;
    assert!(left.len() == 5 && left.iter().all(|row| row.ends_with("#=")), "{left:?}");
    assert_eq!(world.service.fold_usage(3, &NEVER).await.unwrap(), 0);
}
