//! A world in which anything may happen, and requests of which nobody thought.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use latchkey::api::{Api, Route};
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::role::Permissions;
use latchkey::service::{Caller, Grant, Life, NewToken, UserChange, Verdict};
use latchkey::user::UserKind;
use serde_json::{Value, json};
use tests::chaos::Random;
use tests::world::{World, key, name, new_token, permissions};

use super::super::scene::{TERMS, place};
use super::reach::{ADDRESSES, Reach, covered};

pub(super) const USERS: [&str; 4] = ["ada", "bob", "robot", "new-user"];
pub(super) const TOKENS: [&str; 4] = ["laptop", "phone", "deploy", "other"];
pub(super) const ROLES: [&str; 5] = ["one", "two", "three", "four", "new-role"];
pub(super) const MANIFESTS: [&str; 2] = ["acme", "other"];
pub(super) const PERMISSIONS: [&str; 12] = [
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
pub(super) const NETWORKS: [&str; 3] = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"];

/// A world in which anything may happen.
pub(super) struct Fair {
    pub(super) world: World,
    pub(super) api: Api,
    pub(super) random: Random,
    /// All secrets that were ever given out.
    pub(super) secrets: Vec<String>,
    /// What each did last while it was valid: a user who is restored has their tokens back.
    pub(super) last: BTreeMap<String, Reach>,
    /// What all secrets reach, and what else holds, until something changes.
    pub(super) measured: Option<(BTreeMap<String, Reach>, BTreeMap<String, BTreeSet<&'static str>>)>,
}

impl Fair {
    pub(super) async fn new(case: usize) -> Self {
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

    pub(super) fn grant(&mut self) -> Grant {
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

    pub(super) async fn issue(&mut self, user: &str, token: &str) {
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

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len())]
    }

    /// Up to `most` of them.
    pub(super) fn some<T: Copy + Ord>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let number = self.random.below(most + 1).min(of.len() * most);
        let chosen: BTreeSet<T> = (0..number).filter(|_| !of.is_empty()).map(|_| self.one(of)).collect();
        chosen.into_iter().collect()
    }

    pub(super) fn perhaps(&mut self, value: Value) -> Option<Value> {
        (self.random.below(2) == 0).then_some(value)
    }

    /// Fields, each of which may be left out.
    pub(super) fn object(&mut self, fields: Vec<(&str, Value)>) -> Value {
        let kept = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), self.perhaps(value)?)));
        Value::Object(kept.collect())
    }

    /// What every secret reaches now.
    pub(super) async fn reaches(&mut self) -> BTreeMap<String, Reach> {
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
    pub(super) async fn id(&self, user: &str, token: &str) -> String {
        let holder = self.world.service.holder(&key(user, token)).await.unwrap();
        holder.map_or_else(|| "0123456789abcdef".to_owned(), |token| token.id.to_string())
    }

    /// A request to a route, good or not.
    pub(super) async fn request(&mut self, route: &Route, me: &str) -> (String, Value) {
        let user = if self.random.below(2) == 0 { me } else { self.one(&USERS) };
        let (token, role) = (self.one(&TOKENS), self.one(&ROLES));
        let manifest = self.one(&MANIFESTS);
        let id = self.id(user, token).await;
        let version = (1 + self.random.below(3)).to_string();
        let target = route
            .path
            .replace("{user}", user)
            .replace("{name}", token)
            .replace("{id}", &id)
            .replace("{role}", role)
            .replace("{manifest}", manifest)
            .replace("{version}", &version)
            .replace("{place}", place().id().as_str());
        let target = match route.operation {
            "retireVersion" => format!("{target}?id={id}&looked_at={}&revision=2", self.world.now()),
            "freeLease" => format!("{target}?holder=run"),
            _ => target,
        };
        (target, self.body(route.operation, &id))
    }

    fn body(&mut self, operation: &str, id: &str) -> Value {
        let manifest = json!(self.one(&MANIFESTS));
        let roles = json!(self.some(&ROLES, 3));
        let networks = json!(self.some(&NETWORKS, 2));
        let hours = self.one(&[1, 24, 300, 800]);
        let until = json!(Seconds::hours(hours).after(self.world.now()).to_string());
        let terms = json!({"expires_in": self.one(&["10d", "20d", "80d"]), "rotate_every": "3d", "overlap": "2h"});
        let mut body = match operation {
            "createToken" => self.creation(manifest, terms, (roles, networks, until)),
            "editToken" => self.edit(
                &manifest,
                vec![
                    ("roles", roles),
                    ("allowed_ips", networks),
                    ("expires_at", until),
                    ("terms", terms),
                    ("description", json!("new")),
                ],
            ),
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
            "noteApplied" => json!({"applied": {"revision": 7}}),
            "beginPublication" => json!({"revision": 7}),
            "completePublication" => json!({"number": 1, "sinks": "[sinks]", "tokens": 1}),
            "publishTokens" => json!({"number": 1, "tokens": [{"user": "ci", "name": "t", "push": "push = []"}]}),
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

    /// A token to be created, of a manifest or not.
    fn creation(&mut self, manifest: Value, terms: Value, (roles, networks, until): (Value, Value, Value)) -> Value {
        let is_managed = self.random.below(2) == 0;
        let mut body = self.object(vec![("roles", roles), ("allowed_ips", networks)]);
        if is_managed {
            (body["manifest"], body["terms"], body["places"]) = (manifest, terms, json!([place()]));
        } else {
            body["expires_at"] = until;
        }
        body["name"] = json!(self.one(&TOKENS));
        body
    }

    /// A change of a token.
    fn edit(&mut self, manifest: &Value, change: Vec<(&str, Value)>) -> Value {
        // One thing mostly, as many at once are seldom all right.
        let (field, value) = change[self.random.below(change.len())].clone();
        let mut body = if self.random.below(4) == 0 { self.object(change) } else { json!({field: value}) };
        for (field, value) in
            [("manifest", manifest.clone()), ("moved_from", manifest.clone()), ("moved_to", manifest.clone())]
        {
            if self.random.below(8) == 0 {
                body[field] = value;
            }
        }
        body
    }

    /// What roles, users and grants allow whoever comes by them later.
    pub(super) async fn held(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
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
    pub(super) async fn granted(&self, manifest: &ManifestName) -> Permissions {
        let found = self.world.service.manifest(manifest).await.unwrap();
        found.and_then(|found| found.grant).map(|grant| grant.permissions).unwrap_or_default()
    }
}
