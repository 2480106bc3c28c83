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
            "{} stays, as its consumers may still read an older version: {reason}; `--forget {id}` lets it be",
            names.of(id)
        ),
        Note::Leaving { place: id, number, expires } => {
            let version = number.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
            let until = expires.map_or_else(String::new, |at| format!(", which works until {}", minute(at)));
            format!(
                "{} is no longer declared and still holds {version}{until}; `--prune` removes it, `--forget {id}` lets it be",
                names.of(id)
            )
        }
        Note::OutOfSight(id, reason) => format!("{} is out of sight: {reason}", names.of(id)),
        Note::Expires { number, at } => {
            format!("version {number} is in use and stops working at {}", minute(*at))
        }
        Note::NotDeclared => {
            let places = token.record.as_ref().map_or(0, |record| record.places.len());
            format!("no longer declared, left as it is with {}; `--prune` ends it", count(places, "place"))
        }
        Note::EndsAfter(at) => format!("leaving, ends after {}", minute(*at)),
        Note::WaitsForAll(Some(reason)) => {
            format!("is to get a new version, {}; that takes a run without `--sink`", reason_text(reason, names))
        }
        Note::WaitsForAll(None) => {
            "a version that an earlier run left staged becomes current in a run without `--sink`".to_owned()
        }
    }
}

fn kept(number: u32, why: &Keeps, names: &Names) -> String {
    match why {
        Keeps::Overlap { until } | Keeps::Announced { until } => {
            format!("version {number} goes on working until {} at least", minute(*until))
        }
        Keeps::Used { last, until } => {
            let (last, until) = (minute(*last), minute(*until));
            format!("version {number} is still used, last at {last}, so it is not retired before {until}")
        }
        why => format!("version {number} is not retired, as {}", kept_as(number, why, |id| names.of(id))),
    }
}

/// What keeps a version from ending, as it stands behind `as`.
pub fn kept_as(number: u32, why: &Keeps, name: impl Fn(&PlaceId) -> String) -> String {
    match why {
        Keeps::Unreachable(id) => format!("{} is out of sight", name(id)),
        Keeps::HeldBy(id) => format!("{} shows it again", name(id)),
        Keeps::AwaitsDeployment(id, reason) => format!("consumers of {} may still read it: {reason}", name(id)),
        Keeps::Unrepaired(id) => format!("{} is not up to date yet", name(id)),
        // What the record alone tells, in the service's words.
        Keeps::Current | Keeps::Newest | Keeps::Overlap { .. } | Keeps::Announced { .. } | Keeps::Used { .. } => {
            why.refusal(number).map_or_else(String::new, |refusal| refusal.to_string())
        }
    }
}
