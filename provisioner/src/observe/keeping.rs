//! What keeps a version from being retired: planner and runner ask the one rule, [`Token::keeps`], through here, each
//! with what its own looks found.

use latchkey::place::PlaceId;
use latchkey::protocol::{Evidence, Found, Keeps, PlaceLook};
use latchkey::token::{Token, Version};

use super::finding::{Finding, was_deployed};
use crate::safeguard::{Safeguard, stands};
use latchkey_sinks::{Seen, SinkError};

/// Why consumers may continue to read what a place contained although its entry is gone.
const GONE: &str = "its entry is gone, and what was deployed with it is unknown";

/// What a look found at a place of `token`, as the rule takes it; whether the place is declared and written is up to the
/// caller.
pub fn place_look(token: &Token, place: &PlaceId, finding: &Finding, seen: Option<&Seen>) -> PlaceLook {
    let former = match seen {
        Some(Seen::Holds(held)) => held.former.iter().filter_map(|value| token.number_of(value)).collect(),
        _ => Vec::new(),
    };
    let lagging = seen.and_then(Seen::lagging);
    let gone = matches!(finding, Finding::Absent) && token.places.get(place).is_some_and(was_deployed);
    PlaceLook {
        place: place.clone(),
        found: found(token, finding, token.places.get(place).is_some_and(|record| record.place.readable)),
        former,
        awaits: lagging.or(gone.then_some(GONE)).map(str::to_owned),
        declared: false,
        written: false,
    }
}

fn found(token: &Token, finding: &Finding, readable: bool) -> Found {
    match finding {
        Finding::Current => token.current().map_or(Found::Unknown, |current| Found::Version(current.number)),
        Finding::Other { number: Some(number), .. } => Found::Version(*number),
        Finding::Edited => Found::Edited,
        Finding::Overwritten => Found::Theirs,
        // What cannot be read is only told by its marker.
        Finding::Other { number: None, .. } if readable => Found::Theirs,
        // A vault that is deleting an entry shows it to nobody.
        Finding::Unknown(SinkError::BeingDeleted { .. })
        | Finding::Absent
        | Finding::Other { number: None, .. }
        | Finding::Foreign => Found::Nothing,
        Finding::Hidden | Finding::Unknown(_) => Found::Unknown,
    }
}

/// The first reason why a version may not be retired yet, but for those whose safeguard a test has taken out.
pub fn keeps(token: &Token, version: &Version, evidence: &Evidence<'_>) -> Option<Keeps> {
    token.keeps(version, evidence).into_iter().find(|why| safeguard(why).is_none_or(stands))
}

fn safeguard(why: &Keeps) -> Option<Safeguard> {
    match why {
        Keeps::Overlap { .. } | Keeps::Announced { .. } => Some(Safeguard::RetireFrom),
        Keeps::Unreachable(_) => Some(Safeguard::RetireUnknown),
        Keeps::HeldBy(_) => Some(Safeguard::RetireLook),
        Keeps::AwaitsDeployment(..) => Some(Safeguard::RetireLagging),
        Keeps::Unrepaired(_) => Some(Safeguard::RetireUnrepaired),
        Keeps::Current | Keeps::Newest | Keeps::Used { .. } => None,
    }
}
