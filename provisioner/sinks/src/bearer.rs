//! A vendor's API that is asked with a bearer token: the token is read when it is first needed, and once more when the
//! vendor refuses it half-way.

use std::time::Duration;

use zeroize::Zeroizing;

use super::SinkError;
use super::host::{Ask, Effect, Host, Unanswered};
use super::login::Keeper;
use crate::transport::Incoming;

/// A vendor's host, and the login for it.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) host: Host,
    pub(super) keeper: Keeper,
    /// The vendor, for messages.
    pub(super) vendor: &'static str,
    /// Whether an answer says that the login is wrong or expired.
    pub(super) refuses: fn(&Incoming) -> bool,
    /// Whether an answer to a change says, in the vendor's own code, that nothing was changed.
    pub(super) rejects: fn(&Incoming) -> bool,
}

impl Api {
    /// Sends what `ask` makes, with the login. The answer is returned whatever its status, but for a refused login.
    pub(super) async fn ask(&self, ask: impl Fn() -> Ask + Send + Sync) -> Result<Incoming, SinkError> {
        let login = self.keeper.get().await?;
        let first = ask();
        let changes = !matches!(first.effect, Effect::None);
        let answer = self.send(first, &login).await?;
        if !(self.refuses)(&answer) {
            return Ok(answer);
        }
        let Some(fresh) = self.keeper.refresh_after_refusal(&login).await? else {
            return Err(if changes { self.of_change(&answer, self.refused()) } else { self.refused() });
        };
        let sent = answer.sent;
        let mut answer = self.send(ask(), &fresh).await?;
        answer.sent += sent;
        if (self.refuses)(&answer) { Err(self.refused()) } else { Ok(answer) }
    }

    /// What an answer to a change means, which may say that nothing of it can arrive: it was sent once, and refused by a
    /// code that is known.
    pub(super) fn of_change(&self, answer: &Incoming, error: SinkError) -> SinkError {
        if answer.sent == 1 && (self.rejects)(answer) { error.rejected() } else { error }
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
            reason: format!("{} does not accept the credentials from {}", self.vendor, self.keeper.source()),
            hint: format!("create new ones in the account's settings on {}, and store them there", self.vendor),
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
    crate::transport::percent_encode(text, &mut encoded);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_a_vendor_are_repeated() {
        for good in ["ENV_CONFLICT", "rate_limited", "01234567-89ab-cdef-0123-456789abcdef"] {
            assert_eq!(code(good), good);
        }
        let secret = "lk_0123456789abcdef_NotATokenNotATokenNotATokenNotATokenNotATok1oT2Hr";
        for bad in ["", "the value x is taken", "a\"b", secret, &"x".repeat(65)] {
            assert_eq!(code(bad), "no code", "{bad}");
        }
    }

    #[test]
    fn what_stands_in_a_path_cannot_leave_its_part() {
        assert_eq!(encoded("acme-web_1.0~"), "acme-web_1.0~");
        assert_eq!(encoded("a b/../?x=\u{fc}&#%"), "a%20b%2F..%2F%3Fx%3D%C3%BC%26%23%25");
    }
}
