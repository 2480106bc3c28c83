//! Entries that leave one unit go in one change where each change restarts the unit's consumers.

use std::sync::Arc;

use latchkey::place::Place;
use latchkey::token::Token;

use super::finish::{REMOVE_WITHIN, is_removable};
use super::{Run, Work};
use crate::plan::Change;
use crate::safeguard::{Safeguard, stands};
use crate::sinks::{Removal, Seen, Sink};

/// The entries of one unit that leave, each with its token.
struct Group {
    sink: Arc<dyn Sink>,
    unit: String,
    leaving: Vec<(Token, Place)>,
}

/// Removes what leaves a unit together, where that is more than one entry. What does not go well is left to each token,
/// which looks for itself, finds what is gone by then, and tells its own failure.
pub(super) async fn remove_together(run: &Run<'_>, works: &[Work<'_>]) {
    for Group { sink, leaving, .. } in groups(run, works).await.into_iter().filter(|group| group.leaving.len() > 1) {
        let deadline = run.client.deadline(REMOVE_WITHIN);
        let places: Vec<&Place> = leaving.iter().map(|(_, place)| place).collect();
        let looks = sink.look(&places).await;
        let ours = |((token, place), seen): (&(Token, Place), Result<Seen, _>)| {
            let seen = seen.ok()?;
            is_removable(run, token, place, &seen).is_ok_and(|removable| removable).then(|| (place.clone(), seen))
        };
        let ours: Vec<(Place, Seen)> = leaving.iter().zip(looks).filter_map(ours).collect();
        let removals: Vec<Removal<'_>> = ours.iter().map(|(place, seen)| Removal { place, seen }).collect();
        if removals.len() > 1 {
            let _ = sink.remove(&removals, deadline).await;
        }
    }
}

async fn groups(run: &Run<'_>, works: &[Work<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for work in works.iter().filter(|work| work.failure.is_none() && !run.stopped()) {
        let leaving = work.plan.changes.iter().filter_map(|change| match change {
            Change::Remove { place } => Some(place),
            _ => None,
        });
        for id in leaving {
            let Some(place) = work.token.as_ref().and_then(|token| token.places.get(id)) else { continue };
            let Ok(sink) = run.sinks.reach(&place.place).await else { continue };
            if !sink.capabilities().restarts {
                continue;
            }
            // Declared again by another run: no longer ours to remove.
            let Some(token) = &work.token else { continue };
            let Ok(token) = run.client.reread(&run.manifest.name, token).await else { continue };
            let declared =
                |record: &latchkey::token::PlaceRecord| record.declared && stands(Safeguard::RemoveUndeclared);
            let Some(record) = token.places.get(id).filter(|record| !declared(record)) else { continue };
            let (place, unit) = (record.place.clone(), sink.unit(&record.place));
            match groups.iter_mut().find(|group| Arc::ptr_eq(&group.sink, &sink) && group.unit == unit) {
                Some(group) => group.leaving.push((token, place)),
                None => groups.push(Group { sink, unit, leaving: vec![(token, place)] }),
            }
        }
    }
    groups
}
