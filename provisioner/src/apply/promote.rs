//! What was delivered becomes current, by the look after the writes.

use futures_util::stream::{self, StreamExt as _};
use latchkey::protocol::Arrival;
use latchkey::token::Token;

use super::report::{Arrived, SeenAfter, UNFINISHED, report_arrived};
use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;
use latchkey_sinks::Seen;

/// Promotes delivered versions that the look after the writes found in every place of this run.
pub(super) async fn promote(run: &Run<'_>, works: &mut [Work<'_>], seen: &SeenAfter, outcome: &mut Outcome) {
    let ready = works.iter_mut().filter(|work| work.is_ready());
    let other: Vec<bool> = stream::iter(ready)
        .map(|work| promote_one(run, work, seen))
        .buffer_unordered(run.client.breadth().requests)
        .collect()
        .await;
    outcome.another_pass |= other.contains(&true);
}

/// Promotes one; whether another pass may do what this one could not.
async fn promote_one(run: &Run<'_>, work: &mut Work<'_>, seen: &SeenAfter) -> bool {
    let (Some(token), Some(number)) = (work.token.clone(), work.number()) else { return false };
    let record = match run.client.reread(&run.manifest.name, &token).await {
        Ok(record) => record,
        Err(error) => {
            let again = report_arrived(run, work, seen).await;
            work.fail(service_failure(&work.subject(), &error));
            return again;
        }
    };
    // The record as it is once what arrived is reported.
    let mut after = record.clone();
    for arrived in &work.arrived {
        let _ = after.deliver(number, &arrived.as_arrival(seen), run.client.now());
    }
    let known = run.known(&after);
    let current = after.current().map(|current| current.number);
    let lacking = work.plan.places.iter().find(|place| {
        let id = place.id();
        !seen.looks.get(&id).is_some_and(|seen| known.classify(Some(&after), &id, seen).is_version(number, current))
    });
    if let Some(place) = lacking.filter(|_| stands(Safeguard::PromoteLook)) {
        report_arrived(run, work, seen).await;
        let subject = work.subject();
        work.fail(Failure {
            subject,
            message: format!("{} does not show version {number}", run.labels.of(place)),
            state: UNFINISHED.to_owned(),
            hint: "run `provision apply` again".to_owned(),
            passes: true,
        });
        return true;
    }
    // A run that crashed between write and report left a delivery unreported: the look replaces it.
    if let Err(error) = find_unreported(run, work, &record, number, seen).await {
        let again = report_arrived(run, work, seen).await;
        work.fail(service_failure(&work.subject(), &error));
        return again;
    }
    let arrivals: Vec<Arrival<'_>> = work.arrived.iter().map(|arrived| arrived.as_arrival(seen)).collect();
    match run.client.promote(&record, number, &arrivals).await {
        Ok(token) => work.token = Some(token),
        Err(error) if arrivals.is_empty() || matches!(error, ServiceError::Unavailable(_)) => {
            work.fail(not_promoted(work, &error));
        }
        // What is refused of it does not hold up the rest, and an older server takes it in parts.
        Err(_) => return promote_in_parts(run, work, &record, number, seen).await,
    }
    false
}

/// Reports what arrived and then promotes. Whether another pass may do what this one could not.
async fn promote_in_parts(run: &Run<'_>, work: &mut Work<'_>, record: &Token, number: u32, seen: &SeenAfter) -> bool {
    let again = report_arrived(run, work, seen).await;
    if work.failure.is_none() {
        match run.client.promote(record, number, &[]).await {
            Ok(token) => work.token = Some(token),
            Err(error) => work.fail(not_promoted(work, &error)),
        }
    }
    again
}

/// A failure when places have the version already. Of the older ones nothing is said: a leaked one may end in this run.
fn not_promoted(work: &Work<'_>, error: &ServiceError) -> Failure {
    let state = match error {
        ServiceError::Unavailable(_) => "the places that were reached have the version, which may not be current yet",
        _ => "the places that were reached have the version, which is not current yet",
    };
    Failure { state: state.to_owned(), ..service_failure(&work.subject(), error) }
}

/// Notes what a look has found but nobody has reported, announced as a report needs it.
async fn find_unreported(
    run: &Run<'_>,
    work: &mut Work<'_>,
    record: &Token,
    number: u32,
    seen: &SeenAfter,
) -> Result<(), ServiceError> {
    let Some(version) = record.version(number) else { return Ok(()) };
    let mut unannounced = Vec::new();
    for place in &work.plan.places {
        let id = place.id();
        let Some(Ok(Seen::Holds(held))) = seen.looks.get(&id) else { continue };
        if version.delivered_to(&id) || work.arrived.iter().any(|arrived| arrived.is_at(&id)) {
            continue;
        }
        work.arrived.push(Arrived::found(place, held, seen));
        if !version.deliveries.contains_key(&id) {
            unannounced.push(id);
        }
    }
    if !unannounced.is_empty() {
        run.client.announce(record, number, &unannounced).await?;
    }
    Ok(())
}
