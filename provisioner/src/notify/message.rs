//! A notice as it is sent, whatever the medium. Text that people wrote is in it: each medium escapes it for itself.

use jiff::Timestamp;
use latchkey::notice::Notice;
use latchkey_sinks::reading::masking::masked;
use latchkey_sinks::transport::Outgoing;
use serde_json::{Value, json};

use super::link::Link;
use super::text;
use super::webhook::{self, SigningKey};

/// What the type of a test is.
const TEST: &str = "test";

/// A notice as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same on every try.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    pub(super) about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    Notice(Box<Notice>),
    /// Somebody tries the receiver of that name.
    Test(String),
}

impl Message {
    /// Of a notice. Should somebody have written a token's secret into a description, it goes no further.
    pub fn of(notice: &Notice) -> Self {
        let mut notice = notice.clone();
        notice.actor = masked(&notice.actor);
        notice.from = notice.from.as_deref().map(masked);
        notice.detail = notice.detail.as_deref().map(masked);
        Self { id: notice.id.clone(), at: notice.at, about: About::Notice(Box::new(notice)) }
    }

    /// That somebody tries a receiver.
    pub fn test(id: String, at: Timestamp, receiver: &str) -> Self {
        Self { id, at, about: About::Test(receiver.to_owned()) }
    }

    /// The request that a webhook gets at `target`, signed at `now`; `None` where `secret` cannot sign.
    pub fn to_webhook(&self, target: &str, secret: &str, now: Timestamp) -> Option<Outgoing> {
        let key = SigningKey::parse(secret).ok()?;
        Some(webhook::request(target.to_owned(), self, None, (&key, now)))
    }

    /// The lines that people get, the subject first.
    pub fn to_lines(&self) -> Vec<String> {
        text::lines(self, None)
    }

    /// What it is about, in one word.
    pub(super) fn kind(&self) -> &'static str {
        match &self.about {
            About::Notice(notice) => notice.kind.as_str(),
            About::Test(_) => TEST,
        }
    }

    /// Its type as Standard Webhooks spells one.
    pub(super) fn event_type(&self) -> String {
        match &self.about {
            About::Notice(notice) => format!("token.{}", notice.kind),
            About::Test(_) => TEST.to_owned(),
        }
    }

    /// All of it, for programs.
    pub(super) fn data(&self, link: Option<&Link>) -> Value {
        match &self.about {
            About::Notice(notice) => {
                let mut data = json!(notice);
                if let Some(link) = link {
                    data["link"] = json!(link.of(&notice.token));
                }
                data
            }
            About::Test(receiver) => json!({ "id": self.id, "kind": TEST, "at": self.at, "receiver": receiver }),
        }
    }
}
