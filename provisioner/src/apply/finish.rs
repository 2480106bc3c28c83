//! After the writes: a fresh look, then promotion; and what leaves places and manifest.

use latchkey::place::{Place, PlaceId};
use latchkey::service::Edit;
use latchkey::token::Token;
use latchkey::version::VersionError;

use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::observe::{Looks, look};
use crate::plan::Change;
use crate::plan::find::Known;
use crate::service::ServiceError;
use crate::sinks::{Removal, Seen, SinkError};

/// How long after the look before it a removal may start.
const REMOVE_WITHIN: std::time::Duration = std::time::Duration::from_mins(1);

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
        let record = match run.client.again(&token).await {
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
pub(super) async fn leave(run: &Run<'_>, works: &mut [Work<'_>]) {
    for work in works.iter_mut() {
        if work.failure.is_some() {
            continue;
        }
        if let Err(failure) = leave_one(run, work).await {
            work.fail(failure);
        }
    }
}

async fn leave_one(run: &Run<'_>, work: &mut Work<'_>) -> Result<(), Failure> {
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
                token = run.client.again(&token).await.map_err(failed)?;
                // Declared again by another run: no longer ours to remove.
                let Some(record) = token.places.get(place).filter(|record| !record.declared) else { continue };
                remove(run, &subject, &token, &record.place).await?;
                token = forget(run, token, place).await.map_err(failed)?;
            }
            Change::Forget { place } => token = forget(run, token, place).await.map_err(failed)?,
            Change::Delete => {
                token = run.client.again(&token).await.map_err(failed)?;
                // Declared again by another run.
                if token.leaving.is_none() {
                    continue;
                }
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

/// Removes our entry, after a look of its own: this run or another may have written something else there since.
async fn remove(run: &Run<'_>, subject: &str, token: &Token, place: &Place) -> Result<(), Failure> {
    let failure = |error: &SinkError| Failure {
        subject: subject.to_owned(),
        message: format!("{} was not removed: {error}", run.labels.of(place)),
        state: "the entry is still there and goes on working".to_owned(),
        hint: error.hint().map_or_else(|| "run it again".to_owned(), str::to_owned),
    };
    let sink = run.sinks.reach(place).await.map_err(|error| failure(&error))?;
    let deadline = run.client.deadline(REMOVE_WITHIN);
    let seen = sink.look(&[place]).await.pop().unwrap_or(Err(SinkError::Changed)).map_err(|error| failure(&error))?;
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    if !is_ours(&known.classify(Some(token), &place.id(), &Ok(seen.clone()))) {
        return Ok(());
    }
    let removed = sink.remove(&[Removal { place, seen: &seen }], deadline).await;
    removed.into_iter().collect::<Result<Vec<()>, _>>().map(|_| ()).map_err(|error| failure(&error))
}

/// Drops a place from the record, after a fresh look unless the user said that it is gone. While a write may still
/// arrive there, or when anything changed since the look, it stays, and a later run sees to it.
async fn forget(run: &Run<'_>, token: Token, place: &PlaceId) -> Result<Token, ServiceError> {
    let token = run.client.again(&token).await?;
    let Some(record) = token.places.get(place).filter(|record| !record.declared) else { return Ok(token) };
    let told = run.options.forget.contains(place.as_str());
    if !told && !holds_none_at(run, &token, [&record.place]).await {
        return Ok(token);
    }
    match run.client.forget(&token, place).await {
        Err(ServiceError::Version(VersionError::Announced { .. }) | ServiceError::Gone(_)) => Ok(token),
        other => other,
    }
}

async fn holds_none(run: &Run<'_>, token: &Token) -> bool {
    holds_none_at(run, token, token.places.values().map(|record| &record.place)).await
}

async fn holds_none_at(run: &Run<'_>, token: &Token, places: impl IntoIterator<Item = &Place> + Clone) -> bool {
    let looks = look(run.sinks, places.clone()).await;
    let origins = std::collections::HashMap::new();
    let known = Known::new(&run.manifest.name, [token], &origins, run.client.now());
    places.into_iter().map(Place::id).all(|id| {
        let find = looks.get(&id).map(|seen| known.classify(Some(token), &id, seen));
        find.is_some_and(|find| !matches!(find, crate::plan::find::Find::Unknown(_)) && !is_ours(&find))
    })
}

fn is_ours(find: &crate::plan::find::Find) -> bool {
    use crate::plan::find::Find;
    matches!(find, Find::Current | Find::Other { number: Some(_), .. })
}
