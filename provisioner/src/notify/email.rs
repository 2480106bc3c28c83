//! Mails by SES. Addresses are set by admins: a manifest only names a receiver of the settings.

use latchkey_sinks::reading::{Fault, Fields, Reading, Text, shown};
use latchkey_sinks::transport::Outgoing;
use serde_json::json;
use zeroize::Zeroizing;

use super::link::Link;
use super::message::Message;
use super::text;

/// The parts of Amazon's host names that stand for the service, and its name in signatures.
const HOSTS: &[&str] = &["email", "email-fips"];
pub(super) const SIGNED_AS: &str = "ses";
/// What SES calls the host of a region.
pub(super) const HOST: &str = "email";

/// The most addresses that SES takes for one mail.
const TO_MAX: usize = 50;
/// The longest address, RFC 5321.
const ADDRESS_MAX: usize = 254;

/// Who gets mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whom they are from: an identity that SES has verified.
    pub from: String,
    /// Whom they go to.
    pub to: Vec<String>,
    /// Whether a token's owner gets them too, where an address of theirs is known.
    pub owners: bool,
    /// The region; the one of the AWS environment by default.
    pub region: Option<String>,
    /// An endpoint other than AWS's own.
    pub endpoint: Option<String>,
}

impl Settings {
    pub(super) fn read(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let from = fields.required_text("from", reading);
        let to = fields.texts("to", reading).unwrap_or_default();
        let owners = fields.boolean("owners", reading).unwrap_or(false);
        let region = fields.text("region", reading);
        let endpoint = fields.text("endpoint", reading);
        let (region, endpoint) = (reading.region(region), reading.endpoint(endpoint, HOSTS));
        if to.is_empty() && !owners && !fields.has("to") {
            fields.missing_fault("to", |fault| fault.hint("write `to = [\"ops@example.com\"]`, or `owners = true`"));
        }
        if let Some(over) = to.get(TO_MAX) {
            let message = format!("a mail goes to at most {TO_MAX} addresses, not {}", to.len());
            reading.add(Fault::error("too-many", over.span.clone(), message));
        }
        let from = from.and_then(|found| address(&found, reading));
        let to: Vec<String> = to.iter().filter_map(|found| address(found, reading)).collect();
        let from = from.filter(|_| reading.faults.len() == faults)?;
        Some(Self { from, to, owners, region, endpoint })
    }
}

fn address(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if is_address(found.text) {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not an email address", shown(found.text));
    reading.add(Fault::error("bad-email", found.span.clone(), message).hint("write it alone: `ops@example.com`"));
    None
}

/// Whether a text is one address and nothing else: what a header could take for more is none.
fn is_address(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&byte);
    let parts = text.split_once('@');
    text.len() <= ADDRESS_MAX
        && parts.is_some_and(|(local, domain)| {
            [local, domain].iter().all(|part| !part.is_empty() && part.bytes().all(is_part)) && domain.contains('.')
        })
}

/// Whom a mail goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// The receiver's own addresses.
    Own,
    /// The owner of the token, in a mail of its own: an address that SES refuses keeps nobody else's from arriving.
    Owner(&'a str),
}

impl Settings {
    /// The address of a token's owner, where they get a mail of their own: not one that could be more than one address,
    /// nor one that gets it anyway.
    pub(super) fn owner<'a>(&self, address: &'a str) -> Option<&'a str> {
        (self.owners && is_address(address) && !self.to.iter().any(|to| to == address)).then_some(address)
    }
}

/// The request of one try, yet to be signed; `None` where nobody is to get it.
pub(super) fn request(settings: &Settings, message: &Message, link: Option<&Link>, to: To<'_>) -> Option<Outgoing> {
    let to: Vec<&str> = match to {
        To::Own => settings.to.iter().map(String::as_str).collect(),
        To::Owner(address) => settings.owner(address).into_iter().collect(),
    };
    if to.is_empty() {
        return None;
    }
    let part = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
    let body = json!({
        "FromEmailAddress": settings.from,
        "Destination": { "ToAddresses": to },
        "Content": { "Simple": {
            "Subject": part(&text::subject(message)),
            "Body": { "Text": part(&text::lines(message, link).join("\n")) },
        } },
    });
    let body = Zeroizing::new(body.to_string().into_bytes());
    let headers = vec![("content-type", "application/json".to_owned())];
    Some(Outgoing { method: "POST", target: "/v2/email/outbound-emails".to_owned(), headers, body })
}

#[cfg(test)]
mod tests {
    use latchkey::notice::NoticeKind;

    use super::super::text::tests::notice;
    use super::*;

    fn settings(to: &[&str], owners: bool) -> Settings {
        let to = to.iter().map(|to| (*to).to_owned()).collect();
        Settings { from: "latchkey@example.com".to_owned(), to, owners, region: None, endpoint: None }
    }

    fn recipients(settings: &Settings, to: To<'_>) -> Option<Vec<String>> {
        let request = request(settings, &Message::of(&notice(NoticeKind::Created)), None, to)?;
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let to = body["Destination"]["ToAddresses"].as_array().unwrap();
        Some(to.iter().map(|to| to.as_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn owners_get_mails_where_admins_want_that_and_an_address_is_known() {
        let both = settings(&["ops@example.com"], true);
        let (ops, ana) = (To::Owner("ops@example.com"), To::Owner("ana@example.com"));
        assert_eq!(recipients(&both, To::Own).unwrap(), ["ops@example.com"]);
        assert_eq!(recipients(&both, ana).unwrap(), ["ana@example.com"], "in a mail of their own");
        assert_eq!(recipients(&both, ops), None, "who gets it anyway gets it once");
        assert_eq!(recipients(&settings(&["ops@example.com"], false), ana), None);
        assert_eq!(recipients(&settings(&[], true), To::Own), None);
    }

    #[test]
    fn no_address_is_more_than_one() {
        for bad in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@example",
            "ana@x@example.com",
            "ana@example.com,eve@evil.example",
            "Ana <ana@example.com>",
            "ana@example.com\r\nBcc: eve@evil.example",
            "ana @example.com",
            "\u{e4}na@example.com",
        ] {
            assert!(!is_address(bad), "{bad}");
            assert_eq!(recipients(&settings(&[], true), To::Owner(bad)), None, "{bad}");
        }
        assert!(is_address("first.last+tag@mail.example.com"));
        assert!(!is_address(&format!("{}@example.com", "a".repeat(250))));
    }

    #[test]
    fn nothing_that_people_wrote_is_in_a_header() {
        let request =
            request(&settings(&["ops@example.com"], false), &Message::of(&notice(NoticeKind::Created)), None, To::Own);
        let body: serde_json::Value = serde_json::from_slice(&request.unwrap().body).unwrap();
        let subject = body["Content"]["Simple"]["Subject"]["Data"].as_str().unwrap();
        assert!(!subject.contains("evil") && !subject.chars().any(char::is_control), "{subject}");
    }
}
