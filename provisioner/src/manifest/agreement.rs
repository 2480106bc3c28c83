//! What the parts of a manifest must agree on: names that refer to each other, quotas, and one push per place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use latchkey::bounds::{BoundsError, check_verification};
use latchkey::name::{RoleName, UserName};

use super::moving;
use super::places::check_places;
use super::sinks::ReadSink;
use super::users::Users;
use super::{RoleDeclaration, ServiceAddress, TokenDeclaration};
use latchkey_sinks::reading::{Fault, Reading, Span, listed, shown};

/// How many tokens a user may have by default, see `max_tokens`.
const MAX_TOKENS_DEFAULT: usize = 10;

/// What has been read.
pub(super) struct Parts<'a> {
    pub(super) service: Option<&'a ServiceAddress>,
    pub(super) roles: &'a BTreeMap<RoleName, RoleDeclaration>,
    pub(super) users: &'a Users,
    pub(super) sinks: &'a BTreeMap<String, ReadSink>,
    pub(super) tokens: &'a [TokenDeclaration],
}

impl Parts<'_> {
    /// Reports everything that does not agree.
    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        self.check_users(reading);
        for token in self.tokens {
            self.check_owner(token, reading);
        }
        self.check_sizes(reading);
        self.check_names(reading);
        moving::check(self.tokens, reading);
        self.check_quotas(reading);
        check_places(self.service, self.sinks, self.tokens, reading);
        self.check_use_of_sinks(reading);
    }

    fn check_users(&self, reading: &mut Reading<'_>) {
        for user in self.users.declared.values() {
            self.check_declared(&user.roles, &user.role_spans, reading);
        }
    }

    /// A role that the file does not declare may well exist; one that is nearly declared is likelier a slip.
    fn check_declared(&self, roles: &[RoleName], spans: &[Span], reading: &mut Reading<'_>) {
        for (role, span) in roles.iter().zip(spans).filter(|(role, _)| !self.roles.contains_key(*role)) {
            if let Some(near) = reading.nearest(role.as_str(), self.roles.keys().map(RoleName::as_str)) {
                let message = format!("role `{}` is not declared here", shown(role.as_str()));
                reading.add(
                    Fault::warning("undeclared-role", span.clone(), message).hint(format!("did you mean `{near}`?")),
                );
            }
        }
    }

    fn check_owner(&self, token: &TokenDeclaration, reading: &mut Reading<'_>) {
        let Some(user) = self.users.declared.get(&token.user) else {
            if let Some(near) = reading.nearest(token.user.as_str(), self.users.declared.keys().map(UserName::as_str)) {
                let message = format!("user `{}` is not declared here", shown(token.user.as_str()));
                let fault = Fault::warning("undeclared-user", token.user_span.clone(), message);
                reading.add(fault.hint(format!("did you mean `{near}`?")));
            }
            self.check_declared(token.roles.as_deref().unwrap_or_default(), &token.role_spans, reading);
            return;
        };
        if self.users.unsure.contains(&token.user) {
            return;
        }
        for (role, span) in token.roles.iter().flatten().zip(&token.role_spans) {
            if user.roles.contains(role) {
                continue;
            }
            let held: Vec<&str> = user.roles.iter().map(RoleName::as_str).collect();
            let hint = match reading.nearest(role.as_str(), held.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if held.is_empty() => "the user has no roles".to_owned(),
                None => format!("roles of the user: {}", listed(&held)),
            };
            let message =
                format!("user `{}` does not have the role `{}`", shown(token.user.as_str()), shown(role.as_str()));
            reading.add(
                Fault::error("role-not-held", span.clone(), message)
                    .hint(hint)
                    .related(user.span.clone(), "the user is declared here"),
            );
        }
    }

    /// What every check of a secret reads has to stay small. Of a user that is not declared here the roles are not
    /// known, so only what is too much without them is.
    fn check_sizes(&self, reading: &mut Reading<'_>) {
        for token in self.tokens {
            let owner = self.users.declared.get(&token.user).filter(|_| !self.users.unsure.contains(&token.user));
            let roles = token.roles.as_ref().or(owner.map(|owner| &owner.roles));
            let roles: BTreeSet<&RoleName> = roles.into_iter().flatten().collect();
            let key = token.key();
            let checked = check_verification(&key, roles, &token.allowed_ips);
            if let Err(error @ BoundsError::Verification(_)) = checked {
                reading.add(Fault::error("too-large", token.span.clone(), error.to_string()));
            }
        }
    }

    fn check_names(&self, reading: &mut Reading<'_>) {
        let mut declared = HashMap::new();
        for token in self.tokens {
            let key = (token.user.as_str(), token.name.as_str());
            if let Some(first) = declared.get(&key) {
                let message = format!("user `{}` has two tokens named `{}`", shown(key.0), shown(key.1));
                reading.add(
                    Fault::error("same-token", token.span.clone(), message)
                        .related(Span::clone(first), "first declared here"),
                );
            } else {
                declared.insert(key, token.span.clone());
            }
        }
        let mut moved = HashMap::new();
        for token in self.tokens {
            let (Some(former), Some(span)) = (&token.moved_from, &token.moved_from_span) else { continue };
            let key = (former.0.as_str(), former.1.as_str());
            if key == (token.user.as_str(), token.name.as_str()) {
                reading.add(Fault::error("moved-from", span.clone(), "a token cannot have moved from itself"));
            } else if let Some(other) = declared.get(&key) {
                let message = format!("`{}` is still declared, so nothing moved from it", shown(key.1));
                reading.add(Fault::error("moved-from", span.clone(), message).related(other.clone(), "declared here"));
            } else if let Some(first) = moved.insert(key, span.clone()) {
                let message = format!("two tokens moved from `{}`", shown(key.1));
                reading.add(Fault::error("moved-from", span.clone(), message).related(first, "already here"));
            }
        }
    }

    fn check_quotas(&self, reading: &mut Reading<'_>) {
        let mut owned: BTreeMap<&UserName, Vec<&TokenDeclaration>> = BTreeMap::new();
        for token in self.tokens {
            owned.entry(&token.user).or_default().push(token);
        }
        for (name, tokens) in owned {
            let Some(user) = self.users.declared.get(name) else { continue };
            let (most, span) = match (user.max_tokens, &user.max_tokens_span) {
                (Some(most), Some(span)) => (usize::try_from(most).unwrap_or(usize::MAX), span),
                _ => (MAX_TOKENS_DEFAULT, &user.span),
            };
            let Some(over) = tokens.get(most) else { continue };
            let who = format!("user `{}` has {} tokens here", shown(name.as_str()), tokens.len());
            let fault = if user.max_tokens.is_some() {
                let message = format!("{who}, more than its `max_tokens` of {most}");
                Fault::error("too-many-tokens", over.span.clone(), message).related(span.clone(), "the limit")
            } else {
                let message = format!("{who}, more than the default limit of {most}");
                Fault::warning("too-many-tokens", over.span.clone(), message)
                    .hint("the service may have another limit; set `max_tokens` to be sure")
                    .related(span.clone(), "the user is declared here")
            };
            reading.add(fault);
        }
    }

    fn check_use_of_sinks(&self, reading: &mut Reading<'_>) {
        let used = std::mem::take(&mut reading.used);
        let idle = self.sinks.iter().filter(|(name, sink)| sink.settings.is_some() && !used.contains(*name));
        for (name, sink) in idle {
            let message = format!("no token is pushed to the sink `{}`", shown(name));
            reading.add(Fault::warning("unused-sink", sink.span.clone(), message));
        }
    }
}
