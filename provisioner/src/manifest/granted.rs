//! What a manifest needs its grant to allow.

use std::collections::BTreeSet;

use latchkey::name::{ManifestName, NamePattern, RoleName, UserName};
use latchkey::service::{Grant, NEW_MAX};

use super::Manifest;

/// What applying a manifest grants: what its roles allow, and the roles and users that it uses without declaring them; those that it declares it creates.
pub(crate) fn needed(manifest: &Manifest) -> Grant {
    let permissions = manifest.roles.values().flat_map(|role| role.permissions.iter().cloned()).collect();
    let named = manifest.users.values().flat_map(|user| &user.roles);
    let named = named.chain(manifest.tokens.iter().flat_map(|token| token.roles.iter().flatten()));
    let roles: BTreeSet<RoleName> = named.filter(|role| !manifest.roles.contains_key(*role)).cloned().collect();
    let owners = manifest.tokens.iter().map(|token| &token.user);
    let users: BTreeSet<UserName> = owners.filter(|user| !manifest.users.contains_key(*user)).cloned().collect();
    let patterns = |name: &str| name.parse::<NamePattern>().ok();
    let new_users = manifest.users.keys().filter_map(|user| patterns(user.as_str())).collect();
    let new_roles = manifest.roles.keys().filter_map(|role| patterns(role.as_str())).collect();
    let more = |count: usize| u32::try_from(count).ok().filter(|count| *count > NEW_MAX);
    let (max_users, max_roles) = (more(manifest.users.len()), more(manifest.roles.len()));
    let entries = BTreeSet::new();
    Grant { permissions, roles, users, new_users, new_roles, max_users, max_roles, entries, at: None }
}

/// A grant that allows more.
pub(crate) fn with(mut grant: Grant, more: &Grant) -> Grant {
    grant.permissions.extend(&more.permissions);
    grant.roles.extend(more.roles.iter().cloned());
    grant.users.extend(more.users.iter().cloned());
    grant.new_users.extend(more.new_users.iter().cloned());
    grant.new_roles.extend(more.new_roles.iter().cloned());
    grant.entries.extend(more.entries.iter().cloned());
    grant.max_users = grant.max_users.max(more.max_users);
    grant.max_roles = grant.max_roles.max(more.max_roles);
    grant
}

/// What a grant lacks of what is needed, in words. Names that a manifest may create count only once it does: they are
/// its own then.
pub(crate) fn beyond(needed: &Grant, found: &Grant) -> Vec<String> {
    let permissions = needed.permissions.iter().filter(|permission| !found.permissions.hold(permission));
    let mut missing: Vec<String> = permissions.map(|permission| format!("`{permission}`")).collect();
    missing.extend(needed.roles.difference(&found.roles).map(|role| format!("the role `{role}`")));
    missing.extend(needed.users.difference(&found.users).map(|user| format!("the user `{user}`")));
    missing
}

/// How an admin extends a grant to what the manifest needs.
pub(crate) fn cure(manifest: &Manifest, found: &Grant) -> String {
    // A grant replaces the former one, so all of it is named.
    format!("ask an admin to run `{}`", command(&manifest.name, &with(found.clone(), &needed(manifest))))
}

/// The command that sets a grant.
pub(crate) fn command(manifest: &ManifestName, grant: &Grant) -> String {
    let mut words = vec![format!("provision manifest grant {manifest}")];
    let mut add = |flag: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.push(format!("{flag} {}", values.join(",")));
        }
    };
    add("--permission", grant.permissions.iter().map(ToString::to_string).collect());
    add("--role", grant.roles.iter().map(ToString::to_string).collect());
    add("--user", grant.users.iter().map(ToString::to_string).collect());
    let all = |patterns: &BTreeSet<NamePattern>| patterns.iter().map(|pattern| quoted(pattern.as_str())).collect();
    add("--new-user", all(&grant.new_users));
    add("--new-role", all(&grant.new_roles));
    add("--max-users", grant.max_users.iter().map(ToString::to_string).collect());
    add("--max-roles", grant.max_roles.iter().map(ToString::to_string).collect());
    words.extend(grant.entries.iter().map(|entry| format!("--entry {}", quoted(entry.as_str()))));
    words.join(" ")
}

/// A pattern as a shell takes it.
fn quoted(pattern: &str) -> String {
    if pattern.contains('*') { format!("'{pattern}'") } else { pattern.to_string() }
}
