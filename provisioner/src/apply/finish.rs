//! After the writes: a fresh look, then promotion; and what leaves places and manifest.

use latchkey::place::Place;
use latchkey::service::Edit;
use latchkey::version::{Look, VersionError};

use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::deadline::Deadline;
use crate::observe::{Looks, Observation, look};
use crate::plan::find::Known;
use crate::plan::{Change, minute};
use crate::service::ServiceError;
use crate::sinks::{Removal, Seen, SinkError};

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
        let key = (token.user.clone(), token.name.clone());
        let found = run.client.holders(&[key]).await.map(|found| found.into_iter().find(|found| found.id == token.id));
        let record = match found {
            Ok(Some(record)) => record,
            Ok(None) => {
                work.fail(service_failure(
                    &work.subject(),
                    &ServiceError::Gone("the token was deleted meanwhile".into()),
                ));
                continue;
            }
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
        if let Some(place) = lacking {
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
pub(super) async fn leave(run: &Run<'_>, works: &mut [Work<'_>], observation: &Observation) {
    for work in works.iter_mut() {
        if work.failure.is_some() {
            continue;
        }
        if let Err(failure) = leave_one(run, work, observation).await {
            work.fail(failure);
        }
    }
}

async fn leave_one(run: &Run<'_>, work: &mut Work<'_>, observation: &Observation) -> Result<(), Failure> {
    let subject = work.subject();
    let failed = |error: ServiceError| service_failure(&subject, &error);
    let Some(mut token) = work.token.clone() else { return Ok(()) };
    if work.has(|change| matches!(change, Change::Leave)) {
        let edit = Edit { leaving: Some(true), places: Some(Vec::new()), ..Edit::default() };
        token = run.client.edit(&token, &edit).await.map_err(failed)?;
    }
    for change in &work.plan.changes {
        match change {
            Change::Remove { place } => {
                let Some(record) = token.places.get(place) else { continue };
                let Some(Ok(seen)) = observation.looks.get(place) else { continue };
                remove(run, &subject, &record.place, seen).await?;
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
                if let Some(place) = held_somewhere(run, &token).await {
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

async fn remove(run: &Run<'_>, subject: &str, place: &Place, seen: &Seen) -> Result<(), Failure> {
    let failure = |error: &SinkError| Failure {
        subject: subject.to_owned(),
        message: format!("{} was not removed: {error}", run.labels.of(place)),
        state: "the entry is still there and goes on working".to_owned(),
        hint: error.hint().map_or_else(|| "run it again".to_owned(), str::to_owned),
    };
    let sink = run.sinks.reach(place).await.map_err(|error| failure(&error))?;
    let deadline = Deadline::after(std::time::Duration::from_mins(1));
    let removed = sink.remove(&[Removal { place, seen }], deadline).await;
    removed.into_iter().collect::<Result<Vec<()>, _>>().map(|_| ()).map_err(|error| failure(&error))
}

/// Drops a place from the record. While an announced write may still arrive there it stays, and a later run sees to it;
/// whoever asked for that place by name is told.
async fn forget(
    run: &Run<'_>,
    token: &latchkey::token::Token,
    place: &latchkey::place::PlaceId,
) -> Result<Option<latchkey::token::Token>, ServiceError> {
    let declared = token.places.iter().filter(|(id, record)| record.declared && *id != place);
    let places = declared.map(|(_, record)| record.place.clone()).collect();
    let edit = Edit { forget: Some(place.clone()), places: Some(places), ..Edit::default() };
    let asked = run.options.forget.contains(place.as_str());
    match run.client.edit(token, &edit).await {
        Err(ServiceError::Version(VersionError::Announced { .. })) if !asked => Ok(None),
        Err(ServiceError::Version(VersionError::NoSuchPlace(_))) => Ok(Some(token.clone())),
        other => other.map(Some),
    }
}

/// The first recorded place that holds a version of the token, or of which that cannot be told.
async fn held_somewhere(run: &Run<'_>, token: &latchkey::token::Token) -> Option<Place> {
    let looks = look(run.sinks, token.places.values().map(|record| &record.place)).await;
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    let held = |id: &latchkey::place::PlaceId| {
        let find = looks.get(id).map(|seen| known.classify(Some(token), id, seen));
        find.is_none_or(|find| find.is_unknown() || is_ours(&find))
    };
    token.places.iter().find(|(id, _)| held(id)).map(|(_, record)| record.place.clone())
}

fn is_ours(find: &crate::plan::find::Find) -> bool {
    use crate::plan::find::Find;
    matches!(find, Find::Current | Find::Other { number: Some(_), .. })
}
