//! What is told of a token without a change: each once, whoever looks, however often and however late.

use latchkey::lifetime::Seconds;
use latchkey::notice::NoticeKind;
use latchkey::policy::Policy;
use latchkey::service::{Caller, Life, NewToken, Service};
use latchkey::table::item::text;
use latchkey::token::{Token, TokenKey};
use tests::engine::Engine;
use tests::world::{World, managed_token, new_token};

use super::notices::{events, told, waiting};

/// A token that expires after so many days.
async fn by_hand(world: &World, days: u64) -> Token {
    let life = Life::Until(Some(Seconds::days(days).after(world.now())));
    world.create(NewToken { life, ..new_token("ci", "deploy") }).await.token
}

/// One whose first version is current, which expires after 90 days and is due after 30.
async fn managed(world: &World) -> Token {
    let token = world.create(managed_token("ci", "deploy", &[])).await.token;
    world.service.promote(&world.admin, &token.reference(), 1).await.unwrap()
}

async fn read(world: &World, key: &TokenKey) -> Token {
    world.service.holder(key).await.unwrap().unwrap()
}

/// What a job does of telling in one turn, by what the index leads it to: how many it queued.
async fn turn(world: &World, service: &Service) -> usize {
    let mut queued = 0;
    for token in service.due(world.now(), 100, None).await.unwrap().tokens {
        queued += service.due_notices(&world.admin, &token).await.unwrap();
    }
    queued
}

/// What waits: on which day after the start it was told, and what.
async fn told_by_day(world: &World, start: jiff::Timestamp) -> Vec<(i64, NoticeKind)> {
    let mut told: Vec<_> = waiting(world).await.into_iter().map(|waiting| waiting.notice).collect();
    told.retain(|notice| notice.kind != NoticeKind::Created);
    told.sort_by_key(|notice| notice.at);
    told.iter().map(|notice| (notice.at.duration_since(start).as_hours() / 24, notice.kind)).collect()
}

#[tokio::test]
async fn over_40_days_with_missed_ones_two_jobs_tell_each_mark_once_and_of_missed_ones_the_nearest() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let (start, other) = (world.now(), world.another(2).await);
    let token = by_hand(&world, 40).await;
    let mut queued = 0;
    for day in 0..40 {
        if ![10, 11, 26, 27, 28, 29, 30, 31, 32, 33, 34].contains(&day) {
            queued += turn(&world, &world.service).await + turn(&world, &other).await;
            assert!(other.due(world.now(), 100, None).await.unwrap().tokens.is_empty(), "nothing is left at day {day}");
        }
        world.clock.advance(Seconds::days(1));
    }
    let told = told_by_day(&world, start).await;
    assert_eq!(told, [12, 35, 37, 39].map(|day| (day, NoticeKind::Expiring)));
    assert_eq!(queued, 4);
    for waiting in waiting(&world).await {
        let notice = waiting.notice;
        assert_eq!((notice.version, notice.expires), (Some(1), token.expires_at), "{:?}", notice.kind);
    }
    let row = &events(&world).await["token.expiring"];
    assert_eq!(text(row, "detail").unwrap(), "version 1");
}

#[tokio::test]
async fn of_two_jobs_that_read_the_same_one_tells_and_nobodys_look_is_in_vain() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let token = by_hand(&world, 40).await;
    let other = world.another(2).await;
    world.clock.advance(Seconds::days(11));
    assert!(world.service.tell(&world.admin, &token, NoticeKind::Expiring, None).await.unwrap());
    assert!(!other.tell(&world.admin, &token, NoticeKind::Expiring, None).await.unwrap());
    let marked = read(&world, &token.key()).await;
    assert_eq!((marked.revision, marked.told.as_ref().unwrap().mark), (token.revision, Some(30)));
    assert_eq!(waiting(&world).await.iter().filter(|found| found.notice.kind == NoticeKind::Expiring).count(), 1);
    // Whoever read it before puts nothing off: it would forget what was told.
    world.service.put_off(&world.admin, &token, None).await.unwrap();
    assert_eq!(read(&world, &token.key()).await, marked);
    world.service.put_off(&world.admin, &marked, None).await.unwrap();
    assert!(read(&world, &token.key()).await.retry.is_some());
}

#[tokio::test]
async fn a_crash_between_the_mark_and_the_notice_loses_none() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let token = by_hand(&world, 40).await;
    world.clock.advance(Seconds::days(11));
    for cut in 0.. {
        world.store.faults.cut_after(cut);
        let told = world.service.due_notices(&world.admin, &token).await;
        world.store.faults.mend();
        let marked = read(&world, &token.key()).await.told.is_some();
        let queued = events(&world).await.contains_key("token.expiring");
        assert_eq!(marked, queued, "cut after {cut}");
        if told.is_ok() {
            assert!(queued && cut > 1);
            break;
        }
    }
}

#[tokio::test]
async fn without_notices_only_the_mark_is_recorded() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let token = by_hand(&world, 40).await;
    world.clock.advance(Seconds::days(11));
    let before = world.count_events().await;
    assert_eq!(turn(&world, &world.service).await, 0);
    assert!(world.service.due(world.now(), 10, None).await.unwrap().tokens.is_empty(), "it does not come again");
    assert_eq!(world.count_events().await, before);
    let mut on = world.another(3).await;
    let policy = Policy {
        notices: latchkey::policy::Notices { on: true, ..Default::default() },
        ..on.policy().as_ref().clone()
    };
    on.set_policy(policy).await.unwrap();
    assert_eq!(on.due_notices(&world.admin, &token).await.unwrap(), 0, "what is turned on tells nothing of before");
}

#[tokio::test]
async fn a_managed_token_that_is_rotated_in_time_tells_nothing() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let (start, token) = (world.now(), managed(&world).await.reference());
    for day in 0..95 {
        let found = world.service.due(world.now(), 100, None).await.unwrap().tokens;
        if found.iter().any(|token| token.due().is_some_and(|due| due <= world.now())) {
            let issued = world.service.stage(&world.admin, &token).await.unwrap();
            world.service.promote(&world.admin, &token, issued.number).await.unwrap();
        }
        for token in found {
            // As it was before it was rotated.
            assert_eq!(world.service.due_notices(&world.admin, &token).await.unwrap(), 0, "day {day}");
        }
        world.clock.advance(Seconds::days(1));
    }
    assert_eq!(told_by_day(&world, start).await, [30, 60, 90].map(|day| (day, NoticeKind::Rotated)));
}

#[tokio::test]
async fn a_managed_token_that_is_not_rotated_tells_that_and_then_the_marks_although_its_retry_waits() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let (start, token) = (world.now(), managed(&world).await);
    for _ in 0..95 {
        for _ in 0..2 {
            for due in world.service.due(world.now(), 100, None).await.unwrap().tokens {
                world.service.put_off(&world.admin, &due, None).await.unwrap();
                world.service.due_notices(&world.admin, &due).await.unwrap();
            }
            world.clock.advance(Seconds::hours(12));
        }
    }
    let told = told_by_day(&world, start).await;
    let marks = [60, 76, 83, 87, 89].map(|day| (day, NoticeKind::Expiring));
    assert_eq!(told[0], (31, NoticeKind::Overdue));
    assert_eq!(told[1..], marks);
    assert_eq!(read(&world, &token.key()).await.revision, token.revision);
}

#[tokio::test]
async fn a_failed_rotation_is_told_at_once_and_then_once_a_day() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let token = managed(&world).await;
    world.clock.advance(Seconds::days(30));
    let (start, other) = (world.now(), world.another(2).await);
    for _ in 0..12 {
        let found = read(&world, &token.key()).await;
        for service in [&*world.service, &other] {
            service.tell(&world.admin, &found, NoticeKind::RotationFailed, Some("the sink is down")).await.unwrap();
        }
        world.clock.advance(Seconds::hours(6));
    }
    assert_eq!(told_by_day(&world, start).await, [0, 1, 2].map(|day| (day, NoticeKind::RotationFailed)));
    let failed = waiting(&world).await.remove(1).notice;
    assert_eq!(failed.detail.as_deref(), Some("version 1: the sink is down"));
    assert_eq!(failed.manifest.unwrap().as_str(), "acme");
}

#[tokio::test]
async fn who_is_no_operator_tells_nothing_and_nobody_tells_what_changes_tell() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let made = world.create(new_token("ci", "deploy")).await;
    let valid = world.valid(made.secret.expose()).await;
    world.clock.advance(Seconds::days(30));
    let token = read(&world, &made.token.key()).await;
    let caller = Caller::token(&valid, None);
    assert!(!world.service.tell(&caller, &token, NoticeKind::Expiring, None).await.unwrap());
    assert_eq!(world.service.due_notices(&caller, &token).await.unwrap(), 0);
    for kind in NoticeKind::ALL {
        let told = world.service.tell(&world.admin, &token, kind, None).await.unwrap();
        assert_eq!(told, matches!(kind, NoticeKind::Expiring), "{kind}");
    }
}
