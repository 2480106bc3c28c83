//! What Heroku's refusals mean. Its sentences are never repeated, as they may echo a value: only its codes are, with the
//! request's id, which Heroku's support asks for.

use std::time::Duration;

use serde::Deserialize;

use crate::SinkError;
use crate::bearer::code;
use crate::transport::Incoming;

#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    id: String,
}

/// Whether an answer says that the login is wrong or expired.
pub(super) fn refuses(answer: &Incoming) -> bool {
    answer.status == 401
}

/// Whether an answer says by its code that nothing was changed: `https://devcenter.heroku.com/articles/platform-api-reference#errors`.
pub(super) fn rejects(answer: &Incoming) -> bool {
    let found = serde_json::from_slice::<Problem>(&answer.body).unwrap_or_default().id;
    matches!(
        (answer.status, found.as_str()),
        (400, "bad_request")
            | (401, "unauthorized")
            | (402, "delinquent")
            | (403, "forbidden" | "suspended")
            | (404, "not_found")
            | (422, "invalid_params" | "verification_needed")
    )
}

/// How long an answer asks to wait. Heroku names no time; an account gets back about 75 requests a minute.
pub(super) fn pacing(answer: &Incoming) -> Option<Duration> {
    if answer.status == 429 && answer.header("retry-after").is_none() {
        return Some(Duration::from_secs(2));
    }
    let left: Option<i64> = answer.header("ratelimit-remaining").and_then(|left| left.trim().parse().ok());
    left.filter(|left| *left < 1 && answer.status != 429).map(|_| Duration::from_secs(1))
}

/// Which of the scopes that change config vars a login lacks, as the answer's headers tell.
pub(super) fn lacks_scope(answer: &Incoming) -> bool {
    let Some(held) = answer.header("oauth-scope") else { return false };
    !held.split([',', ' ']).any(|scope| matches!(scope.trim(), "global" | "write" | "write-protected"))
}

/// What to do about a scope that lacks.
pub(super) const SCOPE_HINT: &str = "config vars need the scope `write-protected` (or `global`): create a token with `heroku authorizations:create -s write-protected`";

/// What an answer other than success means. `whose` is the app or pipeline, for messages.
pub(super) fn failed(answer: &Incoming, whose: &str, what: &str) -> SinkError {
    let found = serde_json::from_slice::<Problem>(&answer.body).unwrap_or_default().id;
    let mut why = format!("{} `{}`", answer.status, code(&found));
    if let Some(request) = answer.header("request-id").map(code).filter(|request| *request != "no code") {
        why = format!("{why}, request `{request}`");
    }
    let refused = |reason: String, hint: &str| SinkError::Refused { reason, hint: hint.to_owned() };
    match (answer.status, found.as_str()) {
        (402, _) => refused(
            format!("Heroku refused to {what}: the account is behind with its payments ({why})"),
            "see its billing page; the present values stay in use",
        ),
        (403, "suspended") => refused(format!("Heroku has suspended {whose} ({why})"), "ask Heroku's support"),
        (403, _) => SinkError::Denied {
            reason: format!("the credentials are not allowed to {what} ({why})"),
            hint: if lacks_scope(answer) {
                SCOPE_HINT.to_owned()
            } else {
                "their user needs the permission `deploy` or `operate` on it".to_owned()
            },
        },
        (404, _) => refused(
            format!("{whose} was not found on Heroku ({why})"),
            "check its name, and that the user of the credentials is a collaborator",
        ),
        (409, _) => refused(
            format!("Heroku cannot {what} now: something else is changing {whose} ({why})"),
            "run again when that is done",
        ),
        (429, _) => SinkError::Unreachable {
            reason: format!("Heroku refused to {what}: the account has made too many requests ({why})"),
        },
        (status, _) if status >= 500 => SinkError::Unreachable { reason: format!("Heroku failed to {what} ({why})") },
        _ => refused(
            format!("Heroku refused to {what} ({why})"),
            "check the config vars there; names are letters, digits and `_`, and all of them together at most 32 KB",
        ),
    }
}
