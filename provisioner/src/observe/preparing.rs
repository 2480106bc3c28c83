//! Whether places could be written to: credentials, permissions and whatever else a sink would refuse a write for. Asked
//! by `plan` too, as nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use latchkey::place::{Place, PlaceId};
use latchkey_sinks::{Sink, SinkError, SinkSet};

/// What keeps a run from writing to a place.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub error: SinkError,
    /// Whether it is only the login of this run that may not, while another one might.
    pub by_login: bool,
}

impl Refusal {
    fn of(error: SinkError, sink: Option<&dyn Sink>) -> Self {
        // What this machine refuses, it refuses whoever logs in anywhere.
        let is_remote = sink.is_some_and(|sink| !sink.capabilities().local);
        Self { by_login: is_remote && matches!(error, SinkError::Denied { .. }), error }
    }
}

/// Places by their ids, with what keeps a run from writing there.
pub type Refusals = HashMap<PlaceId, Refusal>;

/// Asks each sink once about all of its places.
pub async fn refusals<'p>(sinks: &dyn SinkSet, places: impl Iterator<Item = &'p Place>) -> Refusals {
    let mut groups: Vec<(Arc<dyn Sink>, Vec<&Place>)> = Vec::new();
    let mut refusals = Refusals::new();
    for place in places {
        match sinks.reach(place).await {
            Err(error) => drop(refusals.insert(place.id(), Refusal::of(error, None))),
            Ok(sink) => match groups.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &sink)) {
                Some((_, group)) => group.push(place),
                None => groups.push((sink, vec![place])),
            },
        }
    }
    for (sink, group) in &groups {
        for (place, answer) in group.iter().zip(sink.prepare(group).await) {
            if let Err(error) = answer {
                refusals.insert(place.id(), Refusal::of(error, Some(&**sink)));
            }
        }
    }
    refusals
}
