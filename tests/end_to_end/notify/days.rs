//! Forty days: runs are missed, two come at once, and a receiver is down for three of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use latchkey::lifetime::Seconds;
use latchkey::service::{Life, NewToken};
use tests::receiver::{Got, verified};
use tests::world::{key, managed_token, new_token};

use super::{SIGNING, Told};

const ALL: &str =
    "on = [\"created\", \"deleted\", \"rotated\", \"leaked\", \"expiring\", \"overdue\", \"rotation_failed\"]\n";
/// Days on which no job runs.
const MISSED: [u32; 12] = [3, 4, 11, 17, 18, 19, 30, 33, 34, 35, 36, 37];
/// Days on which one receiver is down.
const DOWN: [u32; 3] = [20, 21, 22];

/// What happens on a day; the secrets that it gives out.
async fn happen(told: &Told, day: u32) -> Vec<String> {
    let (world, mut secrets) = (&told.world, Vec::new());
    let until = |days: i64| Life::Until(Some(world.now() + SignedDuration::from_hours(24 * days)));
    let admin = &world.admin;
    if day == 0 {
        world.user("ana", &[]).await;
        world.user("ci", &[]).await;
        let laptop = NewToken { life: until(40), ..new_token("ana", "laptop") };
        secrets.push(world.create(laptop).await.secret);
        let deploy = world.create(managed_token("ci", "deploy", &[])).await;
        world.service.promote(admin, &deploy.token.reference(), 1).await.unwrap();
        secrets.push(deploy.secret);
    }
    if day.is_multiple_of(5) {
        let description = Some(format!("token of day {day} <!channel>"));
        let of_day = NewToken { life: until(300), description, ..new_token("ana", &format!("day-{day}")) };
        secrets.push(world.create(of_day).await.secret);
        if day > 0 {
            world.delete("ana", &format!("day-{}", day - 5)).await;
        }
    }
    if day == 10 || day == 21 {
        let deploy = world.service.holder(&key("ci", "deploy")).await.unwrap().unwrap().reference();
        let staged = world.service.stage(admin, &deploy).await.unwrap();
        world.service.promote(admin, &deploy, staged.number).await.unwrap();
        secrets.push(staged.secret);
        if day == 21 {
            world.service.end_compromised(admin, &deploy, 2, false).await.unwrap();
        }
    }
    secrets.into_iter().map(|secret| secret.expose().to_owned()).collect()
}

fn kinds(got: &[Got]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for got in got.iter().filter(|got| got.is_taken()) {
        *kinds.entry(got.json()["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    kinds
}

/// The ids that were taken, and how often each was.
fn taken(got: &[Got]) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for got in got.iter().filter(|got| got.is_taken()) {
        *taken.entry(got.id()).or_default() += 1;
    }
    taken
}

#[tokio::test]
async fn each_notice_has_one_id_and_is_taken_once_whatever_is_missed_or_down() {
    let told = Told::start().await;
    told.set("ops", &told.webhook("/ops", ALL)).await;
    told.set("late", &told.webhook("/late", ALL)).await;
    told.set("chat", &told.slack("/chat", ALL)).await;
    let (mut secrets, mut given_up) = (Vec::new(), 0);
    for day in 0..40 {
        secrets.extend(happen(&told, day).await);
        told.receiver.answer("/late", if DOWN.contains(&day) { 503 } else { 200 });
        if !MISSED.contains(&day) {
            let (one, other) = tokio::join!(told.job(100 + u64::from(day)), told.job(200 + u64::from(day)));
            given_up += one.given_up.len() + other.given_up.len();
            let down: BTreeSet<&str> = one.down.iter().chain(&other.down).map(|down| down.receiver.as_str()).collect();
            assert!(down.is_empty() || (DOWN.contains(&day) && down == ["late"].into()), "day {day}: {down:?}");
        }
        told.world.clock.advance(Seconds::days(1));
    }
    assert_eq!(given_up, 0);
    let (ops, late, chat) = (told.receiver.got("/ops"), told.receiver.got("/late"), told.receiver.got("/chat"));
    let wanted = [("created", 10), ("deleted", 7), ("expiring", 4), ("leaked", 1), ("rotated", 2)];
    let wanted: BTreeMap<String, usize> = wanted.map(|(kind, count)| (format!("token.{kind}"), count)).into();
    assert_eq!((kinds(&ops), kinds(&late)), (wanted.clone(), wanted));
    // One id for all receivers, taken once by each.
    assert_eq!(taken(&ops), taken(&late));
    assert!(taken(&ops).values().all(|times| *times == 1));
    let ids: BTreeSet<String> = taken(&ops).into_keys().collect();
    let in_chat: BTreeSet<String> = chat
        .iter()
        .map(|got| {
            let text = got.json()["text"].as_str().unwrap().to_owned();
            text.rsplit("Notice: ").next().unwrap().to_owned()
        })
        .collect();
    assert_eq!((in_chat, chat.len()), (ids, 24));
    // The one that was down was asked once by each job a day, and what it got later is what it had not taken.
    let refused: Vec<&Got> = late.iter().filter(|got| !got.is_taken()).collect();
    assert!((3..=6).contains(&refused.len()), "{}", refused.len());
    for refused in refused {
        let again: Vec<&Got> = late.iter().filter(|got| got.id() == refused.id() && got.is_taken()).collect();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].body, refused.body, "the same on every try");
        assert_ne!(again[0].headers["webhook-signature"], refused.headers["webhook-signature"], "signed anew");
    }
    // It delayed nobody else, and a missed day only delays.
    for got in &ops {
        let at: jiff::Timestamp = got.json()["timestamp"].as_str().unwrap().parse().unwrap();
        let hours = got.at.duration_since(at).as_hours();
        assert!((0..=24 * 5).contains(&hours), "{hours} h");
    }
    let on_time = |got: &&Got| got.json()["timestamp"].as_str().unwrap()[..10] == got.at.to_string()[..10];
    let of_bad_days = ops.iter().filter(on_time).filter(|got| {
        let day = got.at.duration_since(tests::world::START.parse().unwrap()).as_hours() / 24;
        DOWN.iter().any(|down| i64::from(*down) == day)
    });
    assert!(of_bad_days.count() >= 4, "what happened while the other was down came on the same day");
    // Nothing of it is a secret.
    for got in told.receiver.all() {
        let all = format!("{:?} {}", got.headers, got.body);
        assert!(!secrets.iter().any(|secret| all.contains(secret.as_str())), "{all}");
        assert!(!all.contains(SIGNING) && tests::provision::secrets_in(&all).is_empty());
    }
    assert!(secrets.len() >= 12);
    let all: Vec<Got> = [ops, late].concat();
    if let Some(good) = verified(&all, SIGNING) {
        assert_eq!(good, all.len());
    }
}
