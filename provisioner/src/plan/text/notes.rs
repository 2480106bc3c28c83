//! What a reader should know.

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::protocol::Keeps;
use latchkey_sinks::plural::count;

use super::Names;
use super::changes::reason_text;
use crate::plan::{Blocked, Note, Plan, PlanNote, TokenPlan, minute};

pub(super) fn text(token: &TokenPlan, note: &Note, names: &Names) -> String {
    match note {
        Note::Kept { number, why } => kept(*number, why, names),
        Note::StaysWhileLagging { place: id, reason } => format!(
            "{} is not removed yet, as its consumers may still read an older version: {reason}; `--forget {id}` stops \
             tracking it",
            names.of(id)
        ),
        Note::Leaving { place: id, number, expires, live } => {
            let version = number.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
            let until = match expires {
                Some(at) if *live => format!(", which is valid until {}", minute(*at)),
                Some(at) => format!(", which expired at {}", minute(*at)),
                None if *live => String::new(),
                None => ", which is no longer valid".to_owned(),
            };
            format!(
                "{} is no longer declared and still contains {version}{until}; `--prune` removes it, `--forget {id}` \
                 stops tracking it",
                names.of(id)
            )
        }
        Note::OutOfSight { place: id, reason, due, .. } => {
            let rotation = due.map_or_else(
                || "the next rotation".to_owned(),
                |due| format!("the rotation that is due at {}", minute(due)),
            );
            format!("{} is unreachable: {reason}; {rotation} waits for it", names.of(id))
        }
        Note::LoginMayNot { place: id, reason, .. } => {
            format!("this login cannot write {}: {reason}; `provision apply` needs one that can", names.of(id))
        }
        Note::NotLookedAt { place: id, number, is_declared } => not_looked_at(&names.of(id), *number, *is_declared),
        Note::GrantLacks { missing, .. } => grant_lacks(missing),
        Note::Expires { number, at } => {
            let taker = token.record.as_ref().and_then(|record| record.moved_to.as_ref());
            let why = match (token.declaration, taker) {
                (Some(_), _) => String::new(),
                (None, None) => {
                    ", as nothing rotates a token that is not declared; declare it again to keep it".to_owned()
                }
                (None, Some(taker)) => {
                    format!(
                        ", as nothing rotates a token that is not declared; have `{taker}` take it, or declare it again"
                    )
                }
            };
            format!("version {number} is in use and expires at {}{why}", minute(*at))
        }
        Note::Expired { number, at, places, unseen } => expired(token, (*number, *at), (places, unseen), names),
        Note::ChangedAgain { place: id, times, since } => format!(
            "{} was changed outside Latchkey {times} times since {}, and repaired each time; find out what writes there, \
             as no older version is retired in a run that repairs a place",
            names.of(id),
            minute(*since)
        ),
        Note::LeftBehind { place: id, number, until } => format!(
            "{} keeps version {number}, which is not replaced there any more and expires at {} at the latest",
            names.of(id),
            minute(*until)
        ),
        Note::Ahead { latest } => format!(
            "its record has times in the future, up to {}: it was written by a clock that was ahead",
            minute(*latest)
        ),
        Note::UnknownToken { .. } => "what is there is a secret of no valid token of this service; if the service was in use \
                                      before, its table may be missing, or this is another one: put the right one in place \
                                      before you replace anything"
            .to_owned(),
        Note::UnknownVersion { places } => {
            let places: Vec<String> = places.iter().map(|id| names.of(id)).collect();
            let verb = if places.len() == 1 { "contains" } else { "contain" };
            format!(
                "{} {verb} a version that this table does not know, so the table is probably an older copy: whatever was \
                 revoked since it was made is valid again; `provision rotate --compromised {}` revokes the versions of this \
                 token",
                places.join(", "),
                token.name
            )
        }
        Note::NotDeclared { valid } => not_declared(token, *valid),
        Note::MovesTo { to, valid } => moves_to(token, to, *valid),
        Note::Left { to, taken: true } => {
            format!("moved to the manifest `{to}`; remove it from this one")
        }
        Note::Left { to, taken: false } => format!(
            "is not created, as it moves to the manifest `{to}`, which may have it under another name; remove it from this \
             one"
        ),
        Note::EndsAfter(at) => format!("leaving, to be deleted after {}", minute(*at)),
        Note::WaitsForAll(Some(reason)) => {
            format!("needs a new version, {}; run without `--sink` to create it", reason_text(reason, names))
        }
        Note::WaitsForWindow { reason, opens } => format!(
            "needs a new version, {}; waits for the window, which opens at {}; `provision rotate {}` does not wait",
            reason_text(reason, names),
            minute(*opens),
            token.name
        ),
        Note::OutsideWindow { number, expiry, opens } => format!(
            "rotated outside the window: version {number} expires at {}, too soon after the window opens at {}",
            minute(*expiry),
            minute(*opens)
        ),
        Note::WaitsForRestarts { reason, most } => format!(
            "needs a new version, {}; waits for a later run, as this one restarts {} already (`max_restarts`)",
            reason_text(reason, names),
            count(*most, "app")
        ),
        Note::WaitsForAll(None) => {
            "an earlier run left a version staged; run without `--sink` to make it current".to_owned()
        }
    }
}

/// What a reader should know of a plan as a whole, one sentence each.
pub fn plan_notes(plan: &Plan) -> Vec<String> {
    let text = |note: &PlanNote| match note {
        PlanNote::NotLookedAt => {
            "places were not looked at: each is taken to contain what was delivered there last, so \
                                  whether one was changed, cannot be reached or contains a value of somebody else is \
                                  unknown"
                .to_owned()
        }
        PlanNote::GrantLacks { missing, cure } => format!("{}; {cure}", grant_lacks(missing)),
    };
    plan.notes.iter().map(text).collect()
}

/// A place that a plan by the records knows of.
fn not_looked_at(name: &str, number: Option<u32>, is_declared: bool) -> String {
    let known = match number {
        Some(number) => format!("version {number} was delivered there last"),
        None => "nothing was delivered there so far".to_owned(),
    };
    let left = if is_declared { "" } else { "is no longer declared and " };
    format!("{name} {left}was not looked at; {known}")
}

/// What whoever applies needs, where whoever plans cannot apply.
fn grant_lacks(missing: &[String]) -> String {
    format!(
        "`provision apply` with a token needs a wider grant: the manifest is not allowed to grant {}",
        missing.join(", ")
    )
}

/// A token that another manifest may take, and who sees to it until then.
fn moves_to(token: &TokenPlan, to: &ManifestName, valid: Option<(u32, Timestamp)>) -> String {
    let record = token.record.as_deref();
    let owner = record.and_then(|record| record.managed_by.as_ref());
    let owner = owner.map_or_else(|| "..".to_owned(), ToString::to_string);
    let name = record.map_or(&token.name, |record| &record.name);
    let next = format!(
        "moves to the manifest `{to}`: declare it there with `moved_from = {{ manifest = \"{owner}\", name = \"{name}\" \
         }}` and run `provision apply` there"
    );
    match (token.declaration, valid) {
        (Some(_), _) => format!("{next}; until then it is rotated and repaired here"),
        (None, Some((number, until))) => {
            format!("{next}; nothing rotates it until then, and version {number} is valid until {}", minute(until))
        }
        (None, None) => format!("{next}; nothing rotates it until then, and it has no valid version"),
    }
}

/// A token that is no longer declared, and until when its consumers can do without a new version.
fn not_declared(token: &TokenPlan, valid: Option<(u32, Timestamp)>) -> String {
    let record = token.record.as_deref();
    let until = valid.map_or_else(String::new, |(number, until)| {
        format!(" and not rotated any more: version {number} is valid until {}", minute(until))
    });
    let leaving = record.and_then(|record| {
        let overlap = record.terms.map_or(Seconds(0), |terms| terms.overlap);
        record.leaving.map(|since| overlap.after(since))
    });
    if let Some(after) = leaving {
        return format!("no longer declared{until}; leaving, `--prune` deletes it after {}", minute(after));
    }
    let places = count(record.map_or(0, |record| record.places.len()), "place");
    format!("no longer declared{until}; left as it is with {places}, `--prune` deletes it")
}

/// A version that is no longer valid, and where consumers find it.
fn expired(
    token: &TokenPlan,
    (number, at): (u32, Option<Timestamp>),
    (places, unseen): (&[PlaceId], &[PlaceId]),
    names: &Names,
) -> String {
    let list = |ids: &[PlaceId]| ids.iter().map(|id| names.of(id)).collect::<Vec<_>>().join(", ");
    let ended = match at {
        Some(at) => format!("version {number} expired at {}", minute(at)),
        None => format!("version {number} is no longer valid"),
    };
    let seen = match places.len() {
        0 => String::new(),
        1 => format!(", and {} still contains it", list(places)),
        _ => format!(", and these still contain it: {}", list(places)),
    };
    let unseen = if unseen.is_empty() { String::new() } else { format!("; last written to {}", list(unseen)) };
    let is_unreachable =
        |blocked: &Blocked| matches!(blocked, Blocked::Unreachable { .. } | Blocked::Unwritable { .. });
    let help = match token.declaration {
        Some(_) if token.blocked.iter().any(is_unreachable) => {
            format!("; `provision rotate --compromised {}` serves the places that can be reached now", token.key())
        }
        Some(_) => String::new(),
        None => "; declare the token again to replace it, or pass `--prune`".to_owned(),
    };
    format!("{ended}{seen}{unseen}{help}")
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
