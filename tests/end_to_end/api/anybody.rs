//! Nobody gains, whoever asks for whatever: random callers with random tokens send random changes to all routes, and after
//! each that is accepted no secret allows, reaches or outlives more than it did, unless its caller could do all of that,
//! or the grant of the manifest that the caller runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use latchkey::api::{Api, Function, Route};
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::role::{Permission, Permissions};
use latchkey::service::{Caller, Grant, Life, NewToken, UserChange, Valid, Verdict};
use latchkey::user::UserKind;
use serde_json::{Value, json};
use tests::api::Actor;
use tests::chaos::Random;
use tests::provision::secrets_in;
use tests::world::{World, key, name, new_token, permissions};

use super::scene::{TERMS, place};

/// How many worlds, and how many requests in each; `LATCHKEY_CASES` sets another number of worlds.
const CASES: usize = 16;
const REQUESTS: usize = 60;

const USERS: [&str; 4] = ["ada", "bob", "robot", "new-user"];
const TOKENS: [&str; 4] = ["laptop", "phone", "deploy", "other"];
const ROLES: [&str; 5] = ["one", "two", "three", "four", "new-role"];
const MANIFESTS: [&str; 2] = ["acme", "other"];
const PERMISSIONS: [&str; 12] = [
    "documents:read",
    "documents:write",
    "*:read",
    "tokens:write",
    "admin:tokens",
    "admin:users",
    "admin:roles",
    "manifests:acme",
    "manifests:other",
    "manifests-read:acme",
    "documents:*",
    "*:*",
];
/// What is asked of a secret, whatever spelled it.
const PROBES: [&str; 9] = [
    "documents:read",
    "documents:write",
    "invoices:read",
    "tokens:write",
    "admin:tokens",
    "admin:users",
    "admin:roles",
    "manifests:acme",
    "manifests:other",
];
/// The routes by which a secret, a role, a user or a grant could allow more.
const GIVING: [&str; 8] =
    ["createToken", "editToken", "setTokenRoles", "stageVersion", "promoteVersion", "putRole", "putUser", "setGrant"];
const NETWORKS: [&str; 3] = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"];
const ADDRESSES: [[u8; 4]; 4] = [[10, 1, 0, 1], [10, 2, 0, 1], [192, 0, 2, 1], [198, 51, 100, 1]];

/// Every single thing that a secret lets its holder do: what, and from where; and until when.
#[derive(Debug, Clone, PartialEq)]
struct Reach {
    allowed: BTreeSet<(&'static str, [u8; 4])>,
    what: BTreeSet<&'static str>,
    until: Timestamp,
    manifest: Option<ManifestName>,
}

impl Reach {
    fn of(valid: &Valid) -> Self {
        let what = covered(&valid.permissions);
        let from = |address: &[u8; 4]| {
            valid.allowed_ips.is_empty() || valid.allowed_ips.iter().any(|net| net.contains(&IpAddr::from(*address)))
        };
        let from: Vec<[u8; 4]> = ADDRESSES.into_iter().filter(from).collect();
        let allowed = what.iter().flat_map(|what| from.iter().map(|from| (*what, *from))).collect();
        Self { allowed, what, until: valid.expires, manifest: valid.managed_by.clone() }
    }

    /// Whether everything of it is in `other`. What allows nothing may live as long as it likes.
    fn is_within(&self, other: &Self) -> bool {
        self.what.is_empty() || (self.allowed.is_subset(&other.allowed) && self.until <= other.until)
    }
}

fn covered(held: &Permissions) -> BTreeSet<&'static str> {
    PROBES.into_iter().filter(|probe| held.hold(&probe.parse::<Permission>().unwrap())).collect()
}

/// A world in which anything may happen.
struct Fair {
    world: World,
    api: Api,
    random: Random,
    /// All secrets that were ever given out.
    secrets: Vec<String>,
    /// What each did last while it was valid: a user who is restored has their tokens back.
    last: BTreeMap<String, Reach>,
    /// What all secrets reach, and what else holds, until something changes.
    measured: Option<(BTreeMap<String, Reach>, BTreeMap<String, BTreeSet<&'static str>>)>,
}

impl Fair {
    async fn new(case: usize) -> Self {
        let world = World::new().await;
        let api = Api::new(world.service.clone());
        let mut fair = Self {
            world,
            api,
            random: Random::seeded_for(case),
            secrets: Vec::new(),
            last: BTreeMap::new(),
            measured: None,
        };
        for role in ROLES.into_iter().take(4) {
            let held = fair.some(&PERMISSIONS, 3);
            let own = fair.one(&["tokens:write", "admin:tokens", "admin:users", "admin:roles", "manifests:acme"]);
            fair.world.role(role, &[held, vec![own, "documents:read"]].concat()).await;
        }
        for user in USERS.into_iter().take(3) {
            let roles = [fair.some(&ROLES[..4], 3), fair.some(&ROLES[..4], 3)].concat();
            let kind = (user == "robot").then_some(UserKind::Service);
            let roles = Some(roles.iter().map(|role| name(role)).collect());
            fair.world.change_user(user, UserChange { kind, roles, ..UserChange::default() }).await;
        }
        for manifest in MANIFESTS {
            let grant = fair.grant();
            fair.world.service.set_grant(&Caller::operator("fair"), &name(manifest), &grant).await.unwrap();
        }
        for user in USERS.into_iter().take(3) {
            for token in TOKENS.into_iter().take(3) {
                fair.issue(user, token).await;
            }
        }
        fair
    }

    fn grant(&mut self) -> Grant {
        let may = ["documents:read", "documents:write", "invoices:read"];
        let may = [self.some(&may, 3), vec!["documents:read"]].concat();
        Grant {
            permissions: permissions(&may),
            roles: self.some(&ROLES[..4], 4).iter().map(|role| name(role)).collect(),
            users: self.some(&USERS[..3], 3).iter().map(|user| name(user)).collect(),
            new_users: [name("new-*")].into(),
            new_roles: [name("new-*")].into(),
            ..Grant::default()
        }
    }

    async fn issue(&mut self, user: &str, token: &str) {
        let user_now = self.world.service.user(&name(user)).await.unwrap().unwrap();
        let held: Vec<String> = user_now.roles.iter().map(ToString::to_string).collect();
        let held: Vec<&str> = held.iter().map(String::as_str).collect();
        let roles = Some(self.some(&held, 4).iter().map(|role| name(role)).collect());
        let allowed_ips = self.some(&NETWORKS, 2).iter().map(|network| network.parse().unwrap()).collect();
        let managed = token == "deploy";
        let life = if managed {
            Life::Managed { manifest: name(self.one(&MANIFESTS)), terms: TERMS }
        } else {
            Life::Until(Some(Seconds::hours(self.one(&[2, 30, 700])).after(self.world.now())))
        };
        let places = if managed { vec![place()] } else { Vec::new() };
        let new = NewToken { roles, allowed_ips, life, places, ..new_token(user, token) };
        // Not every one can be: a manifest's token allows nothing of Latchkey's own.
        let made = self.world.service.create(&Caller::operator("fair"), new).await;
        self.secrets.extend(made.ok().map(|made| made.secret.expose().to_owned()));
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len())]
    }

    /// Up to `most` of them.
    fn some<T: Copy + Ord>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let number = self.random.below(most + 1).min(of.len() * most);
        let chosen: BTreeSet<T> = (0..number).filter(|_| !of.is_empty()).map(|_| self.one(of)).collect();
        chosen.into_iter().collect()
    }

    fn perhaps(&mut self, value: Value) -> Option<Value> {
        (self.random.below(2) == 0).then_some(value)
    }

    /// Fields, each of which may be left out.
    fn object(&mut self, fields: Vec<(&str, Value)>) -> Value {
        let kept = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), self.perhaps(value)?)));
        Value::Object(kept.collect())
    }

    /// What every secret reaches now.
    async fn reaches(&mut self) -> BTreeMap<String, Reach> {
        let mut reaches = BTreeMap::new();
        for secret in self.secrets.clone() {
            for address in ADDRESSES {
                let verdict = self.world.service.verify(&secret, Some(IpAddr::from(address))).await.unwrap();
                if let Verdict::Valid(valid) = verdict {
                    let reach = Reach::of(&valid);
                    self.last.insert(secret.clone(), reach.clone());
                    reaches.insert(secret.clone(), reach);
                    break;
                }
            }
        }
        reaches
    }

    /// The id of a token, the right one mostly.
    async fn id(&self, user: &str, token: &str) -> String {
        let holder = self.world.service.holder(&key(user, token)).await.unwrap();
        holder.map_or_else(|| "0123456789abcdef".to_owned(), |token| token.id.to_string())
    }

    /// A request to a route, good or not.
    async fn request(&mut self, route: &Route, me: &str) -> (String, Value) {
        let user = if self.random.below(2) == 0 { me } else { self.one(&USERS) };
        let (token, role) = (self.one(&TOKENS), self.one(&ROLES));
        let manifest = self.one(&MANIFESTS);
        let id = self.id(user, token).await;
        let version = (1 + self.random.below(3)).to_string();
        let target = route
            .path
            .replace("{user}", user)
            .replace("{name}", token)
            .replace("{role}", role)
            .replace("{manifest}", manifest)
            .replace("{version}", &version)
            .replace("{place}", place().id().as_str());
        let target = match route.operation {
            "retireVersion" => format!("{target}?id={id}&looked_at={}&revision=2", self.world.now()),
            "freeLease" => format!("{target}?holder=run"),
            _ => target,
        };
        (target, self.body(route.operation, &id).await)
    }

    async fn body(&mut self, operation: &str, id: &str) -> Value {
        let manifest = json!(self.one(&MANIFESTS));
        let roles = json!(self.some(&ROLES, 3));
        let networks = json!(self.some(&NETWORKS, 2));
        let hours = self.one(&[1, 24, 300, 800]);
        let until = json!(Seconds::hours(hours).after(self.world.now()).to_string());
        let terms = json!({"expires_in": self.one(&["10d", "20d", "80d"]), "rotate_every": "3d", "overlap": "2h"});
        let mut body = match operation {
            "createToken" => {
                let managed = self.random.below(2) == 0;
                let mut body = self.object(vec![("roles", roles), ("allowed_ips", networks)]);
                if managed {
                    (body["manifest"], body["terms"], body["places"]) = (manifest, terms, json!([place()]));
                } else {
                    body["expires_at"] = until;
                }
                body["name"] = json!(self.one(&TOKENS));
                body
            }
            "editToken" => {
                let change = vec![
                    ("roles", roles),
                    ("allowed_ips", networks),
                    ("expires_at", until),
                    ("terms", terms),
                    ("description", json!("new")),
                ];
                // One thing mostly, as many at once are seldom all right.
                let (field, value) = change[self.random.below(change.len())].clone();
                let mut body = if self.random.below(4) == 0 { self.object(change) } else { json!({field: value}) };
                for (field, value) in
                    [("manifest", manifest.clone()), ("moved_from", manifest.clone()), ("moved_to", manifest)]
                {
                    if self.random.below(8) == 0 {
                        body[field] = value;
                    }
                }
                body
            }
            "setTokenRoles" => json!({"roles": roles}),
            "putRole" => {
                let mut body = json!({"permissions": self.some(&PERMISSIONS, 3)});
                if self.random.below(2) == 0 {
                    body["manifest"] = if self.random.below(4) == 0 { Value::Null } else { manifest };
                }
                body
            }
            "putUser" => {
                let suspended = json!(self.random.below(2) == 0);
                let mut body = self.object(vec![("roles", roles), ("suspended", suspended)]);
                if self.random.below(2) == 0 {
                    body["manifest"] = manifest;
                    body["kind"] = json!("service");
                }
                body
            }
            "deliverVersion" if self.random.below(2) == 0 => json!({"state": "announced"}),
            "deliverVersion" => json!({"state": "delivered", "receipt": "r"}),
            "stageVersion" | "promoteVersion" => json!({}),
            "publishManifest" => json!({"applied": {"revision": 7}}),
            "lookUp" => json!({"users": ["ada"], "roles": true}),
            "confirm" => return json!({"user": "ada", "name": "deploy", "id": id, "digest": "0".repeat(64)}),
            "setGrant" => json!({
                "permissions": self.some(&["documents:read", "documents:write", "invoices:read"], 3),
                "roles": self.some(&ROLES, 2), "users": self.some(&USERS, 2), "new_users": ["new-*"], "new_roles": ["new-*"],
            }),
            "takeLease" => json!({"holder": "run"}),
            "introspect" => json!({"token": "lk_not-a-secret"}),
            _ => return Value::Null,
        };
        let takes_id =
            ["editToken", "setTokenRoles", "stageVersion", "promoteVersion", "deliverVersion"].contains(&operation);
        if takes_id && self.random.below(8) > 0 {
            body["id"] = json!(id);
        }
        body
    }

    /// What roles, users and grants allow whoever comes by them later.
    async fn held(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
        let mut held = BTreeMap::new();
        for role in self.world.service.list_roles().await.unwrap() {
            held.insert(format!("the role {}", role.name), covered(&role.permissions));
        }
        for user in self.world.service.list_users().await.unwrap() {
            let permissions = self.world.service.permissions_of(&user.roles).await.unwrap();
            held.insert(format!("the user {}", user.name), covered(&permissions));
        }
        for manifest in MANIFESTS {
            held.insert(format!("the grant of {manifest}"), covered(&self.granted(&name(manifest)).await));
        }
        held
    }

    /// What a manifest may grant now.
    async fn granted(&self, manifest: &ManifestName) -> Permissions {
        let found = self.world.service.manifest(manifest).await.unwrap();
        found.and_then(|found| found.grant).map(|grant| grant.permissions).unwrap_or_default()
    }
}

/// What a caller can give others: all of their own, or, to what a manifest has that they run, its grant.
struct Giver {
    own: Reach,
    bound: bool,
    brief: bool,
    grants: BTreeMap<ManifestName, Permissions>,
}

impl Giver {
    /// Why an operation of theirs gained too much for a secret.
    fn objects(&self, operation: &str, before: Option<&Reach>, after: &Reach) -> Option<&'static str> {
        if before.is_some_and(|before| after.is_within(before)) || after.what.is_empty() {
            return None;
        }
        let gained: BTreeSet<&str> = match before {
            Some(before) => after.what.difference(&before.what).copied().collect(),
            None => after.what.clone(),
        };
        let within = |grant: &Permissions| after.what.is_subset(&covered(grant));
        // Who defines a role or a user of a manifest gives what a manifest may; which one is in the request only.
        let by_grant = |grant: &Permissions| gained.is_subset(&covered(grant));
        if ["putRole", "deleteRole", "putUser", "setGrant", "deleteUser"].contains(&operation) {
            if before.is_none_or(|before| !same_networks(before, after) || before.until < after.until) {
                return Some("a role or a user changed networks or life");
            }
            let own = gained.is_subset(&self.own.what) && !self.bound && !self.brief;
            return (!own && !self.grants.values().any(by_grant)).then_some("a role was widened beyond its caller");
        }
        let granted = after.manifest.as_ref().and_then(|manifest| self.grants.get(manifest)).is_some_and(within);
        (!granted && !after.is_within(&self.own)).then_some("a token got more than its caller could")
    }
}

impl Giver {
    /// Whether they may have had something hold this from now on.
    fn gave(&self, what: &str, gained: &BTreeSet<&'static str>) -> bool {
        let by_grant = || self.grants.values().any(|grant| gained.is_subset(&covered(grant)));
        let own = gained.is_subset(&self.own.what);
        match what.split_once(' ') {
            Some((_, kind)) if kind.starts_with("grant") => own && !self.bound && !self.brief,
            Some((_, kind)) if kind.starts_with("role") => (own && !self.bound && !self.brief) || by_grant(),
            _ => own || by_grant(),
        }
    }
}

fn same_networks(before: &Reach, after: &Reach) -> bool {
    let from = |reach: &Reach| reach.allowed.iter().map(|(_, from)| *from).collect::<BTreeSet<_>>();
    before.what.is_empty() || after.what.is_empty() || from(after).is_subset(&from(before))
}

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
    let routes: Vec<&Route> = Function::ALL.iter().flat_map(|function| function.routes()).collect();
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
