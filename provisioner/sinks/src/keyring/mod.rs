//! The keyring of this machine's user: on Linux the Secret Service of the desktop (GNOME Keyring, `KWallet`, `KeePassXC`),
//! on macOS the login keychain.
//!
//! The value is a token's whole secret, so it tells itself which version it is. Every value is read back after it was
//! written. A keyring that is locked is not asked to ask: a run would wait for a window that nobody may see.

mod entries;
mod facts;
mod fault;
#[cfg(target_os = "macos")]
mod keychain;
#[cfg(target_os = "linux")]
mod secret_service;
mod settings;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod unsupported;

use std::time::Duration;

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::{Digest, Secret};
use zeroize::Zeroizing;

pub use self::entries::KeyringEntries;
use self::entries::{in_time, is_of_logins};
pub(super) use self::facts::Type;
pub use self::fault::KeyringError;
#[cfg(target_os = "macos")]
use self::keychain::Store;
#[cfg(target_os = "linux")]
use self::secret_service::Store;
pub use self::settings::Settings;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
use self::unsupported::Store;
use crate::deadline::Deadline;
use crate::value::seen_entry;
use crate::{
    Capabilities, DeclaredSink, Marker, PushDeclaration, Receipt, Removal, Seen, SeenEntry, Sink, SinkError, Write,
};

/// Its name in a manifest.
pub const KIND: &str = "keyring";
/// Keyrings answer at once; one that does not waits for somebody.
const WITHIN: Duration = Duration::from_secs(45);
/// What no keyring minds.
const VALUE_MAX: usize = 65_536;

/// The session that a keyring is opened in.
#[derive(Debug, Clone)]
pub struct Session {
    /// This machine's name, as it is in places.
    pub machine: String,
    /// Whether this is a machine for jobs: `CI` is set.
    pub in_ci: bool,
    /// The address of the D-Bus session; the one of the environment by default.
    pub bus: Option<String>,
}

impl Session {
    /// That of this process, on a machine of that name.
    pub fn of_process(machine: &str) -> Self {
        let in_ci = std::env::var("CI").is_ok_and(|set| !matches!(set.trim(), "" | "0" | "false"));
        Self { machine: machine.to_owned(), in_ci, bus: None }
    }
}

/// The entries of one service in this user's keyring.
#[derive(Debug, Clone)]
pub struct Keyring {
    settings: Settings,
    session: Session,
}

/// What is asked of a keyring that is open.
type Question<T, E> = Box<dyn FnOnce(&Store) -> Result<T, E> + Send>;

impl Keyring {
    /// Nothing is opened yet.
    pub fn new(settings: Settings, session: Session) -> Self {
        Self { settings, session }
    }

    fn landing(&self, name: &str) -> Place {
        // Each user of a machine has a keyring of their own.
        let user = rustix::process::getuid().as_raw().to_string();
        let parts = [
            ("machine", self.session.machine.as_str()),
            ("user", &user),
            ("service", &self.settings.service),
            ("name", name),
        ];
        Place::new(KIND, &parts, true)
    }

    /// The name of an entry of this machine and service.
    fn name(&self, place: &Place) -> Result<String, SinkError> {
        if is_of_logins(place.part("service").unwrap_or_default()) {
            return Err(SinkError::Refused {
                reason: "the place is one of Latchkey's own logins".to_owned(),
                hint: "declare another `service`".to_owned(),
            });
        }
        let machine = place.part("machine").unwrap_or_default();
        if machine != self.session.machine {
            return Err(SinkError::OtherMachine { machine: machine.to_owned() });
        }
        let user = place.part("user").unwrap_or_default();
        if user != rustix::process::getuid().as_raw().to_string() {
            return Err(SinkError::OtherMachine { machine: format!("{machine}, user {user}") });
        }
        let name = place.part("name").unwrap_or_default();
        if *place == self.landing(name) {
            return Ok(name.to_owned());
        }
        Err(SinkError::Refused {
            reason: format!("`{name}` is stored under another service than `{}`", self.settings.service),
            hint: "declare a sink for that service".to_owned(),
        })
    }

    /// Opens the keyring, and asks on a thread that may wait.
    async fn ask<T: Send + 'static>(&self, question: Question<T, SinkError>) -> Result<T, SinkError> {
        if self.session.in_ci && !self.settings.allow_ci {
            return Err(SinkError::Refused {
                reason: "`CI` is set, and CI machines rarely have a keyring that lasts".to_owned(),
                hint: "run on the machine of the keyring, or set `allow_ci = true` in the sink if this one keeps it"
                    .to_owned(),
            });
        }
        let Self { settings, session } = self.clone();
        in_time(move || question(&Store::open(&settings, &session)?)).await
    }

    /// Asks of each place that is here, all in one go, in the places' order. What keeps the keyring shut is told for each.
    async fn each<T: Send + 'static>(
        &self,
        places: impl Iterator<Item = &Place>,
        question: impl Fn(&Store, &str, usize) -> Result<T, SinkError> + Send + 'static,
    ) -> Vec<Result<T, SinkError>> {
        let names: Vec<Result<String, SinkError>> = places.map(|place| self.name(place)).collect();
        if names.iter().all(Result::is_err) {
            return names.into_iter().filter_map(Result::err).map(Err).collect();
        }
        let asked = names.clone();
        let answers = self
            .ask(Box::new(move |store| {
                let one = |(at, name): (usize, Result<String, SinkError>)| question(store, &name?, at);
                Ok(asked.into_iter().enumerate().map(one).collect::<Vec<_>>())
            }))
            .await;
        match answers {
            Ok(answers) => answers,
            Err(error) => names.into_iter().map(|name| Err(name.err().unwrap_or_else(|| error.clone()))).collect(),
        }
    }
}

/// One entry that is to be written, in hands that another thread may have.
struct Entry {
    value: Zeroizing<String>,
    label: String,
    seen: Seen,
}

#[async_trait]
impl DeclaredSink for Keyring {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        Ok(self.landing(&push.name))
    }

    async fn reaches(&self, place: &Place) -> bool {
        // Another machine's too: that it is there, and not here, is said by a look.
        self.name(place).is_ok() || place.part("machine") != Some(&self.session.machine)
    }
}

#[async_trait]
impl Sink for Keyring {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: KIND,
            readable: true,
            marker: false,
            conditional: false,
            restarts: false,
            redeploys: false,
            surveys: false,
            local: true,
            batch: 32,
            value_max: VALUE_MAX,
        }
    }

    fn unit(&self, place: &Place) -> String {
        format!("{} {}", place.part("machine").unwrap_or_default(), place.part("service").unwrap_or_default())
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.each(places.iter().copied(), |store, name, _| Ok(store.get(name).map(drop)?)).await
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.each(places.iter().copied(), |store, name, _| Ok(seen(store.get(name)?.as_deref().map(Vec::as_slice))))
            .await
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let name = self.name(place)?;
        let value = self.ask(Box::new(move |store| Ok(store.get(&name)?))).await?;
        let secret = value.and_then(|value| Secret::parse(std::str::from_utf8(&value).ok()?).ok());
        Ok(secret.filter(|secret| secret.fingerprint() == wanted.fingerprint && secret.token_id() == wanted.token_id))
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let entries: Vec<Entry> = writes
            .iter()
            .map(|write| Entry {
                value: Zeroizing::new(write.secret.expose().to_owned()),
                label: format!("Latchkey: {} of {}", write.token_name, write.manifest),
                seen: write.seen.clone(),
            })
            .collect();
        let places = writes.iter().map(|write| write.place);
        self.each(places, move |store, name, at| put(store, name, &entries[at], deadline)).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let seen: Vec<Seen> = removals.iter().map(|removal| removal.seen.clone()).collect();
        let places = removals.iter().map(|removal| removal.place);
        self.each(places, move |store, name, at| take_away(store, name, &seen[at], deadline)).await
    }
}

fn seen(value: Option<&[u8]>) -> Seen {
    let Some(value) = value else { return Seen::Absent };
    let fingerprint = Digest::of(value).fingerprint();
    let receipt = Receipt(fingerprint.as_str().to_owned());
    let text = String::from_utf8_lossy(value);
    Seen::Holds(SeenEntry { fingerprint: Some(fingerprint), ..seen_entry(&text, receipt) })
}

/// Writes an entry, if it is as it was seen, and reads it back.
fn put(store: &Store, name: &str, entry: &Entry, deadline: Deadline) -> Result<Receipt, SinkError> {
    let value = entry.value.as_bytes();
    let receipt = Receipt(Digest::of(value).fingerprint().as_str().to_owned());
    let held = store.get(name)?;
    if held.as_ref().is_some_and(|held| held.as_slice() == value) {
        return Ok(receipt);
    }
    if seen(held.as_deref().map(Vec::as_slice)) != entry.seen {
        return Err(SinkError::Changed);
    }
    if deadline.has_passed() {
        return Err(SinkError::Late);
    }
    store.set(name, value, &entry.label)?;
    confirm(store, name, value)?;
    Ok(receipt)
}

/// Reads an entry back.
fn confirm(store: &Store, name: &str, value: &[u8]) -> Result<(), KeyringError> {
    match store.get(name)? {
        Some(held) if held.as_slice() == value => Ok(()),
        _ => Err(KeyringError::Otherwise(name.to_owned())),
    }
}

/// Removes an entry that is as it was seen, and ours.
fn take_away(store: &Store, name: &str, expected: &Seen, deadline: Deadline) -> Result<(), SinkError> {
    let now = seen(store.get(name)?.as_deref().map(Vec::as_slice));
    match &now {
        Seen::Absent | Seen::NotShown { .. } => return Ok(()),
        now if now != expected => return Err(SinkError::Changed),
        Seen::Holds(held) if held.token_id.is_none() => {
            return Err(SinkError::Refused {
                reason: format!("`{name}` contains a value that Latchkey did not write"),
                hint: "remove it by hand if nothing needs it".to_owned(),
            });
        }
        Seen::Holds(_) => {}
    }
    if deadline.has_passed() {
        return Err(SinkError::Late);
    }
    Ok(store.delete(name)?)
}
