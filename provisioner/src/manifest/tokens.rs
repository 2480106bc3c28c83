//! The tables `[tokens.NAME]`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use latchkey::bounds::{ALLOWED_IPS_MAX, BoundsError, LABELS_MAX, check_description, check_labels, label_size};
use latchkey::name::{TokenName, UserName, advice};

use super::durations::Durations;
use super::moving::{Former, MovedFrom, moved_from, moved_to};
use super::pushes::pushes;
use super::roles::role_names;
use super::service::Defaults;
use super::sinks::ReadSink;
use super::{Moves, TokenDeclaration};
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Text, is_plain, sections, shown};

/// The most labels that a manifest gives a token; [`LABELS_MAX`] is what they may take.
const LABELS_DECLARED: usize = 20;

/// What of the file a token depends on.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) defaults: &'a Defaults,
    pub(super) sinks: &'a BTreeMap<String, ReadSink>,
    /// What moves as a whole.
    pub(super) moves: &'a Moves,
}

/// Reads all declared tokens. One whose name or user cannot be read is left out; the fault is there.
pub(super) fn tokens(section: &Section<'_>, around: Around<'_>, reading: &mut Reading<'_>) -> Vec<TokenDeclaration> {
    sections(section, reading).iter().filter_map(|section| token(section, around, reading)).collect()
}

fn token(section: &Section<'_>, around: Around<'_>, reading: &mut Reading<'_>) -> Option<TokenDeclaration> {
    let Around { defaults, sinks, moves } = around;
    let mut fields = Fields::of_section(section, "token");
    let name = name(section, &mut fields, reading);
    let user = user(&mut fields, defaults, reading);
    let description = description(&mut fields, reading);
    let roles = role_names(&mut fields, reading);
    let labels = labels(&mut fields, reading);
    let allowed_ips = allowed_ips(&mut fields, reading);
    let durations = Durations::read(&mut fields, reading, &defaults.durations);
    durations.check(reading);
    let pushes = pushes(&mut fields, section.key.text, sinks, reading);
    let moved_from = moved_from(&mut fields, user.as_ref().map(|(user, _)| user), reading);
    let moved_from_span = fields.key_span("moved_from");
    let moved_to = moved_to(&mut fields, moves, reading);
    fields.finish(reading);
    let (user, user_span) = user?;
    let name = name?;
    let whole = moves.from.clone().map(|manifest| Former { manifest, user: user.clone(), name: name.clone() });
    let (moved_from, taken_from) = match moved_from {
        Some(MovedFrom::Here(user, name)) => (Some((user, name)), whole),
        Some(MovedFrom::There(former)) => (None, Some(former)),
        None => (None, whole),
    };
    let (roles, role_spans) = roles.map_or((None, Vec::new()), |(roles, spans)| (Some(roles), spans));
    Some(TokenDeclaration {
        name,
        user,
        description,
        roles,
        labels,
        allowed_ips,
        terms: durations.terms(),
        pushes,
        moved_from,
        taken_from,
        moved_to,
        span: section.header.clone(),
        user_span,
        role_spans,
        moved_from_span,
    })
}

/// The field `name`, for users who need the same name twice, else the key.
fn name(section: &Section<'_>, fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<TokenName> {
    let given = fields.text("name", reading);
    if fields.has("name") && given.is_none() {
        return None;
    }
    let found = given.unwrap_or_else(|| section.key.clone());
    let name: TokenName = reading.name(&found, "a token's name")?;
    if let Some(advice) = advice(&name) {
        let message = format!("the name `{}` is vague", shown(found.text));
        reading.add(Fault::warning("vague-name", found.span, message).hint(advice));
    }
    Some(name)
}

fn user(fields: &mut Fields<'_>, defaults: &Defaults, reading: &mut Reading<'_>) -> Option<(UserName, super::Span)> {
    if let Some(found) = fields.text("user", reading) {
        return Some((reading.name(&found, "a user's name")?, found.span));
    }
    if fields.has("user") {
        return None;
    }
    if defaults.user.is_none() {
        let hint = "set `user` here or in `[defaults]`";
        fields.missing_fault("user", |fault| fault.hint(hint));
    }
    defaults.user.clone()
}

fn description(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let found = fields.text("description", reading)?;
    if let Err(error @ BoundsError::DescriptionTooLong(_)) = check_description(found.text) {
        reading.add(Fault::error("bad-text", found.span.clone(), error.to_string()));
    }
    if !is_plain(found.text) {
        reading.add(Fault::error("bad-text", found.span, BoundsError::DescriptionNotPlain.to_string()));
    }
    Some(found.text.to_owned())
}

fn labels(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let pairs = fields.pairs("labels", reading);
    if let Some((key, _)) = pairs.get(LABELS_DECLARED) {
        let message = format!("a token has at most {LABELS_DECLARED} labels, not {}", pairs.len());
        reading.add(Fault::error("too-many", key.span.clone(), message));
    }
    for (key, value) in &pairs {
        check_length("a label's name", 1, 64, key, reading);
        check_length("a label's value", 0, 128, value, reading);
    }
    let mut size = 0;
    let over = pairs.iter().find(|(key, value)| {
        size += label_size(key.text, value.text);
        size > LABELS_MAX
    });
    let over = over.map(|(key, _)| key.span.clone());
    let labels = pairs.into_iter().map(|(key, value)| (key.text.to_owned(), value.text.to_owned())).collect();
    if let (Some(span), Err(error)) = (over, check_labels(&labels)) {
        reading.add(Fault::error("too-large", span, error.to_string()));
    }
    labels
}

fn check_length(what: &str, least: usize, most: usize, found: &Text<'_>, reading: &mut Reading<'_>) {
    if !(least..=most).contains(&found.text.chars().count()) || !is_plain(found.text) {
        let message = format!("{what} is {least} to {most} characters, without control characters");
        reading.add(Fault::error("bad-label", found.span.clone(), message));
    }
}

fn allowed_ips(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Vec<IpNet> {
    let list = fields.texts("allowed_ips", reading).unwrap_or_default();
    if let Some(over) = list.get(ALLOWED_IPS_MAX) {
        let message = format!("a token has at most {ALLOWED_IPS_MAX} CIDRs, not {}", list.len());
        reading.add(Fault::error("too-many", over.span.clone(), message));
    }
    list.iter().filter_map(|found| cidr(found, reading)).collect()
}

fn cidr(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<IpNet> {
    let Ok(net) = found.text.parse::<IpNet>() else {
        let hint = match found.text.parse::<IpAddr>() {
            Ok(address) => format!("for this address alone, write `{}`", IpNet::from(address)),
            Err(_) => "a CIDR looks like `192.0.2.0/24` or `2001:db8::/32`".to_owned(),
        };
        let message = format!("`{}` is not a CIDR", shown(found.text));
        reading.add(Fault::error("bad-cidr", found.span.clone(), message).hint(hint));
        return None;
    };
    if net.addr() != net.network() {
        let message = format!("`{net}` covers all of `{}`", net.trunc());
        reading.add(Fault::warning("wide-cidr", found.span.clone(), message).hint("write the network that it covers"));
    }
    Some(net.trunc())
}
