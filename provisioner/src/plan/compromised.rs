//! A secret that has leaked: a new version for every place that can be reached, and who is left with the older ones,
//! which are revoked at once. Pure.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::name::{TokenName, UserName};
use latchkey::place::{Place, PlaceId};
use latchkey::token::Use;

use super::{Blocked, Change, Options, Plan, Reason, TokenPlan, plan};
use crate::manifest::Manifest;
use crate::observe::Observation;
use crate::observe::finding::Finding;
use latchkey_sinks::{Seen, SinkError};

/// A token whose secret has leaked.
#[derive(Debug)]
pub struct Leak {
    /// The new version, for the places that can be reached.
    pub plan: TokenPlan,
    /// The versions that are revoked, by number.
    pub ending: Vec<u32>,
    /// Places that the new version cannot be brought to, and why.
    pub unreached: Vec<(Place, String)>,
    /// Places whose consumers may still read an older version for a while, and why.
    pub lagging: Vec<(Place, String)>,
    /// The last noted use of each version that is revoked.
    pub used: Vec<(u32, Use)>,
}

impl Leak {
    /// Whether the new version can arrive at every declared place.
    pub fn reaches_all(&self) -> bool {
        self.unreached.is_empty()
    }
}

/// Which tokens have leaked, as a plan that brings each a new version. One that does not exist is an error of the
/// caller's, and left out.
pub fn leaks(manifest: &Manifest, observation: &Observation, tokens: &BTreeSet<(UserName, TokenName)>) -> Vec<Leak> {
    let whole = plan(manifest, observation, &Options::default());
    let wanted = |token: &TokenPlan| tokens.contains(&(token.user.clone(), token.name.clone()));
    whole.tokens.into_iter().filter(wanted).filter_map(|token| leak(manifest, observation, token)).collect()
}

/// The leaks' plans as one plan, for `apply`.
pub fn as_plan(manifest: &Manifest, leaks: &[Leak]) -> Plan {
    let tokens = leaks.iter().map(|leak| leak.plan.clone()).collect();
    Plan {
        manifest: manifest.name.clone(),
        roles: Vec::new(),
        users: Vec::new(),
        tokens,
        guards: Vec::new(),
        left_out: None,
        sinks: BTreeMap::new(),
        looked_at: true,
        notes: Vec::new(),
    }
}

fn leak(manifest: &Manifest, observation: &Observation, mut token: TokenPlan) -> Option<Leak> {
    let record = token.record.clone()?;
    let index = token.declaration?;
    let recorded = |id: &PlaceId| record.places.contains_key(id);
    let adopts = |id: &PlaceId| {
        let pushes = manifest.tokens[index].pushes.iter().zip(&observation.tokens[index].places);
        pushes.into_iter().any(|(push, place)| push.adopt && place.as_ref().is_ok_and(|place| place.id() == *id))
    };
    let declared: BTreeSet<PlaceId> = token.places.iter().map(Place::id).collect();
    let (mut unreached, mut lagging, mut reached) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (place, find) in &token.findings {
        let id = place.id();
        let why = match find {
            // No consumer can read it.
            Finding::Unknown(SinkError::BeingDeleted { .. }) if !declared.contains(&id) => None,
            Finding::Unknown(error) => Some(error.to_string()),
            Finding::Foreign | Finding::Edited | Finding::Overwritten
                if observation.other_manifest(&id, &manifest.name).is_some() =>
            {
                Some("it contains the secret of another manifest's token".to_owned())
            }
            Finding::Foreign if !adopts(&id) => Some("it contains a value that Latchkey did not write".to_owned()),
            Finding::Hidden if !declared.contains(&id) => {
                Some("it is no longer declared, and what it contains is unknown".to_owned())
            }
            Finding::Current | Finding::Other { number: Some(_), .. } if !declared.contains(&id) => {
                Some("it is no longer declared, and still contains an older version".to_owned())
            }
            _ => None,
        };
        match why {
            Some(why) => unreached.push((place.clone(), why)),
            None if declared.contains(&id) => {
                reached.insert(id.clone());
            }
            None => {}
        }
        if let Some(Ok(Seen::Holds(held))) = observation.looks.get(&id)
            && let Some(why) = &held.lagging
        {
            lagging.push((place.clone(), why.clone()));
        }
    }
    // A place that is not recorded yet contains nothing of the token; the next `apply` brings it the new version.
    token.places.retain(|place| reached.contains(&place.id()) && recorded(&place.id()));
    token.changes = vec![Change::NewVersion(Reason::Compromised)];
    token.notes.clear();
    token.blocked.retain(|blocked| matches!(blocked, Blocked::NoPlace { .. }));
    let ending: Vec<u32> = record.versions.iter().map(|version| version.number).collect();
    let used = ending
        .iter()
        .filter_map(|number| record.uses.get(&number.to_string()).map(|used| (*number, used.clone())))
        .collect();
    Some(Leak { plan: token, ending, unreached, lagging, used })
}
