//! The deployment's settings: who changes them, one change at a time, and how processes come to know.

use latchkey::lifetime::Seconds;
use latchkey::policy::{PolicyChange, PolicyError};
use latchkey::service::{Caller, Denied, Life, NewToken, SETTINGS_AGE, SettingsError, Verdict};
use tests::world::{World, new_token};

fn most(max_tokens: u32) -> PolicyChange {
    PolicyChange { max_tokens: Some(max_tokens), ..PolicyChange::default() }
}

/// The caller that a token of a user is.
async fn caller(world: &World, user: &str, token: NewToken) -> Caller {
    let made = world.create(NewToken { ..token }).await;
    match world.service.verify(made.secret.expose(), None).await.unwrap() {
        Verdict::Valid(valid) => Caller::token(&valid, None),
        Verdict::Invalid(invalid) => panic!("{user}: {invalid}"),
    }
}

#[tokio::test]
async fn only_whoever_has_admin_settings_for_longer_than_a_day_changes_them() {
    let world = World::new().await;
    world.role("settings", &["admin:settings"]).await;
    world.role("others", &["admin:users", "admin:roles", "admin:tokens", "admin:audit"]).await;
    world.user("ana", &["settings"]).await;
    world.user("bob", &["others"]).await;
    let ana = caller(&world, "ana", new_token("ana", "laptop")).await;
    let bob = caller(&world, "bob", new_token("bob", "laptop")).await;
    let soon = Life::Until(Some(Seconds::hours(2).after(world.now())));
    let brief = caller(&world, "ana", NewToken { life: soon, ..new_token("ana", "brief") }).await;
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let bound = NewToken { allowed_ips: networks, ..new_token("ana", "bound") };
    let made = world.create(bound).await;
    let from = Some("192.0.2.1".parse().unwrap());
    let Verdict::Valid(valid) = world.service.verify(made.secret.expose(), from).await.unwrap() else { panic!() };
    let bound = Caller::token(&valid, from);
    let change = async |caller: &Caller| world.service.change_settings(caller, None, &most(3)).await;
    assert!(matches!(change(&bob).await, Err(SettingsError::Denied(Denied::Lacks(_)))));
    assert!(bob.may_read_settings().is_err());
    assert!(matches!(change(&brief).await, Err(SettingsError::Denied(Denied::Brief(_)))));
    assert!(matches!(change(&bound).await, Err(SettingsError::Denied(Denied::Bound))));
    assert_eq!(world.service.settings().await.unwrap().max_tokens, 10, "nothing has changed");
    // So that its event is the newest.
    world.clock.advance(Seconds(1));
    assert_eq!(change(&ana).await.unwrap().max_tokens, 3);
    let event = world.service.role_events(world.now(), 1).await.unwrap().remove(0);
    assert_eq!((event.action.as_str(), event.actor.as_str()), ("settings.change", "ana/laptop"));
    assert_eq!(event.detail.as_deref(), Some("max_tokens: 10 -> 3"));
}

#[tokio::test]
async fn changes_at_once_are_all_there_and_a_guarded_one_comes_first_or_not_at_all() {
    let world = World::new().await;
    let (one, two) = (world.another(2).await, world.another(3).await);
    let name = PolicyChange { name_max: Some(20), ..PolicyChange::default() };
    let limit = most(4);
    let (left, right) =
        tokio::join!(one.change_settings(&world.admin, None, &limit), two.change_settings(&world.admin, None, &name),);
    assert!(left.is_ok() && right.is_ok());
    let now = world.service.settings().await.unwrap();
    assert_eq!((now.max_tokens, now.name_max, now.revision), (4, 20, 2), "neither undid the other");
    let stale = world.service.change_settings(&world.admin, Some(1), &most(5)).await;
    assert!(matches!(stale, Err(SettingsError::Revision { wanted: 1, found: 2 })));
    let wrong = world.service.change_settings(&world.admin, Some(2), &most(0)).await;
    assert!(matches!(wrong, Err(SettingsError::Rule(PolicyError::MaxTokens))));
    assert_eq!(world.service.settings().await.unwrap(), now);
    let same = world.service.change_settings(&world.admin, Some(2), &most(4)).await.unwrap();
    assert_eq!(same.revision, 2, "what changes nothing writes nothing");
}

#[tokio::test]
async fn a_process_goes_by_older_settings_until_it_reads_them_again_and_knows_a_new_prefix_within_a_second() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let (here, elsewhere) = (&world.service, world.another(2).await);
    let change = PolicyChange { prefix: "acme".parse().ok(), ..most(1) };
    elsewhere.change_settings(&world.admin, None, &change).await.unwrap();
    assert_eq!((here.policy().max_tokens, elsewhere.policy().max_tokens), (10, 1));
    let fresh = elsewhere.create(&world.admin, new_token("ana", "phone")).await.unwrap();
    // Within a second of its last look a process does not look again, whoever makes up prefixes.
    let before = world.store.table.counted();
    assert!(matches!(here.verify(fresh.secret.expose(), None).await.unwrap(), Verdict::Invalid(_)));
    assert_eq!(world.store.table.counted(), before);
    world.clock.advance(Seconds(1));
    assert!(matches!(here.verify(fresh.secret.expose(), None).await.unwrap(), Verdict::Valid(_)));
    assert_eq!(here.policy().max_tokens, 1);
    elsewhere.change_settings(&world.admin, None, &most(7)).await.unwrap();
    world.clock.advance(SETTINGS_AGE);
    here.reread_settings().await.unwrap();
    assert_eq!(here.policy().max_tokens, 7);
}
