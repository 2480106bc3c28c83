//! What a reader should know.

use latchkey::place::PlaceId;
use latchkey::protocol::Keeps;
use latchkey_sinks::plural::count;

use super::Names;
use super::changes::reason_text;
use crate::plan::{Note, TokenPlan, minute};

pub(super) fn text(token: &TokenPlan, note: &Note, names: &Names) -> String {
    match note {
        Note::Kept { number, why } => kept(*number, why, names),
        Note::StaysWhileLagging { place: id, reason } => format!(
            "{} is not removed yet, as its consumers may still read an older version: {reason}; `--forget {id}` stops \
             tracking it",
            names.of(id)
        ),
        Note::Leaving { place: id, number, expires } => {
            let version = number.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
            let until = expires.map_or_else(String::new, |at| format!(", which is valid until {}", minute(at)));
            format!(
                "{} is no longer declared and still contains {version}{until}; `--prune` removes it, `--forget {id}` \
                 stops tracking it",
                names.of(id)
            )
        }
        Note::OutOfSight(id, reason) => format!("{} is unreachable: {reason}", names.of(id)),
        Note::Expires { number, at } => {
            format!("version {number} is in use and expires at {}", minute(*at))
        }
        Note::NotDeclared => {
            let places = token.record.as_ref().map_or(0, |record| record.places.len());
            format!("no longer declared, left as it is with {}; `--prune` deletes it", count(places, "place"))
        }
        Note::EndsAfter(at) => format!("leaving, to be deleted after {}", minute(*at)),
        Note::WaitsForAll(Some(reason)) => {
            format!("needs a new version, {}; run without `--sink` to create it", reason_text(reason, names))
        }
        Note::WaitsForAll(None) => {
            "an earlier run left a version staged; run without `--sink` to make it current".to_owned()
        }
    }
}

fn kept(number: u32, why: &Keeps, names: &Names) -> String {
    match why {
        Keeps::Overlap { until } | Keeps::Announced { until } => {
            format!("version {number} stays valid until at least {}", minute(*until))
        }
        Keeps::Used { last, until } => {
            let (last, until) = (minute(*last), minute(*until));
            format!("version {number} is still in use, last at {last}, and is not retired before {until}")
        }
        why => format!("version {number} is not retired, as {}", kept_as(number, why, |id| names.of(id))),
    }
}

/// What keeps a version from being retired, as it reads behind `as`.
pub fn kept_as(number: u32, why: &Keeps, name: impl Fn(&PlaceId) -> String) -> String {
    match why {
        Keeps::Unreachable(id) => format!("{} is unreachable", name(id)),
        Keeps::HeldBy(id) => format!("{} contains it again", name(id)),
        Keeps::AwaitsDeployment(id, reason) => format!("consumers of {} may still read it: {reason}", name(id)),
        Keeps::Unrepaired(id) => format!("{} is not up to date yet", name(id)),
        // What the record alone shows, in the service's words.
        Keeps::Current | Keeps::Newest | Keeps::Overlap { .. } | Keeps::Announced { .. } | Keeps::Used { .. } => {
            why.refusal(number).map_or_else(String::new, |refusal| refusal.to_string())
        }
    }
}
