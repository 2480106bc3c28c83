//! What the service knows, and nothing else: no sink is asked, no login, variable or file of one is read. Each place is
//! taken to contain what was delivered there last.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use latchkey::place::{Place, PlaceId};
use latchkey::secret::TokenId;
use latchkey::token::{PlaceRecord, Token};

use super::{BTreeSet, Identities, Looks, Observation, Observed, expired, records, users};
use crate::manifest::Manifest;
use crate::service::{Records, ServiceError};
use latchkey_sinks::{PushDeclaration, Receipt, Seen, SeenEntry, SinkError};

/// Observes the service alone. Whoever plans by this need not be able to reach any place.
///
/// # Errors
/// When the service does not answer.
pub async fn observe_records(
    client: &dyn Records,
    manifest: &Manifest,
    machine: &str,
) -> Result<Observation, ServiceError> {
    let at = client.now();
    let (found, undeclared, max_tokens) = records(client, manifest, at).await?;
    let mut tokens = Vec::with_capacity(found.len());
    for (declaration, (record, moving)) in manifest.tokens.iter().zip(found) {
        let mut taken = BTreeSet::new();
        let land = |push| landing(manifest, push, (record.as_ref(), machine), &mut taken);
        let places = declaration.pushes.iter().map(land).collect();
        tokens.push(Observed { places, record: record.map(Arc::new), moving });
    }
    let (looks, available) = believed(&tokens, &undeclared);
    let mut observation = Observation {
        at,
        clock: client.clock_behind().await?,
        roles: client.roles(&manifest.name).await?.into_iter().map(|role| (role.name.clone(), role)).collect(),
        users: users(client, manifest).await?,
        tokens,
        undeclared,
        looks,
        identities: Identities::new(),
        leads: HashMap::new(),
        origins: HashMap::new(),
        hidden: BTreeSet::new(),
        available,
        machine: machine.to_owned(),
        expired: BTreeMap::new(),
        max_tokens,
        looked_at: false,
    };
    observation.expired = expired(client, manifest, &observation).await?;
    Ok(observation)
}

/// Where a push lands: the recorded place that its settings mean, whichever machine it is on, else a new one, spelled out
/// as far as the settings go.
fn landing(
    manifest: &Manifest,
    push: &PushDeclaration,
    (record, machine): (Option<&Token>, &str),
    taken: &mut BTreeSet<PlaceId>,
) -> Result<Place, SinkError> {
    let Some(sink) = manifest.sinks.get(&push.sink) else {
        return Err(SinkError::Refused {
            reason: format!("the sink `{}` is not declared", push.sink),
            hint: "declare it under `[sinks]`".to_owned(),
        });
    };
    let kind = sink.settings.kind().facts().name();
    let parts = sink.settings.facts().parts(push);
    let recorded = record.into_iter().flat_map(|record| record.places.values());
    let meant = recorded.filter(|recorded| {
        let place = &recorded.place;
        place.kind == kind && !taken.contains(&place.id()) && is_meant(place, &parts, &manifest.folder)
    });
    let elsewhere = |recorded: &&PlaceRecord| recorded.place.part("machine").is_some_and(|other| other != machine);
    if let Some(recorded) = meant.min_by_key(|recorded| (elsewhere(recorded), !recorded.declared)) {
        taken.insert(recorded.place.id());
        return Ok(recorded.place.clone());
    }
    let told = parts.iter().filter_map(|(part, value)| match (*part, value) {
        ("machine", None) => Some((*part, machine)),
        (part, value) => Some((part, value.as_deref()?)),
    });
    Ok(Place::new(kind, &told.collect::<Vec<_>>(), false))
}

/// Whether a recorded place is what the settings of a push tell. A file may be in another checkout of the same folder.
pub(crate) fn is_meant(place: &Place, parts: &[(&'static str, Option<String>)], folder: &Path) -> bool {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let is_one = |(recorded, (part, told)): (&(String, String), &(&str, Option<String>))| {
        let (name, value) = recorded;
        let same = |told: &String| match Path::new(told).strip_prefix(&folder) {
            Ok(relative) if *part == "path" => Path::new(value).ends_with(relative),
            _ => told == value,
        };
        name == part && told.as_ref().is_none_or(same)
    };
    place.parts.len() == parts.len() && place.parts.iter().zip(parts).all(is_one)
}

/// Where a version could be read back, as far as records tell.
type Available = HashMap<(TokenId, u32), PlaceId>;

/// What the places contain and where versions can be read back, if all is as it was delivered.
fn believed(tokens: &[Observed], undeclared: &[Token]) -> (Looks, Available) {
    let (mut looks, mut available) = (Looks::new(), Available::new());
    let declared = tokens.iter().filter_map(|observed| observed.record.as_deref());
    for token in declared.chain(undeclared) {
        for (id, recorded) in &token.places {
            looks.insert(id.clone(), Ok(delivered(token, recorded)));
            let readable = recorded.version.filter(|_| recorded.place.readable);
            if let Some(number) = readable {
                available.insert((token.id.clone(), number), id.clone());
            }
        }
    }
    for place in tokens.iter().flat_map(|observed| observed.places.iter().flatten()) {
        looks.entry(place.id()).or_insert(Ok(Seen::Absent));
    }
    (looks, available)
}

/// What a place contains if nobody changed what was delivered.
fn delivered(token: &Token, recorded: &PlaceRecord) -> Seen {
    let fingerprint = recorded.version.and_then(|number| {
        let retired = || token.retired.iter().find(|retired| retired.number == number);
        let live = token.version(number).map(latchkey::token::Version::fingerprint);
        live.or_else(|| retired().map(|retired| retired.fingerprint.clone()))
    });
    let Some(fingerprint) = fingerprint else { return Seen::Absent };
    Seen::Holds(SeenEntry {
        fingerprint: Some(fingerprint),
        token_id: Some(token.id.clone()),
        receipt: Receipt(recorded.receipt.clone().unwrap_or_default()),
        former: Vec::new(),
        lagging: None,
    })
}
