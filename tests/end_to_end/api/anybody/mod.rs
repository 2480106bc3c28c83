//! Nobody gains, whoever asks for whatever: random callers with random tokens send random changes to all routes, and after
//! each that is accepted no secret allows, reaches or outlives more than it did, unless its caller could do all of that,
//! or the grant of the manifest that the caller runs.

mod fair;
mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use latchkey::api::Route;
use latchkey::lifetime::Seconds;
use latchkey::service::Verdict;
use tests::api::Actor;
use tests::provision::secrets_in;
use tests::world::name;

use fair::{Fair, MANIFESTS};
use reach::{ADDRESSES, Giver};

/// How many worlds, and how many requests in each; `LATCHKEY_CASES` sets another number of worlds.
const CASES: usize = 16;
const REQUESTS: usize = 60;

/// The routes by which a secret, a role, a user or a grant could allow more.
const GIVING: [&str; 8] =
    ["createToken", "editToken", "setTokenRoles", "stageVersion", "promoteVersion", "putRole", "putUser", "setGrant"];

/// Sends one random request; whether it was accepted, and whether somebody got something by it.
async fn step(fair: &mut Fair, case: usize) -> (bool, bool) {
    if fair.random.below(20) == 0 {
        let hours = fair.one(&[1, 25]);
        fair.world.clock.advance(Seconds::hours(hours));
        fair.measured = None;
    }
    if fair.measured.is_none() {
        fair.measured = Some((fair.reaches().await, fair.held().await));
    }
    let (before, held) = fair.measured.clone().unwrap();
    let callers: Vec<String> = before.keys().cloned().collect();
    if callers.is_empty() {
        return (false, false);
    }
    // Who may do little is refused mostly.
    let drawn: Vec<&String> = (0..3).map(|_| &callers[fair.random.below(callers.len())]).collect();
    let secret = drawn.into_iter().max_by_key(|one| before[*one].what.len()).unwrap().clone();
    let own = before[&secret].clone();
    let verdict = |address: [u8; 4]| IpAddr::from(address);
    let from = own.allowed.iter().next().map_or(ADDRESSES[0], |(_, from)| *from);
    let Verdict::Valid(valid) = fair.world.service.verify(&secret, Some(verdict(from))).await.unwrap() else {
        return (false, false);
    };
    let mut grants = BTreeMap::new();
    for manifest in MANIFESTS {
        let runs = valid.permissions.hold(&format!("manifests:{manifest}").parse().unwrap());
        if runs {
            grants.insert(name(manifest), fair.granted(&name(manifest)).await);
        }
    }
    let brief = own.until < Seconds::days(1).after(fair.world.now());
    let giver = Giver { own, bound: !valid.allowed_ips.is_empty(), brief, grants };
    // Those by which somebody could get something come up more often.
    let routes: Vec<&Route> = tests::api::routes().collect();
    let giving: Vec<&Route> = routes.iter().copied().filter(|route| GIVING.contains(&route.operation)).collect();
    assert_eq!(giving.len(), GIVING.len());
    let route = if fair.random.below(8) == 0 { fair.one(&routes) } else { fair.one(&giving) };
    let me = valid.user.to_string();
    let (target, body) = fair.request(route, &me).await;
    let mut actor = Actor::with(&fair.api, &secret);
    actor.source = IpAddr::from(from);
    let last = fair.last.clone();
    let reply = actor.json(route.method, &target, &body).await;
    assert!(reply.status() < 500, "case {case}: {} {target} {body}: {}", route.method, reply.body);
    if reply.status() >= 300 {
        assert!(secrets_in(&reply.body.to_string()).is_empty(), "a refusal gives nothing out");
        return (false, false);
    }
    let new: Vec<String> =
        secrets_in(&reply.body.to_string()).into_iter().filter(|secret| !fair.secrets.contains(secret)).collect();
    fair.secrets.extend(new);
    let mut gained = false;
    let (reaches, holds) = (fair.reaches().await, fair.held().await);
    fair.measured = Some((reaches.clone(), holds.clone()));
    for (one, after) in reaches {
        let before = before.get(&one).or_else(|| last.get(&one));
        gained |= before.is_none_or(|before| !after.is_within(before));
        let why = giver.objects(route.operation, before, &after);
        assert_eq!(
            why, None,
            "case {case}: {} {target} {body} by {me}/{}: {:?} became {after:?}; the caller: {:?}, bound {}, brief {}, grants {:?}",
            route.method, valid.name, before, giver.own, giver.bound, giver.brief, giver.grants
        );
    }
    for (what, after) in holds {
        let gain: BTreeSet<_> = after.difference(held.get(&what).unwrap_or(&BTreeSet::new())).copied().collect();
        assert!(
            gain.is_empty() || giver.gave(&what, &gain),
            "case {case}: {} {target} {body} by {me}/{}: {what} gained {gain:?}; the caller: {:?}, bound {}, brief {}, grants {:?}",
            route.method,
            valid.name,
            giver.own,
            giver.bound,
            giver.brief,
            giver.grants
        );
    }
    (true, gained)
}

#[tokio::test]
async fn whoever_asks_for_whatever_gives_nobody_more_than_they_could_themselves() {
    let cases = std::env::var("LATCHKEY_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let (mut accepted, mut gained) = (0, 0);
    for case in 0..cases {
        let mut fair = Fair::new(case).await;
        for _ in 0..REQUESTS {
            let (was_accepted, has_gained) = step(&mut fair, case).await;
            accepted += usize::from(was_accepted);
            gained += usize::from(has_gained);
        }
    }
    // A fair at which nothing is given proves nothing.
    assert!(accepted >= cases * 4 && gained >= cases / 2, "{accepted} accepted, {gained} gained of {cases} cases");
}
