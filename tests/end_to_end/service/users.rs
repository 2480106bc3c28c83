//! Users: roles taken away, suspension, deletion.

use latchkey::name::RoleName;
use latchkey::service::{Edit, Invalid, UserChange, UserError};
use latchkey::user::UserKind;
use tests::world::{World, key, name};

fn suspended(suspended: bool) -> UserChange {
    UserChange { suspended: Some(suspended), ..UserChange::default() }
}

fn roles(roles: &[&str]) -> UserChange {
    UserChange { roles: Some(roles.iter().map(|role| name(role)).collect()), ..UserChange::default() }
}

#[tokio::test]
async fn a_suspension_acts_at_once_on_every_token_and_is_undone_by_restoring() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let laptop = world.token("ana", "laptop").await;
    let phone = world.token("ana", "phone").await;
    let user = world.change_user("ana", suspended(true)).await;
    assert!(user.suspended && !user.sweeping);
    for made in [&laptop, &phone] {
        assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Suspended));
    }
    // A change of the token leaves the suspension alone.
    let rename = Edit { name: Some(name("desk")), ..Edit::default() };
    let key = &key("ana", "laptop");
    world.service.edit(&world.admin, key, None, None, &rename).await.unwrap();
    assert_eq!(world.invalid(laptop.secret.expose()).await, Some(Invalid::Suspended));
    world.change_user("ana", suspended(false)).await;
    for made in [&laptop, &phone] {
        world.valid(made.secret.expose()).await;
    }
}

#[tokio::test]
async fn a_role_taken_from_a_user_has_left_the_tokens_when_the_call_returns() {
    let world = World::new().await;
    for role in ["reader", "writer"] {
        world.role(role, &[&format!("documents:{role}")]).await;
    }
    world.user("ana", &["reader", "writer"]).await;
    let made = world.token("ana", "laptop").await;
    world.user("ana", &["reader"]).await;
    let valid = world.valid(made.secret.expose()).await;
    assert_eq!(valid.roles, [name::<RoleName>("reader")]);
    assert!(!valid.permissions.allow(&"documents:writer".parse().unwrap()));
    let record = world.service.show(&key("ana", "laptop")).await.unwrap().unwrap();
    assert_eq!(record.roles, [name::<RoleName>("reader")]);
    // Given back to the user, it does not come back to the token.
    world.user("ana", &["reader", "writer"]).await;
    assert_eq!(world.valid(made.secret.expose()).await.roles.len(), 1);
}

#[tokio::test]
async fn a_change_that_was_cut_short_anywhere_is_completed_by_the_same_call() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    for number in 0.. {
        let user = format!("ana-{number}");
        world.user(&user, &["reader"]).await;
        let secrets = [world.token(&user, "laptop").await.secret, world.token(&user, "phone").await.secret];
        let change = UserChange { suspended: Some(true), ..roles(&[]) };
        world.store.faults.cut_after(number);
        let cut = world.service.put_user(&world.admin, &name(&user), &change).await;
        let cut_short = !world.store.faults.mend();
        assert!(cut.is_ok() || cut_short, "an error only when it was cut");
        let done = world.service.put_user(&world.admin, &name(&user), &change).await.unwrap();
        assert!(!done.sweeping);
        for secret in &secrets {
            assert_eq!(world.invalid(secret.expose()).await, Some(Invalid::Suspended), "cut after {number}");
        }
        world.change_user(&user, suspended(false)).await;
        for secret in &secrets {
            assert!(world.valid(secret.expose()).await.roles.is_empty(), "cut after {number}");
        }
        if cut.is_ok() {
            // Read, write, list, two tokens of two calls each, two suspensions, the end.
            assert!(number >= 8, "every step was cut once, {number}");
            return;
        }
    }
}

#[tokio::test]
async fn a_change_that_was_cut_short_is_completed_by_any_other_change_of_the_user() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    world.store.faults.cut_after(2);
    let cut = world.service.put_user(&world.admin, &name("ana"), &suspended(true)).await;
    assert!(cut.is_err());
    assert!(!world.store.faults.mend());
    world.valid(made.secret.expose()).await;
    world.change_user("ana", UserChange { max_tokens: Some(Some(3)), ..UserChange::default() }).await;
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Suspended));
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_not_given() {
    let world = World::new().await;
    let refused = world.service.put_user(&world.admin, &name("ana"), &roles(&["ghost"])).await;
    assert!(matches!(refused, Err(UserError::NoSuchRole(role)) if role == name::<RoleName>("ghost")));
    assert_eq!(world.service.user(&name("ana")).await.unwrap(), None);
}

#[tokio::test]
async fn a_user_with_active_tokens_is_not_deleted_and_one_with_expired_ones_is() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    world.token("ana", "laptop").await;
    let used = world.service.delete_user(&world.admin, &name("ana")).await;
    assert!(matches!(used, Err(UserError::InUse { active: 1, .. })));
    world.clock.advance(latchkey::lifetime::Seconds::days(31));
    world.service.delete_user(&world.admin, &name("ana")).await.unwrap();
    assert_eq!(world.service.user(&name("ana")).await.unwrap(), None);
    assert!(world.service.list_users().await.unwrap().is_empty());
    assert_eq!(world.service.role(&name("reader")).await.unwrap().unwrap().holders, 0);
    let gone = world.service.delete_user(&world.admin, &name("ana")).await;
    assert!(matches!(gone, Err(UserError::NoSuchUser(_))));
}

#[tokio::test]
async fn a_user_belongs_to_the_first_manifest_that_declares_it() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let declared = |manifest: &str| UserChange { managed_by: Some(name(manifest)), ..UserChange::default() };
    let owned = world.change_user("ci", declared("acme")).await;
    assert_eq!(owned.managed_by, Some(name("acme")));
    let taken = world.service.put_user(&world.admin, &name("ci"), &declared("other")).await;
    assert!(matches!(taken, Err(UserError::OtherManifest { manifest, .. }) if manifest == name("acme")));
}

#[tokio::test]
async fn no_manifest_gives_a_user_administration() {
    let world = World::new().await;
    world.role("boss", &["admin:users"]).await;
    let change = UserChange { managed_by: Some(name("acme")), ..roles(&["boss"]) };
    let refused = world.service.put_user(&world.admin, &name("ci"), &change).await;
    assert!(matches!(refused, Err(UserError::NotByManifest(named)) if named == "admin:users"));
    // What an admin gave by hand is not the manifest's doing.
    world.user("ci", &["boss"]).await;
    world.change_user("ci", change).await;
}

#[tokio::test]
async fn a_person_stays_a_person() {
    let world = World::new().await;
    let person = world.service.ensure_person(&world.admin, &name("ana")).await.unwrap();
    assert_eq!(person.kind, UserKind::Person);
    let change = UserChange { kind: Some(UserKind::Service), ..UserChange::default() };
    let refused = world.service.put_user(&world.admin, &name("ana"), &change).await;
    assert!(matches!(refused, Err(UserError::Kind { kind: UserKind::Person, .. })));
    let again = world.service.ensure_person(&world.admin, &name("ana")).await.unwrap();
    assert_eq!(again, person);
}

#[tokio::test]
async fn users_are_listed_by_name_and_asked_for_twice_come_once() {
    let world = World::new().await;
    for user in ["zoe", "ana", "ben"] {
        world.user(user, &[]).await;
    }
    let users = world.service.list_users().await.unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["ana", "ben", "zoe"]);
    let twice = world.service.users(&[name("ana"), name("ana"), name("nobody")]).await.unwrap();
    assert_eq!(twice.len(), 1);
}

#[tokio::test]
async fn an_email_address_is_kept_until_it_is_removed_and_a_bad_one_changes_nothing() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let email = |text: Option<&str>| UserChange { email: Some(text.map(str::to_owned)), ..UserChange::default() };
    let set = world.change_user("ana", email(Some("ana@example.com"))).await;
    assert_eq!(world.change_user("ana", UserChange::default()).await, set);
    let refused = world.service.put_user(&world.admin, &name("ana"), &email(Some("ana"))).await;
    assert!(matches!(refused, Err(UserError::Bounds(_))), "{refused:?}");
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().email.as_deref(), Some("ana@example.com"));
    assert_eq!(world.change_user("ana", email(None)).await.email, None);
}
