//! Secrets that AWS rotates: which of their versions has which label, and what it contains. AWS gives a version its id, and
//! it has one value for ever.

use std::collections::BTreeMap;

use latchkey::place::PlaceId;

use super::{DAY, State, now};

/// A secret that AWS rotates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// The version that has AWSPENDING.
    pub(crate) pending: Option<u32>,
    /// The version that has AWSCURRENT, where AWS named it.
    pub(crate) current: Option<u32>,
    /// What the versions contain that AWS named.
    pub(crate) values: BTreeMap<u32, String>,
    /// How many AWS has named.
    pub(crate) begun: u32,
}

impl Labels {
    /// The version that AWS goes on with before it begins another.
    pub(crate) fn unfinished(&self) -> Option<u32> {
        self.pending.filter(|pending| self.current != Some(*pending))
    }
}

impl State {
    /// AWS begins a rotation, or tries one again that is not complete: the version that it names, if there is a secret.
    pub(crate) fn begin_rotation(&mut self, place: &PlaceId) -> Option<u32> {
        if !self.places.contains_key(place) {
            return None;
        }
        let labels = self.rotated.entry(place.clone()).or_default();
        Some(labels.unfinished().unwrap_or_else(|| {
            labels.begun += 1;
            labels.pending = Some(labels.begun);
            labels.begun
        }))
    }

    /// A value is put under AWSPENDING; `false` where the version has another one already. A: it is valid.
    pub(crate) fn put_pending(&mut self, place: &PlaceId, version: u32, value: &str) -> bool {
        let Some(labels) = self.rotated.get_mut(place) else { return true };
        if let Some(there) = labels.values.get(&version) {
            // The same one is ignored: no label moves.
            return there == value;
        }
        labels.values.insert(version, value.to_owned());
        labels.pending = Some(version);
        let Some(which) = self.values.get(value).cloned() else { return true };
        let until = self.promises.get(&which).and_then(|promise| promise.works_until);
        let excused = self.excused.contains(&(place.clone(), which.clone()));
        if !excused && !self.service.works(&which.0, which.1, now()) && until.is_none_or(|until| now() < until) {
            self.broke(format!("A: version {} was put under AWSPENDING, and does not work", which.1));
        }
        true
    }

    /// The label goes, if it is there.
    pub(crate) fn end_pending(&mut self, place: &PlaceId, version: u32) {
        let Some(labels) = self.rotated.get_mut(place) else { return };
        labels.pending = labels.pending.filter(|pending| *pending != version);
    }

    /// A step of a rotation takes the label off. B: not while it could go on.
    pub(crate) fn end_rotation(&mut self, place: &PlaceId, version: u32) {
        let labels = self.rotated.get(place).filter(|labels| labels.unfinished() == Some(version));
        let value = labels.and_then(|labels| labels.values.get(&version));
        let goes_on = value.and_then(|value| self.values.get(value)).filter(|(id, number)| {
            let token = self.service.active.values().find(|token| token.id == *id);
            let staged = token.and_then(|token| token.staged().filter(|staged| token.deadline(staged) > now()));
            staged.is_some_and(|staged| staged.number == *number)
        });
        if let Some((_, number)) = goes_on.cloned() {
            self.broke(format!("B: a step ended a rotation by version {number}, which could be finished"));
        }
        self.end_pending(place, version);
    }

    /// What consumers read by default is a version that AWS named.
    pub(crate) fn labelled(&mut self, place: &PlaceId, version: u32) {
        if let Some(labels) = self.rotated.get_mut(place) {
            labels.current = Some(version);
        }
    }

    /// The value of the version that has AWSPENDING.
    pub(crate) fn pending(&self, place: &PlaceId) -> Option<&String> {
        let labels = self.rotated.get(place)?;
        labels.values.get(&labels.pending?)
    }

    /// Versions without a label do not stay.
    pub(super) fn deprecate(&mut self, length: u64) {
        for labels in self.rotated.values_mut().filter(|_| length >= DAY) {
            let labelled = [labels.pending, labels.current];
            labels.values.retain(|version, _| labelled.contains(&Some(*version)));
        }
    }

    /// B: whether AWS can begin another rotation.
    pub(crate) fn stuck(&self) -> Option<String> {
        let labels = self.rotated.values().find_map(Labels::unfinished);
        labels.map(|version| format!("AWSPENDING is still on version {version} of AWS's"))
    }
}
