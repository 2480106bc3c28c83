//! `--forget` and `--forget-machine`: which recorded places are meant, and whether they can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::place::Place;
use latchkey::token::Token;

use super::exit::Fault;
use crate::observe::Observation;
use crate::output::Printer;
use crate::plan::{Blocked, Change, Labels, Options, Plan};
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::nearest;
use latchkey_sinks::{Seen, SinkError};

/// Adds every recorded place of the named machines to those that are forgotten.
pub(super) fn machines(
    printer: Printer,
    observation: &Observation,
    may: &mut Options,
    named: &[String],
) -> Result<(), Fault> {
    let mut known: BTreeMap<&str, Vec<(&Token, &Place)>> = BTreeMap::new();
    let declared = observation.tokens.iter().filter_map(|observed| observed.record.as_deref());
    for token in declared.chain(&observation.undeclared) {
        for place in token.places.values().map(|record| &record.place) {
            if let Some(machine) = place.part("machine").filter(|machine| *machine != observation.machine) {
                known.entry(machine).or_default().push((token, place));
            }
        }
    }
    for machine in named {
        let Some(places) = known.get(machine.as_str()) else {
            return Err(unknown(machine, observation, &known));
        };
        let tokens: BTreeSet<_> = places.iter().map(|(token, _)| &token.id).collect();
        let (places_in_words, tokens) = (count(places.len(), "place"), count(tokens.len(), "token"));
        printer.talk(&format!("`--forget-machine {machine}`: {places_in_words} of {tokens}"));
        may.forget.extend(places.iter().map(|(_, place)| place.id().to_string()));
    }
    Ok(())
}

fn unknown(machine: &str, observation: &Observation, known: &BTreeMap<&str, Vec<(&Token, &Place)>>) -> Fault {
    if *machine == observation.machine {
        return Fault::new(format!("`{machine}` is this machine, which can read its places itself"))
            .hint("remove their pushes from the manifest and pass `--prune`, or pass `--forget` for single places");
    }
    let fault = Fault::new(format!("no place is recorded on the machine `{machine}`"));
    let names: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
    match nearest(machine, known.keys().copied()) {
        _ if names.is_empty() => fault.hint(format!("all places are on this machine, `{}`", observation.machine)),
        Some(near) => fault.hint(format!("did you mean `{near}`? Machines with places: {}", names.join(", "))),
        None => fault.hint(format!("machines with places: {}", names.join(", "))),
    }
}

/// Takes the entries for missing that were delivered to another file system and are named to be forgotten: the manifest
/// declares them, so they are created here. The ids that are left name other places.
pub(super) fn other_files(observation: &mut Observation, named: &BTreeSet<String>) -> BTreeSet<String> {
    let declared = observation.tokens.iter().flat_map(|observed| observed.places.iter().flatten());
    let declared: Vec<_> = declared.map(Place::id).filter(|id| named.contains(id.as_str())).collect();
    let mut left = named.clone();
    for id in declared {
        if matches!(observation.looks.get(&id), Some(Err(SinkError::OtherFiles { .. }))) {
            left.remove(id.as_str());
            observation.looks.insert(id, Ok(Seen::Absent));
        }
    }
    left
}

/// Refuses an id that would be ignored: one that is not recorded, that the manifest declares, or that the run leaves
/// alone.
pub(super) fn check(
    plan: &Plan,
    observation: &Observation,
    (may, ids): (&Options, &BTreeSet<String>),
    labels: &Labels,
) -> Result<(), Fault> {
    ids.iter().try_for_each(|id| check_one(plan, observation, (may, id), labels))
}

fn check_one(
    plan: &Plan,
    observation: &Observation,
    (may, id): (&Options, &str),
    labels: &Labels,
) -> Result<(), Fault> {
    let seen = plan.tokens.iter().filter_map(|token| {
        token.findings.iter().find(|(place, _)| place.id().as_str() == id).map(|(place, _)| (token, place))
    });
    let seen: Vec<_> = seen.collect();
    let Some((token, place)) = seen.first() else {
        return Err(Fault::new(format!("no token of the manifest has the place `{id}`"))
            .hint("`provision status --format json` shows the ids of all places"));
    };
    let is_seen_to = seen.iter().any(|(token, _)| {
        let forgets =
            token.changes.iter().any(|change| matches!(change, Change::Forget { place } if place.as_str() == id));
        let waits = token
            .blocked
            .iter()
            .any(|blocked| matches!(blocked, Blocked::NotQuiet { place, .. } if place.as_str() == id));
        forgets || waits
    });
    if is_seen_to {
        return Ok(());
    }
    let (label, subject) = (labels.of(place), format!("`{}/{}`", token.user, token.name));
    let declared = seen.iter().any(|(token, place)| {
        let places = token.declaration.into_iter().flat_map(|index| &observation.tokens[index].places);
        places.flatten().any(|declared| declared == *place)
    });
    if declared {
        return Err(Fault::new(format!("the token {subject} declares {label}, so it cannot be forgotten"))
            .hint(format!("nothing was changed; remove its push from the manifest, then pass `--forget {id}`")));
    }
    let why = if may.is_narrowed() {
        "nothing was changed; pass it without `--only` and `--sink`"
    } else {
        "nothing was changed; `provision plan` shows what blocks the token"
    };
    Err(Fault::new(format!("{label} of the token {subject} cannot be forgotten in this run")).hint(why))
}
