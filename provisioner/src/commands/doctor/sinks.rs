//! Each sink: credentials, permissions and what its places contain, by the checks that a run makes before it stages
//! anything.

use std::sync::Arc;

use latchkey::place::Place;

use super::Diagnosis;
use crate::manifest::Manifest;
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::plural::count;
use latchkey_sinks::{Seen, Sink, SinkError, SinkSet as _, label};

/// Checks every declared push.
pub(super) async fn check(findings: &mut Vec<Diagnosis>, manifest: &Manifest, sinks: &ManifestSinks) {
    for name in manifest.sinks.keys() {
        let pushes = || manifest.tokens.iter().flat_map(|token| &token.pushes).filter(|push| push.sink == *name);
        let what = format!("sink `{name}`");
        if pushes().next().is_none() {
            findings.push(Diagnosis::note(what, "no token is pushed to it", None));
            continue;
        }
        let mut groups: Vec<(Arc<dyn Sink>, Vec<Place>)> = Vec::new();
        let mut problems: Vec<(String, SinkError)> = Vec::new();
        for push in pushes() {
            let reached = match sinks.place(push).await {
                Ok(place) => sinks.reach(&place).await.map(|sink| (place, sink)),
                Err(error) => Err(error),
            };
            match reached {
                Ok((place, sink)) => match groups.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &sink)) {
                    Some((_, places)) => places.push(place),
                    None => groups.push((sink, vec![place])),
                },
                Err(error) => problems.push((format!("{what}, `{}`", push.name), error)),
            }
        }
        let (mut good, mut held) = (0, 0);
        for (sink, places) in &groups {
            let places: Vec<&Place> = places.iter().collect();
            let prepared = sink.prepare(&places).await;
            let looks = sink.look(&places).await;
            for ((place, prepared), look) in places.iter().zip(prepared).zip(looks) {
                match prepared.and(look) {
                    Ok(seen) => {
                        good += 1;
                        held += usize::from(matches!(seen, Seen::Holds(_)));
                    }
                    Err(error) => {
                        let place = label(place, &manifest.folder, sinks.machine());
                        problems.push((format!("{what}, `{place}`"), error));
                    }
                }
            }
        }
        if good > 0 {
            let places = count(good, "place");
            let words = format!("credentials and permissions OK ({places}, {held} populated)");
            findings.push(Diagnosis::good(what, words));
        }
        findings.extend(told_once(problems));
    }
}

/// Credentials that fail do so for every place: once is enough.
fn told_once(problems: Vec<(String, SinkError)>) -> Vec<Diagnosis> {
    let mut findings: Vec<Diagnosis> = Vec::new();
    for (what, error) in problems {
        let words = error.to_string();
        if findings.iter().all(|told| told.words != words) {
            let fix = error.hint().unwrap_or("try again when it is reachable");
            findings.push(Diagnosis::problem(what, words, Some(fix)));
        }
    }
    findings
}
