//! Checks and creates on the embedded server, beside its own refusal, a static answer of nginx, and other services.

use std::sync::atomic::AtomicUsize;

use super::load::{Cost, Subject, measure, request};
use super::ours::{Ours, Server, authorization};
use super::peers::{Peer, nginx};
use super::table::{Bar, Row, Table, Unit};

/// Checks of a round.
const CHECKS: usize = 20_000;
/// Those of a peer, which take longer.
const CHECKS_OF_PEERS: usize = 1_000;
/// Creates of a round.
const CREATES: usize = 1_000;
const CREATES_OF_PEERS: usize = 200;
/// Users who create side by side, each on a connection of its own.
const USERS: usize = 16;

/// All rows of both.
pub(super) fn rows(ours: &Ours, peers: &[Peer], table: &mut Table) {
    let server = Server::start(ours);
    checks(&server, peers, table);
    creates(&server, peers, table);
}

fn checks(server: &Server, peers: &[Peer], table: &mut Table) {
    let me = |secret: &str| request("GET", "/v1/me", &[authorization(secret)], "");
    let form = format!("token={}", server.secret);
    let headers = [authorization(&server.secret), "content-type: application/x-www-form-urlencoded".to_owned()];
    let ours = |asked: String, wanted| Subject {
        request: Box::new(move |_, _| asked.clone()),
        wanted,
        ..subject(server.address(), server.process(), CHECKS)
    };
    let refusal = ours(me("lk_malformed"), 401);
    let check = ours(me(&server.secret), 200);
    let introspect = ours(request("POST", "/v1/introspect", &headers, &form), 200);
    let ceiling = nginx();
    if ceiling.is_none() {
        table.skip("nginx", "run `tests/engines.sh`");
    }
    let others: Vec<Subject<'_>> = ceiling
        .iter()
        .map(|peer| of_peer(peer, &peer.check, CHECKS))
        .chain(peers.iter().map(|peer| of_peer(peer, &peer.check, CHECKS_OF_PEERS)))
        .collect();
    let mut costs =
        measure(&[&refusal, &check, &introspect].into_iter().chain(&others).collect::<Vec<_>>()).into_iter();
    let mut next = || costs.next().expect("a cost each");
    let (refusal, check, introspect) = (next(), next(), next());
    let own = "own refusal of a malformed secret";
    let cpu = |what: &str, cost: Cost| Row::new(what, "CPU", Unit::Seconds, cost.cpu);
    let p50 = |what: &str, cost: Cost| Row::new(what, "p50", Unit::Seconds, cost.p50);
    if let Some(peer) = &ceiling {
        let nginx = next();
        table.add(cpu("refusal of a malformed secret", refusal).beside(peer.about, nginx.cpu));
        table.add(cpu("check (/v1/me)", check).beside(peer.about, nginx.cpu));
        table.add(p50("check (/v1/me), 1 connection", check).beside(peer.about, nginx.p50));
    }
    table.add(cpu("check (/v1/me)", check).beside(own, refusal.cpu).bar(Bar::AtMost(2.0)));
    table.add(cpu("check (/v1/introspect)", introspect).beside(own, refusal.cpu).bar(Bar::AtMost(2.5)));
    table.add(p50("check (/v1/me), 1 connection", check).bar(Bar::AtMost(0.09e-3)));
    table.add(p50("check (/v1/introspect), 1 connection", introspect));
    for peer in peers {
        let cost = next();
        table.add(cpu("check (/v1/me)", check).beside(peer.about, cost.cpu).bar(Bar::AtMost(peer.check_at_most())));
        table.add(p50("check (/v1/me), 1 connection", check).beside(peer.about, cost.p50).bar(Bar::AtMost(1.0)));
    }
}

fn creates(server: &Server, peers: &[Peer], table: &mut Table) {
    let mut caller = super::load::Caller::of(&server.address());
    for user in 0..USERS {
        assert_eq!(caller.ask(&server.put_user(&format!("user-{user}"), 1_000_000)), 200, "{}", caller.answer());
    }
    let peers: Vec<(&Peer, &(String, u16))> =
        peers.iter().filter_map(|peer| Some((peer, peer.create.as_ref()?))).collect();
    for connections in [1, USERS] {
        let ours = Subject {
            request: Box::new(|user, number| {
                server.create(&format!("user-{user}"), &format!("token-{connections}-{number}"))
            }),
            wanted: 201,
            connections,
            ..subject(server.address(), server.process(), CREATES)
        };
        let others: Vec<Subject<'_>> = peers
            .iter()
            .map(|(peer, create)| Subject { connections, ..of_peer(peer, create, CREATES_OF_PEERS) })
            .collect();
        let costs = measure(&[&ours].into_iter().chain(&others).collect::<Vec<_>>());
        let alone = connections == 1;
        let what = if alone {
            "create, 1 connection".to_owned()
        } else {
            format!("create, {USERS} connections, as many users")
        };
        let (cpu, rate) = (
            |cost: &Cost| Row::new(&what, "CPU", Unit::Seconds, cost.cpu),
            |cost: &Cost| Row::new(&what, "rate", Unit::PerSecond, cost.rate),
        );
        let row = cpu(&costs[0]);
        table.add(if alone { row.bar(Bar::AtMost(0.25e-3)) } else { row });
        let row = rate(&costs[0]);
        table.add(row);
        for ((peer, _), cost) in peers.iter().zip(&costs[1..]) {
            table.add(cpu(&costs[0]).beside(synced(peer), cost.cpu).bar(Bar::AtMost(1.0)));
            table.add(rate(&costs[0]).beside(synced(peer), cost.rate).bar(Bar::AtLeast(if alone { 1.0 } else { 2.0 })));
        }
    }
}

/// A peer's name with what its creates leave out that ours do.
fn synced(peer: &Peer) -> String {
    let name = peer.about.split(',').next().unwrap_or_default().trim_end_matches(" lookup-self");
    if name.starts_with("OpenBao") {
        format!("{name}, raft, synced")
    } else {
        format!("{name}, SQLite, not synced, no event")
    }
}

fn of_peer<'a>(peer: &'a Peer, (asked, wanted): &'a (String, u16), requests: usize) -> Subject<'a> {
    Subject {
        request: Box::new(|_, _| asked.clone()),
        wanted: *wanted,
        ..subject(peer.address.clone(), peer.process(), requests)
    }
}

/// One connection, of which nothing is asked yet.
fn subject<'a>(address: String, process: i32, requests: usize) -> Subject<'a> {
    let (request, asked) = (Box::new(|_: usize, _: usize| String::new()), AtomicUsize::new(0));
    Subject { address, process, request, wanted: 200, connections: 1, requests, asked }
}
