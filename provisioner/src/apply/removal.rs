//! Removing entries: one by one, and together where each change restarts the consumers of all.

use std::sync::Arc;
use std::time::Duration;

use latchkey::place::Place;
use latchkey::token::{PlaceRecord, Token};

use super::elsewhere::{Claim, Elsewhere};
use super::{Failure, Run, Work};
use crate::plan::Change;
use crate::safeguard::{Safeguard, stands};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Removal, Seen, Sink, SinkError};

/// How long after the look before it a removal may start.
const REMOVE_WITHIN: Duration = Duration::from_mins(1);

/// Removes our entry, after a look of its own: this run or another may have written something else there since. It starts
/// before `until`, or fails. Returns why it stays, where its consumers wait for a deployment: without the entry that would be unknown.
pub(super) async fn remove(
    run: &Run<'_>,
    subject: &str,
    (token, place): (&Token, &Place),
    until: Deadline,
) -> Result<Option<String>, Failure> {
    let failure = |error: &SinkError| Failure {
        subject: subject.to_owned(),
        message: format!("{} was not removed: {error}", run.labels.of(place)),
        state: "the entry is still there and its secret stays valid".to_owned(),
        hint: error.hint().map_or_else(|| "run it again".to_owned(), str::to_owned),
        passes: error.passes(),
    };
    let sink = run.sinks.reach(place).await.map_err(|error| failure(&error))?;
    let deadline = run.client.deadline(REMOVE_WITHIN).earlier(until);
    let seen = sink.look(&[place]).await.pop().unwrap_or(Err(SinkError::Changed)).map_err(|error| failure(&error))?;
    match is_removable(run, token, place, &seen) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(reason) => return Ok(Some(reason)),
    }
    let removed = sink.remove(&[Removal { place, seen: &seen }], deadline).await;
    removed.into_iter().collect::<Result<Vec<()>, _>>().map(|_| None).map_err(|error| failure(&error))
}

/// Whether what was seen is ours, and so to remove; or why it stays although it is.
fn is_removable(run: &Run<'_>, token: &Token, place: &Place, seen: &Seen) -> Result<bool, String> {
    let find = run.known(token).classify(Some(token), &place.id(), &Ok(seen.clone()));
    if !find.is_ours() && stands(Safeguard::RemoveOurs) {
        return Ok(false);
    }
    match seen.lagging().filter(|_| stands(Safeguard::RemoveLagging)) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(true),
    }
}

/// The entries of one unit that leave, each with its token.
struct Group {
    sink: Arc<dyn Sink>,
    unit: String,
    leaving: Vec<(Token, Place)>,
    until: Deadline,
}

/// Removes what leaves a unit together, where that is more than one entry. What does not go well is left to each token,
/// which looks for itself, finds what is gone by then, and reports its own failure.
pub(super) async fn remove_together(run: &Run<'_>, works: &[Work<'_>], elsewhere: &mut Elsewhere) {
    let groups = groups(run, works, elsewhere).await;
    for Group { sink, leaving, until, .. } in groups.into_iter().filter(|group| group.leaving.len() > 1) {
        if run.stopped() {
            return;
        }
        let deadline = run.client.deadline(REMOVE_WITHIN).earlier(until);
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

async fn groups(run: &Run<'_>, works: &[Work<'_>], elsewhere: &mut Elsewhere) -> Vec<Group> {
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
            let declared = |record: &PlaceRecord| record.declared && stands(Safeguard::RemoveUndeclared);
            let Some(record) = token.places.get(id).filter(|record| !declared(record)) else { continue };
            let Ok(Claim::Free(until)) = elsewhere.claim(run, record).await else { continue };
            let (place, unit) = (record.place.clone(), sink.unit(&record.place));
            match groups.iter_mut().find(|group| Arc::ptr_eq(&group.sink, &sink) && group.unit == unit) {
                Some(group) => {
                    group.leaving.push((token, place));
                    group.until = group.until.earlier(until);
                }
                None => groups.push(Group { sink, unit, leaving: vec![(token, place)], until }),
            }
        }
    }
    groups
}
