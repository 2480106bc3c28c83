//! What a decision about one declared token rests on.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::name::ManifestName;
use latchkey::place::{Place, PlaceId};

use crate::manifest::{Manifest, Rotation, TokenDeclaration};
use crate::observe::Observation;
use crate::observe::finding::{Finding, Known};
use crate::plan::merging::{Twin, twins};
use crate::plan::{Blocked, Options, TokenPlan, Tracked};
use latchkey_sinks::{PushDeclaration, SinkError};

/// Everything that a decision about one token rests on.
pub(super) struct Case<'a> {
    pub(super) declaration: &'a TokenDeclaration,
    pub(super) observation: &'a Observation,
    pub(super) options: &'a Options,
    /// Declared here, with what was found.
    pub(super) declared: Vec<(PlaceId, Finding)>,
    /// Recorded but not declared here.
    pub(super) others: Vec<(PlaceId, Finding, Whose)>,
    pub(super) manifest: &'a ManifestName,
    /// When what is due is rotated.
    pub(super) rotation: &'a Rotation,
    /// The record's places.
    pub(super) recorded: BTreeSet<PlaceId>,
    /// Places that a token of the manifest declares.
    pub(super) claimed: &'a BTreeSet<PlaceId>,
    /// Former places that are one entry with a declared one.
    pub(super) twins: Vec<Twin>,
    pub(super) now: Timestamp,
}

/// Why a recorded place is not among those declared here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Another machine declared it, and this one does not know whether it still does.
    OtherMachine,
    /// Nobody declares it any more.
    Leaving,
}

/// Brings together what was found at each place, declared here or recorded.
pub(super) fn case<'a>(
    plan: &mut TokenPlan,
    (manifest, observation): (&'a Manifest, &'a Observation),
    known: &Known<'_>,
    (options, claimed): (&'a Options, &'a BTreeSet<PlaceId>),
    declaration: &'a TokenDeclaration,
) -> Case<'a> {
    let unseen = || Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
    let record = plan.record.as_deref();
    let twins = twins(record, &plan.places, observation);
    let find = |place: &Place| {
        let id = place.id();
        let seen = observation.looks.get(&id).cloned().unwrap_or_else(unseen);
        // What was delivered under the former name was delivered here.
        let former = twins.iter().find(|(_, into)| *into == id).map(|(from, _)| from.id());
        let recorded = record.is_some_and(|record| record.places.contains_key(&id));
        let find = known.classify(record, former.as_ref().filter(|_| !recorded).unwrap_or(&id), &seen);
        (id, find)
    };
    let declared: Vec<(PlaceId, Finding)> = plan.places.iter().map(find).collect();
    let mut findings: Vec<(Place, Finding)> =
        plan.places.iter().cloned().zip(declared.iter().map(|(_, find)| find.clone())).collect();
    let mut others = Vec::new();
    let mut kept = Vec::new();
    for recorded in record.into_iter().flat_map(|record| record.places.values()) {
        if twins.iter().any(|(from, _)| *from == recorded.place) {
            continue;
        }
        let (id, find) = find(&recorded.place);
        if declared.iter().any(|(other, _)| *other == id) {
            continue;
        }
        let other_machine = recorded.place.part("machine").is_some_and(|machine| machine != observation.machine);
        let stays = recorded.declared && other_machine && !options.forget.contains(id.as_str());
        findings.push((recorded.place.clone(), find.clone()));
        if stays {
            kept.push(recorded.place.clone());
        }
        others.push((id, find, if stays { Whose::OtherMachine } else { Whose::Leaving }));
    }
    let recorded = record.into_iter().flat_map(|record| record.places.keys().cloned()).collect();
    plan.places.extend(kept);
    plan.findings = findings;
    let (rotation, manifest, now) = (&manifest.rotation, &manifest.name, observation.at);
    Case { declaration, observation, options, declared, others, manifest, rotation, recorded, claimed, twins, now }
}

impl Case<'_> {
    /// Why a declared place may not be written to.
    pub(super) fn refusal(&self, id: &PlaceId, find: &Finding, push: &PushDeclaration) -> Option<Blocked> {
        let foreign = matches!(find, Finding::Foreign | Finding::Edited | Finding::Overwritten);
        let other = self.observation.other_manifest(id, self.manifest).filter(|_| foreign);
        match find {
            _ if other.is_some() => other.map(|other| Blocked::other_manifest(id, other)),
            Finding::Foreign if !self.options.adopt.covers(self.declaration, push) => {
                Some(Blocked::Foreign(id.clone()))
            }
            Finding::Unknown(error) => Some(self.unreachable(id, error)),
            _ => None,
        }
    }

    pub(super) fn unreachable(&self, id: &PlaceId, error: &SinkError) -> Blocked {
        let tracked = match error {
            SinkError::OtherFiles { .. } => Tracked::Recorded,
            _ if self.recorded.contains(id) => Tracked::Declared,
            _ => Tracked::New,
        };
        Blocked::unreachable(id, error, tracked)
    }
}
