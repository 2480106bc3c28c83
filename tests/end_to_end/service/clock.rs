//! The guard on a machine's own clock: what it reads and writes, and what processes tell each other through the table.

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::protocol::Look;
use latchkey::service::{AcceptError, ChangeError, CreateError, Service, Verdict};
use latchkey::table::TableError;
use tests::world::{World, key, managed_token, new_token};

async fn guarded(world: &World, seed: u64) -> Service {
    world.another(seed).await.mistrusting_its_clock().await.unwrap()
}

fn later(world: &World, by: Seconds) {
    world.clock.advance(by);
}

fn earlier(world: &World, by: Seconds) {
    world.clock.set(by.before(world.now()));
}

fn is_behind<T: std::fmt::Debug>(answer: Result<T, CreateError>) -> bool {
    matches!(answer, Err(CreateError::Table(TableError::Clock(_))))
}

async fn is_valid(service: &Service, secret: &str) -> bool {
    matches!(service.verify(secret, None).await.unwrap(), Verdict::Valid(_))
}

#[tokio::test]
async fn a_check_stays_one_read_and_a_create_writes_the_time_once_an_hour() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let service = guarded(&world, 2).await;
    let calls = || world.store.table.counted().calls;
    let mut creates = Vec::new();
    let mut last = None;
    for (name, by) in [("one", 0), ("two", 59), ("three", 2), ("four", 30)] {
        later(&world, Seconds::minutes(by));
        let before = calls();
        last = Some(service.create(&world.admin, new_token("ana", name)).await.unwrap());
        creates.push(calls() - before);
    }
    let plain = creates[1];
    assert_eq!(creates, [plain + 1, plain, plain + 1, plain]);
    // Whatever the clock shows.
    let secret = last.unwrap().secret;
    for back in [Seconds::minutes(0), Seconds::hours(3), Seconds::days(3), Seconds::days(20_000)] {
        earlier(&world, back);
        let before = calls();
        assert!(is_valid(&service, secret.expose()).await);
        assert_eq!(calls() - before, 1, "{back}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_revokes_and_suspends_and_neither_creates_nor_ends_by_time() {
    let world = World::new().await;
    let first = world.now();
    world.user("ci", &[]).await;
    let service = guarded(&world, 2).await;
    let made = service.create(&world.admin, managed_token("ci", "deploy", &[])).await.unwrap();
    service.create(&world.admin, new_token("ci", "laptop")).await.unwrap();
    earlier(&world, Seconds::hours(25));
    let token = made.token.reference();
    let refused: [bool; 5] = [
        is_behind(service.create(&world.admin, new_token("ci", "phone")).await),
        matches!(service.stage(&world.admin, &token).await, Err(ChangeError::Table(TableError::Clock(_)))),
        matches!(service.promote(&world.admin, &token, 1).await, Err(ChangeError::Table(TableError::Clock(_)))),
        matches!(
            service.retire(&world.admin, &token, 1, Look { at: first, revision: 1 }, false).await,
            Err(ChangeError::Table(TableError::Clock(_)))
        ),
        matches!(
            service.end_leaving(&world.admin, &token.key, None, Look { at: first, revision: 1 }).await,
            Err(ChangeError::Table(TableError::Clock(_)))
        ),
    ];
    assert_eq!(refused, [true; 5]);
    let said = service.stage(&world.admin, &token).await.unwrap_err().to_string();
    assert!(said.contains("is at 2026-02-28") && said.contains("in use at 2026-03-01"), "{said}");
    service.delete(&world.admin, &key("ci", "laptop"), None).await.unwrap();
    assert_eq!(service.list_users().await.unwrap().len(), 1);
    // A service whose table has a clock of its own has no such guard.
    world.another(3).await.stage(&world.admin, &token).await.unwrap();
}

#[tokio::test]
async fn a_time_that_another_process_has_seen_or_accepted_counts() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let (one, other) = (guarded(&world, 2).await, guarded(&world, 3).await);
    let start = world.now();
    one.create(&world.admin, new_token("ana", "first")).await.unwrap();
    later(&world, Seconds::days(400));
    other.create(&world.admin, new_token("ana", "ahead")).await.unwrap();
    // Within the hour it has no reason to write, and so to look; after it, it has.
    world.clock.set(Seconds::hours(2).after(start));
    assert!(is_behind(one.create(&world.admin, new_token("ana", "second")).await));
    assert!(is_behind(other.create(&world.admin, new_token("ana", "third")).await));
    let behind = one.accept_clock(&world.admin).await.unwrap().unwrap();
    assert_eq!((behind.now, behind.seen), (world.now(), Seconds::days(400).after(start)));
    other.create(&world.admin, new_token("ana", "third")).await.unwrap();
    assert_eq!(one.accept_clock(&world.admin).await.unwrap(), None);
    let events = world.service.role_events(world.now(), 9).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.action == "clock.accept").count(), 1);
}

#[tokio::test]
async fn nobody_but_an_operator_accepts_a_clock_and_nobody_one_that_was_never_set() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let service = guarded(&world, 2).await;
    let made = service.create(&world.admin, new_token("ana", "laptop")).await.unwrap();
    let Verdict::Valid(valid) = service.verify(made.secret.expose(), None).await.unwrap() else { panic!("not valid") };
    earlier(&world, Seconds::days(2));
    let caller = latchkey::service::Caller::token(&valid, None);
    assert!(matches!(service.accept_clock(&caller).await, Err(AcceptError::Denied(_))));
    world.clock.set(Timestamp::UNIX_EPOCH);
    assert!(matches!(service.accept_clock(&world.admin).await, Err(AcceptError::Impossible(_))));
}

#[tokio::test]
async fn what_has_expired_stays_so_by_a_clock_that_is_set_back() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let service = guarded(&world, 2).await;
    let made = service.create(&world.admin, new_token("ana", "laptop")).await.unwrap();
    let end = made.token.ends_at().unwrap();
    // The clock is asked by checks alone, as a server does.
    while world.now() <= end {
        later(&world, Seconds::hours(20));
        is_valid(&service, made.secret.expose()).await;
    }
    service.note_time().await.unwrap();
    for service in [service, guarded(&world, 3).await] {
        for back in [Seconds::hours(23), Seconds::days(30), Seconds::days(400)] {
            let now = world.now();
            earlier(&world, back);
            assert!(!is_valid(&service, made.secret.expose()).await, "{back}");
            world.clock.set(now);
        }
    }
}
