//! What only the service knows about a manifest: names that it does not declare, and what belongs to others. Shown
//! like the faults of the file itself.

use std::collections::BTreeMap;

use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::role::Permissions;

use super::moving::{Standing, standing};
use crate::manifest::{Manifest, Moves, TokenDeclaration};
use crate::observe::Observation;
use latchkey_sinks::plural;
use latchkey_sinks::reading::{Fault, Span};

/// The faults of a manifest that the service knows of, by position.
pub fn faults(manifest: &Manifest, observation: &Observation) -> Vec<Fault> {
    let mut faults = Vec::new();
    roles(manifest, observation, &mut faults);
    users(manifest, observation, &mut faults);
    let mut counts: BTreeMap<&UserName, u32> = BTreeMap::new();
    let mut landed: BTreeMap<PlaceId, &Span> = BTreeMap::new();
    let mut entries: BTreeMap<&str, &Span> = BTreeMap::new();
    for (index, declaration) in manifest.tokens.iter().enumerate() {
        for (push, place) in declaration.pushes.iter().zip(&observation.tokens[index].places) {
            let Ok(place) = place else { continue };
            // Links, logins and a vendor's own ids can make one place of two that the file tells apart.
            let id = place.id();
            let recorded = observation.tokens[index].record.as_ref().and_then(|record| record.places.get(&id));
            let entry = observation.identity(&id, recorded).and_then(|entry| entries.insert(entry, &push.span));
            if let Some(first) = landed.insert(observation.entry(&id), &push.span).or(entry) {
                let message =
                    format!("this push lands in the same place as another one: `{} {}`", push.sink, push.name);
                let fault = Fault::error("same-place", push.span.clone(), message);
                faults.push(fault.related(first.clone(), "the other one").hint("remove one of the two"));
            }
        }
        token_user(manifest, observation, declaration, &mut faults);
        token_roles(manifest, observation, declaration, &mut faults);
        let record = observation.tokens[index].record.as_ref();
        let moving = observation.tokens[index].moving.as_ref();
        if let Some(owner) = record.and_then(|record| record.managed_by.as_ref())
            && *owner != manifest.name
            && moving.is_none()
        {
            let name = &declaration.name;
            let message = format!("the token `{name}` belongs to the manifest `{owner}`");
            let hint = format!(
                "a token belongs to the manifest that declared it first; choose another name, or move it here with \
                 `moved_from = {{ manifest = \"{owner}\", name = \"{name}\" }}`"
            );
            faults.push(Fault::error("other-manifest", declaration.span.clone(), message).hint(hint));
        }
        if record.is_none() && moving.is_none() && declaration.moved_from.is_none() {
            quota(manifest, observation, declaration, &mut counts, &mut faults);
        }
    }
    faults.sort_by_key(|fault| fault.span.start);
    faults
}

fn roles(manifest: &Manifest, observation: &Observation, faults: &mut Vec<Fault>) {
    for (name, declared) in &manifest.roles {
        let found = observation.roles.get(name).map(|role| (role.managed_by.as_ref(), role.moved_to.as_ref()));
        if let Standing::Other(owner) = standing(&manifest.name, &declared.moves, found) {
            let message = format!("the role `{name}` belongs to the manifest `{owner}`");
            let refer =
                format!("refer to it without declaring it: remove `[roles.{name}]` here, and change it in `{owner}`");
            let hint = not_agreed(manifest, &declared.moves, owner, &format!("[roles.{name}]")).unwrap_or(refer);
            faults.push(Fault::error("other-manifest", declared.span.clone(), message).hint(hint));
        }
    }
}

fn users(manifest: &Manifest, observation: &Observation, faults: &mut Vec<Fault>) {
    for (name, declared) in &manifest.users {
        let old = observation.users.get(name);
        let found = old.map(|user| (user.managed_by.as_ref(), user.moved_to.as_ref()));
        if let Standing::Other(owner) = standing(&manifest.name, &declared.moves, found) {
            let message = format!("the user `{name}` belongs to the manifest `{owner}`");
            let refer = format!("refer to it without declaring it, and change it in `{owner}`");
            let hint = not_agreed(manifest, &declared.moves, owner, &format!("[users.\"{name}\"]")).unwrap_or(refer);
            faults.push(Fault::error("other-manifest", declared.span.clone(), message).hint(hint));
        }
        let kind = if declared.service { "service" } else { "person" };
        if let Some(found) = old.map(|user| user.kind.as_str()).filter(|found| *found != kind) {
            let message = format!("the user `{name}` is a {found}; the type of a user cannot be changed");
            let hint = format!("set `kind = \"{found}\"`");
            faults.push(Fault::error("user-kind", declared.span.clone(), message).hint(hint));
        }
        for (role, span) in declared.roles.iter().zip(&declared.role_spans) {
            if !exists(manifest, observation, role) {
                faults.push(unknown_role(observation, role, span));
            }
        }
    }
}

/// What is missing before something that `owner` declares can move here, where that is wanted.
fn not_agreed(manifest: &Manifest, declared: &Moves, owner: &ManifestName, table: &str) -> Option<String> {
    (declared.from.as_ref() == Some(owner)).then(|| {
        format!(
            "`{owner}` has not agreed to move it: set `moved_to = \"{}\"` in `{table}` there, or at the top of that \
             manifest for all that it declares, and run `provision apply` there first",
            manifest.name
        )
    })
}

fn exists(manifest: &Manifest, observation: &Observation, role: &RoleName) -> bool {
    manifest.roles.contains_key(role) || observation.roles.contains_key(role)
}

fn unknown_role(observation: &Observation, role: &RoleName, span: &Span) -> Fault {
    let known = observation.roles.keys().map(RoleName::as_str);
    let hint = nearest(role.as_str(), known).map_or_else(
        || format!("declare it: `[roles.{role}]`, or create it with `provision role set {role}`"),
        |near| format!("did you mean `{near}`?"),
    );
    Fault::error("unknown-role", span.clone(), format!("there is no role `{role}`")).hint(hint)
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_, other)| other)
}

fn token_user(manifest: &Manifest, observation: &Observation, declaration: &TokenDeclaration, faults: &mut Vec<Fault>) {
    let user = &declaration.user;
    if manifest.users.contains_key(user) {
        return;
    }
    match observation.users.get(user) {
        None => {
            let known = manifest.users.keys().map(UserName::as_str);
            let hint = nearest(user.as_str(), known).map_or_else(
                || format!("declare it: `[users.\"{user}\"]`, or create it with `provision user set {user}`"),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("there is no user `{user}`");
            faults.push(Fault::error("unknown-user", declaration.user_span.clone(), message).hint(hint));
        }
        Some(found) if found.suspended => {
            let message = format!("the user `{user}` is suspended, so none of their tokens is valid");
            faults.push(
                Fault::error("suspended-user", declaration.user_span.clone(), message)
                    .hint(format!("restore them with `provision user restore {user}`")),
            );
        }
        Some(_) => {}
    }
}

fn token_roles(
    manifest: &Manifest,
    observation: &Observation,
    declaration: &TokenDeclaration,
    faults: &mut Vec<Fault>,
) {
    let user = &declaration.user;
    let held: Vec<&RoleName> = match (manifest.users.get(user), observation.users.get(user)) {
        (Some(declared), _) => declared.roles.iter().collect(),
        (None, Some(found)) => found.roles.iter().collect(),
        (None, None) => return,
    };
    let spans = declaration.role_spans.iter();
    for (role, span) in declaration.roles.iter().flatten().zip(spans) {
        if !exists(manifest, observation, role) {
            faults.push(unknown_role(observation, role, span));
        } else if !held.contains(&role) && !manifest.users.contains_key(user) {
            let message = format!("the user `{user}` does not have the role `{role}`");
            let hint = format!("add it with `provision user set {user} --add-role {role}`");
            faults.push(Fault::error("role-not-held", span.clone(), message).hint(hint));
        }
    }
    let roles = declaration.roles.clone().unwrap_or_else(|| held.into_iter().cloned().collect());
    let foreign = roles.iter().filter(|role| !manifest.roles.contains_key(*role));
    let permitted: Permissions = foreign
        .filter_map(|role| observation.roles.get(role))
        .flat_map(|role| role.permissions.iter().cloned())
        .collect();
    if let Some(never) = permitted
        .iter()
        .find(|permission| matches!(permission.resource(), "*" | "admin" | "manifests" | "manifests-read"))
    {
        let message = format!("the token would get `{never}`, which no manifest may grant");
        let hint = "name the roles that it needs: `roles = [..]`";
        faults.push(Fault::error("not-by-manifest", declaration.span.clone(), message).hint(hint));
    }
}

fn quota<'a>(
    manifest: &Manifest,
    observation: &Observation,
    declaration: &'a TokenDeclaration,
    counts: &mut BTreeMap<&'a UserName, u32>,
    faults: &mut Vec<Fault>,
) {
    let user = &declaration.user;
    let found = observation.users.get(user);
    let declared = manifest.users.get(user).map(|declared| declared.max_tokens);
    let own = declared.unwrap_or_else(|| found.and_then(|found| found.max_tokens));
    let max = own.unwrap_or(observation.max_tokens);
    let count = counts.entry(user).or_default();
    *count += 1;
    // Expired tokens count until a create meets them; the create that comes does.
    let expired = observation.expired.get(user).copied().unwrap_or(0);
    let active = found.map_or(0, |found| found.active).saturating_sub(expired);
    if active + *count > max {
        let allowed = plural::count(max, "active token");
        let message = format!("`{user}` may have {allowed}; this one would be number {}", active + *count);
        let span = declaration.span.clone();
        let hint = format!("raise `max_tokens` of `{user}`, or delete tokens that nobody uses");
        faults.push(Fault::error("token-limit-reached", span, message).hint(hint));
    }
}
