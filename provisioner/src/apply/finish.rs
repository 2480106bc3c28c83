//! After the writes: a fresh look, then promotion; and what leaves places and manifest.

use latchkey::place::Place;
use latchkey::service::Edit;
use latchkey::version::VersionError;

use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::deadline::Deadline;
use crate::observe::{Looks, Observation, look};
use crate::plan::Change;
use crate::plan::find::Known;
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
                token = forget(run, &token, place).await.map_err(failed)?;
            }
            Change::Forget { place } => token = forget(run, &token, place).await.map_err(failed)?,
            Change::Delete => {
                if !holds_none(run, &token).await {
                    return Err(Failure {
                        subject,
                        message: "a place shows a version of it again".to_owned(),
                        state: "it was not deleted".to_owned(),
                        hint: "run `provision apply --prune` again".to_owned(),
                    });
                }
                token = run.client.delete(&token).await.map_err(failed)?;
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

/// Drops a place from the record; while an announced write may still arrive there it stays, and a later run sees to it.
async fn forget(
    run: &Run<'_>,
    token: &latchkey::token::Token,
    place: &latchkey::place::PlaceId,
) -> Result<latchkey::token::Token, ServiceError> {
    let declared = token.places.iter().filter(|(id, record)| record.declared && *id != place);
    let places = declared.map(|(_, record)| record.place.clone()).collect();
    let edit = Edit { forget: Some(place.clone()), places: Some(places), ..Edit::default() };
    match run.client.edit(token, &edit).await {
        Err(ServiceError::Version(VersionError::Announced { .. } | VersionError::NoSuchPlace(_))) => Ok(token.clone()),
        other => other,
    }
}

async fn holds_none(run: &Run<'_>, token: &latchkey::token::Token) -> bool {
    let looks = look(run.sinks, token.places.values().map(|record| &record.place)).await;
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    token.places.keys().all(|id| {
        let find = looks.get(id).map(|seen| known.classify(Some(token), id, seen));
        find.is_some_and(|find| !matches!(find, crate::plan::find::Find::Unknown(_)) && !is_ours(&find))
    })
}

fn is_ours(find: &crate::plan::find::Find) -> bool {
    use crate::plan::find::Find;
    matches!(find, Find::Current | Find::Other { number: Some(_), .. })
}
