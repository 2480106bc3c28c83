//! Creating a token.

use std::collections::BTreeMap;

use latchkey::bounds::BoundsError;
use latchkey::lifetime::{Contradiction, Seconds, Terms, parse_expiry};
use latchkey::name::RoleName;
use latchkey::place::Place;
use latchkey::policy::Policy;
use latchkey::service::{CreateError, Life, NewToken, Service, UserChange};
use latchkey::token::{EndState, TokenState, VersionState};
use tests::world::{TERMS, World, key, managed_token, name, new_token};

async fn refused(world: &World, new: NewToken) -> CreateError {
    world.service.create(&world.admin, new).await.expect_err("a refusal")
}

#[tokio::test]
async fn a_token_works_at_once_and_lives_31_days_unless_asked_otherwise() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    assert_eq!(made.token.expires_at, Some(Seconds::days(31).after(world.now())));
    assert_eq!(made.token.current().map(|version| version.number), Some(1));
    assert_eq!(made.token.created_by, "operator:admin");
    let valid = world.valid(made.secret.expose()).await;
    assert_eq!((valid.user.as_str(), valid.name.as_str(), valid.version), ("ana", "laptop", 1));
    assert_eq!(valid.id, made.token.id);
    assert_eq!(world.service.show(&key("ana", "laptop")).await.unwrap(), Some(made.token));
}

#[tokio::test]
async fn an_expiry_lies_in_the_future_and_within_365_days() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let until = |at: &str| NewToken { life: Life::Until(Some(at.parse().unwrap())), ..new_token("ana", "laptop") };
    let now = world.now();
    assert!(matches!(refused(&world, until("2026-03-01T12:00:00Z")).await, CreateError::ExpiryInPast(at) if at == now));
    let late = refused(&world, until("2027-03-01T12:00:01Z")).await;
    assert!(
        matches!(late, CreateError::ExpiryTooLate { until, .. } if until == Seconds::days(365).after(now)),
        "{late}"
    );
    let date = |text: &str| NewToken { life: Life::Until(Some(parse_expiry(text).unwrap())), ..new_token("ana", text) };
    assert!(matches!(refused(&world, date("2027-03-02")).await, CreateError::ExpiryTooLate { .. }));
    // The last day counts whole.
    let made = world.create(date("2027-03-01")).await;
    assert_eq!(made.token.expires_at, Some("2027-03-02T00:00:00Z".parse().unwrap()));
    world.create(until("2027-03-01T12:00:00Z")).await;
}

#[tokio::test]
async fn roles_are_by_default_all_that_the_user_has_at_that_moment() {
    let world = World::new().await;
    for role in ["reader", "writer"] {
        world.role(role, &["documents:read"]).await;
    }
    world.user("ana", &["reader"]).await;
    let made = world.token("ana", "before").await;
    world.user("ana", &["reader", "writer"]).await;
    assert_eq!(made.token.roles, [name::<RoleName>("reader")]);
    assert_eq!(world.valid(made.secret.expose()).await.roles, [name::<RoleName>("reader")]);
    assert_eq!(world.token("ana", "after").await.token.roles.len(), 2);
}

#[tokio::test]
async fn an_empty_list_of_roles_means_no_permission() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let made = world.create(NewToken { roles: Some(Vec::new()), ..new_token("ana", "bare") }).await;
    let valid = world.valid(made.secret.expose()).await;
    assert!(valid.roles.is_empty() && valid.permissions.is_empty());
}

#[tokio::test]
async fn a_role_that_the_user_does_not_hold_is_refused_by_name() {
    let world = World::new().await;
    for role in ["reader", "writer"] {
        world.role(role, &["documents:read"]).await;
    }
    world.user("ana", &["reader"]).await;
    let roles = Some(vec![name("reader"), name("writer")]);
    let error = refused(&world, NewToken { roles, ..new_token("ana", "laptop") }).await;
    assert_eq!(error.to_string(), "`ana` does not have the role `writer`");
}

#[tokio::test]
async fn there_is_no_token_without_a_user_and_none_for_a_suspended_one() {
    let world = World::new().await;
    assert!(matches!(refused(&world, new_token("nobody", "laptop")).await, CreateError::NoSuchUser(_)));
    world.user("ana", &[]).await;
    world.change_user("ana", UserChange { suspended: Some(true), ..UserChange::default() }).await;
    assert!(matches!(refused(&world, new_token("ana", "laptop")).await, CreateError::Suspended(_)));
}

#[tokio::test]
async fn a_name_is_unique_among_active_tokens_of_one_user() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.user("ben", &[]).await;
    let first = world.token("ana", "laptop").await;
    assert!(matches!(refused(&world, new_token("ana", "laptop")).await, CreateError::NameTaken { .. }));
    world.token("ben", "laptop").await;
    world.token("ana", "Laptop").await;
    world.valid(first.secret.expose()).await;
    world.delete("ana", "laptop").await;
    world.token("ana", "laptop").await;
}

#[tokio::test]
async fn the_name_of_an_expired_token_is_free_and_the_expired_one_stays_listed() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let first = world.token("ana", "laptop").await;
    world.clock.advance(Seconds::days(31));
    let second = world.token("ana", "laptop").await;
    assert_ne!(first.token.id, second.token.id);
    let ended = world.service.list_ended(&name("ana"), (10, None), None).await.unwrap().tokens;
    let [expired] = ended.as_slice() else { panic!("one ended token, not {}", ended.len()) };
    assert_eq!((&expired.id, expired.state(world.now())), (&first.token.id, TokenState::Expired));
    let how = expired.ended.as_ref().unwrap();
    assert_eq!((how.state, how.at, &how.by), (EndState::Expired, first.token.expires_at.unwrap(), &None));
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 1);
}

#[tokio::test]
async fn ten_active_tokens_are_the_most_and_deleted_and_expired_ones_do_not_count() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    for number in 0..10 {
        world.token("ana", &format!("laptop-{number}")).await;
    }
    let error = refused(&world, new_token("ana", "one-more")).await;
    assert!(matches!(error, CreateError::LimitReached { active: 10, max: 10, .. }), "{error}");
    world.delete("ana", "laptop-3").await;
    world.token("ana", "one-more").await;
    assert!(matches!(refused(&world, new_token("ana", "two-more")).await, CreateError::LimitReached { .. }));
    world.clock.advance(Seconds::days(31));
    for number in 0..10 {
        world.token("ana", &format!("phone-{number}")).await;
    }
    assert!(matches!(refused(&world, new_token("ana", "phone-10")).await, CreateError::LimitReached { .. }));
    assert_eq!(world.service.list_ended(&name("ana"), (100, None), None).await.unwrap().tokens.len(), 11);
}

#[tokio::test]
async fn a_user_may_have_a_quota_of_their_own() {
    let world = World::new().await;
    world.change_user("ana", UserChange { max_tokens: Some(Some(1)), ..UserChange::default() }).await;
    world.token("ana", "only").await;
    let error = refused(&world, new_token("ana", "more")).await;
    assert!(matches!(error, CreateError::LimitReached { max: 1, .. }));
    world.change_user("ana", UserChange { max_tokens: Some(None), ..UserChange::default() }).await;
    world.token("ana", "more").await;
}

#[tokio::test]
async fn policy_may_shorten_names_and_lower_the_quota() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let mut service: Service = world.another(2).await;
    service.set_policy(Policy { name_max: 5, max_tokens: 1, ..Policy::default() }).await.unwrap();
    // Whoever opens the table later finds the settings.
    let service = world.another(3).await;
    let long = service.create(&world.admin, new_token("ana", "laptop")).await;
    assert!(matches!(long, Err(CreateError::NameTooLong(5))));
    service.create(&world.admin, new_token("ana", "phone")).await.unwrap();
    let more = service.create(&world.admin, new_token("ana", "desk")).await;
    assert!(matches!(more, Err(CreateError::LimitReached { max: 1, .. })));
}

#[tokio::test]
async fn what_is_too_large_is_refused_whether_asked_for_or_by_default() {
    let world = World::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("role-{number:02}-{}", "x".repeat(50))).collect();
    for role in &names {
        world.role(role, &["documents:read"]).await;
    }
    world.user("ana", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // The roles that a token takes over from its user count like those that are asked for.
    let error = refused(&world, new_token("ana", "laptop")).await;
    assert!(matches!(error, CreateError::Bounds(BoundsError::Verification(1189))), "{error}");
    let few = Some(names[..3].iter().map(|role| name(role)).collect());
    world.create(NewToken { roles: few, ..new_token("ana", "laptop") }).await;
    let networks = (0..21).map(|number| format!("10.0.{number}.0/24").parse().unwrap()).collect();
    let many = NewToken { roles: Some(Vec::new()), allowed_ips: networks, ..new_token("ana", "phone") };
    assert!(matches!(refused(&world, many).await, CreateError::Bounds(BoundsError::Networks(21))));
    let text = NewToken { description: Some("two\nlines".to_owned()), ..new_token("ana", "phone") };
    assert!(matches!(refused(&world, text).await, CreateError::Bounds(BoundsError::DescriptionNotPlain)));
    let labels = BTreeMap::from([("label".to_owned(), "v".repeat(500))]);
    let labelled = NewToken { labels, ..new_token("ana", "phone") };
    assert!(matches!(refused(&world, labelled).await, CreateError::Bounds(BoundsError::Labels(513))));
}

#[tokio::test]
async fn a_managed_token_starts_staged_and_its_secret_works() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let made = world.create(managed_token("ci", "deploy", &[Place::new("dotenv", &[("path", ".env")], true)])).await;
    assert_eq!(made.token.versions[0].state, VersionState::Staged);
    assert_eq!((made.token.expires_at, made.token.places.len()), (None, 1));
    world.valid(made.secret.expose()).await;
    // Nobody announced it: it dies after a day.
    world.clock.advance(Seconds::days(1));
    assert!(world.invalid(made.secret.expose()).await.is_some());
}

#[tokio::test]
async fn durations_that_contradict_each_other_are_refused() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let terms = Terms { overlap: Seconds::days(31), ..TERMS };
    let life = Life::Managed { manifest: name("acme"), terms };
    let error = refused(&world, NewToken { life, ..new_token("ci", "deploy") }).await;
    assert!(matches!(error, CreateError::Terms(Contradiction::OverlapExceedsRotation)));
}

#[tokio::test]
async fn no_manifest_hands_out_administration() {
    let world = World::new().await;
    for (role, permission) in [("boss", "admin:users"), ("planner", "manifests:acme"), ("all", "*:read")] {
        world.role(role, &[permission]).await;
        world.user("ci", &[role]).await;
        let error = refused(&world, managed_token("ci", "deploy", &[])).await;
        assert!(matches!(&error, CreateError::NotByManifest(refused) if refused == permission), "{error}");
    }
    // By hand an admin may.
    world.token("ci", "by-hand").await;
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_not_made_twice() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    // The read of the user passes; the answer of the transaction is lost.
    world.store.faults.lose_answer_after(1);
    let made = world.token("ana", "laptop").await;
    assert!(!world.store.faults.mend());
    world.valid(made.secret.expose()).await;
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 1);
    assert_eq!(world.store.table.counted().retries, 1);
}

#[tokio::test]
async fn a_create_that_met_a_conflict_is_tried_again() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.store.faults.conflict_after(1);
    let made = world.token("ana", "laptop").await;
    assert_eq!(world.store.table.counted().retries, 1);
    world.valid(made.secret.expose()).await;
}
