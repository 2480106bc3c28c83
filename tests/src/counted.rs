//! What the service takes of DynamoDB, in capacity units, in a table with so many tokens: on the emulator, which counts as
//! DynamoDB does.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use latchkey::mutex::Mutex;
use latchkey::service::{Caller, Life, NewToken, Presented, Service, UserChange, Verdict};
use latchkey::table::Table;
use latchkey::table::condition::Condition;
use latchkey::table::counters::Counters;
use latchkey::table::engine::{Answer, Consistency, Engine, Many, Page, Plain, Range, Write};
use latchkey::table::item::{Item, size};
use latchkey::table::keys::Key;
use latchkey::table::update::Update;
use latchkey::token::TokenState;
use provisioner::service::Client;
use tokio::task::JoinSet;

use crate::clock::SeededEntropy;
use crate::engine::Engine as Which;
use crate::runs;
use crate::world::{World, key, name};

/// Tokens of a user among those that fill the table.
const PER_USER: usize = 100;
/// Users that are filled side by side.
const AT_ONCE: usize = 4;
/// After which time a declared token is due, and after which its older version can be retired.
const DUE: SignedDuration = SignedDuration::from_hours(24 * 31);
const RETIRED: SignedDuration = SignedDuration::from_hours(27);
/// Tokens of the manifest that is applied in it.
pub const DECLARED: usize = 100;

/// Units of one kind of request.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Requests.
    pub calls: f64,
    /// Read units.
    pub read: f64,
    /// Write units, those of indexes too.
    pub written: f64,
}

impl Units {
    fn each(self, all: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let all = all as f64;
        Self { calls: self.calls / all, read: self.read / all, written: self.written / all }
    }
}

/// What an operation took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Which one.
    pub operation: &'static str,
    /// What it took.
    pub units: Units,
}

/// A table that fills up.
#[derive(Debug)]
pub struct Filling {
    world: World,
    /// The same service past the count.
    uncounted: Arc<Service>,
    split: Arc<Split>,
    tokens: usize,
    measured: usize,
}

impl Filling {
    /// An empty table.
    ///
    /// # Panics
    /// As all of this does, when the emulator does not answer.
    pub async fn start() -> Self {
        let world = World::on(Which::Dynoxide).await;
        let split = Arc::new(Split {
            inner: world.store.table.engine().clone(),
            units: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        });
        let table = Table::on(split.clone());
        let service = Service::open(table, world.clock.clone(), Arc::new(SeededEntropy::new(2))).await;
        let uncounted = world.service.clone();
        let world = World { service: Arc::new(service.expect("a service")), ..world };
        world.role("reader", &["documents:read"]).await;
        world.role("checker", &["tokens:introspect"]).await;
        world.user("app", &["checker"]).await;
        Self { world, uncounted, split, tokens: 0, measured: 0 }
    }

    /// Fills it up to so many tokens, which outlive all that is measured.
    pub async fn fill(&mut self, tokens: usize) {
        let until = self.world.now() + SignedDuration::from_hours(24 * 364);
        let mut users = JoinSet::new();
        while self.tokens < tokens {
            let user = format!("user-{:05}", self.tokens / PER_USER);
            users.spawn(fill_user(self.uncounted.clone(), user, until));
            if users.len() == AT_ONCE {
                users.join_next().await.expect("one").expect("it does not panic");
            }
            self.tokens += PER_USER;
        }
        users.join_all().await;
    }

    /// What the operations take now.
    pub async fn measure(&mut self) -> Vec<Counted> {
        self.measured += 1;
        let (service, number) = (self.world.service.clone(), self.measured);
        let user = format!("user-{:05}", self.tokens / PER_USER / 2);
        let mut counted = Vec::new();
        let mut note = |operation, units| counted.push(Counted { operation, units });

        self.split.taken();
        let issued = self.world.token(&user, &format!("made-{number}")).await;
        note("create", self.split.taken());
        let app = self.world.token("app", &format!("made-{number}")).await;
        // What its roles allow is read once, and kept.
        self.world.valid(issued.secret.expose()).await;
        self.world.valid(app.secret.expose()).await;

        self.split.taken();
        self.world.valid(issued.secret.expose()).await;
        note("check", self.split.taken());
        let of = |secret| Presented { secret, from: None };
        let found = service.introspect(of(app.secret.expose()), of(issued.secret.expose())).await.expect("an answer");
        assert!(matches!(found.subject, Some(Verdict::Valid(_))), "it is valid");
        note("introspection", self.split.taken());

        let valid = self.world.valid(issued.secret.expose()).await;
        service.note_use(&valid, None).await.expect("a use");
        service.flush_usage().await.expect("a row");
        self.world.clock.set(self.world.now() + SignedDuration::from_mins(2));
        service.note_use(&valid, None).await.expect("a use");
        self.split.taken();
        service.flush_usage().await.expect("a row");
        note("uses of a minute", self.split.taken());

        let page = service.list_active(&name(&user), 100, None).await.expect("a page");
        assert_eq!(page.tokens.len(), 100, "a whole page");
        note("page of 100 of a user's tokens", self.split.taken());
        let page = service.list_everybody(TokenState::Active, 100, None).await.expect("a page");
        assert_eq!(page.tokens.len(), 100, "a whole page");
        note("page of 100 of everybody's tokens", self.split.taken());
        service.delete(&self.world.admin, &issued.token.key(), None).await.expect("a deleted token");
        note("delete", self.split.taken());
        self.world.delete("app", &format!("made-{number}")).await;

        // Of users who come after the others, so that pages of everybody's tokens begin with the same ones.
        for (operation, units) in self.runs(&format!("web-{number}")).await {
            note(operation, units.each(DECLARED));
        }
        counted
    }

    /// A manifest from its first apply on until a rotation is over.
    async fn runs(&self, manifest: &str) -> [(&'static str, Units); 4] {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = runs::manifest(folder.path(), manifest, DECLARED);
        let client = Client::operator_of(self.world.service.clone(), "bench");
        let run = async |wanted: usize| {
            self.split.taken();
            assert_eq!(runs::once(&manifest, &client).await, wanted, "tokens that change");
            self.split.taken()
        };
        let first = run(DECLARED).await;
        let unchanged = run(0).await;
        self.world.clock.set(self.world.now() + DUE);
        let rotated = run(DECLARED).await;
        self.world.clock.set(self.world.now() + RETIRED);
        let retired = run(DECLARED).await;
        [
            ("first `apply`, a token", first),
            ("`plan` without changes, a token", unchanged),
            ("rotation, a token", rotated),
            ("retirement of the older version, a token", retired),
        ]
    }

    /// What a declared token takes, and what each of its rotations adds.
    pub async fn stored(&mut self) -> Stored {
        self.measured += 1;
        let name = format!("web-{}", self.measured);
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = runs::manifest(folder.path(), &name, DECLARED);
        let client = Client::operator_of(self.world.service.clone(), "bench");
        let before = self.bytes().await;
        assert_eq!(runs::once(&manifest, &client).await, DECLARED, "all are created");
        let created = self.bytes().await;
        for wait in [DUE, RETIRED] {
            self.world.clock.set(self.world.now() + wait);
            assert_eq!(runs::once(&manifest, &client).await, DECLARED, "all are rotated");
        }
        let rotated = self.bytes().await;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = |bytes: usize| bytes as f64 / DECLARED as f64;
        Stored { token: each(created - before), rotation: each(rotated - created) }
    }

    /// Bytes of all items, as AWS bills them: it adds a hundred to each.
    async fn bytes(&self) -> usize {
        self.world.items().await.iter().map(|item| size(item) + 100).sum()
    }
}

/// Bytes, without those of indexes.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    pub token: f64,
    pub rotation: f64,
}

async fn fill_user(service: Arc<Service>, user: String, until: Timestamp) {
    let admin = Caller::operator("admin");
    let (roles, limit) = (Some(vec![name("reader")]), u32::try_from(2 * PER_USER).expect("a small number"));
    let change = UserChange { roles, max_tokens: Some(Some(limit)), ..UserChange::default() };
    service.put_user(&admin, &name(&user), &change).await.expect("a user");
    for token in 0..PER_USER {
        let new = NewToken::new(key(&user, &format!("token-{token:03}")), Life::Until(Some(until)));
        service.create(&admin, new).await.expect("a token");
    }
}

/// An engine that tells reads from writes.
#[derive(Debug)]
struct Split {
    inner: Arc<dyn Engine>,
    units: Mutex<Units>,
    /// Requests go one after another, so that what the counters move by is one's own.
    turn: tokio::sync::Mutex<()>,
}

impl Split {
    /// What was taken since the last time.
    fn taken(&self) -> Units {
        std::mem::take(&mut *self.units.lock())
    }

    fn noted<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>, reads: bool) -> Answer<'a, T> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let before = self.inner.counters().get();
            let answer = answer.await;
            let taken = self.inner.counters().get().since(before);
            let mut units = self.units.lock();
            units.calls += 1.0;
            if reads {
                units.read += taken.units;
            } else {
                units.written += taken.units;
            }
            answer
        })
    }
}

impl Engine for Split {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn counters(&self) -> &Counters {
        self.inner.counters()
    }

    fn has_conflicts(&self) -> bool {
        self.inner.has_conflicts()
    }

    fn create(&self) -> Answer<'_, ()> {
        self.inner.create()
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Item>> {
        self.noted(self.inner.get(key), true)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key], consistency: Consistency) -> Answer<'a, Many> {
        self.noted(self.inner.get_many(keys, consistency), true)
    }

    fn query<'a>(&'a self, range: &'a Range<'a>) -> Answer<'a, Page> {
        self.noted(self.inner.query(range), true)
    }

    fn scan(&self, start: Option<Item>, limit: Option<i32>) -> Answer<'_, Page> {
        self.noted(self.inner.scan(start, limit), true)
    }

    fn update<'a>(&'a self, key: &'a Key, update: &'a Update, condition: &'a Condition) -> Answer<'a, Item> {
        self.noted(self.inner.update(key, update, condition), false)
    }

    fn transact<'a>(&'a self, request: &'a str, writes: &'a [Write]) -> Answer<'a, ()> {
        self.noted(self.inner.transact(request, writes), false)
    }

    fn write(&self, writes: Vec<Plain>) -> Answer<'_, Vec<Plain>> {
        self.noted(self.inner.write(writes), false)
    }
}
