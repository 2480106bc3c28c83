//! Uses from a new address: told once, whoever sees it first; one that is known costs what it always did.

use std::net::IpAddr;

use latchkey::bounds::ADDRESSES_MAX;
use latchkey::lifetime::Seconds;
use latchkey::notice::NoticeKind;
use latchkey::service::{Edit, Service, Valid};
use latchkey::table::item::{size as item_size, text};
use latchkey::table::keys;
use tests::engine::Engine;
use tests::world::{World, key, name};

use super::notices::{events, told, waiting};

/// A world with a token that was used from 192.0.2.1.
async fn used(world: World) -> (World, Valid) {
    world.user("ci", &[]).await;
    let made = world.token("ci", "deploy").await;
    let valid = world.valid(made.secret.expose()).await;
    note(&world.service, &valid, "192.0.2.1").await;
    (world, valid)
}

async fn note(service: &Service, valid: &Valid, from: &str) {
    service.note_use(valid, Some(from.parse::<IpAddr>().unwrap())).await.unwrap();
}

/// From where it was told that the token was used, in the order of the notices.
async fn news(world: &World) -> Vec<String> {
    let mut news: Vec<_> = waiting(world).await.into_iter().map(|waiting| waiting.notice).collect();
    news.retain(|notice| notice.kind == NoticeKind::UsedFromNewAddress);
    news.sort_by_key(|notice| notice.at);
    news.into_iter().map(|notice| notice.from.unwrap()).collect()
}

async fn addresses(world: &World) -> Vec<String> {
    world.service.holder(&key("ci", "deploy")).await.unwrap().unwrap().addresses.into_iter().collect()
}

#[tokio::test]
async fn the_first_address_is_no_news_and_each_new_one_is_told_once_by_whichever_process() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    let other = world.another(2).await;
    note(&other, &valid, "192.0.2.1").await;
    assert_eq!(news(&world).await, Vec::<String>::new());
    // The token is in constant use from where it always was.
    world.clock.advance(Seconds::minutes(1));
    for service in [&*world.service, &other, &*world.service, &other] {
        note(service, &valid, "192.0.2.1").await;
        note(service, &valid, "198.51.100.7").await;
        note(service, &valid, "2001:db8:1:2::3").await;
        note(service, &valid, "2001:db8:1:2:ffff::4").await;
    }
    assert_eq!(news(&world).await.len(), 2);
    assert_eq!(addresses(&world).await, ["192.0.2.1", "198.51.100.7", "2001:db8:1:2::/64"]);
    let notice = waiting(&world).await.into_iter().find(|found| found.notice.from.as_deref() == Some("198.51.100.7"));
    let notice = notice.unwrap().notice;
    assert_eq!((notice.kind, notice.actor.as_str()), (NoticeKind::UsedFromNewAddress, "ci/deploy"));
    assert_eq!((notice.version, notice.expires, notice.token_id), (Some(1), Some(valid.expires), valid.id.clone()));
    let row = &events(&world).await["token.new_address"];
    assert_eq!(text(row, "detail").unwrap(), "version 1");
    let record = world.service.show(&key("ci", "deploy")).await.unwrap().unwrap();
    assert_eq!((record.uses.len(), record.revision), (1, 1), "no change of the record");
    // Another process, started later, knows them.
    let later = world.another(3).await;
    for from in ["198.51.100.7", "2001:db8:1:2::9"] {
        note(&later, &valid, from).await;
    }
    assert_eq!(news(&world).await.len(), 2);
}

#[tokio::test]
async fn of_two_processes_that_see_a_new_address_at_once_one_tells() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    let other = world.another(2).await;
    // One has found that it is new, and is overtaken before it says so.
    world.store.faults.hold_after(1);
    let overtaken = note(&world.service, &valid, "192.0.2.2");
    let faster = async {
        world.store.faults.held().await;
        note(&other, &valid, "192.0.2.2").await;
        world.store.faults.release();
    };
    tokio::join!(overtaken, faster);
    assert_eq!(news(&world).await, ["192.0.2.2"]);
}

#[tokio::test]
async fn a_known_address_costs_no_more_calls_than_a_use_without_one() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    note(&world.service, &valid, "192.0.2.2").await;
    let mut costs = Vec::new();
    for from in [Some("192.0.2.1"), None] {
        let service = world.another(7).await;
        let mut calls = Vec::new();
        // At first, within a quarter of an hour, within the hour, and after it.
        for minutes in [0, 10, 20, 60] {
            world.clock.advance(Seconds::minutes(minutes));
            let before = world.store.table.counted().calls;
            service.note_use(&valid, from.map(|from| from.parse().unwrap())).await.unwrap();
            if from.is_some() {
                note(&service, &valid, "192.0.2.2").await;
            }
            calls.push(world.store.table.counted().calls - before);
        }
        world.clock.advance(Seconds::hours(2));
        costs.push(calls);
    }
    // Before addresses were kept, a use that was noted within the hour took two calls.
    assert_eq!(costs, [[1, 0, 1, 2], [2, 0, 1, 2]]);
    let before = world.store.table.counted().calls;
    for number in 0..100 {
        note(&world.service, &valid, if number % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" }).await;
    }
    assert!(world.store.table.counted().calls - before <= 2, "nothing per use");
}

#[tokio::test]
async fn a_crash_while_a_new_address_is_noted_loses_no_notice_and_repeats_none() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    let from: Option<IpAddr> = Some("192.0.2.2".parse().unwrap());
    for cut in 0.. {
        world.store.faults.cut_after(cut);
        let noted = world.service.note_use(&valid, from).await;
        world.store.faults.mend();
        let known = addresses(&world).await.len() == 2;
        assert_eq!(news(&world).await.len(), usize::from(known), "cut after {cut}");
        if noted.is_ok() {
            assert!(known && cut == 3, "it was told before the use was noted: {cut}");
            break;
        }
    }
}

#[tokio::test]
async fn a_token_that_is_used_from_everywhere_tells_a_bounded_number_of_times_and_costs_nothing_per_use() {
    let (world, valid) = used(told(Engine::Dynoxide).await).await;
    let from = |number: usize| format!("2001:1db8:1111:{:x}::1", 0x1000 + number);
    for number in 0..2 * ADDRESSES_MAX {
        note(&world.service, &valid, &from(number)).await;
    }
    assert_eq!(addresses(&world).await.len(), ADDRESSES_MAX);
    assert_eq!(news(&world).await.len(), ADDRESSES_MAX - 1);
    let before = world.store.table.counted().calls;
    let fresh = world.another(5).await;
    for number in 0..100 {
        note(&fresh, &valid, &from(100 + number)).await;
    }
    assert!(world.store.table.counted().calls - before <= 5, "two that find it full, the use, and it again");
    let record = world.item(&keys::token(&key("ci", "deploy"))).await.unwrap();
    assert!(item_size(&record) < 1400, "{}", item_size(&record));
}

#[tokio::test]
async fn without_notices_addresses_are_kept_in_the_same_calls_and_nothing_is_told() {
    let (world, valid) = used(World::new().await).await;
    let events = world.count_events().await;
    let before = world.store.table.counted().calls;
    note(&world.service, &valid, "192.0.2.2").await;
    assert_eq!(world.store.table.counted().calls - before, 1);
    assert_eq!(world.count_events().await, events);
    assert_eq!(addresses(&world).await, ["192.0.2.1", "192.0.2.2"]);
}

#[tokio::test]
async fn uses_that_are_written_after_the_reply_tell_of_each_new_address() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    for from in ["192.0.2.2", "192.0.2.3", "192.0.2.2"] {
        world.service.count_use(&valid, Some(from.parse().unwrap()));
    }
    world.service.write_first_uses().await.unwrap();
    assert_eq!(news(&world).await.len(), 2);
}

#[tokio::test]
async fn a_token_that_is_renamed_keeps_the_addresses_that_are_known() {
    let (world, valid) = used(told(Engine::chosen()).await).await;
    let edit = Edit { name: Some(name("renamed")), ..Edit::default() };
    world.service.edit(&world.admin, &key("ci", "deploy"), None, None, &edit).await.unwrap();
    let mut renamed = valid;
    renamed.name = name("renamed");
    world.clock.advance(Seconds::hours(1));
    note(&world.service, &renamed, "192.0.2.2").await;
    assert_eq!(news(&world).await, ["192.0.2.2"]);
}
