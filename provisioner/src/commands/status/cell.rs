//! One cell of the table: what a place contains, as a mark and in words.

use latchkey::place::Place;
use latchkey::token::Token;

use crate::observe::Observation;
use crate::observe::finding::Finding;
use crate::plan::TokenPlan;
use latchkey_sinks::{Seen, SinkError};

/// What a place contains, as far as it is known.
pub(super) struct Cell {
    /// The version, when it is one of this token's.
    pub(super) version: Option<u32>,
    pub(super) is_declared: bool,
    /// It should contain the current version and does not.
    pub(super) drift: bool,
    /// Why its consumers may still read an older one.
    pub(super) lagging: Option<String>,
    pub(super) mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Current,
    Expired,
    Older,
    Dead,
    Missing,
    Edited,
    Foreign,
    Other,
    Unknown,
    Away,
}

impl Cell {
    pub(super) fn of(token: &TokenPlan, place: &Place, find: &Finding, observation: &Observation) -> Self {
        let record = token.record.as_deref();
        let current = record.and_then(Token::current);
        let (mark, version) = match find {
            Finding::Current => {
                let expired =
                    |record: &Token| current.is_some_and(|current| record.deadline(current) <= observation.at);
                let mark = if record.is_some_and(expired) { Mark::Expired } else { Mark::Current };
                (mark, current.map(|current| current.number))
            }
            Finding::Other { number: Some(number), live } => {
                (if *live { Mark::Older } else { Mark::Dead }, Some(*number))
            }
            Finding::Other { number: None, .. } => (Mark::Other, None),
            Finding::Absent => (Mark::Missing, None),
            Finding::Edited | Finding::Overwritten | Finding::Hidden => (Mark::Edited, None),
            Finding::Foreign => (Mark::Foreign, None),
            Finding::Unknown(SinkError::OtherMachine { .. }) => (Mark::Away, None),
            Finding::Unknown(_) => (Mark::Unknown, None),
        };
        let is_declared = token.places.contains(place);
        let lagging = match observation.looks.get(&place.id()) {
            // Nobody waits for a deployment of what somebody else put there.
            Some(Ok(Seen::Holds(held))) if mark != Mark::Foreign => held.lagging.clone(),
            _ => None,
        };
        let told = !matches!(mark, Mark::Current | Mark::Unknown | Mark::Away);
        Self { version, is_declared, drift: is_declared && current.is_some() && told, lagging, mark }
    }

    pub(super) fn words(&self) -> String {
        let version = self.version.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
        match self.mark {
            Mark::Current => "current".to_owned(),
            Mark::Expired => format!("{version}, expired"),
            Mark::Older => version,
            Mark::Dead => format!("{version}, no longer valid"),
            Mark::Missing => "missing".to_owned(),
            Mark::Edited => "changed outside Latchkey".to_owned(),
            Mark::Foreign => "foreign".to_owned(),
            Mark::Other => "another token of this manifest".to_owned(),
            Mark::Unknown | Mark::Away => "unknown".to_owned(),
        }
    }

    /// In a cell.
    pub(super) fn cell(&self) -> String {
        let number = self.version.map_or_else(|| "?".to_owned(), |number| number.to_string());
        match self.mark {
            Mark::Current if self.lagging.is_some() => format!("{number}~"),
            Mark::Current => number,
            Mark::Older => format!("{number}!"),
            Mark::Dead | Mark::Expired => format!("{number}x"),
            Mark::Missing => "none".to_owned(),
            Mark::Edited => "changed".to_owned(),
            Mark::Foreign => "foreign".to_owned(),
            Mark::Other => "other".to_owned(),
            Mark::Unknown => "?".to_owned(),
            Mark::Away => "away".to_owned(),
        }
    }
}

pub(super) fn drifted(held: &Cell) -> String {
    match held.mark {
        Mark::Missing => "is missing".to_owned(),
        Mark::Edited => "was changed outside Latchkey".to_owned(),
        Mark::Foreign => "contains a value that Latchkey did not write".to_owned(),
        _ => format!("contains {}", held.words()),
    }
}
