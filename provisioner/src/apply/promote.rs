//! What was delivered becomes current, by the look after the writes.

use futures_util::stream::{self, StreamExt as _};
use latchkey::protocol::Arrival;
use latchkey::token::Token;

use super::report::SeenAfter;
use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::plan::Change;
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
    let Some(token) = work.token.clone() else { return false };
    let resumed = work.plan.changes.iter().find_map(|change| match change {
        Change::Resume { number, .. } => Some(*number),
        _ => None,
    });
    let Some(number) = work.carried.as_ref().map(|(number, _)| *number).or(resumed) else { return false };
    let record = match run.client.reread(&run.manifest.name, &token).await {
        Ok(record) => record,
        Err(error) => {
            work.fail(service_failure(&work.subject(), &error));
            return false;
        }
    };
    let known = run.known(&record);
    let current = record.current().map(|current| current.number);
    let lacking = work.plan.places.iter().find(|place| {
        let id = place.id();
        !seen.looks.get(&id).is_some_and(|seen| known.classify(Some(&record), &id, seen).is_version(number, current))
    });
    if let Some(place) = lacking.filter(|_| stands(Safeguard::PromoteLook)) {
        let subject = work.subject();
        work.fail(Failure {
            subject,
            message: format!("{} does not show version {number}", run.labels.of(place)),
            state: "the version is not current yet; it and the older ones are valid".to_owned(),
            hint: "run `provision apply` again".to_owned(),
            passes: true,
        });
        return true;
    }
    // A run that crashed between write and report left a delivery unreported: the look replaces it.
    if let Err(error) = report_seen(run, work, &record, number, seen).await {
        work.fail(service_failure(&work.subject(), &error));
        return false;
    }
    match run.client.promote(&record, number).await {
        Ok(token) => work.token = Some(token),
        Err(error) => work.fail(service_failure(&work.subject(), &error)),
    }
    false
}

/// Reports deliveries that a look has found but nobody has reported.
async fn report_seen(
    run: &Run<'_>,
    work: &Work<'_>,
    record: &Token,
    number: u32,
    seen: &SeenAfter,
) -> Result<(), ServiceError> {
    let Some(version) = record.version(number) else { return Ok(()) };
    for place in &work.plan.places {
        let id = place.id();
        let Some(Ok(Seen::Holds(held))) = seen.looks.get(&id) else { continue };
        if version.delivered_to(&id) {
            continue;
        }
        if !version.deliveries.contains_key(&id) {
            run.client.announce(record, number, &id).await?;
        }
        let identity = seen.identities.get(&id).map(String::as_str);
        let arrival = Arrival { looked_at: Some(seen.at), identity, ..Arrival::new(&id, &held.receipt.0) };
        run.client.deliver(record, number, &arrival).await?;
    }
    Ok(())
}
