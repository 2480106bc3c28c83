//! Moving what a manifest declares: each side asks for its own, and the service refuses what only one of them says.

use latchkey::lifetime::Seconds;
use latchkey::moving::{MoveError, Moving};
use latchkey::name::ManifestName;
use latchkey::service::{
    Caller, ChangeError, Denied, Edit, EditError, Grant, LeaseError, Life, NewToken, RoleError, UserChange, UserError,
};
use latchkey::token::Token;
use latchkey::user::UserKind;
use tests::world::{World, key, managed_token, name, new_token, permissions};

/// A world with a token `ci/deploy` of the manifest `acme`, and a job of each of `acme`, `umbrella` and `third`.
struct Scene {
    world: World,
    acme: Caller,
    umbrella: Caller,
    third: Caller,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.role("reader", &["documents:read"]).await;
        world.change_user("ci", service(&["reader"])).await;
        world.create(NewToken { roles: Some(vec![name("reader")]), ..managed_token("ci", "deploy", &[]) }).await;
        let [acme, umbrella, third] =
            [job(&world, "acme").await, job(&world, "umbrella").await, job(&world, "third").await];
        let scene = Self { world, acme, umbrella, third };
        scene.grant("acme", &["reader"], &["ci"]).await;
        scene
    }

    async fn grant(&self, manifest: &str, roles: &[&str], users: &[&str]) {
        let grant = Grant {
            permissions: permissions(&["documents:read"]),
            roles: roles.iter().map(|role| name(role)).collect(),
            users: users.iter().map(|user| name(user)).collect(),
            new_users: [name("*")].into(),
            new_roles: [name("*")].into(),
            ..Grant::default()
        };
        self.world.service.set_grant(&self.world.admin, &name(manifest), &grant).await.unwrap();
    }

    async fn edit(&self, caller: &Caller, edit: &Edit) -> Result<Token, ChangeError<EditError>> {
        self.world.service.edit(caller, &key("ci", "deploy"), None, None, edit).await
    }
}

fn service(roles: &[&str]) -> UserChange {
    let roles = roles.iter().map(|role| name(role)).collect();
    UserChange { kind: Some(UserKind::Service), roles: Some(roles), ..UserChange::default() }
}

/// Whoever runs one manifest and nothing else.
async fn job(world: &World, manifest: &str) -> Caller {
    let (user, role) = (format!("job-{manifest}"), format!("runs-{manifest}"));
    world.role(&role, &[&format!("manifests:{manifest}")]).await;
    world.change_user(&user, service(&[&role])).await;
    let life = Life::Until(Some(Seconds::days(300).after(world.now())));
    let made = world.create(NewToken { life, ..new_token(&user, "job") }).await;
    Caller::token(&world.valid(made.secret.expose()).await, None)
}

fn agree(to: Option<&str>) -> Edit {
    Edit { moving: Moving::to(to.map(name)), ..Edit::default() }
}

fn take(manifest: &str, from: Option<&str>) -> Edit {
    let moving = Moving { from: from.map(name), ..Moving::default() };
    Edit { managed_by: Some(name(manifest)), moving, ..Edit::default() }
}

fn owners(token: &Token) -> (Option<&str>, Option<&str>) {
    (token.managed_by.as_ref().map(ManifestName::as_str), token.moved_to.as_ref().map(ManifestName::as_str))
}

#[tokio::test]
async fn a_token_is_taken_only_with_the_consent_of_its_manifest_whoever_asks() {
    let scene = Scene::new().await;
    scene.grant("umbrella", &["reader"], &["ci"]).await;
    let (operator, job) = (&scene.world.admin, &scene.umbrella);
    for caller in [operator, job] {
        let refused = scene.edit(caller, &take("umbrella", Some("acme"))).await;
        let not_agreed = MoveError::NotAgreed { owner: name("acme"), to: name("umbrella") };
        assert!(matches!(refused, Err(ChangeError::Rule(EditError::Moving(error))) if error == not_agreed));
    }
    // Promised to another one, and taken without saying from whom.
    scene.edit(&scene.acme, &agree(Some("third"))).await.unwrap();
    let refused = scene.edit(job, &take("umbrella", Some("acme"))).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::Moving(MoveError::NotAgreed { .. })))));
    scene.edit(&scene.acme, &agree(Some("umbrella"))).await.unwrap();
    for from in [None, Some("third")] {
        let refused = scene.edit(job, &take("umbrella", from)).await;
        assert!(matches!(refused, Err(ChangeError::Rule(EditError::OtherManifest(owner))) if owner == name("acme")));
    }
    let taken = scene.edit(job, &take("umbrella", Some("acme"))).await.unwrap();
    assert_eq!(owners(&taken), (Some("umbrella"), None));
    // Said again, nothing changes.
    assert_eq!(scene.edit(job, &take("umbrella", Some("acme"))).await.unwrap().revision, taken.revision);
    // The index follows.
    let managed = async |manifest: &str| scene.world.service.managed_tokens(&name(manifest)).await.unwrap().len();
    assert_eq!((managed("acme").await, managed("umbrella").await), (0, 1));
    // The former job has no more to do with it.
    let refused = scene.edit(&scene.acme, &agree(Some("third"))).await;
    assert!(matches!(refused, Err(ChangeError::Denied(_))));
}

#[tokio::test]
async fn whoever_takes_has_to_be_granted_the_user_the_roles_and_what_they_allow() {
    let scene = Scene::new().await;
    scene.edit(&scene.acme, &agree(Some("umbrella"))).await.unwrap();
    for (roles, users) in [(&[][..], &[][..]), (&["reader"], &[]), (&[], &["ci"])] {
        scene.grant("umbrella", roles, users).await;
        let refused = scene.edit(&scene.umbrella, &take("umbrella", Some("acme"))).await;
        assert!(matches!(refused, Err(ChangeError::Denied(Denied::NotGranted { .. }))), "{roles:?} {users:?}");
    }
    let empty = Grant { roles: [name("reader")].into(), users: [name("ci")].into(), ..Grant::default() };
    scene.world.service.set_grant(&scene.world.admin, &name("umbrella"), &empty).await.unwrap();
    let refused = scene.edit(&scene.umbrella, &take("umbrella", Some("acme"))).await;
    assert!(matches!(refused, Err(ChangeError::Denied(Denied::NotGranted { .. }))), "what the role allows");
    // For another manifest than one's own it is nobody's to take.
    let refused = scene.edit(&scene.third, &take("umbrella", Some("acme"))).await;
    assert!(matches!(refused, Err(ChangeError::Denied(Denied::Hidden))));
    let token = scene.world.service.holder(&key("ci", "deploy")).await.unwrap().unwrap();
    assert_eq!(owners(&token), (Some("acme"), Some("umbrella")));
    scene.grant("umbrella", &["reader"], &["ci"]).await;
    scene.edit(&scene.umbrella, &take("umbrella", Some("acme"))).await.unwrap();
}

#[tokio::test]
async fn only_who_runs_the_former_manifest_agrees_and_only_to_what_its_grant_covers() {
    let scene = Scene::new().await;
    let refused = scene.edit(&scene.umbrella, &agree(Some("umbrella"))).await;
    assert!(matches!(refused, Err(ChangeError::Denied(Denied::Hidden))));
    // The owner may change the token, and still does not speak for its manifest.
    scene.world.role("pen", &["tokens:write", "documents:read"]).await;
    scene.world.change_user("ci", service(&["reader", "pen"])).await;
    let life = Life::Until(Some(Seconds::days(300).after(scene.world.now())));
    let made = scene.world.create(NewToken { life, ..new_token("ci", "own") }).await;
    let owner = Caller::token(&scene.world.valid(made.secret.expose()).await, None);
    scene.edit(&owner, &Edit { description: Some("mine".to_owned()), ..Edit::default() }).await.unwrap();
    let refused = scene.edit(&owner, &agree(Some("umbrella"))).await.unwrap_err();
    assert!(refused.to_string().contains("`admin:tokens`"), "{refused}");
    scene.grant("acme", &[], &["ci"]).await;
    let refused = scene.edit(&scene.acme, &agree(Some("umbrella"))).await;
    assert!(matches!(refused, Err(ChangeError::Denied(Denied::NotGranted { .. }))));
    scene.grant("acme", &["reader"], &["ci"]).await;
    let agreed = scene.edit(&scene.acme, &agree(Some("umbrella"))).await.unwrap();
    assert_eq!(owners(&agreed), (Some("acme"), Some("umbrella")));
    let back = scene.edit(&scene.acme, &agree(None)).await.unwrap();
    assert_eq!(owners(&back), (Some("acme"), None));
    let refused = scene.edit(&scene.acme, &agree(Some("acme"))).await;
    assert!(matches!(refused, Err(ChangeError::Rule(EditError::Moving(MoveError::ToItself(_))))));
    let by_hand =
        scene.world.service.edit(&scene.world.admin, &key("ci", "own"), None, None, &agree(Some("acme"))).await;
    assert!(matches!(by_hand, Err(ChangeError::Rule(EditError::Moving(MoveError::NotDeclared)))));
}

#[tokio::test]
async fn a_role_and_a_user_move_like_a_token_and_whoever_takes_them_is_admitted_as_if_it_created_them() {
    let scene = Scene::new().await;
    let (world, acme, umbrella) = (&scene.world, name::<ManifestName>("acme"), name::<ManifestName>("umbrella"));
    let reads = permissions(&["documents:read"]);
    let role = name("viewer");
    let put = async |caller: &Caller, manifest: &ManifestName, moving: Moving| {
        world.service.declare_role(caller, &role, None, &reads, (Some(manifest), &moving)).await
    };
    let user = name("robot");
    let change = |manifest: &ManifestName, moving: Moving| UserChange {
        managed_by: Some(manifest.clone()),
        moving,
        ..service(&["viewer"])
    };
    let declare = async |caller: &Caller, change: UserChange| world.service.put_user(caller, &user, &change).await;
    put(&scene.acme, &acme, Moving::default()).await.unwrap();
    declare(&scene.acme, change(&acme, Moving::default())).await.unwrap();
    scene.grant("umbrella", &["viewer"], &[]).await;
    let (to, from) = (|| Moving::to(Some(umbrella.clone())), || Moving::from(acme.clone()));
    // Not yet, not by the operator either.
    let refused = put(&world.admin, &umbrella, from()).await;
    assert!(matches!(refused, Err(RoleError::Moving { error: MoveError::NotAgreed { .. }, .. })));
    let refused = declare(&world.admin, change(&umbrella, from())).await;
    assert!(matches!(refused, Err(UserError::Moving { error: MoveError::NotAgreed { .. }, .. })));
    assert!(matches!(put(&scene.umbrella, &umbrella, from()).await, Err(RoleError::Denied(_))));
    assert!(matches!(declare(&scene.umbrella, change(&umbrella, from())).await, Err(UserError::Denied(_))));
    // Nobody agrees for another.
    assert!(matches!(put(&scene.umbrella, &acme, to()).await, Err(RoleError::Denied(_))));
    assert!(matches!(declare(&scene.umbrella, change(&acme, to())).await, Err(UserError::Denied(_))));
    put(&scene.acme, &acme, to()).await.unwrap();
    declare(&scene.acme, change(&acme, to())).await.unwrap();
    // What the taker's grant does not cover stays where it is.
    world.service.set_grant(&world.admin, &umbrella, &Grant::default()).await.unwrap();
    assert!(matches!(put(&scene.umbrella, &umbrella, from()).await, Err(RoleError::Denied(Denied::NotGranted { .. }))));
    let refused = declare(&scene.umbrella, change(&umbrella, from())).await;
    assert!(matches!(refused, Err(UserError::Denied(Denied::NotGranted { .. }))));
    scene.grant("umbrella", &[], &[]).await;
    let taken = put(&scene.umbrella, &umbrella, from()).await.unwrap();
    assert_eq!((taken.managed_by.as_ref(), taken.moved_to), (Some(&umbrella), None));
    let taken = declare(&scene.umbrella, change(&umbrella, from())).await.unwrap();
    assert_eq!((taken.managed_by.as_ref(), taken.moved_to), (Some(&umbrella), None));
    assert!(matches!(put(&scene.acme, &acme, Moving::default()).await, Err(RoleError::Denied(_))));
}

#[tokio::test]
async fn the_former_manifests_lease_is_for_its_taker_too_while_it_has_agreed() {
    let scene = Scene::new().await;
    let (service, acme, token) = (&scene.world.service, name::<ManifestName>("acme"), key("ci", "deploy"));
    let lease = async |caller: &Caller, holder: &str| {
        service.take_lease_to_move(caller, &acme, holder, &token).await.map(|lease| lease.by)
    };
    assert!(matches!(lease(&scene.umbrella, "one").await, Err(LeaseError::Denied(Denied::Hidden))));
    scene.edit(&scene.acme, &agree(Some("umbrella"))).await.unwrap();
    assert!(matches!(lease(&scene.third, "one").await, Err(LeaseError::Denied(Denied::Hidden))));
    assert_eq!(lease(&scene.umbrella, "one").await.unwrap(), scene.umbrella.actor);
    assert!(matches!(service.take_lease(&scene.acme, &acme, "two", false).await, Err(LeaseError::Held(_))));
    // It goes on with it after it has taken the token, and gives it back.
    scene.grant("umbrella", &["reader"], &["ci"]).await;
    scene.edit(&scene.umbrella, &take("umbrella", Some("acme"))).await.unwrap();
    lease(&scene.umbrella, "one").await.unwrap();
    assert!(matches!(lease(&scene.umbrella, "two").await, Err(LeaseError::Denied(Denied::Hidden))));
    assert!(matches!(lease(&scene.third, "one").await, Err(LeaseError::Denied(Denied::Hidden))));
    let freed = service.free_lease(&scene.third, &acme, "one").await;
    assert!(matches!(freed, Err(LeaseError::Denied(Denied::Hidden))));
    service.free_lease(&scene.umbrella, &acme, "one").await.unwrap();
    service.take_lease(&scene.acme, &acme, "two", false).await.unwrap();
}
