//! After the writes: one look, and a report of every delivery that it finds. With its report a place counts as ours, and
//! what somebody puts there later is repaired; so nothing is reported by a run that was suspended until somebody else had
//! written there.

use futures_util::future::join_all;
use jiff::Timestamp;
use latchkey::place::{Place, PlaceId};
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

/// A place where a look found what was written.
pub(super) struct Arrived {
    place: Place,
    id: PlaceId,
    receipt: String,
    identity: Option<String>,
    /// Whether it replaced what somebody had changed outside Latchkey.
    repairs: bool,
}

impl Arrived {
    /// One that a look found; without a write of this run nothing was repaired.
    pub(super) fn found(place: &Place, held: &SeenEntry, seen: &SeenAfter) -> Self {
        let id = place.id();
        let identity = seen.identities.get(&id).cloned();
        Self { place: place.clone(), id, receipt: held.receipt.0.clone(), identity, repairs: false }
    }

    pub(super) fn is_at(&self, id: &PlaceId) -> bool {
        self.id == *id
    }

    /// As it is reported.
    pub(super) fn as_arrival(&self, seen: &SeenAfter) -> Arrival<'_> {
        let (looked_at, identity) = (Some(seen.at), self.identity.as_deref());
        Arrival { looked_at, repairs: self.repairs, identity, ..Arrival::new(&self.id, &self.receipt) }
    }
}

/// How a report ended.
enum Reported {
    Done,
    /// Another pass finds out what is there now.
    Again(Failure),
    Failed(Failure),
}

/// Looks at what was written, and at every place of a version that is to become current. What was written and is there is
/// reported with the promotion, or now where there is none.
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
    let reporting = works.iter_mut().map(|work| async {
        let ready = work.is_ready();
        let mut missing = false;
        for wrote in std::mem::take(&mut work.wrote) {
            match arrived(run, work, &wrote, &seen) {
                Ok(arrived) => work.arrived.push(arrived),
                Err(failure) => {
                    missing = true;
                    work.fail(failure);
                }
            }
        }
        missing | (!(ready && work.is_ready()) && report_arrived(run, work, &seen).await)
    });
    outcome.another_pass |= join_all(reporting).await.contains(&true);
    seen
}

/// What the look found of a write of this run.
fn arrived(
    run: &Run<'_>,
    work: &Work<'_>,
    (place, receipt): &(Place, Receipt),
    seen: &SeenAfter,
) -> Result<Arrived, Failure> {
    let label = run.labels.of(place);
    let failure = |message: String| Failure {
        subject: work.subject(),
        message,
        state: UNFINISHED.to_owned(),
        hint: AGAIN.to_owned(),
        passes: true,
    };
    match seen.looks.get(&place.id()) {
        Some(Ok(Seen::Holds(held))) if !stands(Safeguard::ReportSeen) || is_as_written(work, place, receipt, held) => {
            let repairs = work.plan.findings.iter().any(|(found, find)| found == place && find.is_changed());
            Ok(Arrived { repairs, ..Arrived::found(place, held, seen) })
        }
        Some(Err(error)) => {
            Err(failure(format!("{label} was written, but could not be looked at afterwards: {error}")))
        }
        _ => {
            let number = work.number().unwrap_or_default();
            Err(failure(format!("{label} does not show version {number} after it was written")))
        }
    }
}

/// Reports what has arrived, place by place. Whether another pass may do what this one could not.
pub(super) async fn report_arrived(run: &Run<'_>, work: &mut Work<'_>, seen: &SeenAfter) -> bool {
    let all = std::mem::take(&mut work.arrived);
    let reported: Vec<Reported> = join_all(all.iter().map(|arrived| report_one(run, work, arrived, seen))).await;
    let mut again = false;
    for reported in reported {
        match reported {
            Reported::Done => {}
            Reported::Again(failure) => {
                again = true;
                work.fail(failure);
            }
            Reported::Failed(failure) => work.fail(failure),
        }
    }
    again
}

async fn report_one(run: &Run<'_>, work: &Work<'_>, arrived: &Arrived, seen: &SeenAfter) -> Reported {
    let (Some(number), Some(token)) = (work.number(), &work.token) else { return Reported::Done };
    match run.client.deliver(token, number, &arrived.as_arrival(seen)).await {
        Ok(_) => Reported::Done,
        Err(ServiceError::Version(VersionError::NotLive(_)) | ServiceError::Gone(_)) => {
            let dead = Failure {
                subject: work.subject(),
                message: "the version was revoked or expired during delivery; the place is repaired at once".to_owned(),
                state: "until then a place contains a version that is no longer valid".to_owned(),
                hint: AGAIN.to_owned(),
                passes: true,
            };
            if stands(Safeguard::MendDead) { Reported::Again(dead) } else { Reported::Failed(dead) }
        }
        Err(error) => {
            let late = matches!(error, ServiceError::Version(VersionError::StaleLook));
            let mut failure = service_failure(&work.subject(), &error);
            failure.message = format!("{} was written, but not reported: {error}", run.labels.of(&arrived.place));
            if late { Reported::Again(failure) } else { Reported::Failed(failure) }
        }
    }
}

const AGAIN: &str = "run `provision apply` again";
pub(super) const UNFINISHED: &str = "the version is not current yet; it and the older ones are valid";

/// Whether an entry is as this run left it. Where values cannot be read, a marker alone does not prove it: it stays when
/// somebody else changes the value.
fn is_as_written(work: &Work<'_>, place: &Place, receipt: &Receipt, held: &SeenEntry) -> bool {
    let carried = work.carried.as_ref().map(|(_, secret)| secret.fingerprint());
    held.fingerprint == carried && (place.readable || held.receipt == *receipt)
}
