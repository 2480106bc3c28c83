//! Many at once.

use std::sync::Arc;

use latchkey::place::Place;
use latchkey::service::{ChangeError, CreateError, Edit, Invalid, NewToken, UserChange};
use tests::world::{World, key, managed_token, name, new_token};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_concurrent_creates_against_a_quota_of_10_exactly_10_succeed() {
    let world = Arc::new(World::new().await);
    world.user("ana", &[]).await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                world.service.create(&world.admin, new_token("ana", &format!("laptop-{number}"))).await
            })
        })
        .collect();
    let (mut made, mut refused) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(CreateError::LimitReached { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((made, refused), (10, 54));
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 10);
    assert_eq!(world.service.list_active(&name("ana"), 100, None).await.unwrap().tokens.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_concurrent_creates_of_one_name_one_succeeds() {
    let world = Arc::new(World::new().await);
    world.user("ana", &[]).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.service.create(&world.admin, new_token("ana", "laptop")).await })
        })
        .collect();
    let mut secrets = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(created) => secrets.push(created.secret),
            Err(CreateError::NameTaken { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(secrets.len(), 1);
    world.valid(secrets[0].expose()).await;
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_places_may_be_announced_at_once() {
    let world = Arc::new(World::new().await);
    world.user("ci", &[]).await;
    let places: Vec<Place> =
        (0..20).map(|number| Place::new("dotenv", &[("path", &format!("{number}/.env"))], true)).collect();
    let made = world.create(managed_token("ci", "deploy", &places)).await;
    let tasks: Vec<_> = places
        .iter()
        .map(|place| {
            let (world, place, token) = (world.clone(), place.id(), made.token.reference());
            tokio::spawn(async move { world.service.announce(&world.admin, &token, 1, &place).await.map(|_| ()) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let token = world.service.show(&key("ci", "deploy")).await.unwrap().unwrap();
    assert_eq!(token.version(1).unwrap().deliveries.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_suspension_beside_creates_and_renames_misses_no_token() {
    for round in 0..10 {
        let world = Arc::new(World::new().await);
        world.role("reader", &["documents:read"]).await;
        world.user("ana", &["reader"]).await;
        let first = world.token("ana", "a-first").await;
        let racing = {
            let world = world.clone();
            tokio::spawn(async move {
                let mut secrets = Vec::new();
                for number in 0..6 {
                    if let Ok(made) = world.service.create(&world.admin, new_token("ana", &format!("t-{number}"))).await
                    {
                        secrets.push(made.secret);
                    }
                    let (from, to) = if number % 2 == 0 { ("a-first", "z-first") } else { ("z-first", "a-first") };
                    let edit = Edit { name: Some(name(to)), ..Edit::default() };
                    world.service.edit(&world.admin, &key("ana", from), None, None, &edit).await.unwrap();
                }
                secrets
            })
        };
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let change = UserChange { suspended: Some(true), roles: Some(Vec::new()), ..UserChange::default() };
        world.change_user("ana", change).await;
        let mut secrets = racing.await.unwrap();
        secrets.push(first.secret);
        for secret in &secrets {
            assert_eq!(world.invalid(secret.expose()).await, Some(Invalid::Suspended));
        }
        world.change_user("ana", UserChange { suspended: Some(false), ..UserChange::default() }).await;
        for secret in &secrets {
            assert!(world.valid(secret.expose()).await.roles.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_of_concurrent_suspensions_and_restorations_holds_for_every_token() {
    let world = Arc::new(World::new().await);
    world.user("ana", &[]).await;
    let mut secrets = Vec::new();
    for number in 0..5 {
        secrets.push(world.token("ana", &format!("laptop-{number}")).await.secret);
    }
    for _ in 0..10 {
        let tasks: Vec<_> = [true, false, true, false]
            .into_iter()
            .map(|suspended| {
                let world = world.clone();
                let change = UserChange { suspended: Some(suspended), ..UserChange::default() };
                tokio::spawn(async move { world.change_user("ana", change).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let user = world.service.user(&name("ana")).await.unwrap().unwrap();
        assert!(!user.sweeping);
        let wanted = user.suspended.then_some(Invalid::Suspended);
        for secret in &secrets {
            assert_eq!(world.invalid(secret.expose()).await, wanted);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_edit_never_leaves_a_token_with_a_role_that_its_user_lost() {
    for round in 0..10 {
        let world = Arc::new(World::new().await);
        for role in ["reader", "writer"] {
            world.role(role, &["documents:read"]).await;
        }
        world.user("ana", &["reader", "writer"]).await;
        let made = world.token("ana", "laptop").await;
        let racing = {
            let world = world.clone();
            tokio::spawn(async move {
                for roles in [vec![], vec![name("writer")], vec![name("reader")], vec![name("writer")]] {
                    let edit = Edit { roles: Some(roles), ..Edit::default() };
                    let key = &key("ana", "laptop");
                    let _ = world.service.edit(&world.admin, key, None, None, &edit).await;
                }
            })
        };
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        world.user("ana", &["reader"]).await;
        let roles = world.valid(made.secret.expose()).await.roles;
        assert!(!roles.contains(&name("writer")), "when the call is out");
        racing.await.unwrap();
        let roles = world.valid(made.secret.expose()).await.roles;
        assert!(!roles.contains(&name("writer")), "and afterwards");
    }
}

/// Starts `first`, holds its transaction after `reads` requests, runs `second` meanwhile, and lets the first go on.
async fn overtaken<T, U>(
    world: &World,
    reads: u64,
    first: impl Future<Output = T>,
    second: impl Future<Output = U>,
) -> (T, U) {
    world.store.faults.hold_after(reads);
    tokio::join!(first, async {
        world.store.faults.held().await;
        let answer = second.await;
        world.store.faults.release();
        answer
    })
}

#[tokio::test]
async fn a_role_given_to_a_token_while_its_user_loses_it_does_not_arrive() {
    let world = World::new().await;
    world.role("writer", &["documents:write"]).await;
    world.user("ana", &["writer"]).await;
    let made = world.create(NewToken { roles: Some(Vec::new()), ..new_token("ana", "laptop") }).await;
    let edit = Edit { roles: Some(vec![name("writer")]), ..Edit::default() };
    let key = &key("ana", "laptop");
    let service = world.another(2).await;
    service.permissions_of(&[name("writer")]).await.unwrap();
    // The edit has read the user and the token; its transaction waits.
    let edit = service.edit(&world.admin, key, None, None, &edit);
    let (edited, _) = overtaken(&world, 2, edit, world.user("ana", &[])).await;
    assert!(edited.is_err());
    assert!(world.valid(made.secret.expose()).await.roles.is_empty());
}

#[tokio::test]
async fn a_rename_that_a_suspension_overtakes_is_suspended_too() {
    let world = World::new().await;
    world.role("writer", &["documents:write"]).await;
    world.user("ana", &["writer"]).await;
    let made = world.token("ana", "laptop").await;
    let edit = Edit { name: Some(name("desk")), ..Edit::default() };
    let key = &key("ana", "laptop");
    let change = UserChange { suspended: Some(true), roles: Some(Vec::new()), ..UserChange::default() };
    // It has read the user, the new name and the token.
    let rename = world.service.edit(&world.admin, key, None, None, &edit);
    let (renamed, _) = overtaken(&world, 3, rename, world.change_user("ana", change)).await;
    assert!(renamed.unwrap().roles.is_empty());
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Suspended));
}

#[tokio::test]
async fn an_edit_of_a_revision_that_another_edit_overtakes_is_refused() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    let text = |text: &str| Edit { description: Some(text.to_owned()), ..Edit::default() };
    let (slow, fast) = (text("slow"), text("fast"));
    let key = &key("ana", "laptop");
    let edit = |edit| world.service.edit(&world.admin, key, None, Some(1), edit);
    let (slow, fast) = overtaken(&world, 1, edit(&slow), edit(&fast)).await;
    assert_eq!(fast.unwrap().description.as_deref(), Some("fast"));
    assert!(matches!(slow, Err(ChangeError::Revision { wanted: 1, found: 2 })));
}

#[tokio::test]
async fn a_staged_version_that_is_first_used_while_it_is_replaced_goes_on() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let made = world.create(managed_token("ci", "deploy", &[])).await;
    let valid = world.valid(made.secret.expose()).await;
    let token = made.token.reference();
    let stage = world.service.stage(&world.admin, &token);
    let (staged, used) = overtaken(&world, 1, stage, world.service.note_use(&valid, None)).await;
    used.unwrap();
    world.valid(made.secret.expose()).await;
    world.valid(staged.unwrap().secret.expose()).await;
}

#[tokio::test]
async fn a_late_sweep_does_not_undo_what_came_after_it() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let change = |suspended| UserChange { suspended: Some(suspended), ..UserChange::default() };
    // It has read and written the user and listed the tokens; the mark on the token waits.
    world.change_user("ana", change(true)).await;
    let late = world.change_user("ana", change(false));
    let (_, user) = overtaken(&world, 3, late, world.change_user("ana", change(true))).await;
    assert!(user.suspended);
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Suspended));
}
