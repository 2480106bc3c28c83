//! Azure Key Vault, through its REST API: the official SDK would bring more crates than the rest of the sinks together.
//!
//! A new value is a new version of a secret, and consumers read the newest. Its tags say which version of which token it
//! is, so that one list shows a whole vault; a look reads the value itself, because tags can be copied, lists of versions
//! are in no order, and `GET` is the only answer to what a consumer reads.
//!
//! There is no conditional write. An entry is looked at right before it is written: what somebody else writes between
//! the two requests, some tenths of a second, becomes an older version, and can be read back there. A deletion takes
//! what was written in that moment too, and can be undone for as long as the vault keeps what was deleted.
//!
//! A deleted name is kept by the vault, and recovering brings its old value back, which consumers could read while it is
//! dead. So an entry that we remove is disabled before: recovered, it shows nothing until the new version is written.
//! What anybody else deleted is left to a person, as a scheduled deletion in Secrets Manager is.
//!
//! A disabled version counts as changed by hand: no consumer can read it. An expired one (`exp`) counts as what it is, as
//! the vault still returns it. We set such a time only where the sink's `expires` says so, as the token's own expiry moves
//! while a version is delivered.

mod bundle;
mod calls;
mod cloud;
mod entries;
mod facts;
mod failure;
mod life;
mod marker;
mod network;
mod settings;
mod sign_in;

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use latchkey::place::Place;
use latchkey::secret::Secret;
use tokio::sync::OnceCell;

use self::bundle::Bundle;
use self::calls::Calls;
pub(super) use self::facts::Type;
pub use self::life::Expires;
pub use self::network::Network;
pub use self::settings::{Cloud, Settings, SignInMethod};
use self::sign_in::SignIn;
pub use self::sign_in::Variables;
use crate::deadline::Deadline;
use crate::transport::Address;
use crate::{
    Capabilities, DeclaredSink, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError, Write,
};

/// Its name in a manifest.
pub const KIND: &str = "azure-key-vault";
/// Requests that this sink has under way at once; the host's queue holds them too.
const SIDE_BY_SIDE: usize = 8;
/// 25 KB. <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>
const VALUE_MAX: usize = 25_000;

/// One vault, reached with one sign-in.
pub struct AzureKeyVault {
    settings: Settings,
    /// Without one when the endpoint is no address.
    calls: Option<Calls>,
    network: Network,
}

impl AzureKeyVault {
    /// A vault. Nothing is read or contacted before the first question.
    pub fn new(settings: Settings, variables: Variables, network: Network) -> Self {
        let own = format!("https://{}", settings.host());
        let calls = Address::parse(settings.endpoint.as_deref().unwrap_or(&own)).ok().map(|address| Calls {
            vault: settings.vault.clone(),
            cloud: settings.cloud,
            host: network.host(&address),
            address,
            sign_in: SignIn::new(settings.cloud, settings.sign_in, settings.login.clone(), variables, network.clone()),
            challenged: OnceCell::new(),
            told: AtomicI64::new(i64::MIN),
            expires: settings.expires,
            content_type: settings.content_type.clone(),
        });
        Self { settings, calls, network }
    }

    fn landing(&self, name: &str) -> Place {
        let vault = self.settings.host();
        // Names are compared without case, so they stand in one.
        let name = name.to_ascii_lowercase();
        let mut parts = vec![("vault", vault.as_str())];
        parts.extend(self.settings.endpoint.as_deref().map(|endpoint| ("endpoint", endpoint)));
        parts.push(("name", &name));
        Place::new(KIND, &parts, true)
    }

    /// The vault, and the name of an entry of it. A recorded place may be another vault's: it must not be looked for here.
    fn entry<'a>(&'a self, place: &'a Place) -> Result<(&'a Calls, &'a str), SinkError> {
        let name = place.part("name").unwrap_or_default();
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match &self.calls {
            Some(calls) if good && *place == self.landing(name) => Ok((calls, name)),
            _ => Err(SinkError::Refused {
                reason: format!("`{name}` is not in the vault `{}`", self.settings.vault),
                hint: "declare a sink for its vault".to_owned(),
            }),
        }
    }

    /// Asks `question` of each place, some side by side, in the places' order.
    async fn each<'a, T, F>(
        &'a self,
        places: impl Iterator<Item = &'a Place>,
        question: impl Fn(&'a Calls, &'a str, usize) -> F,
    ) -> Vec<Result<T, SinkError>>
    where
        F: Future<Output = Result<T, SinkError>> + Send,
        T: Send,
    {
        let mut asked = Vec::new();
        for (position, place) in places.enumerate() {
            let question = self.entry(place).map(|(calls, name)| question(calls, name, position));
            asked.push(async move { question?.await }.boxed());
        }
        stream::iter(asked).buffered(SIDE_BY_SIDE).collect().await
    }
}

#[async_trait]
impl DeclaredSink for AzureKeyVault {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        Ok(self.landing(&push.name))
    }

    async fn reaches(&self, place: &Place) -> bool {
        self.entry(place).is_ok()
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        let Some(calls) = &self.calls else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let prefix = prefix.to_ascii_lowercase();
        calls
            .secrets(|page| {
                found.extend(page.iter().map(Bundle::listed).filter(|entry| entry.name.starts_with(&prefix)));
                true
            })
            .await?;
        Ok(found)
    }
}

#[async_trait]
impl Sink for AzureKeyVault {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: KIND,
            readable: true,
            marker: true,
            conditional: false,
            restarts: false,
            redeploys: false,
            surveys: true,
            local: false,
            batch: 1,
            value_max: VALUE_MAX,
        }
    }

    fn unit(&self, place: &Place) -> String {
        place.id().to_string()
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.each(places.iter().copied(), |calls, name, _| entries::prepare(calls, name)).await
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.each(places.iter().copied(), |calls, name, _| entries::look(calls, name)).await
    }

    async fn survey(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let wanted: Vec<&str> =
            places.iter().filter_map(|place| self.entry(place).ok()).map(|(_, name)| name).collect();
        let listed = match &self.calls {
            Some(calls) if !wanted.is_empty() => listed(calls, &wanted).await,
            _ => Ok(HashMap::new()),
        };
        let listed = match &listed {
            Ok(listed) => listed,
            Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
        };
        self.each(places.iter().copied(), |calls, name, _| async move {
            match listed.get(name) {
                Some(Some(seen)) => Ok(seen.clone()),
                // What a list does not tell, or a name that was deleted.
                Some(None) => entries::look(calls, name).await,
                None => Ok(Seen::Absent),
            }
        })
        .await
    }

    /// Vault and name; an endpoint that is another server's may show another vault of that name.
    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        let vault = self.settings.host();
        let own = format!("https://{vault}");
        let Ok(address) = Address::parse(self.settings.endpoint.as_deref().unwrap_or(&own)) else {
            return places.iter().map(|_| None).collect();
        };
        let identity = |place: &&Place| Some(format!("{address} {vault} {}", self.entry(place).ok()?.1));
        places.iter().map(identity).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let (calls, name) = self.entry(place)?;
        entries::read(calls, name, wanted).await
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        if deadline.has_passed() {
            return writes.iter().map(|_| Err(SinkError::Late)).collect();
        }
        let places = writes.iter().map(|write| write.place);
        self.each(places, |calls, name, at| entries::write(calls, &self.network, name, &writes[at], deadline)).await
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        if deadline.has_passed() {
            return removals.iter().map(|_| Err(SinkError::Late)).collect();
        }
        let places = removals.iter().map(|removal| removal.place);
        self.each(places, |calls, name, at| entries::remove(calls, name, &removals[at], deadline)).await
    }

    async fn ended(&self, place: &Place, ended: &Marker) -> Result<(), SinkError> {
        let (calls, name) = self.entry(place)?;
        entries::ended(calls, &self.network, name, ended).await
    }
}

/// What the vault's list tells of the names that are wanted, `None` where only a look can tell. It is read no further than
/// needed.
async fn listed(calls: &Calls, wanted: &[&str]) -> Result<HashMap<String, Option<Seen>>, SinkError> {
    let mut left: std::collections::HashSet<&str> = wanted.iter().copied().collect();
    let mut found: HashMap<String, Option<Seen>> = HashMap::new();
    let mut take = |page: Vec<Bundle>| {
        for bundle in page {
            let name = bundle.name();
            if left.remove(name.as_str()) {
                found.insert(name, bundle.surveyed());
            }
        }
        !left.is_empty()
    };
    calls.secrets(&mut take).await?;
    if !left.is_empty() {
        let deleted = calls.deleted_names().await?;
        found.extend(deleted.into_iter().filter(|name| left.contains(name.as_str())).map(|name| (name, None)));
    }
    Ok(found)
}
