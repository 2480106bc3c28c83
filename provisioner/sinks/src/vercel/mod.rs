//! A project of Vercel: one row for each name, environment and branch.
//!
//! Values of sensitive rows can never be read, so a marker stands in the row's comment, written in the same request as
//! the value, with the time by Vercel's clock. Whoever changes the row later moves its `updatedAt` away from that time, so
//! the comment is believed no longer (and by the receipt, row id and `updatedAt`, the plan tells even a change that came
//! right after ours). What a row holds then nobody can tell, so it lags: no version of the token ends before it is
//! written again.
//!
//! Vercel has no conditional write. The project is listed right before each write, which refuses where a row is not as it
//! was seen; what is written by hand between that list and the write, some milliseconds, is overwritten. Rows are made
//! without `upsert`, so making one overwrites nothing.
//!
//! A row is read when something is deployed, and a deployment keeps what it read. Until what consumers of its environment
//! use was made after the row was changed, they read the value before, whichever it was: see `serving`.

mod calls;
mod deployments;
mod environments;
mod facts;
mod failure;
mod hook;
mod marker;
mod row;
mod serving;
mod settings;
mod waiting;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::AsyncSleep;
use futures_util::future::join_all;
use latchkey::mutex::Mutex;
use latchkey::place::Place;
use latchkey::secret::Secret;

use self::calls::{Calls, Listed};
pub use self::environments::{Environment, Environments, PushFields};
pub(super) use self::facts::Type;
use self::failure::{pacing, refuses, rejects};
use self::hook::Hook;
use self::row::{Reader, Row};
pub use self::settings::Settings;
use self::waiting::{Branches, Found};
use crate::bearer::Api;
use crate::deadline::{Deadline, Elapsed};
use crate::forgotten::ForgottenBranches;
use crate::host::{Host, Queues};
use crate::login::Keeper;
use crate::transport::{Address, AddressError, Http, Transport};
use crate::value::seen_entry;
use crate::{
    Capabilities, DeclaredSink, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, SeenEntry, Sink,
    SinkError, Write,
};

/// Its name in a manifest.
pub const KIND: &str = "vercel";
/// Vercel's own address.
pub const HOST: &str = "https://api.vercel.com";

/// A project, reached with one login.
#[derive(Debug)]
pub struct Vercel {
    calls: Calls,
    endpoint: Option<String>,
    hook: Option<Hook>,
    branches: Branches,
    /// What people should know of what was written.
    remarks: Mutex<Vec<String>>,
}

impl Vercel {
    /// The project that a manifest declares. Contacts nothing.
    ///
    /// # Errors
    /// When the endpoint is no address.
    pub fn new(settings: &Settings, queues: &Queues) -> Result<Self, AddressError> {
        let address = Address::parse(settings.endpoint.as_deref().unwrap_or(HOST))?;
        let api = Api {
            host: Host::new(address.clone(), queues, pacing),
            keeper: Keeper::new(settings.login.clone()),
            vendor: "Vercel",
            refuses,
            rejects,
        };
        let (project, team) = (settings.project.clone(), settings.team.clone());
        let calls = Calls { api, project, team, id: OnceLock::new() };
        let hook = settings.deploy_hook.clone().map(|from| Hook::new(from, address, settings.project.clone()));
        Ok(Self {
            calls,
            endpoint: settings.endpoint.clone(),
            hook,
            branches: Branches::default(),
            remarks: Mutex::default(),
        })
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

    /// Where a push lands.
    fn place_of(&self, name: &str, environment: &Environment, readable: bool) -> Place {
        let (target, branch) = environment.parts();
        let team = self.calls.team.as_deref().map(|team| ("team", team));
        let mut parts: Vec<(&str, &str)> = team.into_iter().collect();
        parts.extend([("project", self.calls.project.as_str()), ("name", name), ("target", target)]);
        parts.extend(branch.map(|branch| ("branch", branch)));
        parts.extend(self.endpoint.as_deref().map(|endpoint| ("endpoint", endpoint)));
        Place::new(KIND, &parts, readable)
    }

    fn serves(&self, place: &Place) -> bool {
        place.kind == KIND
            && place.part("project") == Some(&self.calls.project)
            && place.part("team") == self.calls.team.as_deref()
            && place.part("endpoint") == self.endpoint.as_deref()
    }

    /// The project's rows, and who reads each place's; the custom environments are asked for where one is named.
    async fn project(&self, places: &[&Place]) -> Result<(Listed, Vec<Result<Reader, SinkError>>), SinkError> {
        let listed = self.calls.list().await?;
        let needed = places.iter().any(|place| custom(place).is_some());
        let ids = if needed { self.calls.custom_environments().await? } else { BTreeMap::new() };
        Ok((listed, places.iter().map(|place| self.reader(place, &ids)).collect()))
    }

    fn reader(&self, place: &Place, ids: &BTreeMap<String, String>) -> Result<Reader, SinkError> {
        let part = |name| place.part(name).map(str::to_owned);
        let mut reader = Reader { target: part("target").unwrap_or_default(), branch: part("branch"), custom: None };
        if let Some(slug) = custom(place) {
            let id = ids.get(slug).ok_or_else(|| SinkError::Refused {
                reason: format!("the project `{}` has no custom environment `{slug}`", self.calls.project),
                hint: "create it on Vercel, or remove it from the push".to_owned(),
            })?;
            reader.custom = Some(id.clone());
        }
        Ok(reader)
    }

    /// What a row holds: by its value where that may be read, else by its marker.
    async fn held(&self, row: &Row) -> Result<SeenEntry, SinkError> {
        let mut held = row.seen();
        if !row.is_sensitive()
            && let Some(id) = &row.id
            && let Some(value) = self.calls.value(id).await?
        {
            held = seen_entry(&value, held.receipt);
        }
        Ok(held)
    }

    fn remark(&self, text: String) {
        let mut remarks = self.remarks.lock();
        if !remarks.contains(&text) {
            remarks.push(text);
        }
    }
}

/// The slug of the custom environment that a place is for.
fn custom(place: &Place) -> Option<&str> {
    place.part("target").filter(|target| !matches!(*target, "production" | "preview" | "development"))
}

fn all<T>(places: usize, error: &SinkError) -> Vec<Result<T, SinkError>> {
    (0..places).map(|_| Err(error.clone())).collect()
}

#[async_trait]
impl DeclaredSink for Vercel {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let environment = push.environment.as_ref().ok_or_else(|| SinkError::Refused {
            reason: "the push names no environment".to_owned(),
            hint: "add `targets = [\"production\"]`".to_owned(),
        })?;
        let place = self.place_of(&push.name, environment, !push.sensitive);
        self.branches.count(&place.id(), push.branches.as_deref());
        Ok(place)
    }

    async fn reaches(&self, place: &Place) -> bool {
        self.serves(place)
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        let rows = self.calls.list().await?.rows;
        let slugs =
            if rows.iter().any(Row::has_custom) { self.calls.custom_environments().await? } else { BTreeMap::new() };
        let slugs: BTreeMap<&str, &str> = slugs.iter().map(|(slug, id)| (id.as_str(), slug.as_str())).collect();
        Ok(rows.iter().filter(|row| row.key.starts_with(prefix)).flat_map(|row| row.listed(&slugs)).collect())
    }

    fn forget_branches(&self, branches: &Arc<ForgottenBranches>) {
        self.branches.forget(branches);
    }
}

#[async_trait]
impl Sink for Vercel {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: KIND,
            // Unless a push says `sensitive = false`: each place knows.
            readable: false,
            marker: true,
            conditional: false,
            restarts: false,
            redeploys: true,
            surveys: false,
            local: false,
            batch: 100,
            value_max: 65_536,
        }
    }

    fn unit(&self, _: &Place) -> String {
        format!("{} {}", self.calls.team.as_deref().unwrap_or_default(), self.calls.project)
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        let (listed, readers) = match self.project(places).await {
            Ok(project) => project,
            Err(error) => return all(places.len(), &error),
        };
        let check = |(place, reader): (&&Place, Result<Reader, SinkError>)| {
            let reader = reader?;
            let row = listed.row(place, &reader);
            row.and_then(|row| row.refused(place)).map_or(Ok(()), Err)
        };
        places.iter().zip(readers).map(check).collect()
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let (listed, readers) = match self.project(places).await {
            Ok(project) => project,
            Err(error) => return all(places.len(), &error),
        };
        let looks = places.iter().zip(&readers).map(|(place, reader)| {
            let listed = &listed;
            async move {
                // Nobody reads from an environment that is not there.
                let Ok(reader) = reader else { return Ok(Seen::Absent) };
                match listed.row(place, reader) {
                    Some(row) => self.held(row).await.map(Seen::Holds),
                    None => Ok(Seen::Absent),
                }
            }
        });
        let mut seen = join_all(looks).await;
        let mut found: Vec<Found<'_>> = Vec::new();
        for ((place, reader), seen) in places.iter().zip(&readers).zip(&mut seen) {
            if let (Ok(reader), Ok(Seen::Holds(held))) = (reader, seen)
                && let Some(row) = listed.row(place, reader)
            {
                found.push(Found { place, reader, row, held });
            }
        }
        waiting::note(&self.calls, &listed, &mut found, &self.branches).await;
        seen
    }

    /// Project, name, environment and branch. The ids of projects are unique, so that the team adds nothing.
    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        let project = self.calls.project_id().await;
        let part = |place: &Place, name| place.part(name).unwrap_or_default().to_owned();
        let identity = |place: &&Place| {
            let [name, target, branch] = ["name", "target", "branch"].map(|name| part(place, name));
            Some(format!("{} {name} {target} {branch}", project?))
        };
        places.iter().map(identity).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let (listed, readers) = self.project(&[place]).await?;
        let Some(Ok(reader)) = readers.first() else { return Ok(None) };
        let Some(row) = listed.row(place, reader).filter(|row| !row.is_sensitive()) else { return Ok(None) };
        let Some(id) = &row.id else { return Ok(None) };
        let value = self.calls.value(id).await?;
        let secret = value.and_then(|value| Secret::parse(&value).ok());
        Ok(secret.filter(|secret| secret.fingerprint() == wanted.fingerprint))
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        if deadline.has_passed() {
            return all(writes.len(), &SinkError::Late);
        }
        self.write_all(writes, deadline).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        if deadline.has_passed() {
            return all(removals.len(), &SinkError::Late);
        }
        self.remove_all(removals, deadline).await
    }

    async fn written(&self, places: &[&Place]) -> Result<Option<String>, SinkError> {
        let remarks = std::mem::take(&mut *self.remarks.lock());
        let mut said = remarks;
        if let Some(hook) = self.hook.as_ref().filter(|_| !places.is_empty()) {
            match hook.call().await {
                Ok(called) => said.push(called),
                // Nobody asks for the remarks a second time.
                Err(error) if !said.is_empty() => {
                    return Err(SinkError::Unreachable { reason: format!("{error}; besides, {}", said.join("; ")) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((!said.is_empty()).then(|| said.join("; ")))
    }
}

/// The way over the network to an endpoint, for [`Vercel::with_transport`].
///
/// # Errors
/// When it is no address.
pub fn network(endpoint: &str) -> Result<Arc<dyn Transport>, AddressError> {
    Ok(Arc::new(Http::new(Address::parse(endpoint)?)))
}
