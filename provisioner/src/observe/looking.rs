//! Looking at places: each sink is asked once for all of its own.

use std::sync::Arc;

use futures_util::future::join_all;
use latchkey::place::Place;

use super::Looks;
use latchkey_sinks::{Sink, SinkSet};

/// Looks at places, each sink asked once for all of its own.
pub async fn look(sinks: &dyn SinkSet, places: impl IntoIterator<Item = &Place>) -> Looks {
    ask(sinks, places, How::Look).await
}

/// How places are looked at.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// By the sink's cheapest list.
    Survey,
    /// One by one, as they are now.
    Look,
    /// The same, where a survey is another thing.
    Confirm,
}

/// The same, in any of these ways.
pub(super) async fn ask(sinks: &dyn SinkSet, places: impl IntoIterator<Item = &Place>, how: How) -> Looks {
    let mut looks = Looks::new();
    let mut groups: Vec<(Arc<dyn Sink>, Vec<&Place>)> = Vec::new();
    for place in places {
        match sinks.reach(place).await {
            Err(error) => {
                looks.insert(place.id(), Err(error));
            }
            Ok(sink) => match groups.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &sink)) {
                Some((_, group)) => group.push(place),
                None => groups.push((sink, vec![place])),
            },
        }
    }
    if matches!(how, How::Confirm) {
        groups.retain(|(sink, _)| sink.capabilities().surveys);
    }
    let found = join_all(groups.iter().map(|(sink, places)| async move {
        match how {
            How::Survey => sink.survey(places).await,
            How::Look | How::Confirm => sink.look(places).await,
        }
    }))
    .await;
    for ((_, places), found) in groups.iter().zip(found) {
        looks.extend(places.iter().map(|place| place.id()).zip(found));
    }
    looks
}
