//! Roles.

use latchkey::bounds::PERMISSIONS_MAX;
use latchkey::lifetime::Seconds;
use latchkey::moving::Moving;
use latchkey::service::RoleError;
use tests::world::{World, name, permissions};

#[tokio::test]
async fn a_role_in_use_is_not_deleted_and_one_out_of_use_is() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    world.user("ben", &["reader"]).await;
    let held = world.service.delete_role(&world.admin, &name("reader")).await;
    assert!(matches!(held, Err(RoleError::InUse { holders: 2, .. })));
    world.user("ana", &[]).await;
    world.service.delete_user(&world.admin, &name("ben")).await.unwrap();
    world.service.delete_role(&world.admin, &name("reader")).await.unwrap();
    assert_eq!(world.service.role(&name("reader")).await.unwrap(), None);
    let gone = world.service.delete_role(&world.admin, &name("reader")).await;
    assert!(matches!(gone, Err(RoleError::NoSuchRole(_))));
}

#[tokio::test]
async fn what_a_role_permits_may_be_five_seconds_old_in_another_process_but_not_in_this_one() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let made = world.token("ana", "laptop").await;
    let other = world.another(2).await;
    let wanted = "documents:write".parse().unwrap();
    let permits = async |service: &latchkey::service::Service| match service.verify(made.secret.expose(), None).await {
        Ok(latchkey::service::Verdict::Valid(valid)) => valid.permissions.allow(&wanted),
        unexpected => panic!("{unexpected:?}"),
    };
    assert!(!permits(&other).await);
    world.clock.advance(Seconds(1));
    world.role("reader", &["documents:read", "documents:write"]).await;
    assert!(permits(&world.service).await, "who changed it knows at once");
    world.clock.advance(Seconds(3));
    assert!(!permits(&other).await, "read four seconds ago");
    world.clock.advance(Seconds(1));
    assert!(permits(&other).await, "older than five seconds it must not be");
}

#[tokio::test]
async fn a_role_belongs_to_the_first_manifest_that_declares_it() {
    let world = World::new().await;
    let put = async |role: &str, permits: &[&str], manifest: Option<&str>| {
        let manifest = manifest.map(name);
        world.service.put_role(&world.admin, &name(role), &permissions(permits), manifest.as_ref()).await
    };
    put("reader", &["documents:read"], None).await.unwrap();
    let owned = put("reader", &["documents:read"], Some("acme")).await.unwrap();
    assert_eq!(owned.managed_by, Some(name("acme")));
    let taken = put("reader", &["documents:write"], Some("other")).await;
    assert!(matches!(taken, Err(RoleError::OtherManifest { manifest, .. }) if manifest == name("acme")));
    for permission in ["admin:users", "manifests:acme", "*:read", "*:*"] {
        let refused = put("boss", &[permission], Some("acme")).await;
        assert!(matches!(refused, Err(RoleError::NotByManifest(named)) if named == permission));
    }
    assert_eq!(world.service.role(&name("boss")).await.unwrap(), None);
    put("boss", &["admin:users"], None).await.unwrap();
}

#[tokio::test]
async fn a_role_has_at_most_a_hundred_permissions() {
    let world = World::new().await;
    let many: Vec<String> = (0..=PERMISSIONS_MAX).map(|number| format!("documents:action-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let most = permissions(&many[..PERMISSIONS_MAX]);
    assert!(world.service.put_role(&world.admin, &name("wide"), &most, None).await.is_ok());
    let refused = world.service.put_role(&world.admin, &name("wider"), &permissions(&many), None).await;
    assert!(matches!(refused, Err(RoleError::TooMany)));
}

#[tokio::test]
async fn roles_are_listed_by_name() {
    let world = World::new().await;
    for role in ["writer", "auditor", "reader"] {
        world.role(role, &["documents:read"]).await;
    }
    let roles = world.service.list_roles().await.unwrap();
    assert_eq!(roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["auditor", "reader", "writer"]);
}

#[tokio::test]
async fn a_role_that_has_changed_since_it_was_read_is_not_replaced() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    let reader = name("reader");
    let put = async |revision: u64, permits: &[&str]| {
        let declared = (None, &Moving::default());
        world.service.declare_role(&world.admin, &reader, Some(revision), &permissions(permits), declared).await
    };
    let read = world.service.role(&reader).await.unwrap().unwrap();
    let changed = put(read.revision, &["documents:read", "images:read"]).await.unwrap();
    let stale = put(read.revision, &["documents:read", "audio:read"]).await;
    assert!(
        matches!(stale, Err(RoleError::Revision { wanted, found, .. }) if (wanted, found) == (read.revision, changed.revision))
    );
    assert_eq!(world.service.role(&reader).await.unwrap(), Some(changed));
    world.service.delete_role(&world.admin, &reader).await.unwrap();
    assert!(matches!(put(read.revision, &["documents:read"]).await, Err(RoleError::NoSuchRole(_))));
}
