//! AWS Secrets Manager: the only sink with a compare-and-swap.
//!
//! A plain secret's version id is our marker, so that a look reads no value; where we had delivered and
//! the version is not ours, somebody else put it, and its value is read, as it may be an older one of ours. A new version is put under a label of our
//! own, `latchkey`, and AWSCURRENT is then moved to it from the version that was seen; if it is elsewhere by then,
//! nothing that a consumer reads has changed. A staged version stays readable by its id until AWS drops it: it drops
//! none that is younger than 24 hours, nor before there are about 100.
//!
//! Replicas follow by themselves; while one does not, its consumers read an older version.
//!
//! Whether a login may look at a secret that does not exist AWS decides by a name that no pattern of ARNs covers, so a look
//! that is refused there is not taken for an answer: creating tells, as it fails where a secret is.
//!
//! With `json_key`, several tokens share a secret whose value is a JSON object: a look reads the value, and all writes of
//! a run go into one new version with a fresh id, swapped in the same way.

mod calls;
mod connection;
mod cutoff;
mod description;
mod entries;
mod facts;
mod failure;
mod identity;
mod login;
mod marker;
mod object;
mod pending;
mod plain;
mod profile;
mod rights;
mod rotation;
mod settings;
mod shared;
mod survey;

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_secretsmanager::types::Tag;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, TokioSleep};
use futures_util::stream::{self, StreamExt as _};
use latchkey::mutex::Mutex;
use latchkey::place::{Place, PlaceId};
use latchkey::secret::Secret;
use tokio::sync::OnceCell;

use self::calls::Calls;
use self::description::Description;
use self::entries::{Group, entry, grouped, look_at_secret, prepare_secret, remove_secret, writable, write_secret};
pub(super) use self::facts::Type;
pub(super) use self::login::login;
pub use self::profile::{missing_profile, missing_profile_of_environment};
pub use self::rights::{delivering, partition, right_to_know_oneself, rights_of_logins};
pub use self::rotation::{PendingValue, Rotated, SecretArn, Stage, TOKEN_TAG};
pub use self::settings::{PushFields, Settings, read_json_key};
use crate::deadline::Deadline;
use crate::{
    Capabilities, DeclaredSink, Delivered, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, Sink,
    SinkError, Write,
};

/// Its name in a manifest.
pub const KIND: &str = "aws-secrets-manager";
/// Looks that run side by side.
const SIDE_BY_SIDE: usize = 8;

/// The Secrets Manager of one account and region, reached with one login.
pub struct AwsSecretsManager {
    settings: Settings,
    credentials: Option<SharedCredentialsProvider>,
    calls: OnceCell<Calls>,
    sleep: SharedAsyncSleep,
    /// Where versions of ours went before: what somebody else put there may be an older one.
    delivered: Mutex<HashSet<PlaceId>>,
}

impl AwsSecretsManager {
    /// A sink with the credentials that AWS's own tools take: environment, profile, SSO, web identity, the machine's
    /// role. Nothing is contacted before the first question.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            credentials: None,
            calls: OnceCell::new(),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            delivered: Mutex::default(),
        }
    }

    /// A sink with credentials that the caller has already.
    pub fn with_credentials(settings: Settings, credentials: impl ProvideCredentials + 'static) -> Self {
        Self { credentials: Some(SharedCredentialsProvider::new(credentials)), ..Self::new(settings) }
    }

    /// The same with other pauses: for tests.
    #[must_use]
    pub fn with_sleep(mut self, sleep: impl AsyncSleep + 'static) -> Self {
        self.sleep = SharedAsyncSleep::new(sleep);
        self
    }

    /// The place of an entry. Asks AWS, once, whose credentials they are.
    ///
    /// # Errors
    /// When there is no region or no credentials, or they belong to another account than `account`.
    pub async fn place(&self, name: &str, json_key: Option<&str>) -> Result<Place, SinkError> {
        Ok(self.calls().await?.identity.place(name, json_key))
    }

    fn was_delivered(&self, place: &Place) -> bool {
        self.delivered.lock().contains(&place.id())
    }

    async fn calls(&self) -> Result<&Calls, SinkError> {
        let connect = || async {
            let (client, identity) = connection::connect(&self.settings, self.credentials.as_ref()).await?;
            let tags = self.settings.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            let new = (self.settings.kms_key_id.clone(), tags.collect());
            Ok(Calls::new(client, identity, new, self.sleep.clone()))
        };
        self.calls.get_or_try_init(connect).await
    }

    /// Asks `question` once a secret, a few side by side, and puts the answers in the places' order.
    async fn by_secret<'a, T, F>(
        &'a self,
        places: &[&'a Place],
        question: impl Fn(&'a Calls, Group<'a>) -> F,
    ) -> Vec<Result<T, SinkError>>
    where
        F: Future<Output = Vec<(usize, Result<T, SinkError>)>>,
    {
        let calls = match self.calls().await {
            Ok(calls) => calls,
            Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
        };
        let (groups, mut answers) = grouped(calls, places);
        let questions: Vec<_> = groups.into_iter().map(|group| question(calls, group)).collect();
        let found: Vec<_> = stream::iter(questions).buffer_unordered(SIDE_BY_SIDE).collect().await;
        answers.extend(found.into_iter().flatten());
        answers.sort_by_key(|(position, _)| *position);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

#[async_trait]
impl DeclaredSink for AwsSecretsManager {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        Self::place(self, &push.name, push.json_key.as_deref()).await
    }

    async fn reaches(&self, place: &Place) -> bool {
        let name = place.part("name").unwrap_or_default();
        Self::place(self, name, place.part("json_key")).await.is_ok_and(|own| own.id() == place.id())
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        survey::entries(self.calls().await?, prefix).await
    }
}

#[async_trait]
impl Sink for AwsSecretsManager {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: KIND,
            readable: true,
            marker: true,
            conditional: true,
            restarts: false,
            redeploys: false,
            surveys: true,
            local: false,
            batch: usize::MAX,
            value_max: 65_536,
        }
    }

    fn unit(&self, place: &Place) -> String {
        let parts = place.parts.iter().filter(|(part, _)| part != "json_key");
        parts.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.by_secret(places, |calls, group| async move {
            let answer = prepare_secret(calls, &group).await;
            group.entries.iter().map(|(position, _)| (*position, answer.clone())).collect()
        })
        .await
    }

    fn went_to(&self, delivered: &[Delivered<'_>]) {
        let mut noted = self.delivered.lock();
        noted.extend(delivered.iter().map(|delivered| delivered.place.id()));
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.by_secret(places, |calls, group| async move {
            let plain = group.entries.iter().find(|(_, key)| key.is_none());
            let delivered = plain.is_some_and(|(position, _)| self.was_delivered(places[*position]));
            look_at_secret(calls, &group, delivered).await
        })
        .await
    }

    async fn survey(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let Ok(calls) = self.calls().await else { return self.look(places).await };
        let plain = places.iter().filter(|place| entry(calls, place).is_ok_and(|entry| entry.json_key.is_none()));
        let names: BTreeSet<&str> = plain.filter_map(|place| place.part("name")).collect();
        let Some(listed) = survey::survey(calls, &names).await else { return self.look(places).await };
        let shown: Vec<Option<Result<Seen, SinkError>>> = places
            .iter()
            .map(|place| {
                let name =
                    place.part("name").filter(|name| names.contains(name) && place.part("json_key").is_none())?;
                if !listed.tells_of(name) {
                    return None;
                }
                let description = listed.get(name);
                // A list shows neither values nor how replicas are doing.
                let only_a_look_tells = |description: &Description| {
                    description.has_replicas || (!description.is_ours() && self.was_delivered(place))
                };
                if description.is_some_and(only_a_look_tells) {
                    return None;
                }
                let ending = description.map_or(Ok(()), |description| description.ending(name));
                let free = description.map_or(Ok(()), |description| writable(calls, name, description));
                calls.note(name, ending.clone().and(free));
                Some(ending.map(|()| plain::listed(description)))
            })
            .collect();
        // What the list does not show is looked at: keys of shared secrets, and what lies behind its last page.
        let rest: Vec<&Place> =
            places.iter().zip(&shown).filter(|(_, shown)| shown.is_none()).map(|(place, _)| *place).collect();
        let mut looked = self.look(&rest).await.into_iter();
        let mut next = || looked.next().unwrap_or(Err(SinkError::Changed));
        shown.into_iter().map(|shown| shown.unwrap_or_else(&mut next)).collect()
    }

    /// The ARN, which looks have shown, and the key in the secret.
    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        let Some(calls) = self.calls.get() else { return places.iter().map(|_| None).collect() };
        let identity = |place: &&Place| {
            let entry = entry(calls, place).ok()?;
            Some(format!("{} {}", calls.arn(entry.name)?, entry.json_key.unwrap_or_default()))
        };
        places.iter().map(identity).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let calls = self.calls().await?;
        let entry = entry(calls, place)?;
        match entry.json_key {
            Some(key) => shared::read(calls, entry.name, key, wanted).await,
            None => plain::read(calls, entry.name, wanted).await,
        }
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        if deadline.has_passed() {
            return vec![Err(SinkError::Late); writes.len()];
        }
        let places: Vec<_> = writes.iter().map(|write| write.place).collect();
        self.by_secret(&places, |calls, group| async move { write_secret(calls, &group, writes, deadline).await }).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        if deadline.has_passed() {
            return vec![Err(SinkError::Late); removals.len()];
        }
        let places: Vec<_> = removals.iter().map(|removal| removal.place).collect();
        self.by_secret(&places, |calls, group| async move { remove_secret(calls, &group, removals, deadline).await })
            .await
    }
}
