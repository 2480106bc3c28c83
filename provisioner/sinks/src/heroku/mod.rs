//! The config vars of a Heroku app, or of a pipeline's stage.
//!
//! Every change makes a release and restarts the app, so all entries of a run go in one request, and what is there
//! already is not sent at all. Heroku has neither a marker nor a conditional write: values are read, hashed and compared
//! in memory, and read once more right before a change; what is written by hand in the milliseconds between is
//! overwritten.
//!
//! Dynos run with a change once its release has succeeded. Until then, and where it failed, the places count as out of
//! sight wherever the release that dynos run has another value. Releases keep the values that they had: whoever may read
//! an app's releases reads those, and a rollback brings them back.
//!
//! A pipeline's config vars are copied into CI runs and review apps when those are made; there are no releases. Until no
//! review app that exists has an older value, and no CI run is under way, the entry waits.

mod address;
mod calls;
mod copies;
mod facts;
mod failure;
mod release;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::AsyncSleep;
use latchkey::place::Place;
use latchkey::secret::{Digest, Secret};

pub use self::address::{HOST, VARIABLE, address};
use self::calls::{Calls, Changes, Vars};
pub(super) use self::facts::Type;
use self::failure::{SCOPE_HINT, lacks_scope, pacing, refuses, rejects};
use self::release::Running;
pub use self::settings::{Settings, Stage, Target};
use crate::bearer::Api;
use crate::deadline::{Deadline, Elapsed};
use crate::host::{Host, Queues};
use crate::login::Keeper;
use crate::transport::{Address, AddressError, Transport};
use crate::value::seen_entry;
use crate::{
    Capabilities, DeclaredSink, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, SeenEntry, Sink,
    SinkError, Write,
};

/// Its name in a manifest.
pub const KIND: &str = "heroku";
/// All config vars of an app together, in bytes.
const SIZE_MAX: usize = 32 * 1024;
/// What a secret adds at the most, beside its name.
const SECRET_SIZE: usize = 90;
/// How few requests an account may have left for a run to begin.
const LEFT_MIN: i64 = 20;
/// How often a change is sent when nobody can tell whether it arrived: each time it is looked at first.
const ROUNDS: usize = 3;

/// An app or a stage, reached with one login.
#[derive(Debug)]
pub struct Heroku {
    calls: Calls,
    endpoint: Option<String>,
}

/// One entry that is to change, and what it was seen to hold.
struct Wanted<'a> {
    place: &'a Place,
    /// The value; none to remove it.
    value: Option<&'a str>,
    seen: &'a Seen,
}

impl Heroku {
    /// What a manifest declares, reached at `address` where it declares no other. Contacts nothing.
    ///
    /// # Errors
    /// When the endpoint is no address.
    pub fn new(settings: &Settings, address: Address, queues: &Queues) -> Result<Self, AddressError> {
        let address = settings.endpoint.as_deref().map_or(Ok(address), Address::parse)?;
        let api = Api {
            host: Host::new(address, queues, pacing),
            keeper: Keeper::new(settings.login.clone()),
            vendor: "Heroku",
            refuses,
            rejects,
        };
        let calls = Calls { api, target: settings.target.clone(), id: OnceLock::new() };
        Ok(Self { calls, endpoint: settings.endpoint.clone() })
    }

    /// The same over another way, with another clock: for tests.
    #[must_use]
    pub fn with_transport(
        mut self,
        transport: Arc<dyn Transport>,
        sleep: impl AsyncSleep + Clone + 'static,
        elapsed: Elapsed,
    ) -> Self {
        self.calls.api.host = self.calls.api.host.with_transport(transport, sleep, elapsed);
        self
    }

    fn place_of(&self, name: &str) -> Place {
        let mut parts = match &self.calls.target {
            Target::App(app) => vec![("app", app.as_str())],
            Target::Pipeline { id, stage } => vec![("pipeline", id.as_str()), ("stage", stage.name())],
        };
        parts.push(("name", name));
        parts.extend(self.endpoint.as_deref().map(|endpoint| ("endpoint", endpoint)));
        Place::new(KIND, &parts, true)
    }

    /// Checks, changes in one request, and waits for the release. Answers in the order of what is wanted.
    async fn change(&self, wanted: &[Wanted<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let mut answers: Vec<Option<Result<(), SinkError>>> = wanted.iter().map(|_| None).collect();
        let mut before = None;
        let mut silent: Option<SinkError> = None;
        for _ in 0..ROUNDS {
            // Before the vars: what is compared with must not be old when it is changed.
            if before.is_none() {
                before = match self.calls.newest().await {
                    Ok(newest) => newest.map(|newest| newest.version),
                    Err(error) => return fill(answers, &silent.unwrap_or(error)),
                };
            }
            let vars = match self.calls.vars().await {
                Ok((vars, _)) => vars,
                Err(error) => return fill(answers, &silent.unwrap_or(error)),
            };
            let changes = changes(wanted, &vars, &mut answers);
            if changes.is_empty() {
                // Nothing was sent, or it had arrived: a release that is awaited may never come.
                before = before.filter(|_| silent.is_some());
                silent = None;
                break;
            }
            let more = added(&vars, &changes);
            if more > 0 && size(&vars) + more > SIZE_MAX {
                return fill(answers, &too_large(&self.calls.whose()));
            }
            if deadline.has_passed() {
                return fill(answers, &silent.unwrap_or(SinkError::Late));
            }
            match self.calls.change(&changes, deadline).await {
                Ok(()) => {
                    silent = None;
                    break;
                }
                // Whether it arrived is seen by looking.
                Err(error @ SinkError::Unreachable { .. }) => silent = Some(error),
                Err(error) => return fill(answers, &silent.unwrap_or(error)),
            }
        }
        if let Some(error) = silent {
            return fill(answers, &error);
        }
        self.confirm(wanted, answers, before).await
    }

    /// Waits for the release, and tells each entry whether dynos run with it.
    async fn confirm(
        &self,
        wanted: &[Wanted<'_>],
        answers: Vec<Option<Result<(), SinkError>>>,
        before: Option<u64>,
    ) -> Vec<Result<(), SinkError>> {
        if answers.iter().all(|answer| matches!(answer, Some(Err(_)))) {
            return fill(answers, &SinkError::Changed);
        }
        let running = match self.calls.released(before).await {
            Ok(running) => running,
            Err(error) => {
                return answers.into_iter().map(|answer| answer.unwrap_or(Ok(())).and(Err(error.clone()))).collect();
            }
        };
        let ended = |(answer, wanted): (Option<Result<(), SinkError>>, &Wanted<'_>)| {
            answer.unwrap_or(Ok(()))?;
            running.behind(name(wanted.place), wanted.value).map_or(Ok(()), Err)
        };
        answers.into_iter().zip(wanted).map(ended).collect()
    }
}

fn name(place: &Place) -> &str {
    place.part("name").unwrap_or_default()
}

fn seen(vars: &Vars, name: &str) -> Seen {
    let Some(value) = vars.get(name) else { return Seen::Absent };
    let receipt = Receipt(Digest::of(value.0.as_bytes()).fingerprint().as_str().to_owned());
    Seen::Holds(seen_entry(&value.0, receipt))
}

/// What of all that is wanted has to change. Answers entries that are done, and those that somebody changed since.
fn changes<'a>(wanted: &[Wanted<'a>], vars: &Vars, answers: &mut [Option<Result<(), SinkError>>]) -> Changes<'a> {
    let mut changes = BTreeMap::new();
    for (wanted, answer) in wanted.iter().zip(answers) {
        let name = name(wanted.place);
        if vars.get(name).map(|value| value.0.as_str()) == wanted.value {
            *answer = Some(Ok(()));
        } else if without_lag(&seen(vars, name)) == without_lag(wanted.seen) {
            *answer = None;
            changes.insert(name, wanted.value);
        } else {
            *answer = Some(Err(SinkError::Changed));
        }
    }
    changes
}

fn without_lag(seen: &Seen) -> Seen {
    match seen {
        Seen::Holds(held) => Seen::Holds(SeenEntry { lagging: None, ..held.clone() }),
        seen @ (Seen::Absent | Seen::NotShown { .. }) => seen.clone(),
    }
}

fn fill(answers: Vec<Option<Result<(), SinkError>>>, error: &SinkError) -> Vec<Result<(), SinkError>> {
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(error.clone()))).collect()
}

fn size(vars: &Vars) -> usize {
    vars.iter().map(|(name, value)| name.len() + value.0.len()).sum()
}

/// How many bytes more changes bring; what they free is not counted.
fn added(vars: &Vars, changes: &Changes<'_>) -> usize {
    let of = |name: &str, value: &str| {
        let old = vars.get(name).map_or(0, |old| name.len() + old.0.len());
        (name.len() + value.len()).saturating_sub(old)
    };
    changes.iter().filter_map(|(name, value)| Some(of(name, (*value)?))).sum()
}

fn too_large(whose: &str) -> SinkError {
    SinkError::Refused {
        reason: format!("the config vars of {whose} would take more than 32 KB together"),
        hint: "that is Heroku's limit: remove config vars that nobody reads".to_owned(),
    }
}

#[async_trait]
impl DeclaredSink for Heroku {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        Ok(self.place_of(&push.name))
    }

    async fn reaches(&self, place: &Place) -> bool {
        self.place_of(name(place)).id() == place.id()
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        let names = self.calls.names().await?;
        Ok(names.into_iter().filter(|name| name.starts_with(prefix)).map(ListedEntry::plain).collect())
    }
}

#[async_trait]
impl Sink for Heroku {
    fn capabilities(&self) -> Capabilities {
        let is_app = matches!(self.calls.target, Target::App(_));
        Capabilities {
            kind: KIND,
            readable: true,
            marker: false,
            conditional: false,
            restarts: is_app,
            // CI runs and review apps that are made from then on.
            redeploys: !is_app,
            surveys: false,
            local: false,
            batch: usize::MAX,
            value_max: SIZE_MAX,
        }
    }

    fn unit(&self, _: &Place) -> String {
        match &self.calls.target {
            Target::App(app) => app.clone(),
            Target::Pipeline { id, stage } => format!("{id} {}", stage.name()),
        }
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        let check = async {
            let left = self.calls.left().await?;
            if left < LEFT_MIN {
                let reason = format!("the account has {left} requests left; about 75 are added each minute");
                return Err(SinkError::Unreachable { reason });
            }
            let (vars, answer) = self.calls.vars().await?;
            if lacks_scope(&answer) {
                let reason = format!(
                    "the credentials are allowed to read the config vars of {} but not to change them",
                    self.calls.whose()
                );
                return Err(SinkError::Denied { reason, hint: SCOPE_HINT.to_owned() });
            }
            let new = places.iter().map(|place| name(place)).filter(|name| !vars.contains_key(*name));
            let more: usize = new.map(|name| name.len() + SECRET_SIZE).sum();
            if more > 0 && size(&vars) + more > SIZE_MAX { Err(too_large(&self.calls.whose())) } else { Ok(()) }
        };
        let checked: Result<(), SinkError> = check.await;
        places.iter().map(|_| checked.clone()).collect()
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        // In this order: a release that starts in between leaves older values, as if the look had come before it.
        let asked = async { Ok((self.calls.vars().await?.0, self.calls.running().await?)) };
        let asked: Result<(Vars, Running), SinkError> = asked.await;
        let (vars, running) = match asked {
            Ok(asked) => asked,
            Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
        };
        let there = places.iter().any(|place| vars.contains_key(name(place)));
        // After the vars: a copy that is made in between has them.
        let copies = if there { self.calls.copies().await } else { Ok(None) };
        let look = |place: &&Place| {
            let name = name(place);
            let value = vars.get(name).map(|value| value.0.as_str());
            if let Some(behind) = running.behind(name, value) {
                return Err(behind);
            }
            let mut seen = seen(&vars, name);
            if let (Seen::Holds(held), Some(value)) = (&mut seen, value) {
                let why = match &copies {
                    Ok(copies) => copies.as_ref().and_then(|copies| copies.behind(name, value)),
                    Err(error) => Some(format!("what was copied from here cannot be read: {error}")),
                };
                held.lagging = held.lagging.take().or(why);
            }
            Ok(seen)
        };
        places.iter().map(look).collect()
    }

    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        let owner = match &self.calls.target {
            Target::App(_) => self.calls.app_id().await.cloned(),
            Target::Pipeline { id, stage } => Some(format!("{} {}", id.to_ascii_lowercase(), stage.name())),
        };
        places.iter().map(|place| owner.as_ref().map(|owner| format!("{owner} {}", name(place)))).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let (vars, _) = self.calls.vars().await?;
        let secret = vars.get(name(place)).and_then(|value| Secret::parse(&value.0).ok());
        Ok(secret.filter(|secret| secret.fingerprint() == wanted.fingerprint))
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let wanted: Vec<Wanted<'_>> = writes
            .iter()
            .map(|write| Wanted { place: write.place, value: Some(write.secret.expose()), seen: write.seen })
            .collect();
        let receipt = |(done, write): (Result<(), SinkError>, &Write<'_>)| {
            done.map(|()| Receipt(write.secret.fingerprint().as_str().to_owned()))
        };
        self.change(&wanted, deadline).await.into_iter().zip(writes).map(receipt).collect()
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let wanted: Vec<Wanted<'_>> =
            removals.iter().map(|removal| Wanted { place: removal.place, value: None, seen: removal.seen }).collect();
        let removed = self.change(&wanted, deadline).await;
        removed.into_iter().map(|removed| removed.map_err(|error| error.of_write().0)).collect()
    }
}
