//! Which places are one entry: a vendor knows an entry by its own ids, however settings spell project, app or path. Such
//! places are never pruned against each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;
use latchkey::place::{Place, PlaceId};
use latchkey::secret::Digest;
use latchkey::token::{PlaceRecord, Token};

use super::Observation;
use latchkey_sinks::{Kind, Seen, Sink, SinkSet};

/// What places are, hashed: a record is paid for by size.
pub type Identities = HashMap<PlaceId, String>;

/// Asks the sinks what they call the entries of places, after a look.
pub async fn identities(sinks: &dyn SinkSet, places: impl IntoIterator<Item = &Place>) -> Identities {
    let mut groups: Vec<(Arc<dyn Sink>, Vec<&Place>)> = Vec::new();
    for place in places {
        let Ok(sink) = sinks.reach(place).await else { continue };
        match groups.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &sink)) {
            Some((_, group)) => group.push(place),
            None => groups.push((sink, vec![place])),
        }
    }
    let found = join_all(groups.iter().map(|(sink, places)| sink.identities(places))).await;
    let all = groups.iter().zip(found).flat_map(|((_, places), found)| places.iter().copied().zip(found));
    all.filter_map(|(place, identity)| Some((place.id(), hashed(&place.kind, &identity?)))).collect()
}

/// 64 bits of a hash.
fn hashed(kind: &str, identity: &str) -> String {
    let mut text = Digest::of(format!("{kind} {identity}").as_bytes()).hex();
    text.truncate(16);
    text
}

impl Observation {
    /// What a place is: as its sink says now, else as was recorded with a delivery.
    pub fn identity<'a>(&'a self, id: &PlaceId, recorded: Option<&'a PlaceRecord>) -> Option<&'a str> {
        let learned = self.identities.get(id).map(String::as_str);
        learned.or_else(|| recorded?.identity.as_deref())
    }

    /// The declared place that is the same entry as a recorded one under another id.
    pub fn same_entry<'p>(
        &self,
        recorded: &PlaceRecord,
        declared: impl IntoIterator<Item = &'p Place>,
        record: Option<&Token>,
    ) -> Option<&'p Place> {
        let id = recorded.place.id();
        let identity = self.identity(&id, Some(recorded));
        declared.into_iter().find(|place| {
            let other = place.id();
            let of = record.and_then(|record| record.places.get(&other));
            let same = identity.is_some() && identity == self.identity(&other, of);
            place.kind == recorded.place.kind && other != id && (same || self.shows_one_receipt(&recorded.place, place))
        })
    }

    /// Whether one look has shown one entry at both places.
    fn shows_one_receipt(&self, one: &Place, other: &Place) -> bool {
        let shown = |place: &Place| match self.looks.get(&place.id()) {
            Some(Ok(Seen::Holds(held))) => Some(&held.receipt),
            _ => None,
        };
        let tells = Kind::named(&one.kind).is_some_and(|kind| kind.facts().receipts_are_unique());
        tells && shown(one).is_some() && shown(one) == shown(other)
    }

    /// Every place that the manifest declares, and every recorded one that is the same entry: none of them is removed.
    pub fn claimed(&self) -> BTreeSet<PlaceId> {
        let declared: BTreeMap<PlaceId, &Place> = self
            .tokens
            .iter()
            .flat_map(|token| token.places.iter().flatten())
            .map(|place| (place.id(), place))
            .collect();
        let records = self.tokens.iter().filter_map(|token| token.record.as_deref()).chain(&self.undeclared);
        // What was recorded of a declared place is with the token that declares it.
        let known: HashMap<&PlaceId, &PlaceRecord> = records
            .clone()
            .flat_map(|token| &token.places)
            .filter(|(id, record)| declared.contains_key(*id) && record.identity.is_some())
            .collect();
        let identities: BTreeSet<&str> =
            declared.keys().filter_map(|id| self.identity(id, known.get(id).copied())).collect();
        let same = |(id, recorded): &(&PlaceId, &PlaceRecord)| {
            !declared.contains_key(*id)
                && (self.identity(id, Some(*recorded)).is_some_and(|identity| identities.contains(identity))
                    || declared.values().any(|place| self.shows_one_receipt(&recorded.place, place)))
        };
        let same: Vec<PlaceId> =
            records.flat_map(|token| &token.places).filter(same).map(|(id, _)| id.clone()).collect();
        let entries: BTreeSet<PlaceId> = declared.keys().map(|id| self.entry(id)).collect();
        let led = self.looks.keys().filter(|id| entries.contains(&self.entry(id))).cloned();
        led.chain(same).chain(declared.keys().cloned()).collect()
    }
}
