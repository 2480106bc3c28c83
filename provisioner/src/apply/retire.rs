//! Retiring older versions: each after a look of its own at every recorded place.

use latchkey::place::PlaceId;
use latchkey::protocol::{Evidence, Keeps, Look, PlaceLook, VersionError};
use latchkey::token::{Token, Version};

use super::{Run, Work};
use crate::observe::finding::Known;
use crate::observe::keeping::{keeps, place_look};
use crate::observe::{Looks, look};
use crate::plan::{Change, kept_as};
use crate::service::ServiceError;
use latchkey_sinks::{Marker, SinkError};

/// Retires what the plan names, unless a look finds by now what keeps it.
pub(super) async fn retire(run: &Run<'_>, work: &mut Work<'_>, known: &Known<'_>) -> Result<(), ServiceError> {
    for (index, change) in work.plan.changes.iter().enumerate() {
        let Change::Retire { number } = *change else { continue };
        let Some(token) = work.token.clone() else { continue };
        // The revision is read before the look: whatever was announced since makes the service refuse.
        let at = run.client.now();
        let token = run.client.reread(&run.manifest.name, &token).await?;
        let looks = look(run.sinks, token.places.values().map(|record| &record.place)).await;
        let places = place_looks(work, known, &token, &looks);
        let evidence = Evidence { at, now: at, places: &places, force: run.options.force_retire };
        if let Some(why) = token.version(number).and_then(|version| keeps(&token, version, &evidence)) {
            work.skip(index, not_retired(run, &token, number, &why));
            continue;
        }
        let ended = token.version(number).map(Version::fingerprint);
        match run.client.retire(&token, number, Look { at, revision: token.revision }, evidence.force).await {
            Ok(token) => {
                if let Some(fingerprint) = ended {
                    tell_ended(run, &token, &Marker { token_id: token.id.clone(), version: number, fingerprint }).await;
                }
                work.token = Some(token);
            }
            // Used or announced meanwhile: it stays valid, and a later run retires it.
            Err(ServiceError::Version(error)) => work.skip(index, not_yet(number, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What was found at each recorded place; declared is what the plan declares.
fn place_looks(work: &Work<'_>, known: &Known<'_>, token: &Token, looks: &Looks) -> Vec<PlaceLook> {
    let unseen = Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
    let found = |id: &PlaceId| {
        let seen = looks.get(id).unwrap_or(&unseen);
        let declared = work.plan.places.iter().any(|place| place.id() == *id);
        PlaceLook { declared, ..place_look(token, id, &known.classify(Some(token), id, seen), seen.as_ref().ok()) }
    };
    token.places.keys().map(found).collect()
}

fn not_retired(run: &Run<'_>, token: &Token, number: u32, why: &Keeps) -> String {
    let label =
        |id: &PlaceId| token.places.get(id).map_or_else(|| id.to_string(), |record| run.labels.of(&record.place));
    match why.refusal(number) {
        Some(refusal) => not_yet(number, &refusal),
        None => format!("version {number} not retired, as {}", kept_as(number, why, label)),
    }
}

fn not_yet(number: u32, refusal: &VersionError) -> String {
    format!("version {number} not retired yet: {refusal}")
}

/// Informs every reachable place that a version was retired. It was, whatever they answer.
async fn tell_ended(run: &Run<'_>, token: &Token, marker: &Marker) {
    for record in token.places.values() {
        let Ok(sink) = run.sinks.reach(&record.place).await else { continue };
        if let Err(error) = sink.ended(&record.place, marker).await {
            let (version, place) = (marker.version, run.labels.of(&record.place));
            run.reporter.remark(&format!(
                "version {version} of `{}` is retired, but {place} still contains it: {error}",
                token.name
            ));
        }
    }
}
