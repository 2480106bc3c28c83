//! A vendor's API that is asked with a bearer token: the token is read when it is first needed, and once more when the
//! vendor refuses it half-way.

use std::time::Duration;

use zeroize::Zeroizing;

use super::SinkError;
use super::host::{Ask, Host, Unanswered};
use super::login::Keeper;
use crate::transport::Incoming;

/// A vendor's host, and the login for it.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) host: Host,
    pub(super) keeper: Keeper,
    /// The vendor, for messages.
    pub(super) vendor: &'static str,
    /// Whether an answer says that the login is wrong or over.
    pub(super) refuses: fn(&Incoming) -> bool,
}

impl Api {
    /// Sends what `ask` makes, with the login. The answer is returned whatever its status, but for a refused login.
    pub(super) async fn ask(&self, ask: impl Fn() -> Ask + Send + Sync) -> Result<Incoming, SinkError> {
        let login = self.keeper.get().await?;
        let answer = self.send(ask(), &login).await?;
        if !(self.refuses)(&answer) {
            return Ok(answer);
        }
        let Some(fresh) = self.keeper.again(&login).await? else { return Err(self.refused()) };
        let answer = self.send(ask(), &fresh).await?;
        if (self.refuses)(&answer) { Err(self.refused()) } else { Ok(answer) }
    }

    /// Waits, as the host does between requests.
    pub(super) async fn wait(&self, length: Duration) {
        self.host.wait(length).await;
    }

    async fn send(&self, ask: Ask, login: &Zeroizing<String>) -> Result<Incoming, SinkError> {
        let ask = ask.header("authorization", format!("Bearer {}", login.as_str()));
        self.host.ask(&ask).await.map_err(|error| match error {
            Unanswered::Late => SinkError::Late,
            Unanswered::Silent(reason) => SinkError::Unreachable { reason },
        })
    }

    fn refused(&self) -> SinkError {
        SinkError::Login {
            reason: format!("{} does not accept the login from {}", self.vendor, self.keeper.source()),
            hint: format!("make a new one in the account's settings on {}, and put it there", self.vendor),
        }
    }
}

/// The seconds since 1970 that an answer's `Date` tells: the vendor's own time.
pub(super) fn date(answer: &Incoming) -> Option<i64> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(answer.header("date")?);
    parsed.ok().map(jiff::Timestamp::as_second)
}

/// A word of a vendor's answer that may be repeated: a code, never a sentence, as that could echo a value.
pub(super) fn code(text: &str) -> &str {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (1..=64).contains(&text.len()) && text.bytes().all(part) && latchkey::secret::Secret::parse(text).is_err() {
        text
    } else {
        "no code"
    }
}

/// A part of a path or query, percent-encoded (RFC 3986, unreserved characters stay).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    crate::transport::encode(text, &mut encoded);
    encoded
}
