//! What happens once of every kind: one event of each, and one notice of each, as the service records them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use latchkey::lifetime::Seconds;
use latchkey::moving::Moving;
use latchkey::notice::{Notice, NoticeKind};
use latchkey::place::Place;
use latchkey::policy::PolicyChange;
use latchkey::protocol::{Arrival, Look};
use latchkey::service::{Caller, Edit, Event, Grant, Life, NewToken, UserChange};
use latchkey::token::Token;
use tests::engine::Engine;
use tests::world::{World, key, managed_token, name, new_token, permissions};

use crate::service::notices::{told, waiting};

/// Who does it.
const ACTOR: &str = "pipeline/main";

/// All that was recorded.
pub(super) struct Story {
    /// The first event of each kind, by its action.
    pub(super) events: BTreeMap<String, Event>,
    /// The first notice of each kind.
    pub(super) notices: BTreeMap<NoticeKind, Notice>,
}

/// A caller with all rights under a name that jobs have.
fn job() -> Caller {
    called(ACTOR)
}

fn called(actor: &str) -> Caller {
    let mut caller = Caller::operator("");
    actor.clone_into(&mut caller.actor);
    caller
}

fn place() -> Place {
    Place::new("dotenv", &[("machine", "build-1"), ("path", "/srv/app/.env"), ("name", "API_TOKEN")], true)
}

/// Some time goes by, so that nothing happens at one instant.
fn later(world: &World) {
    world.clock.advance(Seconds::minutes(1));
}

async fn edit(world: &World, token: &Token, edit: Edit) -> Token {
    later(world);
    world.service.edit(&job(), &token.key(), None, None, &edit).await.unwrap()
}

/// A token of the manifest `acme`: delivered, rotated, leaked, moved and pruned.
async fn by_manifest(world: &World) {
    let (service, job, place) = (&world.service, job(), place());
    let new = NewToken {
        roles: Some(vec![name("reader")]),
        ..managed_token("ci@example.com", "production-api", std::slice::from_ref(&place))
    };
    let token = service.create(&job, new).await.unwrap().token;
    let named = token.reference();
    for number in 1..=3 {
        later(world);
        if number > 1 {
            service.stage(&job, &named).await.unwrap();
        }
        let announced = service.announce(&job, &named, number, &place.id()).await.unwrap();
        if number == 2 {
            service.withdraw(&job, &named, number, (&place.id(), announced.announcement)).await.unwrap();
            service.announce(&job, &named, number, &place.id()).await.unwrap();
        }
        later(world);
        service.deliver(&job, &named, number, &Arrival::new(&place.id(), "receipt")).await.unwrap();
        service.promote(&job, &named, number).await.unwrap();
    }
    service.end_compromised(&job, &named, 1, false).await.unwrap();
    world.clock.advance(Seconds::days(3));
    let current = service.holder(&named.key).await.unwrap().unwrap();
    let look = Look { at: world.now(), revision: current.revision };
    service.retire(&job, &named, 2, look, false).await.unwrap();
    let failed = service.holder(&named.key).await.unwrap().unwrap();
    world.clock.advance(Seconds::days(31));
    service
        .tell(&job, &failed, NoticeKind::RotationFailed, Some("`vault`: `secretsmanager` answered 403"))
        .await
        .unwrap();
    world.clock.advance(Seconds::days(2));
    let overdue = service.holder(&named.key).await.unwrap().unwrap();
    service.due_notices(&job, &overdue).await.unwrap();
    let agreed = edit(world, &overdue, Edit { moving: Moving::to(Some(name("acme-b"))), ..Edit::default() }).await;
    let moving = Moving { from: Some(name("acme")), ..Moving::default() };
    let moved = edit(world, &agreed, Edit { managed_by: Some(name("acme-b")), moving, ..Edit::default() }).await;
    let left = edit(world, &moved, Edit { leaving: Some(true), ..Edit::default() }).await;
    world.clock.advance(Seconds::days(2));
    let look = Look { at: world.now(), revision: left.revision };
    service.end_leaving(&job, &named.key, None, look).await.unwrap();
}

/// Tokens that people created: changed, used, expired and deleted.
async fn by_hand(world: &World) {
    let (service, job) = (&world.service, job());
    let life = Life::Until(Some(Seconds::days(40).after(world.now())));
    let issued = service.create(&job, NewToken { life, ..new_token("ana", "laptop") }).await.unwrap();
    edit(world, &issued.token, Edit { description: Some("Ana's laptop".to_owned()), ..Edit::default() }).await;
    let valid = world.valid(issued.secret.expose()).await;
    for from in ["192.0.2.7", "198.51.100.20"] {
        later(world);
        service.note_use(&valid, Some(from.parse::<IpAddr>().unwrap())).await.unwrap();
    }
    later(world);
    let fewer = UserChange { roles: Some(vec![name("reader")]), ..UserChange::default() };
    service.put_user(&job, &name("ana"), &fewer).await.unwrap();
    world.clock.advance(Seconds::days(11));
    let token = service.holder(&issued.token.key()).await.unwrap().unwrap();
    service.due_notices(&job, &token).await.unwrap();
    world.clock.advance(Seconds::days(40));
    let expired = service.holder(&issued.token.key()).await.unwrap().unwrap();
    service.sweep_expired(&expired).await.unwrap();
    service.create(&job, new_token("ana", "phone")).await.unwrap();
    later(world);
    service.delete(&job, &key("ana", "phone"), None).await.unwrap();
    later(world);
    service.delete_user(&job, &name("ana")).await.unwrap();
}

/// What is about no token.
async fn about_others(world: &World) {
    let (service, job) = (&world.service, job());
    let acme = name("acme");
    let grant = Grant {
        permissions: permissions(&["documents:read"]),
        roles: [name("reader")].into(),
        users: [name("ci@example.com")].into(),
        new_users: [name("acme-*")].into(),
        new_roles: [name("acme-*")].into(),
        entries: [name("heroku:app=acme-*")].into(),
        ..Grant::default()
    };
    service.set_grant(&job, &acme, &grant).await.unwrap();
    later(world);
    service.take_lease(&job, &acme, "run-1", false).await.unwrap();
    service.take_lease(&job, &acme, "run-2", true).await.unwrap();
    service.note_applied(&job, &acme, Some(7), None).await.unwrap();
    later(world);
    let number = service.begin_publication(&job, &acme, Some(7), false).await.unwrap();
    service.complete_publication(&job, &acme, number, ("[sinks]", 0)).await.unwrap();
    later(world);
    service.withdraw_publication(&job, &acme).await.unwrap();
    let change = PolicyChange { max_tokens: Some(20), ..PolicyChange::default() };
    service.change_settings(&job, None, &change).await.unwrap();
    service.put_role(&job, &name("unused"), &permissions(&["documents:read"]), None).await.unwrap();
    later(world);
    service.delete_role(&job, &name("unused")).await.unwrap();
    let detail = "PUT /v1/roles/{role}: insufficient_scope: this token lacks the permission `admin:roles`";
    service.note_refusal(&called("ana/laptop"), None, None, detail).await.unwrap();
    // A clock that was ahead once.
    let guarded = world.another(9).await.mistrusting_its_clock().await.unwrap();
    world.clock.advance(Seconds::days(200));
    guarded.create(&job, new_token("ci@example.com", "other")).await.unwrap();
    let back = Seconds::days(190).before(world.now());
    world.clock.set(back);
    guarded.accept_clock(&job).await.unwrap().unwrap();
}

/// What happens once of every kind.
pub(super) async fn tell() -> Story {
    let world = told(Engine::Sqlite).await;
    let (service, job) = (world.service.clone(), job());
    service.put_role(&job, &name("reader"), &permissions(&["documents:read"]), None).await.unwrap();
    service.put_role(&job, &name("writer"), &permissions(&["documents:write"]), None).await.unwrap();
    let roles = Some(vec![name("reader"), name("writer")]);
    for user in ["ana", "ci@example.com"] {
        service
            .put_user(&job, &name(user), &UserChange { roles: roles.clone(), ..UserChange::default() })
            .await
            .unwrap();
    }
    by_manifest(&world).await;
    by_hand(&world).await;
    let mut notices = BTreeMap::new();
    let mut all: Vec<Notice> = waiting(&world).await.into_iter().map(|waiting| waiting.notice).collect();
    all.sort_by_key(|notice| notice.at);
    for notice in all {
        notices.entry(notice.kind).or_insert(notice);
    }
    about_others(&world).await;
    let mut events: Vec<Event> = Vec::new();
    let start: jiff::Timestamp = tests::world::START.parse().unwrap();
    for month in 0..14 {
        let at = Seconds::days(30 * month).after(start);
        for user in ["ana", "ci@example.com"] {
            events.extend(service.events(user, at, 200).await.unwrap());
        }
        events.extend(service.role_events(at, 200).await.unwrap());
    }
    events.sort_by_key(|event| event.at);
    let mut first = BTreeMap::new();
    for event in events {
        first.entry(event.action.clone()).or_insert(event);
    }
    Story { events: first, notices }
}
