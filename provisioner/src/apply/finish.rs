//! After the writes: a fresh look, then promotion; and what leaves places and manifest.

use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Look, VersionError};
use latchkey::service::Edit;
use latchkey::token::Token;

use super::stage::service_failure;
use super::together::remove_together;
use super::{Failure, Outcome, Run, Work};
use crate::observe::finding::Known;
use crate::observe::{Looks, look};
use crate::plan::{Change, minute};
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;
use crate::sinks::{Removal, Seen, SinkError};

/// How long after the look before it a removal may start.
pub(super) const REMOVE_WITHIN: std::time::Duration = std::time::Duration::from_mins(1);

/// Makes delivered versions current, after a look that finds them in every place of this run.
pub(super) async fn promote(run: &Run<'_>, works: &mut [Work<'_>], outcome: &mut Outcome) {
    let ready = |work: &Work<'_>| work.failure.is_none() && work.promotes();
    let places: Vec<&Place> = works.iter().filter(|work| ready(work)).flat_map(|work| &work.plan.places).collect();
    let looks = look(run.sinks, places).await;
    for work in works.iter_mut().filter(|work| ready(work)) {
        let Some(token) = work.token.clone() else { continue };
        let resumed = work.plan.changes.iter().find_map(|change| match change {
            Change::Resume { number, .. } => Some(*number),
            _ => None,
        });
        let Some(number) = work.carried.as_ref().map(|(number, _)| *number).or(resumed) else { continue };
        let record = match run.client.reread(&run.manifest.name, &token).await {
            Ok(record) => record,
            Err(error) => {
                work.fail(service_failure(&work.subject(), &error));
                continue;
            }
        };
        let origins = std::collections::HashMap::new();
        let known = Known::new(&run.manifest.name, [&record], &origins, run.client.now());
        let current = record.current().map(|current| current.number);
        let lacking = work.plan.places.iter().find(|place| {
            let id = place.id();
            let seen = looks.get(&id);
            !seen.is_some_and(|seen| known.classify(Some(&record), &id, seen).is_version(number, current))
        });
        if let Some(place) = lacking.filter(|_| stands(Safeguard::PromoteLook)) {
            outcome.again = true;
            let subject = work.subject();
            work.fail(Failure {
                subject,
                message: format!("{} does not show version {number} after it was written", run.labels.of(place)),
                state: "it is not made current yet; older and newer versions work".to_owned(),
                hint: "run `provision apply` again".to_owned(),
            });
            continue;
        }
        // A run that crashed between write and report left a delivery unreported: the look stands for it.
        if let Err(error) = report_seen(run, work, &record, number, &looks).await {
            work.fail(service_failure(&work.subject(), &error));
            continue;
        }
        match run.client.promote(&record, number).await {
            Ok(token) => work.token = Some(token),
            Err(error) => work.fail(service_failure(&work.subject(), &error)),
        }
    }
}

/// Reports deliveries that a look has found but nobody has reported.
async fn report_seen(
    run: &Run<'_>,
    work: &Work<'_>,
    record: &latchkey::token::Token,
    number: u32,
    looks: &Looks,
) -> Result<(), ServiceError> {
    let Some(version) = record.version(number) else { return Ok(()) };
    for place in &work.plan.places {
        let id = place.id();
        let Some(Ok(Seen::Holds(held))) = looks.get(&id) else { continue };
        if version.delivered_to(&id) {
            continue;
        }
        if !version.deliveries.contains_key(&id) {
            run.client.announce(record, number, &id).await?;
        }
        run.client.deliver(record, number, &id, &held.receipt.0).await?;
    }
    Ok(())
}

/// Removes entries and places that are no longer declared, and ends tokens that are not.
pub(super) async fn leave(run: &Run<'_>, works: &mut [Work<'_>]) {
    for work in works.iter_mut().filter(|work| work.failure.is_none()) {
        if let Err(failure) = begin_leaving(run, work).await {
            work.fail(failure);
        }
    }
    remove_together(run, works).await;
    for work in works.iter_mut().filter(|work| work.failure.is_none()) {
        if let Err(failure) = leave_one(run, work).await {
            work.fail(failure);
        }
    }
}

/// Notes that a token leaves: none of its places is declared from then on.
async fn begin_leaving(run: &Run<'_>, work: &mut Work<'_>) -> Result<(), Failure> {
    let Some(token) = work.token.as_ref().filter(|_| work.has(|change| matches!(change, Change::Leave))) else {
        return Ok(());
    };
    let edit = Edit { leaving: Some(true), places: Some(Vec::new()), ..Edit::default() };
    let edited = run.client.edit(token, &edit).await.map_err(|error| service_failure(&work.subject(), &error))?;
    work.token = Some(edited);
    Ok(())
}

async fn leave_one(run: &Run<'_>, work: &mut Work<'_>) -> Result<(), Failure> {
    let subject = work.subject();
    let failed = |error: ServiceError| service_failure(&subject, &error);
    let Some(mut token) = work.token.clone() else { return Ok(()) };
    for change in &work.plan.changes {
        match change {
            Change::Remove { place } => {
                token = run.client.reread(&run.manifest.name, &token).await.map_err(failed)?;
                // Declared again by another run: no longer ours to remove.
                let Some(record) =
                    token.places.get(place).filter(|record| !record.declared || !stands(Safeguard::RemoveUndeclared))
                else {
                    continue;
                };
                if let Some(reason) = remove(run, &subject, &token, &record.place).await? {
                    let label = run.labels.of(&record.place);
                    let why = format!("{label} stays, as its consumers may still read an older version: {reason}");
                    work.skip(change, why);
                    continue;
                }
                // While it cannot be forgotten yet, a later run finds nothing there and forgets it.
                token = forget(run, &token, place).await.map_err(failed)?.unwrap_or(token);
            }
            Change::Forget { place } => match forget(run, &token, place).await.map_err(failed)? {
                Some(changed) => token = changed,
                None => work.skip(change, "place not forgotten yet, as a write may still arrive there".to_owned()),
            },
            Change::Delete => {
                // The revision was read before the look: whatever is announced meanwhile makes the service refuse.
                let at = run.client.now();
                token = run.client.reread(&run.manifest.name, &token).await.map_err(failed)?;
                // Declared again by another run.
                if token.leaving.is_none() && stands(Safeguard::DeleteLeaving) {
                    work.skip(change, "not deleted, as it is declared again".to_owned());
                    continue;
                }
                if let Some(place) = held_somewhere(run, &token).await.filter(|_| stands(Safeguard::DeleteLook)) {
                    return Err(Failure {
                        subject,
                        message: format!("{} may hold a version of it, so it was not deleted", run.labels.of(&place)),
                        state: "it goes on working".to_owned(),
                        hint: "run `provision apply --prune` again".to_owned(),
                    });
                }
                let look = Look { at, revision: token.revision };
                match run.client.end_leaving(&token, look).await {
                    Ok(ended) => token = ended,
                    Err(ServiceError::Version(VersionError::Announced { until, .. })) => {
                        work.skip(change, format!("not deleted before {}", minute(until)));
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
            _ => {}
        }
    }
    work.token = Some(token);
    Ok(())
}

/// Removes our entry, after a look of its own: this run or another may have written something else there since. Answers
/// why it stays, where its consumers lag behind it: without the entry nobody could tell any more.
async fn remove(run: &Run<'_>, subject: &str, token: &Token, place: &Place) -> Result<Option<String>, Failure> {
    let failure = |error: &SinkError| Failure {
        subject: subject.to_owned(),
        message: format!("{} was not removed: {error}", run.labels.of(place)),
        state: "the entry is still there and goes on working".to_owned(),
        hint: error.hint().map_or_else(|| "run it again".to_owned(), str::to_owned),
    };
    let sink = run.sinks.reach(place).await.map_err(|error| failure(&error))?;
    let deadline = run.client.deadline(REMOVE_WITHIN);
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
pub(super) fn is_removable(run: &Run<'_>, token: &Token, place: &Place, seen: &Seen) -> Result<bool, String> {
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    if !is_ours(&known.classify(Some(token), &place.id(), &Ok(seen.clone()))) && stands(Safeguard::RemoveOurs) {
        return Ok(false);
    }
    match seen.lagging().filter(|_| stands(Safeguard::RemoveLagging)) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(true),
    }
}

/// Drops a place from the record, after a fresh look unless the user said that it is gone. `None` while a write may
/// still arrive there, or when anything changed since the look: it stays, and a later run sees to it. Whoever asked for
/// that place by name is told instead.
async fn forget(run: &Run<'_>, token: &Token, place: &PlaceId) -> Result<Option<Token>, ServiceError> {
    let token = run.client.reread(&run.manifest.name, token).await?;
    let Some(record) = token.places.get(place).filter(|record| !record.declared || asked(run, place)) else {
        return Ok(Some(token));
    };
    if !asked(run, place) && held_at(run, &token, [&record.place]).await.is_some() && stands(Safeguard::ForgetLook) {
        return Ok(None);
    }
    match run.client.forget(&token, place).await {
        Err(ServiceError::Version(VersionError::Announced { .. })) if !asked(run, place) => Ok(None),
        Err(ServiceError::Gone(_)) => Ok(None),
        other => other.map(Some),
    }
}

fn asked(run: &Run<'_>, place: &PlaceId) -> bool {
    run.options.forget.contains(place.as_str())
}

/// The first recorded place that holds a version of the token, or whose consumers may, or of which that cannot be told.
async fn held_somewhere(run: &Run<'_>, token: &Token) -> Option<Place> {
    held_at(run, token, token.places.values().map(|record| &record.place)).await
}

async fn held_at(run: &Run<'_>, token: &Token, places: impl IntoIterator<Item = &Place> + Clone) -> Option<Place> {
    let looks = look(run.sinks, places.clone()).await;
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    let held = |place: &&Place| {
        let id = place.id();
        let Some(seen) = looks.get(&id) else { return true };
        let find = known.classify(Some(token), &id, seen);
        find.is_unknown() || is_ours(&find) || seen.as_ref().is_ok_and(|seen| seen.lagging().is_some())
    };
    places.into_iter().find(held).cloned()
}

fn is_ours(find: &crate::observe::finding::Finding) -> bool {
    use crate::observe::finding::Finding;
    matches!(find, Finding::Current | Finding::Hidden | Finding::Other { number: Some(_), .. })
}
