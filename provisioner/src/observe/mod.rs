//! Observing: what the service knows of the manifest's tokens, and what their places contain.

pub mod finding;
pub mod identity;
pub mod keeping;
mod links;
mod looking;
pub mod moving;
pub mod preparing;
mod recorded;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::{LocalBoxFuture, join_all};
use jiff::Timestamp;
use latchkey::clock::ClockBehind;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::secret::TokenId;
use latchkey::service::{Origin, Role};
use latchkey::token::{Token, TokenKey, TokenState, Version};
use latchkey::user::User;

use crate::manifest::{Manifest, TokenDeclaration};
use crate::safeguard::{Safeguard, stands};
use crate::service::{Records, ServiceError};
use finding::{Finding, Known};
use identity::{Identities, identities};
use latchkey_sinks::{Delivered, Marker, Seen, SinkError, SinkSet};
use links::{as_recorded, leads};
pub use looking::look;
use looking::{How, ask};
use moving::{Found, Moving, former_key, settle};
pub(crate) use recorded::is_meant;
pub use recorded::observe_records;

/// What looks at places found.
pub type Looks = HashMap<PlaceId, Result<Seen, SinkError>>;

/// Everything that a plan is built from.
#[derive(Debug)]
pub struct Observation {
    /// The service's time when observing began; looks are no older.
    pub at: Timestamp,
    /// What is wrong with the clock that this time is by, if anything.
    pub clock: Option<ClockBehind>,
    /// Every role of the service.
    pub roles: BTreeMap<RoleName, Role>,
    /// The users that the manifest declares or names, as far as they exist.
    pub users: BTreeMap<UserName, User>,
    /// One for each declared token, in the manifest's order.
    pub tokens: Vec<Observed>,
    /// The manifest's tokens that it no longer declares.
    pub undeclared: Vec<Token>,
    /// What the places contain.
    pub looks: Looks,
    /// What their sinks call the entries, as far as that is known.
    pub identities: Identities,
    /// The places at the end of others' links.
    pub leads: HashMap<PlaceId, PlaceId>,
    /// Where the ids come from that places showed.
    pub origins: HashMap<TokenId, Origin>,
    /// Ids of valid tokens of other manifests that this one may not see.
    pub hidden: BTreeSet<TokenId>,
    /// Versions whose secret could be read back and was confirmed, and where.
    pub available: HashMap<(TokenId, u32), PlaceId>,
    /// This machine, as places name it.
    pub machine: String,
    /// How many of a user's active tokens have expired, for users whose quota this manifest reaches.
    pub expired: BTreeMap<UserName, u32>,
    /// The most active tokens of a user without a number of their own.
    pub max_tokens: u32,
    /// Whether the places were looked at; without, they are taken to contain what was delivered there last.
    pub looked_at: bool,
}

/// A declared token as it was found.
#[derive(Debug)]
pub struct Observed {
    /// Where its pushes land, in the manifest's order.
    pub places: Vec<Result<Place, SinkError>>,
    /// The token of that user and name, whoever manages it, or the one that is taken from another manifest; not one
    /// that expired for good.
    pub record: Option<Arc<Token>>,
    /// Whether it moves from one manifest to another.
    pub moving: Option<Moving>,
}

/// Somebody else's token, whose secret a place contains.
#[derive(Debug, Clone, Copy)]
pub enum OtherManifest<'a> {
    Known {
        origin: &'a Origin,
        manifest: &'a ManifestName,
    },
    /// The manifest may not see whose it is.
    Hidden,
}

impl Observation {
    /// What distinguishes our versions from others.
    pub fn known<'a>(&'a self, manifest: &'a Manifest) -> Known<'a> {
        let is_ours = |observed: &&Observed, token: &Token| {
            token.managed_by.as_ref() == Some(&manifest.name) || matches!(observed.moving, Some(Moving::Taken { .. }))
        };
        let declared = self.tokens.iter().filter_map(|observed| Some((observed, observed.record.as_deref()?)));
        let ours = declared.filter(|(observed, token)| is_ours(observed, token)).map(|(_, token)| token);
        Known::new(&manifest.name, ours.chain(&self.undeclared), &self.origins, self.at)
    }

    /// The token of another manifest whose secret a place contains, if it has not been deleted.
    pub fn other_manifest(&self, place: &PlaceId, manifest: &ManifestName) -> Option<OtherManifest<'_>> {
        let Ok(Seen::Holds(held)) = self.looks.get(place)? else { return None };
        let id = held.token_id.as_ref()?;
        if self.hidden.contains(id) {
            return Some(OtherManifest::Hidden);
        }
        let origin = self.origins.get(id).filter(|origin| !origin.ended)?;
        let other = origin.managed_by.as_ref().filter(|owner| *owner != manifest)?;
        Some(OtherManifest::Known { origin, manifest: other })
    }

    /// Why consumers of a place may still read an older version than its entry shows, if they may.
    pub fn lagging(&self, place: &PlaceId) -> Option<&str> {
        self.seen(place)?.lagging()
    }

    /// What a place shows, if it could be looked at.
    pub fn seen(&self, place: &PlaceId) -> Option<&Seen> {
        self.looks.get(place)?.as_ref().ok()
    }
}

/// Observes service and sinks. Reads only.
///
/// # Errors
/// When the service does not answer; sinks that do not are part of what was observed.
pub fn observe<'a>(
    client: &'a dyn Records,
    sinks: &'a dyn SinkSet,
    manifest: &'a Manifest,
) -> LocalBoxFuture<'a, Result<Observation, ServiceError>> {
    // On the heap: it is large, and would be compiled anew in each place that waits for it.
    Box::pin(observe_all(client, sinks, manifest))
}

async fn observe_all(
    client: &dyn Records,
    sinks: &dyn SinkSet,
    manifest: &Manifest,
) -> Result<Observation, ServiceError> {
    let at = client.now();
    let (tokens, undeclared, max_tokens) = records(client, manifest, at).await?;
    let mut observed = Vec::with_capacity(tokens.len());
    for (declaration, (record, moving)) in manifest.tokens.iter().zip(tokens) {
        let places = join_all(declaration.pushes.iter().map(|push| sinks.place(push))).await;
        let places = as_recorded(sinks, places, record.as_ref()).await;
        observed.push(Observed { places, record: record.map(Arc::new), moving });
    }
    let mut places: BTreeMap<PlaceId, Place> = BTreeMap::new();
    for observed in &observed {
        places.extend(observed.places.iter().flatten().map(|place| (place.id(), place.clone())));
    }
    for token in observed.iter().filter_map(|observed| observed.record.as_deref()).chain(&undeclared) {
        places.extend(token.places.iter().map(|(id, record)| (id.clone(), record.place.clone())));
    }
    let leads = leads(sinks, places.values()).await;
    note_delivered(sinks, observed.iter().filter_map(|observed| observed.record.as_deref()).chain(&undeclared)).await;
    let mut looks = ask(sinks, places.values(), How::Survey).await;
    // A list may be some minutes old: what it shows to be otherwise than it should be is looked at.
    let doubtful = doubtful(&observed, &undeclared, &looks);
    let doubtful = places.values().filter(|place| doubtful.contains(&place.id()));
    looks.extend(ask(sinks, doubtful, How::Confirm).await);
    let identities = identities(sinks, places.values()).await;
    let (origins, hidden) = origins(client, manifest, (&observed, &undeclared), &looks).await?;
    let mut observation = Observation {
        at,
        clock: client.clock_behind().await?,
        roles: client.roles(&manifest.name).await?.into_iter().map(|role| (role.name.clone(), role)).collect(),
        users: users(client, manifest).await?,
        tokens: observed,
        undeclared,
        origins,
        hidden,
        looks,
        identities,
        leads,
        available: HashMap::new(),
        machine: sinks.machine().to_owned(),
        expired: BTreeMap::new(),
        max_tokens,
        looked_at: true,
    };
    observation.expired = expired(client, manifest, &observation).await?;
    observation.available = available(client, sinks, manifest, &observation).await?;
    Ok(observation)
}

/// Lets the sinks know where versions went before: a look there knows values, not only markers.
async fn note_delivered(sinks: &dyn SinkSet, tokens: impl IntoIterator<Item = &Token>) {
    for token in tokens {
        for (id, record) in &token.places {
            let announced = || token.versions.iter().any(|version| version.deliveries.contains_key(id));
            if (record.receipt.is_some() || announced())
                && let Ok(sink) = sinks.reach(&record.place).await
            {
                let receipt = record.receipt.as_deref();
                sink.went_to(&[Delivered { place: &record.place, receipt }]);
            }
        }
    }
}

/// The places of recorded tokens that do not show their current version, according to a list.
fn doubtful(observed: &[Observed], undeclared: &[Token], looks: &Looks) -> BTreeSet<PlaceId> {
    let declared = observed.iter().filter_map(|observed| {
        let token = observed.record.as_deref()?;
        Some((token, observed.places.iter().flatten().map(Place::id).collect::<Vec<_>>()))
    });
    let gone = undeclared.iter().map(|token| (token, Vec::new()));
    let mut doubtful = BTreeSet::new();
    for (token, places) in declared.chain(gone) {
        let current = token.current().map(Version::fingerprint);
        for id in places.into_iter().chain(token.places.keys().cloned()) {
            let shows = matches!(looks.get(&id), Some(Ok(Seen::Holds(held))) if held.fingerprint == current);
            if !shows && matches!(looks.get(&id), Some(Ok(_))) {
                doubtful.insert(id);
            }
        }
    }
    doubtful
}

/// A declared token's record, and whether it moves.
type Declared = (Option<Token>, Option<Moving>);

/// The record of each declared token, the manifest's tokens that it does not declare, and the most tokens of a user.
async fn records(
    client: &dyn Records,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(Vec<Declared>, Vec<Token>, u32), ServiceError> {
    let found = client.managed_tokens(&manifest.name).await?;
    let mut managed: HashMap<_, Token> = found.tokens.into_iter().map(|token| (token.key(), token)).collect();
    let missing: Vec<_> =
        manifest.tokens.iter().map(TokenDeclaration::key).filter(|key| !managed.contains_key(key)).collect();
    // The index that lists a manifest's tokens is only a hint; by name the records are certain. Whoever else manages a
    // token of that name is found here too.
    let mut others: HashMap<_, Token> =
        client.holders(&manifest.name, &missing).await?.into_iter().map(|token| (token.key(), token)).collect();
    let mut find = |declaration: &TokenDeclaration| {
        let key = declaration.key();
        let found = managed.remove(&key).or_else(|| others.remove(&key));
        // One that expired with no manifest to renew it makes way for a new token.
        found.filter(|token| token.managed_by.is_some() || token.state(now) == TokenState::Active)
    };
    let owns: Vec<Option<Token>> = manifest.tokens.iter().map(&mut find).collect();
    let absent = manifest.tokens.iter().zip(&owns).filter(|(_, own)| own.is_none());
    let wanted: Vec<TokenKey> = absent.filter_map(|(declaration, _)| former_key(declaration)).collect();
    let formers = if wanted.is_empty() { Vec::new() } else { client.holders(&manifest.name, &wanted).await? };
    let formers: HashMap<TokenKey, Token> = formers.into_iter().map(|token| (token.key(), token)).collect();
    let record = |(declaration, own): (&TokenDeclaration, Option<Token>)| {
        let renamed = declaration.moved_from.clone().map(|(user, name)| TokenKey::new(user, name));
        let is_renamed = renamed.is_some_and(|key| managed.contains_key(&key));
        settle(&manifest.name, declaration, Found { own, formers: &formers, is_renamed })
    };
    let records = manifest.tokens.iter().zip(owns).map(record).collect();
    let mut undeclared: Vec<Token> = managed.into_values().collect();
    undeclared.sort_by(|one, other| (&one.user, &one.name).cmp(&(&other.user, &other.name)));
    Ok((records, undeclared, found.max_tokens))
}

async fn users(client: &dyn Records, manifest: &Manifest) -> Result<BTreeMap<UserName, User>, ServiceError> {
    let named: BTreeSet<&UserName> =
        manifest.users.keys().chain(manifest.tokens.iter().map(|token| &token.user)).collect();
    let named: Vec<UserName> = named.into_iter().cloned().collect();
    Ok(client.users(&manifest.name, &named).await?.into_iter().map(|user| (user.name.clone(), user)).collect())
}

/// Of the users for whom a create would be refused, how many of their tokens have expired and make way.
async fn expired(
    client: &dyn Records,
    manifest: &Manifest,
    observation: &Observation,
) -> Result<BTreeMap<UserName, u32>, ServiceError> {
    let mut creates: BTreeMap<&UserName, u32> = BTreeMap::new();
    for (declaration, observed) in manifest.tokens.iter().zip(&observation.tokens) {
        if observed.record.is_none() && observed.moving.is_none() {
            *creates.entry(&declaration.user).or_default() += 1;
        }
    }
    let mut expired = BTreeMap::new();
    for (name, creates) in creates {
        let Some(user) = observation.users.get(name) else { continue };
        let declared = manifest.users.get(name).map(|declared| declared.max_tokens);
        let max = declared.unwrap_or(user.max_tokens).unwrap_or(observation.max_tokens);
        if user.active + creates > max {
            expired.insert(name.clone(), client.expired_tokens(&manifest.name, name).await?);
        }
    }
    Ok(expired)
}

/// Where the ids come from that places show and whose records were not read, and which of them the manifest may not see:
/// a former token is only known by its tombstone. Where there is a record, its tombstone adds nothing: it has
/// fingerprints only once the token has ended.
async fn origins(
    client: &dyn Records,
    manifest: &Manifest,
    (observed, undeclared): (&[Observed], &[Token]),
    looks: &Looks,
) -> Result<(HashMap<TokenId, Origin>, BTreeSet<TokenId>), ServiceError> {
    let records = observed.iter().filter_map(|observed| observed.record.as_deref()).chain(undeclared);
    let read: BTreeSet<&TokenId> = records.map(|token| &token.id).collect();
    let shown = looks.values().filter_map(|seen| match seen {
        Ok(Seen::Holds(held)) => held.token_id.as_ref(),
        _ => None,
    });
    let ids: BTreeSet<&TokenId> = shown.filter(|id| !read.contains(id)).collect();
    if ids.is_empty() {
        return Ok((HashMap::new(), BTreeSet::new()));
    }
    let mut ids: Vec<TokenId> = ids.into_iter().cloned().collect();
    let origins = client.origins(&manifest.name, &ids).await?.into_iter();
    let origins: HashMap<TokenId, Origin> = origins.map(|origin| (origin.id.clone(), origin)).collect();
    ids.retain(|id| !origins.contains_key(id));
    let hidden = if ids.is_empty() { Vec::new() } else { client.elsewhere(&manifest.name, &ids).await? };
    Ok((origins, hidden.into_iter().collect()))
}

/// For tokens whose places differ, which version's secret can be read back somewhere.
async fn available(
    client: &dyn Records,
    sinks: &dyn SinkSet,
    manifest: &Manifest,
    observation: &Observation,
) -> Result<HashMap<(TokenId, u32), PlaceId>, ServiceError> {
    let known = observation.known(manifest);
    let mut available = HashMap::new();
    for observed in &observation.tokens {
        let Some(token) = &observed.record else { continue };
        for version in wanted(observed, token, &known, &observation.looks) {
            if let Some((place, _)) =
                recover((client, &manifest.name), sinks, token, version, &observation.looks).await?
            {
                available.insert((token.id.clone(), version.number), place);
            }
        }
    }
    Ok(available)
}

/// The versions that a run may have to carry on: one left staged, and the current one when a place lacks it.
fn wanted<'a>(observed: &Observed, token: &'a Token, known: &Known<'_>, looks: &Looks) -> Vec<&'a Version> {
    let lacking = observed.places.iter().flatten().any(|place| {
        let id = place.id();
        looks.get(&id).is_none_or(|seen| !matches!(known.classify(Some(token), &id, seen), Finding::Current))
    });
    let staged = token.staged().filter(|staged| staged.announced.is_some());
    staged.into_iter().chain(token.current().filter(|_| lacking)).collect()
}

/// Reads a version's secret back from the first place that has it, and lets the service confirm it.
///
/// # Errors
/// When the service does not answer.
pub async fn recover(
    (client, manifest): (&dyn Records, &ManifestName),
    sinks: &dyn SinkSet,
    token: &Token,
    version: &Version,
    looks: &Looks,
) -> Result<Option<(PlaceId, latchkey::secret::Secret)>, ServiceError> {
    let fingerprint = version.fingerprint();
    let marker = Marker { token_id: token.id.clone(), version: version.number, fingerprint: fingerprint.clone() };
    let shows = |id: &PlaceId| matches!(looks.get(id), Some(Ok(Seen::Holds(held))) if held.fingerprint.as_ref() == Some(&fingerprint));
    let mut places: Vec<_> = token.places.iter().filter(|(_, record)| record.place.readable).collect();
    // Where a look saw it, it will be; elsewhere it may still be beside what consumers read.
    places.sort_by(|(id, one), (other_id, other)| (!shows(id), &one.place).cmp(&(!shows(other_id), &other.place)));
    for (id, record) in places {
        if !matches!(looks.get(id), Some(Ok(_))) {
            continue;
        }
        let Ok(sink) = sinks.reach(&record.place).await else { continue };
        let Ok(Some(secret)) = sink.read(&record.place, &marker).await else { continue };
        let confirmed = client.confirm(manifest, token, &secret).await? == Some(version.number);
        if confirmed || !stands(Safeguard::ConfirmReadBack) {
            return Ok(Some((id.clone(), secret)));
        }
    }
    Ok(None)
}
