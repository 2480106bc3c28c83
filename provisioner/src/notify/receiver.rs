//! The tables `[notify.NAME]` of a manifest, and the receivers in the service's settings: one parser. A manifest is
//! untrusted, so it names no mail address; settings are an admin's.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::notice::NoticeKind;
use latchkey_sinks::login::Login;
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Span, Text, listed, sections, shown};

use super::link::Link;
use super::{email, eventbridge, slack, webhook};

/// What a receiver's name is.
pub const NAME_RULE: &str = "a receiver's name is 1 to 64 of `a-z`, `0-9` and `-`, and starts with a letter";

const TYPES: [&str; 4] = ["email", "eventbridge", "slack", "webhook"];

/// What is reported where nothing else is asked for: what somebody should do something about.
const UNUSUAL: [NoticeKind; 2] = [NoticeKind::Created, NoticeKind::Deleted];

const LOGIN_FORMS: &str = "write `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ secret = \"NAME\" }`";

/// Where a receiver is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In a manifest, for the tokens of the manifest.
    Manifest,
    /// In the service's settings, by an admin, for all tokens.
    Settings,
}

/// Who is told of notices, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// What it is told of.
    pub on: BTreeSet<NoticeKind>,
    /// Where a token is seen.
    pub link: Option<Link>,
    /// How it is reached.
    pub way: Way,
    /// Where its header is.
    pub span: Span,
}

/// How a receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Standard Webhooks.
    Webhook(webhook::Settings),
    /// Slack's incoming webhooks.
    Slack(slack::Settings),
    /// Mails by SES.
    Email(email::Settings),
    /// Mails as the receiver of that name in the settings sends them.
    EmailOf(String),
    /// A bus of EventBridge.
    EventBridge(eventbridge::Settings),
}

impl Receiver {
    /// Why the scheduled job cannot reach it, a clause about the receiver: the job has no files and no environment of this
    /// machine, and goes to no address that a manifest names.
    pub fn unpublishable(&self) -> Option<String> {
        let login = |field: &str, login: &Login| match login {
            Login::Secret { .. } => None,
            Login::Env { .. } | Login::File { .. } | Login::Command { .. } => {
                Some(format!("its `{field}` is {}, not a `secret` in Secrets Manager", login.source()))
            }
        };
        match &self.way {
            Way::Webhook(settings) => login("url", &settings.url).or_else(|| login("secret", &settings.secret)),
            Way::Slack(settings) => login("url", &settings.url),
            Way::EventBridge(eventbridge::Settings { endpoint: Some(_), .. })
            | Way::Email(email::Settings { endpoint: Some(_), .. }) => {
                Some("its `endpoint` is set, and the job goes to AWS's own only".to_owned())
            }
            Way::EventBridge(_) | Way::Email(_) | Way::EmailOf(_) => None,
        }
    }
}

/// Reads all receivers of a table. One that is wrong is left out; the fault is there.
pub fn receivers(section: &Section<'_>, origin: Origin, reading: &mut Reading<'_>) -> BTreeMap<String, Receiver> {
    let mut receivers = BTreeMap::new();
    for section in sections(section, reading) {
        let name = checked_name(&section.key, reading);
        let receiver = receiver(&section, origin, reading);
        receivers.extend(name.zip(receiver));
    }
    receivers
}

/// Whether a text can be a receiver's name.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

fn checked_name(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if is_name(found.text) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` cannot be a receiver's name", shown(found.text));
    reading.add(Fault::error("bad-name", found.span.clone(), message).hint(NAME_RULE));
    None
}

fn receiver(section: &Section<'_>, origin: Origin, reading: &mut Reading<'_>) -> Option<Receiver> {
    let mut fields = Fields::of_kind(section, "receiver", "notify");
    let faults = reading.faults.len();
    let found = fields.text("type", reading);
    if !fields.has("type") {
        let hint = format!("a receiver's type is one of {}", listed(&TYPES));
        fields.missing_fault("type", |fault| fault.hint(hint));
    }
    let (on, link) = (on(&mut fields, reading), link(&mut fields, reading));
    let Some(found) = found else {
        if fields.is_part_of_a_name(reading.text) {
            fields.finish(reading);
        } else {
            fields.finish_open(reading);
        }
        return None;
    };
    let way = match (found.text, origin) {
        ("webhook", _) => webhook::Settings::read(&mut fields, origin, reading).map(Way::Webhook),
        ("slack", _) => slack::Settings::read(&mut fields, origin, reading).map(Way::Slack),
        ("email", Origin::Settings) => email::Settings::read(&mut fields, reading).map(Way::Email),
        ("email", Origin::Manifest) => reference(&mut fields, reading).map(Way::EmailOf),
        ("eventbridge", _) => eventbridge::Settings::read(&mut fields, reading).map(Way::EventBridge),
        _ => {
            // The fields of a type that is not known cannot be wrong.
            let fault = unknown_type(&found, reading);
            reading.add(fault);
            return None;
        }
    };
    fields.finish(reading);
    let way = way.filter(|_| reading.faults[faults..].iter().all(is_warning))?;
    Some(Receiver { on: on?, link, way, span: section.header.clone() })
}

fn is_warning(fault: &Fault) -> bool {
    fault.severity == latchkey_sinks::reading::Severity::Warning
}

fn unknown_type(found: &Text<'_>, reading: &mut Reading<'_>) -> Fault {
    let hint = reading
        .nearest(found.text, TYPES)
        .map_or_else(|| format!("known types: {}", listed(&TYPES)), |near| format!("did you mean `{near}`?"));
    let message = format!("`{}` is not a type of receiver", shown(found.text));
    Fault::error("unknown-type", found.span.clone(), message).hint(hint)
}

fn on(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<BTreeSet<NoticeKind>> {
    let Some(found) = fields.texts("on", reading) else {
        let usual = NoticeKind::ALL.into_iter().filter(|kind| !UNUSUAL.contains(kind));
        return (!fields.has("on")).then(|| usual.collect());
    };
    let names = NoticeKind::ALL.map(NoticeKind::as_str);
    let mut kinds = BTreeSet::new();
    for text in &found {
        if let Some(kind) = NoticeKind::ALL.into_iter().find(|kind| kind.as_str() == text.text) {
            kinds.insert(kind);
            continue;
        }
        let hint = match reading.nearest(text.text, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", listed(&names)),
        };
        let message = format!("`{}` is not a kind of notice", shown(text.text));
        reading.add(Fault::error("unknown-notice", text.span.clone(), message).hint(hint));
    }
    if found.is_empty() {
        let span = fields.key_span("on").unwrap_or_default();
        let fault = Fault::error("no-notices", span, "`on` is empty, so this receiver would get nothing");
        reading.add(fault.hint("remove `on` for what is usual, or remove the receiver"));
        return None;
    }
    Some(kinds)
}

fn link(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Link> {
    let found = fields.text("link", reading)?;
    match Link::parse(found.text) {
        Ok(link) => Some(link),
        Err(error) => {
            let message = format!("`{}` is not a link", shown(found.text));
            reading.add(Fault::error("bad-link", found.span, message).hint(error.to_string()));
            None
        }
    }
}

fn reference(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let found = fields.text("use", reading);
    if !fields.has("use") {
        let hint = "addresses are set by admins: `use = \"NAME\"` names a receiver of the service's settings";
        fields.missing_fault("use", |fault| fault.hint(hint));
    }
    checked_name(&found?, reading)
}

/// Reads a field that says where the address or the secret of a receiver is. Unlike a sink's login it is not printed by a
/// command. In settings it may be in any variable, as an admin has set it, and a file is absolute.
pub(super) fn login(
    fields: &mut Fields<'_>,
    name: &'static str,
    own: &[&str],
    origin: Origin,
    reading: &mut Reading<'_>,
) -> Option<Login> {
    let Some(value) = fields.value(name) else {
        fields.missing_fault(name, |fault| fault.hint(LOGIN_FORMS));
        return None;
    };
    let Some(table) = value.get_ref().as_table() else {
        let message = format!("`{name}` of a receiver is a secret and must not be here");
        let hint = format!("refer to it instead: {LOGIN_FORMS}; create a new one if this one was exposed");
        reading.add(Fault::error("plain-login", value.span(), message).hint(hint).secret());
        return None;
    };
    if table.contains_key("command") {
        let message = format!("`{name}` of a receiver cannot be printed by a command");
        reading.add(Fault::error("bad-login", value.span(), message).hint(LOGIN_FORMS));
        return None;
    }
    let text = |field: &str| table.get(field).and_then(|value| value.get_ref().as_str());
    let named: Vec<&str> = match origin {
        Origin::Manifest => own.to_vec(),
        Origin::Settings => text("env").into_iter().collect(),
    };
    if let (Origin::Settings, Some(_)) = (origin, text("file").filter(|file| !file.starts_with('/'))) {
        let message = "a file in the settings needs its whole path";
        reading.add(Fault::error("bad-path", value.span(), message).hint("write it from `/` on"));
        return None;
    }
    Login::read(fields, name, &named, reading)
}

#[cfg(test)]
mod tests;
