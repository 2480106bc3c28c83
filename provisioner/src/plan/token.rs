//! What is done to one declared token. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::name::RoleName;
use latchkey::place::{Place, PlaceId};
use latchkey::token::Token;
use latchkey::version::{STAGED_LIFE, Version, VersionState};

use super::find::{Find, Known, was_deployed};
use super::{Blocked, Change, Field, Note, Options, Reason, Rotate, TokenPlan};
use crate::guard::{Guard, stands};
use crate::manifest::{Manifest, TokenDeclaration};
use crate::observe::{Observation, Observed};
use crate::sinks::SinkError;

/// Everything that a decision about one token rests on.
struct Case<'a> {
    declaration: &'a TokenDeclaration,
    observation: &'a Observation,
    options: &'a Options,
    /// Declared here, with what was found.
    declared: Vec<(PlaceId, Find)>,
    /// Recorded but not declared here.
    others: Vec<(PlaceId, Find, Whose)>,
    /// Places that a token of the manifest declares.
    claimed: &'a BTreeSet<PlaceId>,
    now: Timestamp,
}

/// Why a recorded place is not among those declared here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Another machine declared it, and this one cannot tell whether it still does.
    OtherMachine,
    /// Nobody declares it any more.
    Leaving,
}

/// Decides what is done to a declared token.
pub(super) fn decide(
    manifest: &Manifest,
    observation: &Observation,
    known: &Known<'_>,
    (options, claimed): (&Options, &BTreeSet<PlaceId>),
    index: usize,
    observed: &Observed,
) -> TokenPlan {
    let declaration = &manifest.tokens[index];
    let mut plan = TokenPlan {
        user: declaration.user.clone(),
        name: declaration.name.clone(),
        declaration: Some(index),
        record: observed.record.clone(),
        about: Vec::new(),
        places: Vec::new(),
        roles: roles(manifest, observation, declaration),
        changes: Vec::new(),
        blocked: Vec::new(),
        notes: Vec::new(),
        finds: Vec::new(),
    };
    for (push, place) in declaration.pushes.iter().zip(&observed.places) {
        match place {
            Ok(place) => plan.places.push(place.clone()),
            Err(error) => plan.blocked.push(Blocked::NoPlace(
                format!("{} {}", push.sink, push.name),
                error.to_string(),
                error.hint().map(str::to_owned),
            )),
        }
    }
    rename(&mut plan, observation, options, declaration);
    let case = case(&mut plan, observation, known, (options, claimed), declaration);
    if !plan.blocked.is_empty() {
        if let Some(record) = plan.record.clone() {
            warn(&mut plan, &case, &record);
        }
        return plan;
    }
    if let Some(record) = plan.record.clone() {
        let first = plan.changes.len();
        retire(&mut plan, &case, &record);
        deliver(&mut plan, &case, &record);
        hold_back(&mut plan, &record);
        let rest = plan.changes.split_off(first);
        update(&mut plan, &case, &record);
        plan.changes.extend(rest);
        leave(&mut plan, &case, &record);
        settle(&mut plan);
        warn(&mut plan, &case, &record);
    } else if check_places(&mut plan, &case) {
        plan.about = about(declaration);
        plan.changes.push(Change::Create);
    }
    plan
}

/// The roles that a declared token gets: those it names, or all that its user will have.
fn roles(manifest: &Manifest, observation: &Observation, declaration: &TokenDeclaration) -> Vec<RoleName> {
    let users = || {
        let declared = manifest.users.get(&declaration.user).map(|user| user.roles.clone());
        let found = || observation.users.get(&declaration.user).map(|user| user.roles.clone());
        declared.or_else(found).unwrap_or_default()
    };
    let roles = declaration.roles.clone().unwrap_or_else(users);
    roles.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A declared token that does not exist, while one that is no longer declared goes to the same place, is most likely
/// the same token under another name: never silently a second one.
fn rename(plan: &mut TokenPlan, observation: &Observation, options: &Options, declaration: &TokenDeclaration) {
    if plan.record.is_some() {
        return;
    }
    if let Some((user, name)) = &declaration.moved_from {
        let moved = observation.undeclared.iter().find(|token| token.user == *user && token.name == *name);
        match moved {
            Some(token) if *user != plan.user => plan.blocked.push(Blocked::OtherUser(token.user.clone())),
            Some(token) => {
                plan.record = Some(Arc::new(token.clone()));
                plan.changes.push(Change::Rename { from: name.clone() });
            }
            // Moved long ago, or never made.
            None => {}
        }
        return;
    }
    let ids: BTreeSet<PlaceId> = plan.places.iter().map(Place::id).collect();
    let former = observation.undeclared.iter().find(|token| token.places.keys().any(|id| ids.contains(id)));
    if let Some(former) = former.filter(|_| !options.prune) {
        plan.blocked.push(Blocked::Renamed { from: former.name.clone(), user: former.user.clone() });
    }
}

fn case<'a>(
    plan: &mut TokenPlan,
    observation: &'a Observation,
    known: &Known<'_>,
    (options, claimed): (&'a Options, &'a BTreeSet<PlaceId>),
    declaration: &'a TokenDeclaration,
) -> Case<'a> {
    let unseen = || Err(SinkError::Unreachable { reason: "it was not looked at".to_owned() });
    let record = plan.record.as_deref();
    let find = |place: &Place| {
        let id = place.id();
        let seen = observation.looks.get(&id).cloned().unwrap_or_else(unseen);
        let find = known.classify(record, &id, &seen);
        (id, find)
    };
    let declared: Vec<(PlaceId, Find)> = plan.places.iter().map(find).collect();
    let mut finds: Vec<(Place, Find)> =
        plan.places.iter().cloned().zip(declared.iter().map(|(_, find)| find.clone())).collect();
    let mut others = Vec::new();
    let mut kept = Vec::new();
    for recorded in record.into_iter().flat_map(|record| record.places.values()) {
        let (id, find) = find(&recorded.place);
        if declared.iter().any(|(other, _)| *other == id) {
            continue;
        }
        let other_machine = recorded.place.part("machine").is_some_and(|machine| machine != observation.machine);
        let stays = recorded.declared && other_machine && !options.forget.contains(id.as_str());
        finds.push((recorded.place.clone(), find.clone()));
        if stays {
            kept.push(recorded.place.clone());
        }
        others.push((id, find, if stays { Whose::OtherMachine } else { Whose::Leaving }));
    }
    plan.places.extend(kept);
    plan.finds = finds;
    Case { declaration, observation, options, declared, others, claimed, now: observation.at }
}

/// Nothing is staged unless every place is reachable and none is foreign. Adoption counts only before the first
/// delivery, which is what makes a place foreign rather than edited.
fn check_places(plan: &mut TokenPlan, case: &Case<'_>) -> bool {
    let before = plan.blocked.len();
    for ((id, find), push) in case.declared.iter().zip(&case.declaration.pushes) {
        match find {
            Find::Foreign if !push.adopt && stands(Guard::StageForeign) => {
                plan.blocked.push(Blocked::Foreign(id.clone()));
            }
            Find::Unknown(error) if stands(Guard::StageUnknown) => plan.blocked.push(unreachable(id, error)),
            _ => {}
        }
    }
    for (id, find, _) in &case.others {
        if let Find::Unknown(error) = find
            && !matches!(error, SinkError::Ending { .. })
            && stands(Guard::StageUnknown)
            && !case.options.forget.contains(id.as_str())
        {
            plan.blocked.push(unreachable(id, error));
        }
    }
    plan.blocked.len() == before
}

pub(super) fn unreachable(id: &PlaceId, error: &SinkError) -> Blocked {
    Blocked::Unreachable(id.clone(), error.to_string(), error.hint().map(str::to_owned))
}

/// What was decided apart, brought together.
fn settle(plan: &mut TokenPlan) {
    let resumed = plan.changes.iter().find_map(|change| match change {
        Change::Resume { number, .. } => Some(*number),
        _ => None,
    });
    // A version that is carried on does not end.
    plan.changes.retain(|change| !matches!(change, Change::Retire { number } if Some(*number) == resumed));
    // Once is enough to tell that a place cannot be reached.
    let told = |id: &PlaceId| {
        plan.blocked.iter().any(|blocked| matches!(blocked, Blocked::Unreachable(place, ..) if place == id))
    };
    plan.notes.retain(|note| !matches!(note, Note::OutOfSight(id, _) if told(id)));
    let delivers = plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. } | Change::Mend { .. }));
    if plan.blocked.is_empty() || delivers {
        return;
    }
    // A place recorded as declared, or a duration, that nothing can be delivered for would only stand in the way of
    // whoever can.
    for change in &mut plan.changes {
        if let Change::Update(fields) = change {
            let kept = |field: &Field| !matches!(field.name, "places" | "expires_in" | "rotate_every" | "overlap");
            fields.retain(kept);
        }
    }
    plan.changes.retain(|change| !matches!(change, Change::Update(fields) if fields.is_empty()));
}

/// One of the durations.
type Part = fn(&latchkey::lifetime::Terms) -> Seconds;

/// What changes in the record.
fn update(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    if record.managed_by.is_none() {
        plan.changes.push(Change::TakeOver);
    }
    let declaration = case.declaration;
    let mut fields = Vec::new();
    let mut field = |name: &'static str, from: String, to: String| {
        if from != to {
            fields.push(Field { name, from, to });
        }
    };
    let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| "none".to_owned());
    field("description", text(record.description.as_ref()), text(declaration.description.as_ref()));
    field("roles", list(&record.roles), list(&plan.roles));
    field("labels", labels(&record.labels), labels(&declaration.labels));
    field("allowed_ips", list(&record.allowed_ips), list(&declaration.allowed_ips));
    let span = |name: Part| {
        let before = record.terms.as_ref().map_or_else(|| "none".to_owned(), |terms| name(terms).to_string());
        (before, name(&declaration.terms).to_string())
    };
    let spans: [(&'static str, Part); 3] = [
        ("expires_in", |terms| terms.expires_in),
        ("rotate_every", |terms| terms.rotate_every),
        ("overlap", |terms| terms.overlap),
    ];
    for (name, of) in spans {
        let (from, to) = span(of);
        field(name, from, to);
    }
    let ids = |places: &mut dyn Iterator<Item = PlaceId>| {
        let ids: BTreeSet<String> = places.map(|id| id.to_string()).collect();
        ids.into_iter().collect::<Vec<_>>().join(" ")
    };
    let was = ids(&mut record.places.iter().filter(|(_, place)| place.declared).map(|(id, _)| id.clone()));
    let will = ids(&mut plan.places.iter().map(Place::id));
    field("places", was, will);
    if record.leaving.is_some() {
        field("leaving", "yes".to_owned(), "no".to_owned());
    }
    if !fields.is_empty() {
        plan.changes.push(Change::Update(fields));
    }
}

/// What a new token will be, besides its roles and places.
fn about(declaration: &TokenDeclaration) -> Vec<String> {
    let terms = &declaration.terms;
    let mut about = vec![format!(
        "expires in {}, rotated every {}, overlap {}",
        terms.expires_in, terms.rotate_every, terms.overlap
    )];
    about.extend(declaration.description.as_ref().map(|text| format!("description: {text}")));
    if !declaration.allowed_ips.is_empty() {
        about.push(format!("allowed_ips: {}", list(&declaration.allowed_ips)));
    }
    if !declaration.labels.is_empty() {
        about.push(format!("labels: {}", labels(&declaration.labels)));
    }
    about
}

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn labels(labels: &std::collections::BTreeMap<String, String>) -> String {
    let texts: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    list(&texts)
}

/// Brings the right version to every declared place: goes on with a staged one, mends, or asks for a new one.
fn deliver(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    let current = record.current().map(|current| current.number);
    let staged = record.staged().filter(|staged| record.deadline(staged) > case.now);
    let holds = |find: &Find, number: u32| find.is_version(number, current);
    let mut reason = reason(plan, case, record);
    let lost = case.declared.iter().any(|(_, find)| !matches!(find, Find::Current | Find::Unknown(_)));
    if let Some(staged) = staged {
        let lacking: Vec<PlaceId> =
            case.declared.iter().filter(|(_, find)| !holds(find, staged.number)).map(|(id, _)| id.clone()).collect();
        let somewhere = lacking.len() < case.declared.len();
        let source = case.observation.available.get(&(record.id.clone(), staged.number)).cloned();
        // While it is staged the current version may not be announced any more, so it is what mends a place.
        let wanted = reason.is_some() || somewhere || lost;
        if wanted && (lacking.is_empty() || source.is_some()) {
            if check_places(plan, case) {
                plan.changes.push(Change::Resume { number: staged.number, from: source, to: lacking });
            }
            return;
        }
        if somewhere || lost {
            reason.get_or_insert(Reason::LostStaged(staged.number));
        }
    }
    let lacking: Vec<&(PlaceId, Find)> =
        case.declared.iter().filter(|(_, find)| !matches!(find, Find::Current)).collect();
    if reason.is_none()
        && let Some((id, find)) = lacking.first()
    {
        // While a newer version is staged, the current one may not be announced any more.
        let newest = current == Some(record.highest);
        let source = current.and_then(|number| case.observation.available.get(&(record.id.clone(), number)));
        match (current, source.filter(|_| newest)) {
            (Some(number), Some(source)) => return mend(plan, case, number, source),
            _ if matches!(find, Find::Unknown(_)) => {}
            // One was staged and has died since.
            (Some(_), None) if source.is_some() => reason = Some(Reason::LostStaged(record.highest)),
            _ => reason = Some(Reason::NoSource(id.clone(), find.words())),
        }
    }
    let Some(reason) = reason else {
        for (id, find) in &case.declared {
            if let Find::Unknown(error) = find {
                plan.blocked.push(unreachable(id, error));
            }
        }
        return;
    };
    if check_places(plan, case) && room(plan, record, case.now) {
        plan.changes.push(Change::NewVersion(reason));
    }
}

/// A new place that this run cannot write to is not recorded yet: it would stand in the way of machines that cannot see
/// it, though nothing of the token was ever there.
fn hold_back(plan: &mut TokenPlan, record: &Token) {
    if plan.blocked.is_empty() {
        return;
    }
    let mended: Vec<&PlaceId> = plan
        .changes
        .iter()
        .filter_map(|change| if let Change::Mend { to, .. } = change { Some(to) } else { None })
        .collect();
    plan.places.retain(|place| {
        let id = place.id();
        record.places.contains_key(&id) || mended.contains(&&id)
    });
}

/// Why the token needs a new version, apart from what its places lack.
fn reason(plan: &TokenPlan, case: &Case<'_>, record: &Token) -> Option<Reason> {
    let asked = match &case.options.rotate {
        Rotate::Due => false,
        Rotate::All => true,
        Rotate::Named(names) => names.contains(&(plan.user.clone(), plan.name.clone())),
    };
    if asked {
        return Some(Reason::Asked);
    }
    if record.managed_by.is_none() {
        return Some(Reason::TakenOver);
    }
    let Some(current) = record.current() else {
        return Some(if record.has_been_current() { Reason::Expired } else { Reason::NeverDelivered });
    };
    if record.deadline(current) <= case.now {
        return Some(Reason::Expired);
    }
    if current.terms != Some(case.declaration.terms) {
        return Some(Reason::Durations);
    }
    let expiry = current.expiry?;
    let due = case.declaration.terms.due(current.promoted?, expiry);
    (due <= case.now).then_some(Reason::Due(due))
}

fn mend(plan: &mut TokenPlan, case: &Case<'_>, number: u32, source: &PlaceId) {
    for ((id, find), push) in case.declared.iter().zip(&case.declaration.pushes) {
        match find {
            Find::Current => {}
            Find::Foreign if !push.adopt => plan.blocked.push(Blocked::Foreign(id.clone())),
            Find::Unknown(error) => plan.blocked.push(unreachable(id, error)),
            found => {
                plan.changes.push(Change::Mend { number, from: source.clone(), to: id.clone(), found: found.clone() });
            }
        }
    }
}

/// Whether one more version may work; versions that this plan retires make room.
fn room(plan: &mut TokenPlan, record: &Token, now: Timestamp) -> bool {
    let retired: Vec<u32> = plan
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Retire { number } => Some(*number),
            _ => None,
        })
        .collect();
    let replaced = |version: &&Version| {
        version.state == VersionState::Staged
            && version.announced.is_none()
            && record.version_last_used(version.number).is_none()
    };
    let staying: Vec<&Version> = record
        .live(now)
        .filter(|version| !retired.contains(&version.number))
        .filter(|version| !replaced(version))
        .collect();
    // Places that this run adds cannot lower the limit, so what the record says is enough.
    if staying.len() < record.versions_max() {
        return true;
    }
    let free = |version: &&Version| {
        let idle = record.idle_from(version.number).map(|(_, until)| until);
        let retirable = record.retirable_from(version).max(idle).filter(|_| version.state != VersionState::Current);
        retirable
            .filter(|from| *from > now)
            .map_or_else(|| record.deadline(version), |from| from.min(record.deadline(version)))
    };
    let until = staying.iter().map(free).filter(|until| *until > now).min();
    plan.blocked.push(Blocked::TooManyVersions { live: staying.len(), until });
    false
}

/// Ends older versions that no place holds, once their overlap and quiet time are over.
fn retire(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    let current = record.current().map(|current| current.number);
    let finds: Vec<(&PlaceId, &Find)> = case
        .declared
        .iter()
        .map(|(id, find)| (id, find))
        .chain(case.others.iter().map(|(id, find, _)| (id, find)))
        .collect();
    for version in record.live(case.now) {
        let number = version.number;
        if version.state == VersionState::Current {
            continue;
        }
        let mut from = record.retirable_from(version);
        if number == record.highest {
            if version.announced.is_none() {
                continue;
            }
            from = from.max(version.announced.map(|announced| STAGED_LIFE.after(announced)));
        } else if version.announced.is_none() && version.state == VersionState::Staged {
            continue;
        }
        if let Some(from) = from.filter(|from| *from > case.now && stands(Guard::RetireFrom)) {
            // The newest one is on its way, not on its way out.
            if number != record.highest {
                plan.notes.push(Note::RetiresFrom { number, from });
            }
            continue;
        }
        let unknown = finds.iter().find(|(_, find)| find.is_unknown() && stands(Guard::RetireUnknown));
        if let Some((place, _)) = unknown {
            plan.notes.push(Note::NotRetired { number, place: (*place).clone() });
            continue;
        }
        if finds.iter().any(|(_, find)| find.is_version(number, current)) {
            continue;
        }
        // What consumers of such a place read is an older version, and nobody can tell which.
        let lagging = finds.iter().find_map(|(id, _)| Some(((*id).clone(), case.observation.lagging(id)?.to_owned())));
        let gone = finds
            .iter()
            .find(|(id, find)| matches!(find, Find::Absent) && record.places.get(*id).is_some_and(was_deployed));
        let gone = gone.map(|(id, _)| {
            ((*id).clone(), "its entry is gone, and what was deployed with it cannot be told".to_owned())
        });
        if let Some((place, reason)) = lagging.filter(|_| stands(Guard::RetireLagging)).or(gone) {
            plan.notes.push(Note::Lagging { number, place, reason });
            continue;
        }
        let used = record.idle_from(number).filter(|(_, until)| *until > case.now);
        match used.filter(|_| !case.options.force_retire) {
            Some((last, until)) => plan.notes.push(Note::StillUsed { number, last, until }),
            None => plan.changes.push(Change::Retire { number }),
        }
    }
}

/// What happens to places that are recorded but not declared.
fn leave(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    for (id, find, whose) in &case.others {
        let quiet_from = record.quiet_from(id).map(|(_, until)| until).filter(|until| *until > case.now);
        if case.options.forget.contains(id.as_str()) {
            match quiet_from {
                // The service would refuse it.
                Some(until) => plan.blocked.push(Blocked::NotQuiet { place: id.clone(), until }),
                None => plan.changes.push(Change::Forget { place: id.clone() }),
            }
            continue;
        }
        // One that its vault is deleting is out of every consumer's reach.
        let absent = Find::Absent;
        let find = if matches!(find, Find::Unknown(SinkError::Ending { .. })) { &absent } else { find };
        if let Find::Unknown(error) = find {
            plan.notes.push(Note::OutOfSight(id.clone(), error.to_string()));
            continue;
        }
        if *whose == Whose::OtherMachine {
            continue;
        }
        let lagging = case.observation.lagging(id).filter(|_| stands(Guard::RemoveLagging));
        if let Some(reason) = lagging.map(str::to_owned) {
            plan.notes.push(Note::StaysWhileLagging { place: id.clone(), reason });
            continue;
        }
        let quiet = quiet_from.is_none();
        match find {
            // It is about to get that token's secret; the entry is no longer this token's to remove.
            Find::Current | Find::Hidden | Find::Other { .. } if case.claimed.contains(id) => {}
            // What is hidden stands in a place that is ours, under our marker; as mending writes over it, so it goes.
            Find::Current | Find::Hidden | Find::Other { number: Some(_), .. } if case.options.prune => {
                plan.changes.push(Change::Remove { place: id.clone() });
            }
            Find::Absent | Find::Foreign | Find::Edited | Find::Other { number: None, .. } if quiet => {
                plan.changes.push(Change::Forget { place: id.clone() });
            }
            Find::Current | Find::Hidden | Find::Other { .. } => {
                let number = match find {
                    Find::Other { number, .. } => *number,
                    Find::Hidden => None,
                    _ => record.current().map(|current| current.number),
                };
                let version = number.and_then(|number| record.version(number));
                let expires = version.map(|version| record.deadline(version));
                plan.notes.push(Note::Leaving { place: id.clone(), number, expires });
            }
            _ => {}
        }
    }
}

/// Expiry wins over everything, so it is told in time.
fn warn(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    let now = case.now;
    let delivers = plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. } | Change::Create));
    if delivers {
        return;
    }
    let margin = record.terms.map_or(Seconds::days(7), |terms| Seconds(terms.overlap.0.max(terms.expires_in.0 / 3)));
    let current = record.current().map(|current| current.number);
    for version in record.live(now) {
        // A place out of sight holds what was last delivered there, as far as anybody knows.
        let delivered =
            |place: &Place| record.places.get(&place.id()).is_some_and(|record| record.version == Some(version.number));
        let held = plan.finds.iter().any(|(place, find)| match find {
            Find::Unknown(_) => delivered(place),
            find => find.is_version(version.number, current),
        });
        // Where consumers lag behind, what they read is one of the older ones.
        let lags = |(place, _): &(Place, Find)| case.observation.lagging(&place.id()).is_some();
        let held = held || (version.state == VersionState::Retiring && plan.finds.iter().any(lags));
        let at = record.deadline(version);
        if held && margin.before(at) <= now {
            plan.notes.push(Note::Expires { number: version.number, at });
        }
    }
}
