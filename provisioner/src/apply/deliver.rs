//! Delivering: announce and write, unit by unit; readable vaults first, sinks whose writes restart consumers last. What
//! arrived is reported when a look has found it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use latchkey::place::Place;
use latchkey::protocol::WRITE_BEFORE;
use latchkey::secret::Secret;
use latchkey::token::Token;

use super::announce::{announce, announce_ahead};
use super::stage::{interrupted, service_failure};
use super::written::Written;
use super::{Failure, Run, SIDE_BY_SIDE, Work};
use crate::observe::Observation;
use crate::observe::finding::{Finding, Known};
use crate::safeguard::{Safeguard, stands};
use crate::service::{Announced, ServiceError};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Marker, Receipt, Seen, Sink, SinkError, Write};

/// How often a push is tried when somebody else wrote meanwhile, or its time had run out.
const ROUNDS: usize = 4;

/// How many units are announced for in advance: so few that slow ones keep within the time that they have to write.
const AHEAD: usize = 8 * SIDE_BY_SIDE;

/// One push on its way.
#[derive(Clone)]
pub(super) struct Push<'a> {
    pub(super) work: usize,
    pub(super) place: &'a Place,
    pub(super) token: &'a Token,
    pub(super) number: u32,
    secret: &'a Secret,
    marker: Marker,
    name: &'a str,
    seen: Seen,
    /// The answer to its announcement, until it is tried.
    pub(super) granted: Option<Result<Announced, ServiceError>>,
    /// What withdraws the announcement by which it was tried last.
    announcement: Option<u64>,
}

/// How a push ended.
enum Ended {
    Written(Place, Receipt),
    Failed(Failure),
}

/// How the pushes of a unit ended, and which places were written.
#[derive(Default)]
struct Results {
    ended: Vec<(usize, Ended)>,
    wrote: Vec<Place>,
}

/// Brings every carried version to the places that lack it.
pub(super) async fn deliver(run: &Run<'_>, works: &mut [Work<'_>], observation: &Observation, written: &mut Written) {
    let ended = {
        let (pushes, unreached) = pushes(run, works, observation).await;
        let mut ended: Vec<(usize, Ended)> = unreached;
        for turn in 0..=2 {
            let mut units: Vec<(Arc<dyn Sink>, String, Vec<Push<'_>>)> = Vec::new();
            let mut places: HashMap<(usize, String), usize> = HashMap::new();
            for (sink, push) in pushes.iter().filter(|(sink, _)| sink.capabilities().turn() == turn) {
                let unit = sink.unit(push.place);
                let key = (Arc::as_ptr(sink).cast::<()>() as usize, unit.clone());
                let index = *places.entry(key).or_insert_with(|| {
                    units.push((sink.clone(), unit, Vec::new()));
                    units.len() - 1
                });
                units[index].2.push(push.clone());
            }
            let works = &*works;
            let mut units = units.into_iter().peekable();
            while units.peek().is_some() {
                let mut next: Vec<_> = units.by_ref().take(AHEAD).collect();
                announce_ahead(run, next.iter_mut().flat_map(|(_, _, pushes)| pushes)).await;
                let done: Vec<(Arc<dyn Sink>, Results)> = stream::iter(next)
                    .map(|(sink, _, pushes)| async move {
                        let results = deliver_unit(run, works, observation, &*sink, pushes).await;
                        (sink, results)
                    })
                    .buffer_unordered(SIDE_BY_SIDE)
                    .collect()
                    .await;
                for (sink, results) in done {
                    written.note(&sink, results.wrote);
                    ended.extend(results.ended);
                }
            }
        }
        ended
    };
    for (index, ended) in ended {
        match ended {
            Ended::Written(place, receipt) => works[index].wrote.push((place, receipt)),
            Ended::Failed(failure) => works[index].fail(failure),
        }
    }
}

async fn pushes<'w>(
    run: &Run<'_>,
    works: &'w [Work<'_>],
    observation: &Observation,
) -> (Vec<(Arc<dyn Sink>, Push<'w>)>, Vec<(usize, Ended)>) {
    let mut pushes = Vec::new();
    let mut unreached = Vec::new();
    for (index, work) in works.iter().enumerate() {
        let (Some((number, secret)), Some(token), None) = (&work.carried, &work.token, &work.failure) else {
            continue;
        };
        for place in work.plan.targets() {
            let sink = match run.sinks.reach(place).await {
                Ok(sink) => sink,
                Err(error) => {
                    unreached.push((index, Ended::Failed(sink_failure(run, work, place, &error))));
                    continue;
                }
            };
            let Some(Ok(seen)) = observation.looks.get(&place.id()) else { continue };
            let fingerprint = secret.fingerprint();
            let marker = Marker { token_id: token.id.clone(), version: *number, fingerprint };
            let (name, seen) = (token.name.as_str(), Known::believed(token, &place.id(), seen));
            let (number, granted, announcement) = (*number, None, None);
            let push = Push { work: index, place, token, number, secret, marker, name, seen, granted, announcement };
            pushes.push((sink, push));
        }
    }
    (pushes, unreached)
}

/// Delivers all pushes of one unit, batch by batch.
async fn deliver_unit(
    run: &Run<'_>,
    works: &[Work<'_>],
    observation: &Observation,
    sink: &dyn Sink,
    pushes: Vec<Push<'_>>,
) -> Results {
    let mut results = Results::default();
    let batch = sink.capabilities().batch.max(1);
    let mut waiting = pushes.into_iter().peekable();
    while waiting.peek().is_some() {
        let mut open: Vec<Push<'_>> = waiting.by_ref().take(batch.min(super::WAVE)).collect();
        for round in 0..ROUNDS {
            if run.stopped() {
                for mut push in open.drain(..) {
                    // What was announced in advance was not sent.
                    if let Some(Ok(announced)) = push.granted.take() {
                        push.announcement = announced.announcement;
                        withdraw(run, &push).await;
                    }
                    results.ended.push((push.work, Ended::Failed(interrupted(&works[push.work]))));
                }
            }
            if open.is_empty() {
                break;
            }
            let last = round + 1 == ROUNDS;
            open = attempt(run, works, observation, sink, open, last, &mut results).await;
        }
    }
    results
}

/// Announces and writes once. Answers the pushes that are worth another try.
async fn attempt<'p>(
    run: &Run<'_>,
    works: &[Work<'_>],
    observation: &Observation,
    sink: &dyn Sink,
    mut pushes: Vec<Push<'p>>,
    last: bool,
    results: &mut Results,
) -> Vec<Push<'p>> {
    announce(run, pushes.iter_mut()).await;
    let mut announced = Vec::new();
    let mut deadline: Option<Deadline> = None;
    for mut push in pushes {
        let Some(granted) = push.granted.take() else { continue };
        match granted {
            Ok(Announced { write_before, announcement }) => {
                deadline = Some(deadline.map_or(write_before, |deadline| deadline.earlier(write_before)));
                push.announcement = announcement;
                announced.push(push);
            }
            Err(error) => {
                let failure = service_failure(&works[push.work].subject(), &error);
                results.ended.push((push.work, Ended::Failed(failure)));
            }
        }
    }
    let Some(deadline) = deadline else { return Vec::new() };
    let announced = refresh(run, works, observation, sink, announced, &mut results.ended).await;
    if announced.is_empty() {
        return Vec::new();
    }
    let writes: Vec<Write<'_>> = announced.iter().map(|push| write_of(run, push)).collect();
    let written = sink.write(&writes, deadline).await;
    drop(writes);
    let mut again = Vec::new();
    for (mut push, written) in announced.into_iter().zip(written) {
        let (work, place) = (&works[push.work], push.place);
        results.wrote.extend(written.is_ok().then(|| place.clone()));
        let end = match written {
            Err(SinkError::Late) if !last => {
                again.push(push);
                continue;
            }
            Err(SinkError::Changed) if !last => match look_again(run, observation, sink, work, &push).await {
                Ok(seen) => {
                    push.seen = seen;
                    again.push(push);
                    continue;
                }
                Err(failure) => Ended::Failed(failure),
            },
            Err(error) => {
                let (error, had_no_effect) = error.of_write();
                if had_no_effect {
                    withdraw(run, &push).await;
                }
                Ended::Failed(sink_failure(run, work, place, &error))
            }
            Ok(receipt) => Ended::Written(place.clone(), receipt),
        };
        results.ended.push((push.work, end));
    }
    again
}

/// Withdraws the announcement of a push of which nothing can arrive, so that its version does not count as one that may be
/// somewhere. Where that fails it counts as one.
async fn withdraw(run: &Run<'_>, push: &Push<'_>) {
    if let Some(announcement) = push.announcement {
        let _ = run.client.withdraw(push.token, push.number, &push.place.id(), announcement).await;
    }
}

/// A sink that cannot compare writes over whatever is there, so what a run saw there must not be old: it may have been
/// suspended since.
async fn refresh<'p>(
    run: &Run<'_>,
    works: &[Work<'_>],
    observation: &Observation,
    sink: &dyn Sink,
    pushes: Vec<Push<'p>>,
    ended: &mut Vec<(usize, Ended)>,
) -> Vec<Push<'p>> {
    let can = sink.capabilities();
    if can.conditional
        || !stands(Safeguard::WriteFreshLook)
        || (!can.surveys && run.client.now() < WRITE_BEFORE.after(observation.at))
    {
        return pushes;
    }
    let mut fresh = Vec::new();
    for mut push in pushes {
        match look_again(run, observation, sink, &works[push.work], &push).await {
            Ok(seen) => {
                push.seen = seen;
                fresh.push(push);
            }
            Err(failure) => ended.push((push.work, Ended::Failed(failure))),
        }
    }
    fresh
}

fn write_of<'a>(run: &'a Run<'_>, push: &'a Push<'_>) -> Write<'a> {
    Write {
        place: push.place,
        secret: push.secret,
        marker: &push.marker,
        token_name: push.name,
        manifest: run.manifest.name.as_str(),
        seen: &push.seen,
    }
}

/// Somebody wrote between look and write: what is there now decides whether the push may go on.
async fn look_again(
    run: &Run<'_>,
    observation: &Observation,
    sink: &dyn Sink,
    work: &Work<'_>,
    push: &Push<'_>,
) -> Result<Seen, Failure> {
    let seen = sink.look(&[push.place]).await.pop().unwrap_or(Err(SinkError::Changed));
    let known: Known<'_> = observation.known(run.manifest);
    let find = known.classify(Some(push.token), &push.place.id(), &seen);
    // A push to a foreign entry was planned only because it is to be adopted.
    // What shows another token's id by now came since, from another manifest that pushes there too.
    let token_in = |seen: &Result<Seen, SinkError>| match seen {
        Ok(Seen::Holds(held)) => held.token_id.clone(),
        _ => None,
    };
    let planned = observation.looks.get(&push.place.id()).and_then(token_in);
    let came = token_in(&seen).is_some_and(|id| Some(id) != planned);
    let adopts =
        !came && work.plan.findings.iter().any(|(place, find)| place == push.place && matches!(find, Finding::Foreign));
    match (find, seen) {
        (Finding::Foreign, Ok(_)) if !adopts && stands(Safeguard::WriteForeign) => Err(Failure {
            subject: work.subject(),
            message: format!("{} was written by somebody else meanwhile", run.labels.of(push.place)),
            state: "it contains what they wrote, and every other place a valid version".to_owned(),
            hint: "check it, then run `provision apply` again".to_owned(),
            passes: true,
        }),
        (_, Ok(seen)) => Ok(Known::believed(push.token, &push.place.id(), &seen)),
        (_, Err(error)) => Err(sink_failure(run, work, push.place, &error)),
    }
}

fn sink_failure(run: &Run<'_>, work: &Work<'_>, place: &Place, error: &SinkError) -> Failure {
    let state = match error {
        SinkError::Unreachable { .. } => "the write may or may not have arrived; its version is valid already",
        _ => "the entry was not changed",
    };
    Failure {
        subject: work.subject(),
        message: format!("{}: {error}", run.labels.of(place)),
        state: state.to_owned(),
        hint: error.hint().map_or_else(|| "run `provision apply` again to continue".to_owned(), str::to_owned),
        passes: error.passes(),
    }
}
