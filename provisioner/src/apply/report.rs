//! After the writes: one look, and a report of every delivery that it finds. With its report a place counts as ours, and
//! what somebody puts there later is repaired; so nothing is reported by a run that was suspended until somebody else had
//! written there.

use futures_util::future::join_all;
use jiff::Timestamp;
use latchkey::place::Place;
use latchkey::protocol::{Arrival, VersionError};

use super::stage::service_failure;
use super::{Failure, Outcome, Run, Work};
use crate::observe::identity::{Identities, identities};
use crate::observe::{Looks, look};
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;
use latchkey_sinks::{Receipt, Seen, SeenEntry};

/// What the look after the writes found.
pub(super) struct SeenAfter {
    /// When it began.
    pub(super) at: Timestamp,
    pub(super) looks: Looks,
    /// What its sinks call what it found.
    pub(super) identities: Identities,
}

/// How a report ended.
enum Reported {
    Done,
    /// Another pass finds out what is there now.
    Again(Failure),
    Failed(Failure),
}

/// Looks at what was written, and at every place of a version that is to become current; reports what was written and is
/// there.
pub(super) async fn report(run: &Run<'_>, works: &mut [Work<'_>], outcome: &mut Outcome) -> SeenAfter {
    let at = run.client.now();
    let places = works.iter().flat_map(|work| {
        let declared = work.is_ready().then_some(&work.plan.places).into_iter().flatten();
        let wrote = work.wrote.iter().map(|(place, _)| place).filter(|_| !work.is_ready());
        declared.chain(wrote)
    });
    let places = places.collect::<Vec<&Place>>();
    let looks = look(run.sinks, places.clone()).await;
    let identities = identities(run.sinks, places).await;
    let seen = SeenAfter { at, looks, identities };
    let reports = works.iter().enumerate().flat_map(|(index, work)| {
        let seen = &seen;
        work.wrote.iter().map(move |wrote| async move { (index, report_one(run, work, wrote, seen).await) })
    });
    let reported: Vec<(usize, Reported)> = join_all(reports).await;
    for (index, reported) in reported {
        match reported {
            Reported::Done => {}
            Reported::Again(failure) => {
                outcome.another_pass = true;
                works[index].fail(failure);
            }
            Reported::Failed(failure) => works[index].fail(failure),
        }
    }
    seen
}

async fn report_one(run: &Run<'_>, work: &Work<'_>, (place, receipt): &(Place, Receipt), seen: &SeenAfter) -> Reported {
    let (Some((number, _)), Some(token)) = (&work.carried, &work.token) else { return Reported::Done };
    let (id, label) = (place.id(), run.labels.of(place));
    let failure = |message: String, state: &str| Failure {
        subject: work.subject(),
        message,
        state: state.to_owned(),
        hint: "run `provision apply` again".to_owned(),
        passes: true,
    };
    let held = match seen.looks.get(&id) {
        Some(Ok(Seen::Holds(held))) if !stands(Safeguard::ReportSeen) || is_as_written(work, place, receipt, held) => {
            held
        }
        Some(Err(error)) => {
            let message = format!("{label} was written, but could not be looked at afterwards: {error}");
            return Reported::Again(failure(message, UNFINISHED));
        }
        _ => {
            let message = format!("{label} does not show version {number} after it was written");
            return Reported::Again(failure(message, UNFINISHED));
        }
    };
    let repairs = work.plan.findings.iter().any(|(found, find)| found == place && find.is_changed());
    let identity = seen.identities.get(&id).map(String::as_str);
    let arrival = Arrival { looked_at: Some(seen.at), repairs, identity, ..Arrival::new(&id, &held.receipt.0) };
    match run.client.deliver(token, *number, &arrival).await {
        Ok(_) => Reported::Done,
        Err(ServiceError::Version(VersionError::NotLive(_)) | ServiceError::Gone(_)) => {
            let message = "the version was revoked or expired during delivery; the place is repaired at once";
            let dead = failure(message.to_owned(), "until then a place contains a version that is no longer valid");
            if stands(Safeguard::MendDead) { Reported::Again(dead) } else { Reported::Failed(dead) }
        }
        Err(error) => {
            let late = matches!(error, ServiceError::Version(VersionError::StaleLook));
            let mut failure = service_failure(&work.subject(), &error);
            failure.message = format!("{label} was written, but not reported: {error}");
            if late { Reported::Again(failure) } else { Reported::Failed(failure) }
        }
    }
}

const UNFINISHED: &str = "the version is not current yet; it and the older ones are valid";

/// Whether an entry is as this run left it. Where values cannot be read, a marker alone does not prove it: it stays when
/// somebody else changes the value.
fn is_as_written(work: &Work<'_>, place: &Place, receipt: &Receipt, held: &SeenEntry) -> bool {
    let carried = work.carried.as_ref().map(|(_, secret)| secret.fingerprint());
    held.fingerprint == carried && (place.readable || held.receipt == *receipt)
}
