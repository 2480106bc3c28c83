//! A deployment with one of everybody.

use latchkey::api::Api;
use latchkey::lifetime::{Seconds, Terms};
use latchkey::name::ManifestName;
use latchkey::place::Place;
use latchkey::service::{Caller, Grant, Life, NewToken, UserChange};
use latchkey::user::UserKind;
use tests::api::Actor;
use tests::engine::Engine;
use tests::world::{World, key, name, new_token, permissions};

/// Short enough that what a person's token makes does not outlive it.
pub(crate) const TERMS: Terms =
    Terms { expires_in: Seconds::days(20), rotate_every: Seconds::days(7), overlap: Seconds::hours(2) };

/// The place of the managed token.
pub(crate) fn place() -> Place {
    Place::new("dotenv", &[("machine", "m"), ("path", "/srv/.env"), ("name", "TOKEN")], true)
}

/// Everybody's first token has what its name says; each is `<user>/<token>`.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) api: Api,
}

impl Scene {
    /// A new one. The subject of most requests is `ada`'s token `deploy`, which the manifest `acme` declares, with
    /// one place and a staged first version, which has been announced and delivered, and promoted.
    pub(crate) async fn new() -> Self {
        Self::on(Engine::chosen()).await
    }

    /// The same on an engine.
    pub(crate) async fn on(engine: Engine) -> Self {
        let world = World::on(engine).await;
        for (role, permits) in [
            ("reader", &["documents:read"][..]),
            ("writer", &["documents:read", "documents:write", "tokens:write"]),
            ("root", &["*:*"]),
            ("introspector", &["tokens:introspect"]),
            ("auditor", &["admin:audit"]),
            ("ci-acme", &["manifests:acme"]),
            ("unused", &["documents:read"]),
        ] {
            world.role(role, permits).await;
        }
        world.user("ada", &["reader", "writer"]).await;
        world.user("bob", &["reader"]).await;
        world.user("sue", &["reader", "writer"]).await;
        world.user("root", &["root"]).await;
        world.user("eve", &["auditor"]).await;
        for (robot, role) in [("robot", "reader"), ("ci", "ci-acme"), ("gateway", "introspector")] {
            let change =
                UserChange { kind: Some(UserKind::Service), roles: Some(vec![name(role)]), ..UserChange::default() };
            world.change_user(robot, change).await;
        }
        let scene = Self { api: Api::new(world.service.clone()), world };
        scene.deploy().await;
        scene
    }

    async fn deploy(&self) {
        let life = Life::Managed { manifest: name("acme"), terms: TERMS };
        let new =
            NewToken { life, places: vec![place()], roles: Some(vec![name("reader")]), ..new_token("ada", "deploy") };
        let created = self.world.create(new).await;
        let (service, operator) = (&self.world.service, Caller::operator("scene"));
        let token = created.token.reference();
        service.announce(&operator, &token, 1, &place().id()).await.unwrap();
        service
            .deliver(&operator, &token, 1, &latchkey::protocol::Arrival::new(&place().id(), "receipt"))
            .await
            .unwrap();
        service.promote(&operator, &token, 1).await.unwrap();
    }

    /// What the manifest `acme` may grant.
    pub(crate) async fn grant(&self, permits: &[&str], roles: &[&str], users: &[&str]) {
        let grant = Grant {
            permissions: permissions(permits),
            roles: roles.iter().map(|role| name(role)).collect(),
            users: users.iter().map(|user| name(user)).collect(),
            new_users: [name("new*"), name("acme-*")].into(),
            new_roles: [name("own*"), name("sneaky"), name("acme-*")].into(),
            ..Grant::default()
        };
        let manifest: ManifestName = name("acme");
        self.world.service.set_grant(&Caller::operator("scene"), &manifest, &grant).await.unwrap();
    }

    /// Somebody with a new token of a user's that has some of the user's roles, for as long as policy allows.
    pub(crate) async fn actor(&self, user: &str, token: &str, roles: &[&str]) -> Actor {
        Actor::with(&self.api, &self.secret(user, token, roles).await)
    }

    /// The secret of such a token.
    pub(crate) async fn secret(&self, user: &str, token: &str, roles: &[&str]) -> String {
        let until = Seconds::days(365).after(self.world.now());
        let roles = roles.iter().map(|role| name(role)).collect();
        let new = NewToken { roles: Some(roles), life: Life::Until(Some(until)), ..new_token(user, token) };
        self.world.create(new).await.secret.expose().to_owned()
    }

    /// The id of `ada`'s token `deploy`.
    pub(crate) async fn deploy_id(&self) -> String {
        let token = self.world.service.holder(&key("ada", "deploy")).await.unwrap().unwrap();
        token.id.to_string()
    }
}
