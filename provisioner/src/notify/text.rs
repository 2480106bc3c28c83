//! What a notice says to people. The lines are our own; what others wrote is in one line each, control characters and marks
//! that turn the direction of text spelled out, so that nobody adds a line.

use jiff::Timestamp;
use latchkey::notice::{Notice, NoticeKind};
use latchkey_sinks::plural::count;

use super::link::Link;
use super::message::{About, Message};
use crate::output::gate;
use crate::plan::minute;

const DAY: i64 = 86_400;

/// The notice in one line.
pub(super) fn subject(message: &Message) -> String {
    match &message.about {
        About::Notice(notice) => gate::line(&what(notice)).into_owned(),
        About::Test(receiver) => format!("Test notice for the receiver `{}`", gate::line(receiver)),
    }
}

/// The notice in lines, the subject first.
pub(super) fn lines(message: &Message, link: Option<&Link>) -> Vec<String> {
    let mut lines = vec![subject(message)];
    let mut add = |word: &str, value: &str| lines.push(format!("{word}: {}", gate::line(value)));
    match &message.about {
        About::Notice(notice) => {
            if let Some(expires) = notice.expires {
                add("Expires", &minute(expires));
            }
            if let Some(manifest) = &notice.manifest {
                add("Manifest", manifest.as_str());
            }
            add("By", &notice.actor);
            if let Some(from) = &notice.from {
                add("From", from);
            }
            if let Some(detail) = &notice.detail {
                add("Details", detail);
            }
            add("Time", &minute(notice.at));
            if let Some(link) = link {
                add("Link", &link.of(&notice.token));
            }
        }
        About::Test(_) => {
            add("Details", "notices of tokens look like this; nothing happened to any token");
            add("Time", &minute(message.at));
        }
    }
    add("Notice", &message.id);
    lines
}

fn what(notice: &Notice) -> String {
    let token = &notice.token;
    let version = notice.version.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
    match notice.kind {
        NoticeKind::Created => format!("Token `{token}` was created"),
        NoticeKind::Deleted => format!("Token `{token}` was revoked or has expired"),
        NoticeKind::Rotated => format!("Token `{token}` was rotated: {version} is current"),
        NoticeKind::Leaked => format!("Token `{token}` leaked: {version} was revoked"),
        NoticeKind::Expiring => format!("Token `{token}` expires{}", within(notice.expires, notice.at)),
        NoticeKind::Overdue => format!("The rotation of token `{token}` is overdue"),
        NoticeKind::RotationFailed => format!("The rotation of token `{token}` failed"),
        NoticeKind::UsedFromNewAddress => {
            let from = notice.from.as_deref().map_or_else(String::new, |from| format!(": {from}"));
            format!("Token `{token}` was used from a new address{from}")
        }
    }
}

/// How long that was when the notice was written; half a day is a day, so that one of 7 days says 7.
fn within(expires: Option<Timestamp>, at: Timestamp) -> String {
    let Some(expires) = expires else { return " soon".to_owned() };
    let seconds = expires.as_second() - at.as_second();
    match (seconds + DAY / 2) / DAY {
        _ if seconds <= 0 => " now".to_owned(),
        0 => " within a day".to_owned(),
        days => format!(" in {}", count(u64::try_from(days).unwrap_or(0), "day")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use latchkey::token::TokenKey;

    /// What somebody would write who wants to be taken for more than text.
    pub(in crate::notify) const HOSTILE: &str =
        "<!channel> <https://evil.example|log in>\r\nBcc: x@evil.example\n\",\"admin\":true,\"\u{202e}&amp;\u{1b}[2J";

    pub(in crate::notify) fn notice(kind: NoticeKind) -> Notice {
        let at: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        Notice {
            id: "01JD4V3T9R8N3Q5W7X9Z0A2B4C".to_owned(),
            kind,
            at,
            actor: "operator:ana".to_owned(),
            from: Some("192.0.2.7".to_owned()),
            token: TokenKey::new("ci@example.com".parse().unwrap(), "production-api".parse().unwrap()),
            token_id: "0123456789abcdef".parse().unwrap(),
            manifest: Some("acme".parse().unwrap()),
            version: Some(3),
            expires: Some(at + jiff::SignedDuration::from_hours(7 * 24)),
            detail: Some(HOSTILE.to_owned()),
        }
    }

    #[test]
    fn each_kind_says_what_happened_to_which_token() {
        let subjects = NoticeKind::ALL.map(|kind| subject(&Message::of(&notice(kind)))).join("\n");
        insta::assert_snapshot!(subjects, @r"
        Token `ci@example.com/production-api` was created
        Token `ci@example.com/production-api` was revoked or has expired
        Token `ci@example.com/production-api` was rotated: version 3 is current
        Token `ci@example.com/production-api` leaked: version 3 was revoked
        Token `ci@example.com/production-api` expires in 7 days
        The rotation of token `ci@example.com/production-api` is overdue
        The rotation of token `ci@example.com/production-api` failed
        Token `ci@example.com/production-api` was used from a new address: 192.0.2.7
        ");
    }

    #[test]
    fn nobody_adds_a_line_to_a_notice() {
        let link = Link::parse("https://tokens.example.com/{user}/{name}").unwrap();
        let lines = lines(&Message::of(&notice(NoticeKind::Expiring)), Some(&link));
        assert!(lines.iter().all(|line| !line.chars().any(char::is_control)), "{lines:?}");
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Token `ci@example.com/production-api` expires in 7 days
        Expires: 2026-11-27 12:00 UTC
        Manifest: acme
        By: operator:ana
        From: 192.0.2.7
        Details: <!channel> <https://evil.example|log in>\r\nBcc: x@evil.example\n","admin":true,"\u{202e}&amp;\u{1b}[2J
        Time: 2026-11-20 12:00 UTC
        Link: https://tokens.example.com/ci%40example.com/production-api
        Notice: 01JD4V3T9R8N3Q5W7X9Z0A2B4C
        "#);
    }

    #[test]
    fn a_secret_that_somebody_wrote_into_a_text_goes_no_further() {
        let id = latchkey::secret::TokenId::mint(&latchkey::entropy::SystemEntropy).unwrap();
        let secret = latchkey::secret::Secret::mint(
            &latchkey::secret::Prefix::default(),
            &id,
            &latchkey::entropy::SystemEntropy,
        )
        .unwrap();
        let secret = secret.expose();
        let leaking = Notice { detail: Some(format!("is {secret}")), ..notice(NoticeKind::Created) };
        let leaking = Notice { actor: format!("x/{secret}"), ..leaking };
        let message = Message::of(&leaking);
        let all = format!("{message:?} {} {}", message.data(None), lines(&message, None).join("\n"));
        assert!(!all.contains(&secret.to_string()), "{all}");
    }

    #[test]
    fn how_soon_something_expires_is_in_whole_days() {
        let at: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let said = |hours: i64| within(Some(at + jiff::SignedDuration::from_hours(hours)), at);
        assert_eq!(
            [168, 160, 24, 13, 11, 0, -1].map(said),
            [" in 7 days", " in 7 days", " in 1 day", " in 1 day", " within a day", " now", " now"]
        );
        assert_eq!(within(None, at), " soon");
    }
}
