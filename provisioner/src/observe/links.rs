//! Places behind links: where a path leads, and which places lead to one entry.

use std::collections::HashMap;

use latchkey::place::{Place, PlaceId};
use latchkey::token::Token;

use super::Observation;
use latchkey_sinks::{SinkError, SinkSet};

impl Observation {
    /// The same for two places that are one entry: of two paths with links that lead to one file, for instance.
    pub fn entry(&self, place: &PlaceId) -> PlaceId {
        self.leads.get(place).unwrap_or(place).clone()
    }
}

/// Where pushes land. A place that was recorded under the path at the end of its links, as earlier versions did, keeps
/// that one while it is the same file: no entry has two.
pub(super) async fn as_recorded(
    sinks: &dyn SinkSet,
    places: Vec<Result<Place, SinkError>>,
    record: Option<&Token>,
) -> Vec<Result<Place, SinkError>> {
    let Some(record) = record else { return places };
    let mut landed = Vec::with_capacity(places.len());
    for place in places {
        landed.push(match place {
            Ok(place) if !record.places.contains_key(&place.id()) => {
                let led = leads(sinks, [&place]).await.remove(&place.id());
                let recorded = led.and_then(|led| record.places.get(&led)).map(|recorded| recorded.place.clone());
                Ok(recorded.unwrap_or(place))
            }
            place => place,
        });
    }
    landed
}

/// The places at the end of these places' links.
pub(super) async fn leads(sinks: &dyn SinkSet, places: impl IntoIterator<Item = &Place>) -> HashMap<PlaceId, PlaceId> {
    let mut leads = HashMap::new();
    for place in places {
        if let Ok(sink) = sinks.reach(place).await
            && let Some(led) = sink.leads_to(place)
        {
            leads.insert(place.id(), led.id());
        }
    }
    leads
}
