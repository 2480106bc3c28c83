//! Nobody gains, held against a count of every single thing that a box allows.

use proptest::prelude::*;

use super::*;
use crate::token::TokenKey;

/// One side of a box each: what it allows, from where, and for how many hours.
type Sides = (Vec<&'static str>, Vec<&'static str>, i64);

fn sides() -> impl Strategy<Value = Sides> {
    let permission = prop::sample::select(vec!["a:r", "a:w", "a:*", "*:r", "tokens:r", "*:*"]);
    let network = prop::sample::select(vec!["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"]);
    let (permissions, networks) = (prop::collection::vec(permission, 0..3), prop::collection::vec(network, 0..3));
    (permissions, networks, prop::sample::select(vec![1, 30, 700]))
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn until(hours: i64) -> Timestamp {
    Seconds(hours.unsigned_abs() * 3600).after(now())
}

fn held(sides: &Sides) -> Permissions {
    sides.0.iter().map(|text| text.parse::<Permission>().unwrap()).collect()
}

fn token(sides: &Sides) -> Token {
    let key = TokenKey::new("u".parse().unwrap(), "t".parse().unwrap());
    let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "u/t", now());
    token.allowed_ips = networks(&sides.1);
    token.expires_at = Some(until(sides.2));
    token
}

/// Every single thing that a box lets its holder do, counted out: what, from where, when.
fn counted_out(
    (permissions, networks, hours): &Sides,
) -> std::collections::BTreeSet<(&'static str, &'static str, i64)> {
    let allows = |wanted: &str| {
        permissions.iter().any(|held| match (held.split_once(':').unwrap(), wanted.split_once(':').unwrap()) {
            (("*", "*"), _) => true,
            (("*", _), ("tokens", _)) => false,
            ((resource, action), (of, act)) => (resource == "*" || resource == of) && (action == "*" || action == act),
        })
    };
    let reaches = |address: &str| {
        let inside =
            |network: &&str| network.parse::<IpNet>().unwrap().contains(&address.parse::<std::net::IpAddr>().unwrap());
        networks.is_empty() || networks.iter().any(inside)
    };
    let mut all = std::collections::BTreeSet::new();
    for what in ["a:r", "a:w", "a:x", "b:r", "b:w", "tokens:r", "tokens:x"].into_iter().filter(|what| allows(what)) {
        for from in ["10.1.0.1", "10.2.0.1", "192.0.2.1", "198.51.100.1"].into_iter().filter(|from| reaches(from)) {
            all.extend([1, 30, 700].into_iter().filter(|at| at <= hours).map(|at| (what, from, at)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn whoever_changes_a_token_gains_nothing_by_it(caller in sides(), old in sides(), new in sides()) {
        let holder = Holder {
            user: "u".parse().unwrap(),
            person: true,
            permissions: held(&caller),
            allowed_ips: networks(&caller.1),
            expires: until(caller.2),
        };
        let caller_now = Caller { actor: "u/t".to_owned(), from: None, rights: Rights::Token(Box::new(holder)) };
        let admitted = caller_now.contains_growth((&token(&old), &token(&new)), (&held(&old), &held(&new)), now());
        let (own, before, after) = (counted_out(&caller), counted_out(&old), counted_out(&new));
        if admitted.is_ok() {
            prop_assert!(after.is_subset(&before) || after.is_subset(&own), "{caller:?} made {new:?} of {old:?}");
        }
        // What only shrinks is never held back.
        if held(&old).contain(&held(&new)) && within(&networks(&new.1), &networks(&old.1)) && new.2 <= old.2 {
            prop_assert!(admitted.is_ok());
        }
    }
}

fn networks(texts: &[&str]) -> Vec<ipnet::IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn no_network_is_every_network() {
    assert!(within(&networks(&["10.1.0.0/16"]), &networks(&["10.0.0.0/8"])));
    assert!(within(&networks(&["10.1.0.0/16"]), &[]));
    assert!(within(&[], &[]));
    assert!(!within(&[], &networks(&["10.0.0.0/8"])), "everywhere is not within ten");
    assert!(!within(&networks(&["10.1.0.0/16", "11.0.0.0/8"]), &networks(&["10.0.0.0/8"])));
    assert!(!within(&networks(&["10.0.0.0/8"]), &networks(&["10.1.0.0/16"])));
}
