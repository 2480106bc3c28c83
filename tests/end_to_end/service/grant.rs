//! Which entries the scheduled job may write for a manifest: what its grant says, and nothing without one.

use latchkey::place::Place;
use latchkey::service::{Caller, GRANT_MAX, Grant, GrantError};
use tests::world::{World, name};

fn secret(called: &str) -> Place {
    Place::new("aws-secrets-manager", &[("account", "123456789012"), ("region", "eu-west-1"), ("name", called)], true)
}

fn granting(entries: &[&str]) -> Grant {
    Grant { entries: entries.iter().map(|entry| name(entry)).collect(), ..Grant::default() }
}

#[tokio::test]
async fn a_grant_keeps_the_entries_that_the_job_may_write_and_its_event_names_them() {
    let world = World::new().await;
    assert!(!Grant::default().allows_entry(&secret("prod/api")), "without a grant the job writes nothing");
    let exact = secret("prod/api").entry();
    let below = "aws-secrets-manager:account=123456789012,region=eu-west-1,name=acme/*";
    let grant = granting(&[&exact, below]);
    world.service.set_grant(&world.admin, &name("acme"), &grant).await.unwrap();
    let stored = world.service.manifest(&name("acme")).await.unwrap().unwrap().grant.unwrap();
    for (called, allowed) in
        [("prod/api", true), ("prod/api2", false), ("acme/api", true), ("acme", false), ("acme2/api", false)]
    {
        assert_eq!(stored.allows_entry(&secret(called)), allowed, "{called}");
    }
    let event = world.service.role_events(world.now(), 1).await.unwrap().remove(0);
    assert!(event.detail.unwrap().ends_with(&format!("entries: {below} {exact}")));
}

#[tokio::test]
async fn a_grant_has_so_many_entries_and_no_more() {
    let world = World::new().await;
    let entries = |count: usize| {
        let entries: Vec<String> = (0..count).map(|number| format!("heroku:app=acme,name=A{number}")).collect();
        granting(&entries.iter().map(String::as_str).collect::<Vec<_>>())
    };
    world.service.set_grant(&world.admin, &name("acme"), &entries(GRANT_MAX)).await.unwrap();
    let refused = world.service.set_grant(&world.admin, &name("acme"), &entries(GRANT_MAX + 1)).await;
    assert!(matches!(refused, Err(GrantError::TooLarge)), "{refused:?}");
}

/// Whoever may not widen a grant may not let the job write more either.
#[tokio::test]
async fn more_entries_are_a_wider_grant() {
    let world = World::new().await;
    world.role("root", &["*:*"]).await;
    world.user("root", &["root"]).await;
    let life = latchkey::service::Life::Until(Some(latchkey::lifetime::Seconds::hours(2).after(world.now())));
    let brief = latchkey::service::NewToken { life, ..tests::world::new_token("root", "brief") };
    let brief = world.create(brief).await;
    let caller = Caller::token(&world.valid(brief.secret.expose()).await, None);
    let grant = granting(&["heroku:app=acme,name=A"]);
    let refused = world.service.set_grant(&caller, &name("acme"), &grant).await;
    assert!(matches!(refused, Err(GrantError::Denied(_))), "{refused:?}");
    world.service.set_grant(&world.admin, &name("acme"), &grant).await.unwrap();
    world.service.set_grant(&caller, &name("acme"), &grant).await.unwrap();
    world.service.set_grant(&caller, &name("acme"), &granting(&[])).await.unwrap();
}
