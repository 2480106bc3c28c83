//! Many at once.

use std::sync::Arc;

use latchkey::place::Place;
use latchkey::service::{CreateError, Edit, Invalid, UserChange};
use tests::world::{World, managed_token, name, new_token};

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
            let (world, place, id) = (world.clone(), place.id(), made.token.id.clone());
            tokio::spawn(async move {
                let key = (&name("ci"), &name("deploy"));
                world.service.announce(&world.admin, key, &id, 1, &place).await.map(|_| ())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let token = world.service.show(&name("ci"), &name("deploy")).await.unwrap().unwrap();
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
                    world.service.edit(&world.admin, (&name("ana"), &name(from)), None, None, &edit).await.unwrap();
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
                    let key = (&name("ana"), &name("laptop"));
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
