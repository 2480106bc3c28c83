//! One push per place: two would overwrite each other for ever.

use std::collections::{BTreeMap, HashMap};

use super::sinks::ReadSink;
use super::{ServiceAddress, TokenDeclaration};
use latchkey_sinks::reading::{Fault, Reading, Severity, Span, shown};
use latchkey_sinks::{Apart, Kind, PushDeclaration, Spot, is_named_after};

/// How many pushes to one entry are compared: more values, one for each JSON key, do not fit into a secret.
const LANDINGS_MAX: usize = 900;

/// Reports pushes and sinks that meet, as far as the file alone shows.
pub(super) fn check_places(
    service: Option<&ServiceAddress>,
    sinks: &BTreeMap<String, ReadSink>,
    tokens: &[TokenDeclaration],
    reading: &mut Reading<'_>,
) {
    check_sinks(sinks, reading);
    let pushes: Vec<_> = tokens.iter().flat_map(|token| &token.pushes).collect();
    check_pushes(service, sinks, &pushes, reading);
}

/// Reports pushes that meet.
pub(super) fn check_pushes(
    service: Option<&ServiceAddress>,
    sinks: &BTreeMap<String, ReadSink>,
    pushes: &[&PushDeclaration],
    reading: &mut Reading<'_>,
) {
    check_together(sinks, pushes, reading);
    let mut spots: HashMap<(Kind, String, String), Vec<Landing<'_>>> = HashMap::new();
    for push in pushes.iter().copied() {
        let Some(settings) = sinks.get(&push.sink).and_then(|sink| sink.settings.as_ref()) else { continue };
        if let (Some(ServiceAddress::Embedded(file)), Some(written)) = (service, settings.facts().file())
            && is_named_after(written.path, file)
        {
            let message = "this push would write into the service's own file";
            reading.add(Fault::error("same-place", push.span.clone(), message));
        }
        let Spot { owner, name, apart } = settings.facts().spot(push);
        let landings = spots.entry((settings.kind(), owner, name)).or_default();
        let landing = Landing { push, apart };
        if landings.len() == LANDINGS_MAX {
            let message = format!("more than {LANDINGS_MAX} pushes write to one entry");
            let hint = "deliver some of them elsewhere: no secret has room for so many values";
            reading.add(Fault::error("too-many", push.span.clone(), message).hint(hint));
        }
        if landings.len() >= LANDINGS_MAX {
            // One more is enough to have said so.
            landings.truncate(LANDINGS_MAX);
            landings.push(landing);
            continue;
        }
        if let Some(fault) = landings.iter().find_map(|earlier| earlier.clash(&landing)) {
            reading.add(fault);
        }
        landings.push(landing);
    }
}

/// Reports sinks that are one.
pub(super) fn check_sinks(sinks: &BTreeMap<String, ReadSink>, reading: &mut Reading<'_>) {
    let mut found: HashMap<(Kind, String), (&str, Span)> = HashMap::new();
    let mut sinks: Vec<_> = sinks.iter().collect();
    sinks.sort_by_key(|(_, sink)| sink.span.start);
    for (name, sink) in sinks {
        let Some(settings) = &sink.settings else { continue };
        let Some(twin) = settings.facts().twin() else { continue };
        let key = (settings.kind(), twin.key);
        let Some((first, span)) = found.get(&key) else {
            found.insert(key, (name, sink.span.clone()));
            continue;
        };
        let message = format!("the sinks `{}` and `{}` are the same {}", shown(first), shown(name), twin.what);
        let fault = match twin.severity {
            Severity::Error => Fault::error(twin.code, sink.span.clone(), message),
            Severity::Warning => Fault::warning(twin.code, sink.span.clone(), message),
        };
        reading.add(fault.hint(twin.hint).related(span.clone(), "the first"));
    }
}

fn check_together(sinks: &BTreeMap<String, ReadSink>, pushes: &[&PushDeclaration], reading: &mut Reading<'_>) {
    for kind in Kind::ALL {
        let is_of_kind = |push: &&PushDeclaration| sinks.get(&push.sink).is_some_and(|sink| sink.kind == Some(kind));
        let pushes: Vec<_> = pushes.iter().copied().filter(is_of_kind).collect();
        kind.facts().check_together(&pushes, reading);
    }
}

/// A push at its spot.
struct Landing<'a> {
    push: &'a PushDeclaration,
    apart: Option<Apart>,
}

impl Landing<'_> {
    /// The fault of a later push to the same spot.
    fn clash(&self, later: &Self) -> Option<Fault> {
        let (message, hint) = match (&self.apart, &later.apart) {
            (Some(one), Some(other)) => one.clash(other, self.push.sink == later.push.sink)?,
            _ => ("two pushes write to the same place", self.hint(later)),
        };
        let first: Span = self.push.span.clone();
        Some(Fault::error("same-place", later.push.span.clone(), message).hint(hint).related(first, "the first"))
    }

    fn hint(&self, later: &Self) -> &'static str {
        if self.push.name == later.push.name {
            "they would overwrite each other; give one of them another name"
        } else {
            "their names differ only in case, which this type of sink ignores"
        }
    }
}
