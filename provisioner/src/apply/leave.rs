//! What leaves: entries and places that are no longer declared, and tokens that are not.

use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Look, VersionError};
use latchkey::service::Edit;
use latchkey::token::{PlaceRecord, Token};

use super::elsewhere::{Claim, Elsewhere};
use super::removal::{remove, remove_together};
use super::stage::{interrupted, service_failure};
use super::{Failure, Run, Work};
use crate::observe::keeping::place_look;
use crate::observe::look;
use crate::plan::{Change, minute};
use crate::safeguard::{Safeguard, stands};
use crate::service::ServiceError;

/// Removes entries and places that are no longer declared, and deletes tokens that are not.
pub(super) async fn leave(run: &Run<'_>, works: &mut [Work<'_>]) {
    for work in works.iter_mut().filter(|work| work.failure.is_none()) {
        if let Err(failure) = begin_leaving(run, work).await {
            work.fail(failure);
        }
    }
    let mut elsewhere = Elsewhere::default();
    remove_together(run, works, &mut elsewhere).await;
    for work in works.iter_mut().filter(|work| work.failure.is_none()) {
        if let Err(failure) = leave_one(run, work, &mut elsewhere).await {
            work.fail(failure);
        }
    }
}

/// Records that a token is leaving: none of its places is declared from then on. Of one that nobody declares any more,
/// those that are to be forgotten are not either.
async fn begin_leaving(run: &Run<'_>, work: &mut Work<'_>) -> Result<(), Failure> {
    let Some(token) = work.token.as_ref().filter(|_| work.plan.declaration.is_none()) else { return Ok(()) };
    let edit = if work.has(|change| matches!(change, Change::Leave)) {
        Edit { leaving: Some(true), places: Some(Vec::new()), ..Edit::default() }
    } else if token.places.iter().any(|(id, record)| record.declared && asked(run, id)) {
        let kept = token.places.iter().filter(|(id, record)| record.declared && !asked(run, id));
        let kept = kept.map(|(_, record)| record.place.clone()).collect();
        Edit { places: Some(kept), ..Edit::default() }
    } else {
        return Ok(());
    };
    let edited = run.client.edit(token, &edit).await.map_err(|error| service_failure(&work.subject(), &error))?;
    work.token = Some(edited);
    Ok(())
}

/// How a step of leaving ended.
enum Left {
    /// The record as it is now.
    Now(Box<Token>),
    /// Why it has to wait for a later run.
    Waits(String),
}

impl Left {
    fn now(token: Token) -> Self {
        Self::Now(Box::new(token))
    }
}

async fn leave_one(run: &Run<'_>, work: &mut Work<'_>, elsewhere: &mut Elsewhere) -> Result<(), Failure> {
    let subject = work.subject();
    let Some(mut token) = work.token.clone() else { return Ok(()) };
    for (index, change) in work.plan.changes.iter().enumerate() {
        let left = match change {
            Change::Remove { .. } if run.stopped() => return Err(interrupted(work)),
            Change::Remove { place } => remove_entry(run, &subject, (&token, place), elsewhere).await?,
            Change::Forget { place } => {
                let forgotten = forget(run, &token, place).await.map_err(|error| service_failure(&subject, &error))?;
                let waits =
                    || Left::Waits("place not forgotten yet, as an announced write may still arrive there".to_owned());
                forgotten.map_or_else(waits, Left::now)
            }
            Change::Merge { from, into } => merge(run, &subject, &token, (&from.id(), into)).await?,
            Change::Delete => delete(run, &subject, &token).await?,
            _ => continue,
        };
        match left {
            Left::Now(record) => token = *record,
            Left::Waits(why) => work.skip(index, why),
        }
    }
    work.token = Some(token);
    Ok(())
}

/// Removes an entry, and drops its place from the record.
async fn remove_entry(
    run: &Run<'_>,
    subject: &str,
    (token, place): (&Token, &PlaceId),
    elsewhere: &mut Elsewhere,
) -> Result<Left, Failure> {
    let failed = |error: ServiceError| service_failure(subject, &error);
    let token = run.client.reread(&run.manifest.name, token).await.map_err(failed)?;
    let removable = |record: &&PlaceRecord| !record.declared || !stands(Safeguard::RemoveUndeclared);
    // Declared again by another run: no longer ours to remove.
    let Some(record) = token.places.get(place).filter(removable) else { return Ok(Left::now(token)) };
    let until = match elsewhere.claim(run, record).await.map_err(failed)? {
        Claim::Free(until) => until,
        Claim::Declared(by) => {
            let label = run.labels.of(&record.place);
            return Ok(Left::Waits(format!("{label} is not removed, as `{by}` declares it by now")));
        }
    };
    if let Some(reason) = remove(run, subject, (&token, &record.place), until).await? {
        let label = run.labels.of(&record.place);
        let why = format!("{label} is not removed yet, as its consumers may still read an older version: {reason}");
        return Ok(Left::Waits(why));
    }
    // While it cannot be forgotten yet, a later run finds nothing there and forgets it.
    Ok(Left::now(forget(run, &token, place).await.map_err(failed)?.unwrap_or(token)))
}

/// Drops a place from the record that is the same entry as a declared one, which goes on being looked at.
async fn merge(
    run: &Run<'_>,
    subject: &str,
    token: &Token,
    (from, into): (&PlaceId, &PlaceId),
) -> Result<Left, Failure> {
    let failed = |error: ServiceError| service_failure(subject, &error);
    let at = run.client.now();
    let token = run.client.reread(&run.manifest.name, token).await.map_err(failed)?;
    let is_tracked = token.places.get(into).is_some_and(|record| record.declared);
    if !is_tracked || token.places.get(from).is_none_or(|record| record.declared) {
        return Ok(Left::now(token));
    }
    match run.client.forget(&token, from, Some(at)).await {
        Ok(token) => Ok(Left::now(token)),
        Err(ServiceError::Version(VersionError::Announced { .. } | VersionError::StaleLook)) => {
            Ok(Left::Waits("same entry still tracked twice, as an announced write may still arrive".to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Deletes a token that is leaving, after a look that finds none of its versions anywhere.
async fn delete(run: &Run<'_>, subject: &str, token: &Token) -> Result<Left, Failure> {
    let failed = |error: ServiceError| service_failure(subject, &error);
    // The revision was read before the look: whatever is announced meanwhile makes the service refuse.
    let at = run.client.now();
    let token = run.client.reread(&run.manifest.name, token).await.map_err(failed)?;
    // Declared again by another run.
    if token.leaving.is_none() && stands(Safeguard::DeleteLeaving) {
        return Ok(Left::Waits("not deleted, as it is declared again".to_owned()));
    }
    if let Some(place) = held_somewhere(run, &token).await.filter(|_| stands(Safeguard::DeleteLook)) {
        return Err(Failure {
            subject: subject.to_owned(),
            message: format!("not deleted, as {} may contain a version of it", run.labels.of(&place)),
            state: "the token stays valid".to_owned(),
            hint: "run `provision apply --prune` again".to_owned(),
            passes: true,
        });
    }
    let look = Look { at, revision: token.revision };
    match run.client.end_leaving(&token, look).await {
        Ok(ended) => Ok(Left::now(ended)),
        Err(ServiceError::Version(VersionError::Announced { until, .. })) => {
            Ok(Left::Waits(format!("not deleted before {}", minute(until))))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Drops a place from the record, after a fresh look unless the user said that it is gone. `None` while a write may
/// still arrive there, or when anything changed since the look: it stays, and a later run sees to it. Whoever asked for
/// that place by name gets the refusal instead.
async fn forget(run: &Run<'_>, token: &Token, place: &PlaceId) -> Result<Option<Token>, ServiceError> {
    let at = run.client.now();
    let token = run.client.reread(&run.manifest.name, token).await?;
    let Some(record) = token.places.get(place).filter(|record| !record.declared || asked(run, place)) else {
        return Ok(Some(token));
    };
    if !asked(run, place) && held_at(run, &token, [&record.place]).await.is_some() && stands(Safeguard::ForgetLook) {
        return Ok(None);
    }
    match run.client.forget(&token, place, (!asked(run, place)).then_some(at)).await {
        Err(ServiceError::Version(VersionError::Announced { .. } | VersionError::StaleLook)) if !asked(run, place) => {
            Ok(None)
        }
        Err(ServiceError::Gone(_)) => Ok(None),
        other => other.map(Some),
    }
}

fn asked(run: &Run<'_>, place: &PlaceId) -> bool {
    run.options.forget.contains(place.as_str())
}

/// The first recorded place that contains a version of the token, or whose consumers may have one, or of which that is
/// unknown.
async fn held_somewhere(run: &Run<'_>, token: &Token) -> Option<Place> {
    held_at(run, token, token.places.values().map(|record| &record.place)).await
}

async fn held_at(run: &Run<'_>, token: &Token, places: impl IntoIterator<Item = &Place> + Clone) -> Option<Place> {
    let looks = look(run.sinks, places.clone()).await;
    let known = run.known(token);
    let held = |place: &&Place| {
        let id = place.id();
        let Some(seen) = looks.get(&id) else { return true };
        place_look(token, &id, &known.classify(Some(token), &id, seen), seen.as_ref().ok()).may_serve()
    };
    places.into_iter().find(held).cloned()
}
