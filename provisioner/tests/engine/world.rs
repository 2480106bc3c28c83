//! What outlives runs: the table, the places, time, and the invariants that are checked after every effect.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use latchkey::clock::Clock;
use latchkey::entropy::SystemEntropy;
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey::place::PlaceId;
use latchkey::role::Permissions;
use latchkey::secret::Secret;
use latchkey::service::{Caller, Grant, Invalid, Life, NewToken, Service, UserChange, Verdict};
use latchkey::table::Table;
use latchkey::table::sqlite::Sqlite;
use latchkey::token::TokenKey;
use latchkey::user::UserKind;

use crate::exploration::{Entry, Traits};
use crate::table::Wire;

thread_local! {
    static SECONDS: Cell<u64> = const { Cell::new(0) };
}

/// Time of this thread's world, for service and deadlines alike.
#[derive(Debug)]
pub(crate) struct TestClock;

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let seconds = i64::try_from(SECONDS.get()).unwrap();
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }
}

/// The clock of deadlines.
pub(crate) fn elapsed() -> Duration {
    Duration::from_secs(SECONDS.get())
}

/// A write that timed out and is still under way.
#[derive(Debug)]
pub(crate) struct LateWrite {
    pub(crate) place: PlaceId,
    pub(crate) value: String,
    /// The sink compares, so it must still find what it found when the write began.
    pub(crate) conditional: bool,
    /// What that was.
    pub(crate) over: Option<u64>,
}

/// How runs reach the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In their own process, as its operator.
    Direct,
    /// Through the API, with the token of a job.
    Api,
}

/// Table, places and time.
pub(crate) struct World {
    pub(crate) engine: Arc<Sqlite>,
    pub(crate) traits: [Traits; 2],
    places: Mutex<BTreeMap<PlaceId, Entry>>,
    late: Mutex<Vec<LateWrite>>,
    stamps: AtomicU64,
    checker: Service,
    /// The job's token, where runs go through the API.
    pub(crate) job: Option<Secret>,
    /// What must stay as it is.
    foreign: Mutex<BTreeMap<PlaceId, String>>,
    broken: Mutex<Vec<String>>,
    trace: Mutex<Vec<String>>,
    checks: AtomicUsize,
    /// A person deleted a token, so its secrets may stand dead in places until they are mended.
    pub(crate) deleted_by_hand: AtomicBool,
    /// Whether every promotion is checked against the places.
    pub(crate) strict: AtomicBool,
    /// An older secret that still works, for whoever puts it back.
    pub(crate) older: Mutex<Option<String>>,
}

impl World {
    /// An empty one, at the beginning of time.
    pub(crate) async fn new(traits: [Traits; 2], way: Way) -> Arc<Self> {
        SECONDS.set(0);
        let engine = Arc::new(Sqlite::memory(Arc::new(TestClock)).unwrap());
        let checker = service(Wire { engine: engine.clone(), gate: None }).await;
        let job = if way == Way::Api { Some(job(&checker).await) } else { None };
        Arc::new(Self {
            engine,
            job,
            traits,
            places: Mutex::default(),
            late: Mutex::default(),
            stamps: AtomicU64::new(1),
            checker,
            foreign: Mutex::default(),
            broken: Mutex::default(),
            trace: Mutex::default(),
            checks: AtomicUsize::new(0),
            deleted_by_hand: AtomicBool::new(false),
            strict: AtomicBool::new(false),
            older: Mutex::default(),
        })
    }

    /// What the places hold.
    pub(crate) fn places(&self) -> MutexGuard<'_, BTreeMap<PlaceId, Entry>> {
        self.places.lock()
    }

    /// Writes under way.
    pub(crate) fn late(&self) -> MutexGuard<'_, Vec<LateWrite>> {
        self.late.lock()
    }

    /// The service as a person's hand reaches it.
    pub(crate) fn service(&self) -> &Service {
        &self.checker
    }

    /// A number that no entry has yet.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets time pass.
    #[expect(clippy::unused_self, reason = "time belongs to the world")]
    pub(crate) fn pass(&self, length: Duration) {
        SECONDS.set(SECONDS.get() + length.as_secs());
    }

    /// A person writes into a place.
    pub(crate) fn by_hand(&self, place: &PlaceId, value: &str) {
        let entry = Entry { value: value.to_owned(), stamp: self.stamp(), marked: false };
        self.places().insert(place.clone(), entry);
    }

    /// A person puts an older secret back, as the engine had written it.
    pub(crate) fn roll_back(&self, place: &PlaceId) {
        let Some(value) = self.older.lock().clone() else { return };
        let entry = Entry { value, stamp: self.stamp(), marked: true };
        self.places().insert(place.clone(), entry);
    }

    /// A person writes into a place where nothing of ours has ever been.
    pub(crate) fn foreign(&self, place: &PlaceId) {
        self.by_hand(place, "somebody-elses");
        self.foreign.lock().insert(place.clone(), "somebody-elses".to_owned());
    }

    /// Everything that is under way arrives.
    pub(crate) async fn arrive(&self) {
        let late: Vec<LateWrite> = std::mem::take(&mut *self.late());
        for write in late {
            {
                let mut places = self.places();
                let now = places.get(&write.place).map(|entry| entry.stamp);
                if write.conditional && write.over != now {
                    continue;
                }
                let entry = Entry { value: write.value, stamp: self.stamp(), marked: true };
                places.insert(write.place, entry);
            }
            self.check("a late write arrived").await;
        }
    }

    /// Notes what breaks an invariant.
    pub(crate) fn broke(&self, text: String) {
        self.note(format!("BROKEN {text}"));
        self.broken.lock().push(text);
    }

    /// Notes a call, so that a case that breaks something can be followed.
    pub(crate) fn note(&self, text: String) {
        self.trace.lock().push(text);
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.lock().clone()
    }

    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken.lock().clone()
    }

    /// How often the invariants were checked.
    pub(crate) fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }

    /// A: no place holds a secret that does not work, deletion by a person apart. C: what is foreign is untouched.
    pub(crate) async fn check(&self, when: &str) {
        self.checks.fetch_add(1, Ordering::Relaxed);
        let values: Vec<String> = self.places().values().map(|entry| entry.value.clone()).collect();
        for value in values.iter().filter(|value| value.starts_with("lk_")) {
            let by_hand = self.deleted_by_hand.load(Ordering::Relaxed);
            let why = match self.checker.verify(value, None).await.unwrap() {
                Verdict::Invalid(why) if !(by_hand && why == Invalid::Deleted) => why,
                _ => continue,
            };
            // Its run may have been suspended since the place was read.
            if self.places().values().any(|entry| entry.value == *value) {
                self.broke(format!("A: after {when}: a place holds a dead secret: {why}"));
            }
        }
        let places = self.places();
        for (place, value) in self.foreign.lock().iter() {
            if places.get(place).map(|entry| &entry.value) != Some(value) {
                self.broke(format!("C: after {when}: a foreign value is gone"));
            }
        }
    }

    /// A version became current: every place must hold it, where nobody but this run and a person is at work.
    pub(crate) async fn promoted(&self, number: u32) {
        if !self.strict.load(Ordering::Relaxed) {
            return;
        }
        let values: Vec<String> = self.places().values().map(|entry| entry.value.clone()).collect();
        for value in values {
            match self.checker.verify(&value, None).await.unwrap() {
                Verdict::Valid(valid) if valid.version == number => {}
                _ => self.broke(format!("version {number} was promoted, and a place does not hold it")),
            }
        }
    }

    /// D: no secret is in the table, in whatever item.
    pub(crate) fn check_table(&self) {
        let page = crate::table::at_once(latchkey::table::engine::Engine::scan(&*self.engine, None, None)).unwrap();
        assert!(page.next.is_none(), "more than a page");
        let items = format!("{:?}", page.items);
        assert!(items.contains("documents:read"), "the scan read nothing");
        // What a secret starts with: prefix, id, and a separator after it.
        for (at, _) in items.match_indices("lk_") {
            let rest = &items.as_bytes()[at + 3..];
            if rest.len() > 17 && rest[16] == b'_' && rest[..16].iter().all(u8::is_ascii_alphanumeric) {
                self.broke("D: the table holds a secret".to_owned());
            }
        }
    }
}

/// Makes the token of a job that applies the manifest, with what an admin grants it.
async fn job(service: &Service) -> Secret {
    let (admin, role, user) = (Caller::operator("admin"), "job".parse().unwrap(), "pipeline".parse().unwrap());
    let permissions: Permissions = std::iter::once("manifests:acme".parse().unwrap()).collect();
    service.put_role(&admin, &role, &permissions, None).await.unwrap();
    let change = UserChange { kind: Some(UserKind::Service), roles: Some(vec![role]), ..UserChange::default() };
    service.put_user(&admin, &user, &change).await.unwrap();
    let grant = Grant {
        permissions: std::iter::once("documents:read".parse().unwrap()).collect(),
        new_users: ["ci".parse().unwrap()].into(),
        new_roles: ["reader".parse().unwrap()].into(),
        ..Grant::default()
    };
    service.set_grant(&admin, &"acme".parse().unwrap(), &grant).await.unwrap();
    let life = Life::Until(Some(TestClock.now() + jiff::SignedDuration::from_hours(24 * 300)));
    let key = TokenKey::new(user, "main-pipeline".parse().unwrap());
    service.create(&admin, NewToken::new(key, life)).await.unwrap().secret
}

/// A service on a connector, with the world's time.
pub(crate) async fn service(wire: Wire) -> Service {
    let table = Table::on(Arc::new(wire));
    Service::open(table, Arc::new(TestClock), Arc::new(SystemEntropy)).await.unwrap()
}
