//! Checking a secret.

use std::net::IpAddr;

use latchkey::policy::Policy;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Invalid, NewToken, Verdict};
use tests::clock::SeededEntropy;
use tests::world::{World, name, new_token};

#[tokio::test]
async fn a_malformed_secret_costs_no_call() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let good = made.secret.expose();
    let before = world.store.table.counted();
    let mut mistyped = good.to_owned();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == '0' { '1' } else { '0' });
    for bad in
        ["", "lk_", "not a secret", &mistyped, &good[..good.len() - 1], &format!("{good}0"), &good.to_uppercase()]
    {
        assert!(matches!(world.invalid(bad).await, Some(Invalid::Malformed(_))), "{bad:?}");
    }
    assert_eq!(world.store.table.counted(), before);
    world.valid(good).await;
}

#[tokio::test]
async fn an_older_prefix_stays_accepted_and_another_costs_no_call() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let mut service = world.another(2).await;
    let policy =
        Policy { prefix: "acme_v2".parse().unwrap(), older_prefixes: vec!["lk".parse().unwrap()], ..Policy::default() };
    service.set_policy(policy.clone()).await.unwrap();
    let fresh = service.create(&world.admin, new_token("ana", "phone")).await.unwrap();
    assert!(fresh.secret.expose().starts_with("acme_v2_"));
    for secret in [made.secret.expose(), fresh.secret.expose()] {
        assert!(matches!(service.verify(secret, None).await.unwrap(), Verdict::Valid(_)));
    }
    service.set_policy(Policy { older_prefixes: Vec::new(), ..policy }).await.unwrap();
    let before = world.store.table.counted();
    assert_eq!(service.verify(made.secret.expose(), None).await.unwrap(), Verdict::Invalid(Invalid::Prefix));
    assert_eq!(world.store.table.counted(), before);
}

#[tokio::test]
async fn a_good_form_is_not_enough() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let made = world.token("ana", "laptop").await;
    let entropy = SeededEntropy::new(77);
    let other = Secret::mint(&"lk".parse().unwrap(), &made.token.id, &entropy).unwrap();
    assert_eq!(world.invalid(other.expose()).await, Some(Invalid::Retired));
    let unknown = Secret::mint(&"lk".parse().unwrap(), &TokenId::mint(&entropy).unwrap(), &entropy).unwrap();
    assert_eq!(world.invalid(unknown.expose()).await, Some(Invalid::Unknown));
}

#[tokio::test]
async fn a_token_bound_to_networks_works_from_them_only() {
    let world = World::new().await;
    world.user("ana", &[]).await;
    let allowed_ips = ["10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"].map(|network| network.parse().unwrap()).to_vec();
    let made = world.create(NewToken { allowed_ips, ..new_token("ana", "laptop") }).await;
    let cases = [
        ("10.1.255.255", true),
        ("10.2.0.1", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        // The same address as a dual-stack socket shows it.
        ("::ffff:10.1.2.3", true),
        ("::ffff:10.2.0.1", false),
    ];
    for (address, good) in cases {
        let from: IpAddr = address.parse().unwrap();
        let verdict = world.service.verify(made.secret.expose(), Some(from)).await.unwrap();
        assert_eq!(matches!(verdict, Verdict::Valid(_)), good, "{address}");
        assert!(good || verdict == Verdict::Invalid(Invalid::Address), "{address}");
    }
    assert_eq!(world.invalid(made.secret.expose()).await, Some(Invalid::Address), "an unknown address");
}

#[tokio::test]
async fn trouble_with_the_table_is_neither_valid_nor_not_valid() {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let made = world.token("ana", "laptop").await;
    for passing in 0..2 {
        // A process that has read no roles yet needs two calls: the token, then the roles.
        let service = world.another(2 + passing).await;
        world.store.faults.cut_after(passing);
        assert!(service.verify(made.secret.expose(), None).await.is_err());
        assert!(!world.store.faults.mend());
        assert!(matches!(service.verify(made.secret.expose(), None).await, Ok(Verdict::Valid(_))));
    }
}

#[tokio::test]
async fn a_role_that_no_longer_exists_permits_nothing() {
    let world = World::new().await;
    let permissions = world.service.permissions_of(&[name("ghost")]).await.unwrap();
    assert!(permissions.is_empty());
}
