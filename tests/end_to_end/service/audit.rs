//! Audit: exactly one event for each change, and none holds a secret.

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey::protocol::{Arrival, Look, QUIET};
use latchkey::service::{Caller, Edit, UserChange};
use tests::world::{World, key, managed_token, name, permissions};

#[tokio::test]
async fn every_change_adds_exactly_one_event_with_who_what_which_and_when() {
    let world = World::new().await;
    let mut caller = Caller::operator("");
    caller.actor = "boss".to_owned();
    caller.from = Some("192.0.2.1".parse().unwrap());
    let service = &world.service;
    let place = Place::new("dotenv", &[("path", ".env")], true);
    let key = &key("ci", "deploy");
    let mut seen = 0;
    let mut one_more = async |action: &str, user: &str, token: Option<&str>| {
        let events = world.count_events().await;
        assert_eq!(events, seen + 1, "{action}");
        seen = events;
        let last = if user == ":roles" {
            service.role_events(world.now(), 1).await.unwrap().remove(0)
        } else {
            service.events(user, world.now(), 1).await.unwrap().remove(0)
        };
        assert_eq!((last.action.as_str(), last.user.as_str(), last.actor.as_str()), (action, user, "boss"));
        assert_eq!((last.at, last.from.as_deref()), (world.now(), Some("192.0.2.1")));
        assert_eq!(last.token.as_ref().map(latchkey::name::TokenName::as_str), token);
        // So that the next one is the newest.
        world.clock.advance(Seconds(1));
    };

    service.put_role(&caller, &name("reader"), &permissions(&["documents:read"]), None).await.unwrap();
    one_more("role.put", ":roles", None).await;
    let change = UserChange { roles: Some(vec![name("reader")]), ..UserChange::default() };
    service.put_user(&caller, &name("ci"), &change).await.unwrap();
    one_more("user.create", "ci", None).await;
    let change = UserChange { max_tokens: Some(Some(5)), ..UserChange::default() };
    service.put_user(&caller, &name("ci"), &change).await.unwrap();
    one_more("user.change", "ci", None).await;
    let made = service.create(&caller, managed_token("ci", "deploy", std::slice::from_ref(&place))).await.unwrap();
    one_more("token.create", "ci", Some("deploy")).await;
    let token = &made.token.reference();
    service.announce(&caller, token, 1, &place.id()).await.unwrap();
    one_more("version.announce", "ci", Some("deploy")).await;
    service.deliver(&caller, token, 1, &Arrival::new(&place.id(), "receipt")).await.unwrap();
    one_more("version.deliver", "ci", Some("deploy")).await;
    service.promote(&caller, token, 1).await.unwrap();
    one_more("version.promote", "ci", Some("deploy")).await;
    let staged = service.stage(&caller, token).await.unwrap();
    one_more("version.stage", "ci", Some("deploy")).await;
    let announced = service.announce(&caller, token, 2, &place.id()).await.unwrap();
    one_more("version.announce", "ci", Some("deploy")).await;
    service.withdraw(&caller, token, 2, (&place.id(), announced.announcement)).await.unwrap();
    one_more("version.withdraw", "ci", Some("deploy")).await;
    service.announce(&caller, token, 2, &place.id()).await.unwrap();
    one_more("version.announce", "ci", Some("deploy")).await;
    service.deliver(&caller, token, 2, &Arrival::new(&place.id(), "receipt")).await.unwrap();
    one_more("version.deliver", "ci", Some("deploy")).await;
    let promoted = service.promote(&caller, token, 2).await.unwrap();
    one_more("version.promote", "ci", Some("deploy")).await;
    world.clock.advance(Seconds(Seconds::hours(24).0 + QUIET.0));
    let look = Look { at: world.now(), revision: promoted.revision };
    service.retire(&caller, token, 1, look, false).await.unwrap();
    one_more("version.retire", "ci", Some("deploy")).await;
    let edit = Edit { description: Some("text".to_owned()), ..Edit::default() };
    service.edit(&caller, key, None, None, &edit).await.unwrap();
    one_more("token.edit", "ci", Some("deploy")).await;
    service.note_applied(&caller, &name("acme"), Some(1), None).await.unwrap();
    one_more("manifest.apply", ":roles", None).await;
    service.delete(&caller, key, None).await.unwrap();
    one_more("token.delete", "ci", Some("deploy")).await;
    service.delete_user(&caller, &key.user).await.unwrap();
    one_more("user.delete", "ci", None).await;
    service.delete_role(&caller, &name("reader")).await.unwrap();
    one_more("role.delete", ":roles", None).await;

    let events = service.events("ci", world.now(), 100).await.unwrap();
    let text = format!("{events:?}");
    for secret in [&made.secret, &staged.secret] {
        assert!(!text.contains(&secret.expose()[3 + 17..]));
    }
}

#[tokio::test]
async fn what_changes_nothing_adds_no_event() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    world.token("ana", "laptop").await;
    let before = world.count_events().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let key = &key("ana", "laptop");
    world.service.edit(&world.admin, key, None, None, &Edit::default()).await.unwrap();
    assert!(world.service.edit(&world.admin, key, None, Some(9), &Edit::default()).await.is_err());
    assert!(world.service.create(&world.admin, tests::world::new_token("ana", "laptop")).await.is_err());
    assert_eq!(world.count_events().await, before);
}
