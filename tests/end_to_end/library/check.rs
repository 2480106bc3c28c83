//! `Latchkey`: it checks, counts, and writes the counts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use latchkey::service::{Caller, Issued, NewToken, Service};
use latchkey::{CheckError, CloseError, Invalid, Latchkey, OpenError, Valid, Verdict};
use tests::engine::Engine;
use tests::world::{World, key, name, new_token};

/// No test takes so long.
const NEVER: Duration = Duration::from_hours(1);
const PEER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));

/// A token of `ana`, who may read documents.
async fn scene() -> (World, Issued) {
    scene_on(Engine::chosen()).await
}

async fn scene_on(engine: Engine) -> (World, Issued) {
    let world = World::on(engine).await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let made = world.token("ana", "laptop").await;
    (world, made)
}

async fn latchkey(world: &World, write_every: Duration) -> Latchkey {
    Latchkey::on_service(Arc::new(world.another(2).await), write_every)
}

async fn valid(latchkey: &Latchkey, made: &Issued) -> Valid {
    match latchkey.check(made.secret.expose(), PEER).await.unwrap() {
        Verdict::Valid(valid) => *valid,
        Verdict::Invalid(why) => panic!("not valid: {why}"),
    }
}

/// How often the table says that a token was used.
async fn uses(service: &Service, made: &Issued) -> u64 {
    let days = service.usage(&made.token.id, service.now()).await.unwrap();
    days.iter().map(|day| day.uses).sum()
}

/// From where the table says that version 1 was used last.
async fn noted(world: &World) -> Option<String> {
    let record = world.service.show(&key("ana", "laptop")).await.unwrap().unwrap();
    record.uses.get("1").and_then(|noted| noted.ip.clone())
}

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test]
async fn a_check_shows_whose_secret_it_is_and_what_it_allows_and_a_slip_is_an_error() {
    let (world, made) = scene().await;
    let valid = valid(&latchkey(&world, NEVER).await, &made).await;
    assert_eq!((valid.user.as_str(), valid.name.as_str()), ("ana", "laptop"));
    assert_eq!(valid.allows("documents:read"), Ok(true));
    assert_eq!(valid.allows("documents:write"), Ok(false));
    for slip in ["documents", "documents.read", "documents:Read", "documents:read ", ""] {
        let error = valid.allows(slip).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{slip}` is not a permission: ")), "{error}");
    }
}

#[tokio::test]
async fn uses_are_counted_and_closing_writes_them() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, NEVER).await;
    let clone = latchkey.clone();
    for _ in 0..3 {
        valid(&latchkey, &made).await;
        valid(&clone, &made).await;
    }
    clone.close().await.unwrap();
    assert_eq!(uses(&world.service, &made).await, 6, "clones share one count");
    assert_eq!(noted(&world).await.as_deref(), Some("192.0.2.1"));
    valid(&latchkey, &made).await;
    latchkey.close().await.unwrap();
    assert_eq!(uses(&world.service, &made).await, 7, "the other clone goes on");
}

#[tokio::test]
async fn a_first_use_is_written_at_once_and_the_counts_wait() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, NEVER).await;
    valid(&latchkey, &made).await;
    eventually("the first use is written", async || noted(&world).await.is_some()).await;
    assert_eq!(uses(&world.service, &made).await, 0);
}

#[tokio::test]
async fn counts_are_written_at_their_interval() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, Duration::from_millis(5)).await;
    for count in 1..=3 {
        valid(&latchkey, &made).await;
        eventually("the count is written", async || uses(&world.service, &made).await == count).await;
    }
}

#[tokio::test]
async fn dropping_the_last_clone_writes_the_counts() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, NEVER).await;
    valid(&latchkey, &made).await;
    valid(&latchkey, &made).await;
    drop(latchkey);
    eventually("the counts are written", async || uses(&world.service, &made).await == 2).await;
}

#[tokio::test]
async fn a_refused_secret_is_not_counted_and_a_malformed_one_costs_no_read() {
    let (world, made) = scene().await;
    let bound = NewToken { allowed_ips: vec!["198.51.100.0/24".parse().unwrap()], ..new_token("ana", "bound") };
    let bound = world.create(bound).await;
    let latchkey = latchkey(&world, NEVER).await;
    let refused = latchkey.check(bound.secret.expose(), PEER).await.unwrap();
    assert_eq!(refused, Verdict::Invalid(Invalid::Address));
    let before = world.store.table.counted().calls;
    let cut = &made.secret.expose()[1..];
    assert!(matches!(latchkey.check(cut, PEER).await.unwrap(), Verdict::Invalid(Invalid::Malformed(_))));
    assert_eq!(world.store.table.counted().calls, before);
    latchkey.close().await.unwrap();
    assert_eq!((uses(&world.service, &made).await, uses(&world.service, &bound).await), (0, 0));
}

#[tokio::test]
async fn trouble_with_the_table_is_never_a_verdict() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, NEVER).await;
    world.store.faults.cut_after(0);
    assert!(matches!(latchkey.check(made.secret.expose(), PEER).await, Err(CheckError::Table(_))));
    assert!(!world.store.faults.mend());
    latchkey.close().await.unwrap();
    assert_eq!(uses(&world.service, &made).await, 0);
}

#[tokio::test]
async fn a_use_that_cannot_be_written_turns_nobody_away_and_stays_counted() {
    let (world, made) = scene().await;
    let latchkey = latchkey(&world, NEVER).await;
    let clone = latchkey.clone();
    // Of a check, the read of the token and that of the roles.
    world.store.faults.cut_after(2);
    valid(&latchkey, &made).await;
    assert!(matches!(clone.close().await, Err(CloseError::Table(_))));
    assert!(!world.store.faults.mend());
    latchkey.close().await.unwrap();
    assert_eq!(uses(&world.service, &made).await, 1);
}

#[tokio::test]
async fn any_client_will_do_and_a_table_that_is_missing_is_named() {
    let (world, made) = scene_on(Engine::of_aws()).await;
    let latchkey = Latchkey::on(world.store.client().clone(), world.store.table.name()).await.unwrap();
    // Whether it has expired depends on the machine's clock; that it is known, on the table.
    let verdict = latchkey.check(made.secret.expose(), PEER).await.unwrap();
    assert_ne!(verdict, Verdict::Invalid(Invalid::Unknown));
    let error = Latchkey::on(world.store.client().clone(), "elsewhere").await.unwrap_err();
    assert!(matches!(error, OpenError::Table(_)) && error.to_string().contains("`elsewhere`"), "{error}");
}

/// In a file nothing else is needed: no account, no server, no client.
#[tokio::test]
async fn a_file_is_all_that_a_check_needs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let latchkey = Latchkey::in_file(&path).await.unwrap();
    let (service, admin) = (latchkey.service(), Caller::operator("admin"));
    service.ensure_person(&admin, &name("ana")).await.unwrap();
    let made = service.create(&admin, new_token("ana", "laptop")).await.unwrap();
    let verdict = latchkey.check(made.secret.expose(), PEER).await.unwrap();
    assert!(matches!(&verdict, Verdict::Valid(valid) if valid.id == made.token.id), "{verdict:?}");
    latchkey.close().await.unwrap();
    // What was made and counted is there for the next process.
    let again = Latchkey::in_file(&path).await.unwrap();
    assert!(matches!(again.check(made.secret.expose(), PEER).await.unwrap(), Verdict::Valid(_)));
    assert_eq!(uses(again.service(), &made).await, 1);
    let text = folder.path().join("notes.txt");
    std::fs::copy("/etc/hostname", &text).unwrap();
    let error = Latchkey::in_file(&text).await.unwrap_err();
    assert!(matches!(&error, OpenError::File(_)) && error.to_string().contains("notes.txt"), "{error}");
}
