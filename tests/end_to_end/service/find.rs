//! Finding tokens by id, and listing everybody's.

use std::collections::BTreeSet;

use latchkey::lifetime::Seconds;
use latchkey::protocol::VersionError;
use latchkey::service::{Caller, ChangeError, Edit, Verdict};
use latchkey::token::TokenState;
use provisioner::service::{Client, ServiceError};
use tests::world::{World, key, managed_token, name};

/// The caller that a token of a user is.
async fn caller(world: &World, user: &str, token: &str) -> Caller {
    let created = world.token(user, token).await;
    match world.service.verify(created.secret.expose(), None).await.unwrap() {
        Verdict::Valid(valid) => Caller::token(&valid, None),
        Verdict::Invalid(invalid) => panic!("{invalid}"),
    }
}

#[tokio::test]
async fn a_token_is_found_by_its_id_whatever_became_of_it() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let ids = [
        world.token("ana", "active").await.token.id,
        world.token("ana", "renamed").await.token.id,
        world.token("ana", "deleted").await.token.id,
    ];
    let edit = Edit { name: Some(name("other")), ..Edit::default() };
    world.service.edit(&world.admin, &key("ana", "renamed"), None, None, &edit).await.unwrap();
    world.delete("ana", "deleted").await;
    let find = async |id| world.service.find(&world.admin, id).await.unwrap().unwrap();
    let states = async |world: &World| {
        let mut all = Vec::new();
        for id in &ids {
            let token = world.service.find(&world.admin, id).await.unwrap().unwrap();
            all.push((token.name.to_string(), token.state(world.now())));
        }
        all
    };
    let found = states(&world).await;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["active", "other", "deleted"]);
    assert_eq!(found[2].1, TokenState::Deleted);
    world.clock.advance(Seconds::days(31));
    assert_eq!(states(&world).await[0].1, TokenState::Expired, "before anything moves it");
    // The name is used again, which moves the expired one.
    let second = world.token("ana", "active").await.token.id;
    assert_eq!(find(&ids[0]).await.state(world.now()), TokenState::Expired, "and after");
    assert_eq!(find(&second).await.state(world.now()), TokenState::Active);
    let nobody = "0123456789abcdef".parse().unwrap();
    assert_eq!(world.service.find(&world.admin, &nobody).await.unwrap(), None);
}

#[tokio::test]
async fn who_may_not_see_a_token_finds_none_and_a_new_user_of_a_name_none_of_the_former_one() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.user("ben", &[]).await;
    let (gone, other) = (world.token("ana", "gone").await.token.id, world.token("ana", "other").await.token.id);
    let (ana, ben) = (caller(&world, "ana", "own").await, caller(&world, "ben", "own").await);
    world.delete("ana", "gone").await;
    for id in [&gone, &other] {
        assert!(world.service.find(&ana, id).await.unwrap().is_some());
        assert_eq!(world.service.find(&ben, id).await.unwrap(), None);
    }
    for token in ["other", "own"] {
        world.delete("ana", token).await;
    }
    world.service.delete_user(&world.admin, &name("ana")).await.unwrap();
    world.clock.advance(Seconds(10));
    world.user("ana", &[]).await;
    let new_ana = caller(&world, "ana", "own").await;
    assert_eq!(world.service.find(&new_ana, &gone).await.unwrap(), None, "it was somebody else's");
    assert!(world.service.find(&world.admin, &gone).await.unwrap().is_some());
}

#[tokio::test]
async fn everybodys_tokens_come_once_each_page_by_page_with_what_they_cost() {
    let world = World::new().await;
    let mut wanted = BTreeSet::new();
    for number in 0..53 {
        let user = format!("user-{number:02}");
        world.user(&user, &[]).await;
        // Some have none, some more than a page.
        for token in 0..[0, 1, 7][number % 3] {
            wanted.insert(world.token(&user, &format!("t{token}")).await.token.id);
        }
    }
    for _ in 0..2 {
        for limit in [1, 3, 100] {
            let (mut seen, mut users, mut pages, mut from) = (BTreeSet::new(), 0, 0, None);
            loop {
                let page = world.service.list_everybody(TokenState::Active, limit, from).await.unwrap();
                assert!(page.tokens.len() <= usize::try_from(limit).unwrap(), "{limit}");
                for token in page.tokens {
                    assert!(seen.insert(token.id), "twice");
                }
                (users, pages, from) = (users + page.users, pages + 1, page.next);
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(seen, wanted, "{limit}");
            assert!(users >= 53 && (limit < 100 || users == 53), "{users} queries for 53 users");
            assert!(limit > 1 || pages >= wanted.len(), "{pages}");
        }
        // What has expired is not active, and is listed as what it is.
        wanted.clear();
        world.clock.advance(Seconds::days(31));
    }
    let mut ended = [0, 0];
    for (count, state) in ended.iter_mut().zip([TokenState::Expired, TokenState::Deleted]) {
        let mut from = None;
        loop {
            let page = world.service.list_everybody(state, 4, from).await.unwrap();
            *count += page.tokens.iter().filter(|token| token.state(world.now()) == state).count();
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    assert_eq!(ended, [137, 0], "18 with one and 17 with seven have expired");
}

#[tokio::test]
async fn a_rotation_by_hand_leaves_the_older_secret_valid_for_its_overlap_and_no_longer() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let first = world.token("ana", "laptop").await;
    let token = first.token.reference();
    let second = world.service.stage(&world.admin, &token).await.unwrap();
    let valid = async |secret: &str| matches!(world.service.verify(secret, None).await.unwrap(), Verdict::Valid(_));
    let (first, second_secret) = (first.secret.expose(), second.secret.expose());
    assert!(valid(first).await && valid(second_secret).await, "staged, and nothing has changed for consumers");
    let rotated = world.service.promote_by_hand(&world.admin, &token, 2, Seconds::hours(24)).await.unwrap();
    assert_eq!(rotated.current().map(|version| version.number), Some(2));
    assert!(valid(first).await && valid(second_secret).await);
    world.clock.advance(Seconds(Seconds::hours(24).0 - 1));
    assert!(valid(first).await);
    world.clock.advance(Seconds(1));
    assert!(!valid(first).await && valid(second_secret).await, "time alone ends it");
    // Nothing is due of it, so no scheduled job looks at it again and again.
    let found = world.service.find(&world.admin, &token.id).await.unwrap().unwrap();
    assert!(found.next_step().is_none_or(|next| next > world.now()), "{:?}", found.next_step());
}

#[tokio::test]
async fn the_overlap_of_a_declared_token_is_its_manifests() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let deploy = world.create(managed_token("ci", "deploy", &[])).await.token.reference();
    world.service.promote(&world.admin, &deploy, 1).await.unwrap();
    world.service.stage(&world.admin, &deploy).await.unwrap();
    let refused = world.service.promote_by_hand(&world.admin, &deploy, 2, Seconds::hours(1)).await;
    assert!(matches!(refused, Err(ChangeError::Rule(VersionError::OverlapDeclared))), "{refused:?}");
}

#[tokio::test]
async fn an_update_of_a_token_that_was_changed_since_it_was_read_is_refused() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let read = world.token("ana", "laptop").await.token;
    let client = Client::operator_of(world.service.clone(), "ana");
    let edit = |text: &str| Edit { description: Some(text.to_owned()), ..Edit::default() };
    client.update(&read, &edit("first")).await.unwrap();
    assert!(matches!(client.update(&read, &edit("second")).await, Err(ServiceError::Gone(_))));
}
