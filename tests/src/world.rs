//! A service on a table of its own, with a clock and randomness that the test decides.

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use latchkey::clock::Clock;
use latchkey::lifetime::{Seconds, Terms};
use latchkey::name::RoleName;
use latchkey::place::Place;
use latchkey::role::Permissions;
use latchkey::service::{Caller, Invalid, Issued, Life, NewToken, Service, UserChange, Valid, Verdict};
use latchkey::table::item::Item;
use latchkey::table::keys::Key;
use latchkey::token::TokenKey;
use latchkey::user::User;

use crate::clock::{ManualClock, SeededEntropy};
use crate::engine::{Engine, Store};

/// When every test starts.
pub const START: &str = "2026-03-01T12:00:00Z";

/// The durations that tests use unless they say otherwise.
pub const TERMS: Terms =
    Terms { expires_in: Seconds::days(90), rotate_every: Seconds::days(30), overlap: Seconds::hours(24) };

/// Reads a name of any kind.
pub fn name<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a good name")
}

pub fn permissions(texts: &[&str]) -> Permissions {
    texts.iter().map(|text| text.parse().expect("a permission")).collect()
}

/// A token by name.
pub fn key(user: &str, token: &str) -> TokenKey {
    TokenKey::new(name(user), name(token))
}

/// A token to be made with everything by default.
pub fn new_token(user: &str, token: &str) -> NewToken {
    NewToken::new(key(user, token), Life::Until(None))
}

/// A token to be made of the manifest `acme`, pushed to places.
pub fn managed_token(user: &str, token: &str, places: &[Place]) -> NewToken {
    let life = Life::Managed { manifest: name("acme"), terms: TERMS };
    NewToken { life, places: places.to_vec(), ..new_token(user, token) }
}

/// A service and what is around it.
#[derive(Debug)]
pub struct World {
    /// The table and what serves it.
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub service: Arc<Service>,
    pub admin: Caller,
}

impl World {
    /// A new one on the chosen engine.
    pub async fn new() -> Self {
        Self::on(Engine::chosen()).await
    }

    /// A new one on `engine`.
    #[expect(clippy::print_stdout, reason = "a test says what it ran on")]
    pub async fn on(engine: Engine) -> Self {
        println!("engine: {engine:?}");
        let clock = Arc::new(ManualClock::at(START));
        let store = Store::with_clock(engine, clock.clone()).await;
        let service = Service::open(store.table.clone(), clock.clone(), Arc::new(SeededEntropy::new(1))).await;
        let service = Arc::new(service.expect("a service"));
        Self { store, clock, service, admin: Caller::operator("admin") }
    }

    /// A second process on the same table, at the same time.
    pub async fn another(&self, seed: u64) -> Service {
        let entropy = Arc::new(SeededEntropy::new(seed));
        Service::open(self.store.table.clone(), self.clock.clone(), entropy).await.expect("a service")
    }

    /// Defines a role.
    pub async fn role(&self, role: &str, permits: &[&str]) {
        let put = self.service.put_role(&self.admin, &name(role), &permissions(permits), None).await;
        put.expect("a role");
    }

    /// Creates a user who has roles, or gives them to one.
    pub async fn user(&self, user: &str, roles: &[&str]) -> User {
        let roles: Vec<RoleName> = roles.iter().map(|role| name(role)).collect();
        let change = UserChange { roles: Some(roles), ..UserChange::default() };
        self.change_user(user, change).await
    }

    /// Changes a user.
    pub async fn change_user(&self, user: &str, change: UserChange) -> User {
        self.service.put_user(&self.admin, &name(user), &change).await.expect("a user")
    }

    /// Creates a token.
    pub async fn token(&self, user: &str, token: &str) -> Issued {
        self.create(new_token(user, token)).await
    }

    /// Creates a token.
    pub async fn create(&self, new: NewToken) -> Issued {
        self.service.create(&self.admin, new).await.expect("a token")
    }

    /// Deletes a token.
    pub async fn delete(&self, user: &str, token: &str) {
        self.service.delete(&self.admin, &key(user, token), None).await.expect("a deleted token");
    }

    /// Who a secret is.
    pub async fn valid(&self, secret: &str) -> Valid {
        match self.service.verify(secret, None).await.expect("an answer") {
            Verdict::Valid(valid) => *valid,
            Verdict::Invalid(why) => panic!("not valid: {why}"),
        }
    }

    /// Why a secret is not valid; `None` when it is.
    pub async fn invalid(&self, secret: &str) -> Option<Invalid> {
        match self.service.verify(secret, None).await.expect("an answer") {
            Verdict::Valid(_) => None,
            Verdict::Invalid(why) => Some(why),
        }
    }

    /// The raw item at a key.
    pub async fn item(&self, key: &Key) -> Option<Item> {
        self.store.raw.item(key).await
    }

    /// Every raw item.
    pub async fn items(&self) -> Vec<Item> {
        self.store.raw.items().await
    }

    /// How many events there are in the table.
    pub async fn count_events(&self) -> usize {
        let items = self.items().await;
        items.iter().filter_map(Key::of).filter(|key| key.pk.starts_with("E#")).count()
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }
}
