//! Editing a token.

use latchkey::clock::Clock as _;
use latchkey::lifetime::{Seconds, Terms};
use latchkey::name::RoleName;
use latchkey::place::Place;
use latchkey::policy::Policy;
use latchkey::protocol::VersionError;
use latchkey::service::{ChangeError, CreateError, Edit, EditError, Forget, Invalid, NewToken};
use latchkey::token::Token;
use tests::world::{TERMS, World, key, managed_token, name, new_token};

async fn edit(world: &World, user: &str, token: &str, edit: Edit) -> Result<Token, ChangeError<EditError>> {
    world.service.edit(&world.admin, &key(user, token), None, None, &edit).await
}

fn renamed(to: &str) -> Edit {
    Edit { name: Some(name(to)), ..Edit::default() }
}

#[tokio::test]
async fn an_edit_of_an_older_revision_is_refused() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    let key = &key("ana", "laptop");
    let text = |text: &str| Edit { description: Some(text.to_owned()), ..Edit::default() };
    let first = world.service.edit(&world.admin, key, None, Some(1), &text("one")).await.unwrap();
    assert_eq!((first.revision, first.description.as_deref()), (2, Some("one")));
    let second = world.service.edit(&world.admin, key, None, Some(1), &text("two")).await;
    assert!(matches!(second, Err(ChangeError::Revision { wanted: 1, found: 2 })));
    assert_eq!(world.service.show(key).await.unwrap().unwrap().description.as_deref(), Some("one"));
    let gone = world.service.edit(&world.admin, key, None, Some(2), &text("")).await.unwrap();
    assert_eq!(gone.description, None);
}

#[tokio::test]
async fn of_many_edits_of_one_revision_exactly_one_succeeds() {
    let world = std::sync::Arc::new(World::new().await);
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                let edit = Edit { description: Some(format!("by {number}")), ..Edit::default() };
                let key = &key("ana", "laptop");
                world.service.edit(&world.admin, key, None, Some(1), &edit).await
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            Err(error) => assert!(matches!(error, ChangeError::Revision { wanted: 1, found: 2 }), "{error}"),
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_renamed_token_keeps_its_id_and_secret_and_frees_its_name() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let token = edit(&world, "ana", "laptop", renamed("desk")).await.unwrap();
    assert_eq!(token.id, made.token.id);
    assert_eq!(world.valid(made.secret.expose()).await.name.as_str(), "desk");
    assert_eq!(world.service.show(&key("ana", "laptop")).await.unwrap(), None);
    world.token("ana", "laptop").await;
    let taken = edit(&world, "ana", "desk", renamed("laptop")).await;
    assert!(matches!(taken, Err(ChangeError::Rule(EditError::Create(CreateError::NameTaken { .. })))));
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 2);
}

#[tokio::test]
async fn a_token_may_be_renamed_to_the_name_of_an_expired_one() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "old").await;
    world.clock.advance(Seconds::days(31));
    world.token("ana", "new").await;
    edit(&world, "ana", "new", renamed("old")).await.unwrap();
    assert_eq!(world.service.list_ended(&name("ana"), (10, None), None).await.unwrap().tokens.len(), 1);
    assert_eq!(world.service.user(&name("ana")).await.unwrap().unwrap().active, 1);
}

#[tokio::test]
async fn a_rename_keeps_within_the_length_that_policy_allows() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let mut service = world.another(2).await;
    service.set_policy(Policy { name_max: 6, ..Policy::default() }).await.unwrap();
    service.create(&world.admin, new_token("ana", "laptop")).await.unwrap();
    let key = &key("ana", "laptop");
    let long = service.edit(&world.admin, key, None, None, &renamed("laptops")).await;
    assert!(matches!(long, Err(ChangeError::Rule(EditError::Create(CreateError::NameTooLong(6))))));
}

#[tokio::test]
async fn labels_networks_and_expiry_change_and_act_at_once() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let labels = [("team".to_owned(), "docs".to_owned())].into();
    let change = Edit {
        labels: Some(labels),
        allowed_ips: Some(vec!["10.1.0.0/16".parse().unwrap()]),
        expires_at: Some("2026-03-02T00:00:00Z".parse().unwrap()),
        ..Edit::default()
    };
    let token = edit(&world, "ana", "laptop", change).await.unwrap();
    assert_eq!(token.labels["team"], "docs");
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Address));
    let from = Some("10.1.2.3".parse().unwrap());
    let verdict = world.service.verify(made.secret.expose(), from).await.unwrap();
    assert!(matches!(verdict, latchkey::service::Verdict::Valid(_)));
    world.clock.advance(Seconds::hours(12));
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Expired));
}

#[tokio::test]
async fn nothing_brings_a_token_back_that_has_expired() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    world.clock.advance(Seconds::days(31));
    let late = Edit { expires_at: Some(Seconds::days(10).after(world.now())), ..Edit::default() };
    assert!(matches!(edit(&world, "ana", "laptop", late).await, Err(ChangeError::NoSuchToken { .. })));
    let staged = world.service.stage(&world.admin, &made.token.reference()).await;
    assert!(matches!(staged, Err(ChangeError::NoSuchToken { .. })));
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Expired));
}

#[tokio::test]
async fn roles_are_only_those_that_the_user_holds() {
    let world = World::new().await;
    for role in ["reader", "writer"] {
        world.role(role, &["documents:read"]).await;
    }
    world.user("ana", &["reader"]).await;
    world.token("ana", "laptop").await;
    let roles = |roles: &[&str]| Edit { roles: Some(roles.iter().map(|role| name(role)).collect()), ..Edit::default() };
    let more = edit(&world, "ana", "laptop", roles(&["writer"])).await;
    assert!(matches!(more, Err(ChangeError::Rule(EditError::Create(CreateError::RoleNotHeld { .. })))));
    assert!(edit(&world, "ana", "laptop", roles(&[])).await.unwrap().roles.is_empty());
    assert_eq!(edit(&world, "ana", "laptop", roles(&["reader"])).await.unwrap().roles, [name::<RoleName>("reader")]);
}

#[tokio::test]
async fn a_managed_token_is_edited_within_what_a_create_allows() {
    let world = World::new().await;
    world.role("boss", &["admin:users"]).await;
    world.user("ci", &["boss"]).await;
    world.create(NewToken { roles: Some(Vec::new()), ..managed_token("ci", "deploy", &[]) }).await;
    let boss = Edit { roles: Some(vec![name("boss")]), ..Edit::default() };
    let refused = edit(&world, "ci", "deploy", boss).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::Create(CreateError::NotByManifest(_))))));
    let short = Terms { overlap: Seconds::minutes(30), ..TERMS };
    edit(&world, "ci", "deploy", Edit { terms: Some(short), ..Edit::default() }).await.unwrap();
    let pushed = Edit { places: Some(vec![Place::new("dotenv", &[("path", ".env")], true)]), ..Edit::default() };
    let refused = edit(&world, "ci", "deploy", pushed).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::Create(CreateError::Terms(_))))));
    let until = Edit { expires_at: Some(Seconds::days(3).after(world.now())), ..Edit::default() };
    let refused = edit(&world, "ci", "deploy", until).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::Managed(_)))));
}

#[tokio::test]
async fn a_token_made_by_hand_belongs_to_the_first_manifest_that_declares_it() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let made = world.token("ci", "deploy").await;
    let adopt = |manifest: &str| Edit { managed_by: Some(name(manifest)), terms: Some(TERMS), ..Edit::default() };
    let bare = Edit { managed_by: Some(name("acme")), ..Edit::default() };
    let refused = edit(&world, "ci", "deploy", bare).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::DurationsAndManifest))));
    let token = edit(&world, "ci", "deploy", adopt("acme")).await.unwrap();
    assert_eq!((token.expires_at, token.ends_at()), (None, made.token.expires_at));
    let taken = edit(&world, "ci", "deploy", adopt("other")).await;
    assert!(matches!(taken, Err(ChangeError::Rule(EditError::OtherManifest(owner))) if owner == name("acme")));
    // Its secret still ends when it was said to.
    world.clock.set(made.token.expires_at.unwrap());
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Expired));
}

#[tokio::test]
async fn a_place_is_forgotten_only_when_nothing_declares_it_and_no_write_may_still_arrive() {
    let world = World::new().await;
    world.user("ci", &[]).await;
    let place = Place::new("dotenv", &[("path", ".env")], true);
    let made = world.create(managed_token("ci", "deploy", std::slice::from_ref(&place))).await;
    let forgetting = |looked_at| Edit { forget: Some(Forget { place: place.id(), looked_at }), ..Edit::default() };
    let forget = || forgetting(None);
    let declared = edit(&world, "ci", "deploy", forget()).await;
    assert!(matches!(declared, Err(ChangeError::Rule(EditError::Places(VersionError::StillDeclared)))));
    world.service.announce(&world.admin, &made.token.reference(), 1, &place.id()).await.unwrap();
    let token = edit(&world, "ci", "deploy", Edit { places: Some(Vec::new()), ..Edit::default() }).await.unwrap();
    assert_eq!(token.places.len(), 1, "it leaves, but stays recorded");
    let early = edit(&world, "ci", "deploy", forget()).await;
    assert!(matches!(early, Err(ChangeError::Rule(EditError::Places(VersionError::Announced { .. })))));
    world.clock.advance(Seconds::minutes(15));
    // A look from before that shows nothing of what may have arrived since, nor does one that is old.
    let noisy = edit(&world, "ci", "deploy", forgetting(Some(Seconds(1).before(world.clock.now())))).await;
    assert!(matches!(noisy, Err(ChangeError::Rule(EditError::Places(VersionError::Announced { .. })))));
    let looked_at = world.clock.now();
    world.clock.advance(Seconds(5 * 60 + 1));
    let stale = edit(&world, "ci", "deploy", forgetting(Some(looked_at))).await;
    assert!(matches!(stale, Err(ChangeError::Rule(EditError::Places(VersionError::StaleLook)))));
    let fresh = forgetting(Some(Seconds(1).after(looked_at)));
    assert!(edit(&world, "ci", "deploy", fresh).await.unwrap().places.is_empty());
}

#[tokio::test]
async fn attributes_that_this_version_does_not_know_survive() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    world.token("ana", "laptop").await;
    let key = latchkey::table::keys::token(&key("ana", "laptop"));
    let mut item = world.item(&key).await.unwrap();
    let later = latchkey::table::item::Value::S("a later version's".to_owned());
    item.insert("later".to_owned(), later.clone());
    world.store.raw.put([item]).await;
    edit(&world, "ana", "laptop", Edit { description: Some("text".to_owned()), ..Edit::default() }).await.unwrap();
    assert_eq!(world.item(&key).await.unwrap().get("later"), Some(&later));
}
