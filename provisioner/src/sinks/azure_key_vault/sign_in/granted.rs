//! A token that a sign-in brought.

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::transport::Incoming;

/// A token, and how long it works.
pub(super) struct Granted {
    pub(super) text: Zeroizing<String>,
    pub(super) lasts: Duration,
}

/// What every giver of tokens answers; some write the time as a text.
#[derive(Deserialize)]
struct Answered {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl Granted {
    /// The token of an answer, if it holds one.
    pub(super) fn read(answer: &Incoming) -> Option<Self> {
        if answer.status != 200 {
            return None;
        }
        let answered: Answered = serde_json::from_slice(&answer.body).ok()?;
        let seconds = match answered.expires_in {
            Some(serde_json::Value::Number(number)) => number.as_u64(),
            Some(serde_json::Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let text = Zeroizing::new(answered.access_token);
        // Without a time it is asked for again soon.
        Some(Self { text, lasts: Duration::from_secs(seconds.unwrap_or(120).min(86_400)) })
    }
}
