//! A call: sent, and sent again where that is safe.

use std::time::Duration;

use latchkey::entropy::{SystemEntropy, jitter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Line;
use super::answers::{code, refusal};
use crate::service::ServiceError;
use latchkey_sinks::transport::{Incoming, Outgoing, percent_encode};

/// How often a call is sent at the most, and for how long it is sent again.
const TRIES: u32 = 5;
const TRY_FOR: Duration = Duration::from_mins(1);
const PAUSE_BASE: Duration = Duration::from_millis(200);
const PAUSE_CAP: Duration = Duration::from_secs(5);
/// The longest pause that a server may ask for: a longer one is reported.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How often what may not simply be repeated is begun anew, after a look at what there is.
pub(in crate::service) const BEGUN: usize = 3;

/// A request to be made.
#[derive(Debug)]
pub(in crate::service) struct Call {
    method: &'static str,
    target: String,
    query: Vec<(&'static str, String)>,
    body: Zeroizing<Vec<u8>>,
    if_match: Option<u64>,
    bearer: Option<Zeroizing<String>>,
}

/// Why a call that must not be sent twice brought no success.
#[derive(Debug)]
pub(in crate::service) enum Undone {
    /// The server answered that it did not do it.
    Answered(ServiceError),
    /// No answer came, or one that decides nothing: it may have been done.
    Unknown(ServiceError),
}

impl From<Undone> for ServiceError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Answered(error) | Undone::Unknown(error) => error,
        }
    }
}

impl Call {
    /// A call without a body. `target` is a path below the server's address.
    pub(in crate::service) fn new(method: &'static str, target: impl Into<String>) -> Self {
        let body = Zeroizing::new(Vec::new());
        Self { method, target: target.into(), query: Vec::new(), body, if_match: None, bearer: None }
    }

    /// The same with a body.
    pub(in crate::service) fn body<T: Serialize>(mut self, body: &T) -> Self {
        // What is sent here are plain records: they always become JSON.
        self.body = Zeroizing::new(serde_json::to_vec(body).unwrap_or_default());
        self
    }

    /// The same with a parameter of the query.
    pub(in crate::service) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// The same, only if the record is at this revision.
    pub(in crate::service) fn if_match(mut self, revision: u64) -> Self {
        self.if_match = Some(revision);
        self
    }

    /// The same with another token than the client's.
    pub(in crate::service) fn bearer(mut self, secret: &str) -> Self {
        self.bearer = Some(Zeroizing::new(secret.to_owned()));
        self
    }

    fn outgoing(&self, token: &str) -> Outgoing {
        let mut target = self.target.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            percent_encode(value, &mut target);
        }
        let token = self.bearer.as_ref().map_or(token, |bearer| bearer.as_str());
        let mut headers = vec![
            ("authorization", format!("Bearer {token}")),
            ("accept", "application/json".to_owned()),
            ("user-agent", concat!("provision/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        if !self.body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(revision) = self.if_match {
            headers.push(("if-match", format!("\"{revision}\"")));
        }
        Outgoing { method: self.method, target, headers, body: self.body.clone() }
    }
}

impl Line {
    /// A call that may be sent again: whoever does twice what it does has done it once.
    pub(in crate::service) async fn repeat<T: DeserializeOwned>(&self, call: Call) -> Result<T, ServiceError> {
        parse(&self.answered(&call, true).await?)
    }

    /// The same without a body in the answer.
    pub(in crate::service) async fn repeat_for_nothing(&self, call: Call) -> Result<(), ServiceError> {
        self.answered(&call, true).await?;
        Ok(())
    }

    /// A call that is not sent again once it may have been done. A server that is busy has done nothing.
    pub(in crate::service) async fn once<T: DeserializeOwned>(&self, call: Call) -> Result<T, Undone> {
        let answer = self.answered(&call, false).await?;
        parse(&answer).map_err(Undone::Unknown)
    }

    /// The same without a body in the answer.
    pub(in crate::service) async fn once_for_nothing(&self, call: Call) -> Result<(), Undone> {
        self.answered(&call, false).await?;
        Ok(())
    }

    /// Deletes what has a name. If it is gone after a lost answer, an earlier try did it.
    pub(in crate::service) async fn remove(&self, target: &str, code: &str, missing: &str) -> Result<(), ServiceError> {
        let mut lost = None;
        for _ in 0..BEGUN {
            match self.once_for_nothing(Call::new("DELETE", target)).await {
                Ok(()) => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) if lost.is_some() => return Ok(()),
                Err(Undone::Answered(ServiceError::Gone(_))) => return Err(ServiceError::refused(code, missing)),
                Err(Undone::Answered(error)) => return Err(error),
                Err(Undone::Unknown(error)) => lost = Some(error),
            }
        }
        Err(lost.unwrap_or_else(|| ServiceError::Unavailable("nothing was deleted".to_owned())))
    }

    async fn answered(&self, call: &Call, repeatable: bool) -> Result<Incoming, Undone> {
        let until = tokio::time::Instant::now() + TRY_FOR;
        let mut tries = 0;
        loop {
            tries += 1;
            let (undone, asked) = match self.transport.send(&call.outgoing(&self.token)).await {
                Ok(answer) => {
                    if let Some(date) = answer.header("date") {
                        self.time.note_header(date);
                    }
                    match answer.status {
                        200..300 => return Ok(answer),
                        429 | 503 => (busy(&answer), retry_after(&answer)),
                        500.. => (Undone::Unknown(refusal(&answer)), None),
                        _ => return Err(Undone::Answered(refusal(&answer))),
                    }
                }
                Err(error) => {
                    let text = format!("`{}` did not answer: {error}", self.name);
                    (Undone::Unknown(ServiceError::Unavailable(text)), None)
                }
            };
            let again = repeatable || matches!(undone, Undone::Answered(_));
            let pause = match asked {
                Some(asked) if asked > RETRY_AFTER_MAX => return Err(later(undone, asked)),
                // A little more, so that not all who got the same answer come back at once.
                Some(asked) => asked + jitter(&SystemEntropy, PAUSE_BASE),
                None => jitter(&SystemEntropy, PAUSE_BASE.saturating_mul(1 << tries.min(10)).min(PAUSE_CAP)),
            };
            if !again || tries == TRIES || tokio::time::Instant::now() + pause >= until {
                return Err(undone);
            }
            tracing::debug!(tries, ?pause, method = call.method, target = call.target, "sent again");
            tokio::time::sleep(pause).await;
        }
    }
}

/// 429 and 503. A gateway that throttles has let nothing through; of the service's own 503 that cannot be said.
fn busy(answer: &Incoming) -> Undone {
    let error = refusal(answer);
    if answer.status == 429 || code(answer).is_some_and(|code| code == "busy") {
        return Undone::Answered(error);
    }
    Undone::Unknown(error)
}

/// What `Retry-After` asks for, in seconds; as a date it is passed over.
fn retry_after(answer: &Incoming) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

fn later(undone: Undone, asked: Duration) -> Undone {
    let more = |error: ServiceError| match error {
        ServiceError::Unavailable(text) => {
            ServiceError::Unavailable(format!("{text}; it asks to retry in {} s", asked.as_secs()))
        }
        error => error,
    };
    match undone {
        Undone::Answered(error) => Undone::Answered(more(error)),
        Undone::Unknown(error) => Undone::Unknown(more(error)),
    }
}

fn parse<T: DeserializeOwned>(answer: &Incoming) -> Result<T, ServiceError> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        // What the parser says may quote the answer, and so a secret.
        ServiceError::Unavailable(format!("the server answered {}, but not as Latchkey does", answer.status))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_sent_with_its_token_its_query_and_its_guard() {
        let call = Call::new("DELETE", "/v1/users/ci/tokens/a").query("looked_at", "2026-11-22T13:00:00Z").if_match(7);
        let sent = call.query("cursor", "a b&c").outgoing("secret");
        assert_eq!(sent.target, "/v1/users/ci/tokens/a?looked_at=2026-11-22T13%3A00%3A00Z&cursor=a%20b%26c");
        assert!(sent.headers.contains(&("authorization", "Bearer secret".to_owned())));
        assert!(sent.headers.contains(&("if-match", "\"7\"".to_owned())));
        assert!(!format!("{sent:?}").contains("secret"));
        assert!(sent.body.is_empty());
    }
}
