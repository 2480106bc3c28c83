//! Notices: each change that people are told of queues one in its own transaction, and whoever sends them gets each once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use latchkey::lifetime::Seconds;
use latchkey::notice::{Next, NoticeKind, Waiting};
use latchkey::policy::{Notices, Policy};
use latchkey::protocol::Look;
use latchkey::service::{Edit, NewToken};
use latchkey::table::item::{Item, Value, text};
use latchkey::table::keys;
use tests::engine::Engine;
use tests::world::{World, key, managed_token, name};

/// A world in whose settings notices are on.
pub(crate) async fn told(engine: Engine) -> World {
    let mut world = World::on(engine).await;
    let notices = Notices { on: true, receivers: BTreeMap::new() };
    world.another(8).await.set_policy(Policy { notices, ..Policy::default() }).await.unwrap();
    world.service = Arc::new(world.another(1).await);
    world
}

pub(crate) async fn waiting(world: &World) -> Vec<Waiting> {
    world.service.notices(world.now(), 100).await.unwrap()
}

/// What waits, in short, in the order of what happened.
async fn shown(world: &World) -> Vec<String> {
    let mut waiting = waiting(world).await;
    waiting.sort_by_key(|waiting| waiting.notice.at);
    let show = |waiting: &Waiting| {
        let notice = &waiting.notice;
        let version = notice.version.map_or_else(String::new, |version| format!(" {version}"));
        let manifest = notice.manifest.as_ref().map_or_else(String::new, |manifest| format!(" of {manifest}"));
        let expires = notice.expires.map_or_else(String::new, |at| format!(" until {}", at.strftime("%m-%d")));
        format!("{} {}{version}{manifest}{expires} by {}", notice.kind, notice.token, notice.actor)
    };
    waiting.iter().map(show).collect()
}

/// The rows of events, by their actions, one of each.
pub(super) async fn events(world: &World) -> BTreeMap<String, Item> {
    let items = world.items().await.into_iter();
    let events = items.filter(|item| keys::Key::of(item).is_some_and(|key| key.pk.starts_with("E#")));
    events.map(|item| (text(&item, "action").unwrap().to_owned(), item)).collect()
}

#[tokio::test]
async fn what_people_are_told_of_is_a_notice_and_nothing_else_is() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let admin = &world.admin;
    let token = world.create(managed_token("ci", "deploy", &[])).await.token.reference();
    for number in [1, 2] {
        if number > 1 {
            world.service.stage(admin, &token).await.unwrap();
        }
        world.clock.advance(Seconds(1));
        world.service.promote(admin, &token, number).await.unwrap();
    }
    world.clock.advance(Seconds(1));
    world.service.end_compromised(admin, &token, 1, false).await.unwrap();
    world.clock.advance(Seconds(1));
    let leaving = Edit { leaving: Some(true), ..Edit::default() };
    let left = world.service.edit(admin, &token.key, None, None, &leaving).await.unwrap();
    let look = Look { at: world.now(), revision: left.revision };
    world.service.end_leaving(admin, &token.key, None, look).await.unwrap();
    world.clock.advance(Seconds(1));
    for name in ["laptop", "phone"] {
        world.token("ci", name).await;
        world.clock.advance(Seconds(1));
    }
    world.delete("ci", "laptop").await;
    world.clock.advance(Seconds::days(390));
    let phone = world.service.holder(&key("ci", "phone")).await.unwrap().unwrap();
    assert!(world.service.sweep_expired(&phone).await.unwrap());
    assert_eq!(
        shown(&world).await,
        [
            "created ci/deploy 1 of acme until 03-02 by operator:admin",
            "rotated ci/deploy 2 of acme until 05-30 by operator:admin",
            "leaked ci/deploy 1 of acme by operator:admin",
            "deleted ci/deploy of acme by operator:admin",
            "created ci/laptop 1 until 04-01 by operator:admin",
            "created ci/phone 1 until 04-01 by operator:admin",
            "deleted ci/laptop by operator:admin",
            "deleted ci/phone by expiry",
        ]
    );
    for waiting in waiting(&world).await {
        assert_eq!((waiting.tries, waiting.taken.len(), waiting.next), (0, 0, waiting.notice.at));
    }
}

#[tokio::test]
async fn a_crash_between_a_change_and_its_notice_loses_none_and_invents_none() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let (mut failed, mut created) = (0, 0);
    for cut in 0.. {
        let token = format!("token-{cut}");
        world.store.faults.cut_after(cut);
        let made = world.service.create(&world.admin, tests::world::new_token("ci", &token)).await;
        world.store.faults.mend();
        let there = world.service.holder(&key("ci", &token)).await.unwrap().is_some();
        let notices =
            waiting(&world).await.iter().filter(|waiting| waiting.notice.token.name.as_str() == token).count();
        assert_eq!(notices, usize::from(there), "cut after {cut}");
        (failed, created) = (failed + usize::from(made.is_err()), created + usize::from(there));
        if made.is_ok() {
            break;
        }
    }
    assert!(failed > 0 && created == 1, "{failed} {created}");
    // The answer is lost, and the change is there.
    world.store.faults.lose_answer_after(1);
    world.token("ci", "unheard").await;
    assert_eq!(shown(&world).await.iter().filter(|shown| shown.contains("unheard")).count(), 1);
}

#[tokio::test]
async fn without_notices_an_event_is_what_it_always_was_and_costs_what_it_did() {
    let mut costs = Vec::new();
    for on in [false, true] {
        let world = if on { told(Engine::Dynoxide).await } else { World::on(Engine::Dynoxide).await };
        world.user("ci", &[]).await;
        let before = world.store.table.counted();
        world.token("ci", "laptop").await;
        let after = world.store.table.counted();
        assert_eq!(after.calls - before.calls, 2, "the user, and one transaction");
        let indexes = after.index_units - before.index_units;
        costs.push((after.units - before.units - indexes, indexes));
        let row = events(&world).await.remove("token.create").unwrap();
        let names: BTreeSet<&str> = row.keys().map(String::as_str).collect();
        let mut wanted = BTreeSet::from(["PK", "SK", "action", "actor", "at", "id", "token", "ttl", "user"]);
        if on {
            wanted.extend(["due", "due_at", "expires", "kind", "version"]);
        }
        assert_eq!(names, wanted);
    }
    println!("a create, without notices and with them: table and index units {costs:?}");
    let [(off, off_indexes), (on, on_indexes)] = costs[..] else { panic!("two costs") };
    assert!((on - off).abs() < f64::EPSILON, "the row is still one unit");
    assert!((on_indexes - off_indexes - 1.0).abs() < f64::EPSILON, "one unit of the index");
    let world = World::on(Engine::Dynoxide).await;
    world.user("ci", &[]).await;
    world.token("ci", "laptop").await;
    assert_eq!(waiting(&world).await, []);
}

#[tokio::test]
async fn a_process_that_runs_on_queues_notices_once_it_has_read_that_they_were_turned_on() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let mut other = world.another(3).await;
    for (token, on) in [("first", true), ("second", false)] {
        let notices = Notices { on, receivers: BTreeMap::new() };
        other.set_policy(Policy { notices, ..Policy::default() }).await.unwrap();
        world.service.reread_settings().await.unwrap();
        world.token("ci", token).await;
    }
    assert_eq!(shown(&world).await, ["created ci/first 1 until 04-01 by operator:admin"]);
}

#[tokio::test]
async fn of_two_that_claim_one_notice_one_gets_it() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    world.token("ci", "laptop").await;
    let other = world.another(3).await;
    let found = waiting(&world).await.remove(0);
    let until = Seconds::minutes(5).after(world.now());
    assert!(world.service.claim_notice(&found, until).await.unwrap());
    assert!(!other.claim_notice(&found, Seconds(1).after(until)).await.unwrap(), "what it read is over");
    assert_eq!(waiting(&world).await, [], "claimed, it waits for nobody else");
    world.clock.advance(Seconds::minutes(5));
    let again = other.notices(world.now(), 100).await.unwrap().remove(0);
    assert_eq!(again, Waiting { next: until, ..found }, "whoever claimed it is gone: the same notice comes again");
}

#[tokio::test]
async fn who_settles_after_somebody_else_has_claimed_changes_nothing() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    world.token("ci", "laptop").await;
    let found = waiting(&world).await.remove(0);
    let mine = Waiting { next: Seconds::minutes(5).after(world.now()), ..found.clone() };
    assert!(world.service.claim_notice(&found, mine.next).await.unwrap());
    world.clock.advance(Seconds::minutes(6));
    let theirs = Waiting { next: Seconds::minutes(5).after(world.now()), ..mine.clone() };
    assert!(world.service.claim_notice(&mine, theirs.next).await.unwrap());
    let taken = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    world.service.settle_notice(&mine, (&taken(&["late"]), false), &Next::Done).await.unwrap();
    let later = Seconds::hours(1).after(world.now());
    world.service.settle_notice(&theirs, (&taken(&["ops"]), true), &Next::At(later)).await.unwrap();
    world.clock.advance(Seconds::hours(1));
    let found = waiting(&world).await.remove(0);
    assert_eq!((found.tries, found.taken.clone(), found.next), (1, taken(&["ops"]), later));
    let mine = Waiting { next: Seconds::minutes(5).after(world.now()), ..found.clone() };
    assert!(world.service.claim_notice(&found, mine.next).await.unwrap());
    world.service.settle_notice(&mine, (&taken(&["mail", "chat"]), true), &Next::At(world.now())).await.unwrap();
    let found = waiting(&world).await.remove(0);
    assert_eq!((found.tries, found.taken), (2, taken(&["chat", "mail", "ops"])));
}

#[tokio::test]
async fn what_all_took_leaves_the_queue_and_stays_in_the_history_as_it_was() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    world.token("ci", "laptop").await;
    let user = name("ci");
    let page = async || world.service.event_page(Some(&user), world.now(), 10, None).await.unwrap().events;
    let (before, history) = (events(&world).await.remove("token.create").unwrap(), page().await);
    let found = waiting(&world).await.remove(0);
    let mine = Waiting { next: Seconds::minutes(5).after(world.now()), ..found.clone() };
    assert!(world.service.claim_notice(&found, mine.next).await.unwrap());
    world.service.settle_notice(&mine, (&BTreeSet::from(["ops".to_owned()]), false), &Next::Done).await.unwrap();
    world.clock.advance(Seconds::days(8));
    assert_eq!(waiting(&world).await, []);
    let mut after = events(&world).await.remove("token.create").unwrap();
    assert_eq!(after.remove("tries"), None, "nobody who was asked did not take it");
    assert_eq!(after.remove("taken"), Some(Value::Ss(vec!["ops".to_owned()])));
    let mut before = before;
    assert!(before.remove(keys::DUE_PK).is_some() && before.remove(keys::DUE_SK).is_some());
    assert_eq!(after, before, "its time to live too");
    assert_eq!(page().await, history);
    let created = history.iter().find(|event| event.action == "token.create").unwrap();
    let shown = serde_json::to_value(created).unwrap();
    let fields: BTreeSet<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["action", "actor", "at", "id", "token", "user"].into());
}

#[tokio::test]
async fn those_that_wait_longest_come_first_and_one_that_cannot_be_read_holds_up_no_other() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    for number in 0..10 {
        world.token("ci", &format!("token-{number}")).await;
        world.clock.advance(Seconds(1));
    }
    let all = waiting(&world).await;
    assert!(all.is_sorted_by_key(|waiting| waiting.notice.at) && all.len() == 10, "{all:?}");
    assert_eq!(world.service.notices(world.now(), 4).await.unwrap(), all[..4]);
    let earlier = Seconds(1).before(all[3].next);
    assert_eq!(world.service.notices(earlier, 100).await.unwrap(), all[..3], "what is later is not due");
    let broken = keys::event("ci", all[0].notice.at, &all[0].notice.id);
    world.store.raw.set(&broken, "kind", Value::S("of a later version".into())).await;
    assert_eq!(waiting(&world).await, all[1..]);
}

#[tokio::test]
async fn no_row_contains_a_secret() {
    let world = told(Engine::chosen()).await;
    world.user("ci", &[]).await;
    let new = NewToken { description: Some("Deploys".to_owned()), ..managed_token("ci", "deploy", &[]) };
    let made = world.create(new).await;
    let token = made.token.reference();
    world.service.promote(&world.admin, &token, 1).await.unwrap();
    let staged = world.service.stage(&world.admin, &token).await.unwrap();
    world.service.promote(&world.admin, &token, 2).await.unwrap();
    world.service.end_compromised(&world.admin, &token, 1, false).await.unwrap();
    world.delete("ci", "deploy").await;
    let kinds: BTreeSet<NoticeKind> = waiting(&world).await.iter().map(|waiting| waiting.notice.kind).collect();
    assert_eq!(kinds.len(), 4);
    let rows = format!("{:?}", world.items().await);
    for secret in [&made.secret, &staged.secret] {
        let random = secret.expose().rsplit('_').next().unwrap();
        assert!(!rows.contains(random));
    }
}
