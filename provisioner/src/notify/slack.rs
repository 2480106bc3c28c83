//! Slack's incoming webhooks, and whatever takes their form.

use latchkey_sinks::login::Login;
use latchkey_sinks::reading::{Fields, Reading};
use latchkey_sinks::transport::Outgoing;
use serde_json::json;
use zeroize::Zeroizing;

use super::link::Link;
use super::message::Message;
use super::receiver::{Origin, login};
use super::text;

/// The environment variables that a manifest may name without being allowed to.
const URL_VARIABLES: &[&str] = &["SLACK_WEBHOOK_URL"];

/// An incoming webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where its address is.
    pub url: Login,
}

impl Settings {
    pub(super) fn read(fields: &mut Fields<'_>, origin: Origin, reading: &mut Reading<'_>) -> Option<Self> {
        Some(Self { url: login(fields, "url", URL_VARIABLES, origin, reading)? })
    }
}

/// The request of one try.
pub(super) fn request(target: String, message: &Message, link: Option<&Link>) -> Outgoing {
    let text = escaped(&text::lines(message, link).join("\n"));
    // Text is text: no formatting, and no preview of an address that somebody wrote.
    let body = json!({ "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false });
    let body = Zeroizing::new(body.to_string().into_bytes());
    Outgoing { method: "POST", target, headers: vec![("content-type", "application/json".to_owned())], body }
}

/// What Slack takes for text: mentions and links need `<` and `>`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use latchkey::notice::NoticeKind;
    use proptest::prelude::*;

    use super::super::text::tests::notice;
    use super::*;

    fn sent(message: &Message) -> String {
        let request = request("/x".to_owned(), message, None);
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_is_linked_by_what_people_wrote() {
        let text = sent(&Message::of(&notice(NoticeKind::Created)));
        assert!(!text.contains(['<', '>']), "{text}");
        assert!(text.contains("Details: &lt;!channel&gt; &lt;https://evil.example|log in&gt;"), "{text}");
        assert!(text.contains("&amp;amp;"), "{text}");
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(detail in any::<String>()) {
            let mut notice = notice(NoticeKind::Created);
            notice.detail = Some(detail);
            let message = Message::of(&notice);
            let text = sent(&message);
            prop_assert!(!text.contains(['<', '>']));
            let read = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert_eq!(read, text::lines(&message, None).join("\n"));
        }
    }
}
