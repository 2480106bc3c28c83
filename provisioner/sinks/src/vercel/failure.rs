//! What Vercel's refusals mean. Its sentences are never repeated, as they may echo a value: only its codes are.

use std::time::Duration;

use serde::Deserialize;

use crate::SinkError;
use crate::bearer::{code, date};
use crate::transport::Incoming;

/// The longest pause that an answer is believed about: limits are by the minute and by the hour.
const LONGEST: Duration = Duration::from_hours(1);

/// The body of a refusal.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: Words,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Words {
    #[serde(default)]
    code: String,
    #[serde(default)]
    invalid_token: bool,
    #[serde(default)]
    limit: Option<Limit>,
}

#[derive(Debug, Deserialize)]
struct Limit {
    /// In seconds since 1970.
    reset: i64,
}

fn problem(answer: &Incoming) -> Words {
    serde_json::from_slice::<Problem>(&answer.body).unwrap_or_default().error
}

/// Whether an answer says that the login is wrong or expired: 401, or the 403 that Vercel gives for expired tokens.
pub(super) fn refuses(answer: &Incoming) -> bool {
    answer.status == 401 || (answer.status == 403 && problem(answer).invalid_token)
}

/// Whether an answer says by its code that nothing was changed: `https://vercel.com/docs/rest-api/errors`.
pub(super) fn rejects(answer: &Incoming) -> bool {
    let known = ["bad_request", "forbidden", "not_authorized", "not_found", "payment_required", "unauthorized"];
    let code = problem(answer).code;
    matches!(answer.status, 400..=404 | 422) && known.iter().any(|known| code.eq_ignore_ascii_case(known))
}

/// How long an answer asks to wait. `limit.reset` is Vercel's time, so it is held against the answer's own `Date`.
pub(super) fn pacing(answer: &Incoming) -> Option<Duration> {
    let used_up = answer.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
    if answer.status != 429 && !used_up {
        return None;
    }
    if answer.status == 429 && answer.header("retry-after").is_some() {
        // The host reads it.
        return None;
    }
    let header = || answer.header("x-ratelimit-reset")?.trim().parse().ok();
    let reset = problem(answer).limit.map(|limit| limit.reset).or_else(header)?;
    let wait = u64::try_from(reset.saturating_sub(date(answer)?)).unwrap_or(0);
    // A second more, as both were cut to whole ones.
    Some(Duration::from_secs(wait.saturating_add(1)).min(LONGEST))
}

/// Whether a code says that there is such a row already.
pub(super) fn is_taken(code: &str) -> bool {
    ["ENV_CONFLICT", "ENV_ALREADY_EXISTS"].iter().any(|taken| code.eq_ignore_ascii_case(taken))
}

/// What an answer other than success means. `what` was asked, for instance ``read the variables of `web` ``.
pub(super) fn failed(answer: &Incoming, project: &str, what: &str) -> SinkError {
    let found = problem(answer).code;
    let code = code(&found);
    let refused = |reason: String, hint: &str| SinkError::Refused { reason, hint: hint.to_owned() };
    match answer.status {
        // A missing right is told by the same status: the code decides.
        400 | 403 | 409 if is_taken(code) => SinkError::Changed,
        402 => refused(
            format!("Vercel refused to {what}: the account is blocked until it is paid for"),
            "see its billing page; the present values stay in use",
        ),
        403 => SinkError::Denied {
            reason: format!("the credentials are not allowed to {what} (`{code}`)"),
            hint: "their user must be allowed to change the project's environment variables, including those of \
                   production; a team's project needs `team`"
                .to_owned(),
        },
        404 => refused(
            format!("project `{project}` was not found on Vercel"),
            "check `project`; a team's project needs `team`, and credentials that belong to the team",
        ),
        409 => refused(
            format!("Vercel cannot {what} now: the project is being moved, or changed by something else (`{code}`)"),
            "run again when that is done",
        ),
        429 => SinkError::Unreachable { reason: format!("Vercel refused to {what}: too many requests") },
        status if status >= 500 => {
            SinkError::Unreachable { reason: format!("Vercel failed to {what}: it answered {status}") }
        }
        status => refused(
            format!("Vercel refused to {what}: it answered {status} (`{code}`)"),
            "if something else is changing the project, run again; otherwise check the project's settings",
        ),
    }
}
