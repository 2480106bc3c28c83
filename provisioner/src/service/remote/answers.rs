//! What a server's refusals mean: problems (RFC 9457) back into the failures that the tool distinguishes.

use jiff::Timestamp;
use latchkey::api::wire::ProblemBody;
use latchkey::place::PlaceId;
use latchkey::protocol::VersionError;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::service::{Refusal, ServiceError};
use latchkey_sinks::transport::Incoming;

/// An answer that is none of success: what it means.
pub(super) fn refusal(answer: &Incoming) -> ServiceError {
    let Some(problem) = problem(answer) else { return foreign(answer) };
    if let Some(error) = version_error(&problem.code, &problem.more) {
        return ServiceError::Version(error);
    }
    let message = message(&problem);
    let request = Some(problem.request_id).filter(|id| !id.is_empty());
    match (problem.status, problem.code.as_str()) {
        (_, "token_replaced" | "not_found" | "precondition_failed") => {
            ServiceError::Gone(format!("{message}{}", told(request.as_deref())))
        }
        (429 | 500.., _) => {
            ServiceError::Unavailable(format!("the service failed: {message}{}", told(request.as_deref())))
        }
        _ => {
            let fields = problem.errors.into_iter().map(|fault| fault.pointer).collect();
            Refusal { code: problem.code, message, more: problem.more, fields, request }.into()
        }
    }
}

/// The id of a request, as it is shown after a sentence.
fn told(request: Option<&str>) -> String {
    request.map(|id| format!(" (request {id})")).unwrap_or_default()
}

/// The code of a problem, if the answer is one.
pub(super) fn code(answer: &Incoming) -> Option<String> {
    problem(answer).map(|problem| problem.code)
}

fn problem(answer: &Incoming) -> Option<ProblemBody> {
    serde_json::from_slice(&answer.body).ok()
}

/// The problem's sentence; of several faulty fields each one.
fn message(problem: &ProblemBody) -> String {
    match problem.errors.as_slice() {
        [] | [_] => problem.detail.clone(),
        many => {
            let faults: Vec<String> =
                many.iter().map(|fault| format!("`{}`: {}", fault.pointer, fault.detail)).collect();
            faults.join("; ")
        }
    }
}

/// An answer of something before the service: a gateway, a proxy, another server.
fn foreign(answer: &Incoming) -> ServiceError {
    let named = ["apigw-requestid", "x-amzn-requestid", "x-request-id"];
    let request = named.iter().find_map(|name| answer.header(name)).filter(|id| is_plain(id)).map(str::to_owned);
    let told = told(request.as_deref());
    match answer.status {
        300..400 => {
            let to = answer.header("location").filter(|to| is_plain(to)).unwrap_or("another address");
            ServiceError::refused(
                "redirected",
                format!("the server redirects to `{to}`, and a token is not sent on; use that address itself"),
            )
        }
        429 | 500.. => ServiceError::Unavailable(format!("the server answered {}{told}", answer.status)),
        status => Refusal {
            request,
            ..Refusal::new("foreign_answer", format!("the server answered {status}, but not as Latchkey does"))
        }
        .into(),
    }
}

/// Whether a text of a server may be shown as it is.
fn is_plain(text: &str) -> bool {
    text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The answer of a rule of versions.
fn version_error(code: &str, more: &Map<String, Value>) -> Option<VersionError> {
    let number = || read::<u32>(more, "number");
    let until = || read::<Timestamp>(more, "until");
    Some(match code {
        "superseded" => VersionError::Superseded { number: number()?, highest: read(more, "highest")? },
        "version_not_live" => VersionError::NotLive(number()?),
        "no_such_place" => VersionError::NoSuchPlace(PlaceId::from_stored(&read::<String>(more, "place")?)),
        "not_announced" => VersionError::NotAnnounced(number()?),
        "receipt_too_long" => VersionError::ReceiptTooLong,
        "too_many_places" => VersionError::TooManyPlaces,
        "not_delivered" => VersionError::NotDelivered { number: number()?, missing: read(more, "missing")? },
        "too_many_versions" => VersionError::TooManyVersions { live: read(more, "live")? },
        "is_current" => VersionError::IsCurrent(number()?),
        "not_superseded" => VersionError::NotSuperseded(number()?),
        "overlap_not_over" => VersionError::OverlapNotOver { number: number()?, until: until()? },
        "announced_lately" => VersionError::Announced { number: number()?, until: until()? },
        "recently_used" => {
            VersionError::RecentlyUsed { number: number()?, last_used: read(more, "last_used")?, until: until()? }
        }
        "stale_look" => VersionError::StaleLook,
        "still_declared" => VersionError::StillDeclared,
        "overlap_declared" => VersionError::OverlapDeclared,
        _ => return None,
    })
}

fn read<'a, T: Deserialize<'a>>(more: &'a Map<String, Value>, name: &str) -> Option<T> {
    T::deserialize(more.get(name)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;

    fn answer(status: u16, body: &Value) -> Incoming {
        Incoming { status, headers: Vec::new(), body: Zeroizing::new(body.to_string().into_bytes()), sent: 1 }
    }

    fn told(status: u16, code: &str, more: Value) -> ServiceError {
        let mut body = json!({
            "type": "about:blank", "title": "Conflict", "status": status, "code": code, "detail": "so it is",
            "request_id": "r1",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refusal(&answer(status, &body))
    }

    #[test]
    fn rules_of_versions_come_back_as_what_they_were() {
        let until: Timestamp = "2026-11-22T13:00:00Z".parse().unwrap();
        let all = [
            ("superseded", json!({"number": 1, "highest": 3}), VersionError::Superseded { number: 1, highest: 3 }),
            ("version_not_live", json!({"number": 2}), VersionError::NotLive(2)),
            ("not_delivered", json!({"number": 2, "missing": 1}), VersionError::NotDelivered { number: 2, missing: 1 }),
            ("too_many_versions", json!({"live": 4}), VersionError::TooManyVersions { live: 4 }),
            (
                "overlap_not_over",
                json!({"number": 2, "until": until}),
                VersionError::OverlapNotOver { number: 2, until },
            ),
            ("announced_lately", json!({"number": 2, "until": until}), VersionError::Announced { number: 2, until }),
            (
                "recently_used",
                json!({"number": 2, "last_used": until, "until": until}),
                VersionError::RecentlyUsed { number: 2, last_used: until, until },
            ),
            ("stale_look", json!({}), VersionError::StaleLook),
            ("still_declared", json!({}), VersionError::StillDeclared),
            ("overlap_declared", json!({}), VersionError::OverlapDeclared),
        ];
        for (code, more, error) in all {
            assert!(matches!(told(409, code, more), ServiceError::Version(found) if found == error), "{code}");
        }
    }

    #[test]
    fn others_are_told_apart_by_what_is_done_about_them_and_carry_the_request_id() {
        for (status, code) in [(409, "token_replaced"), (404, "not_found"), (412, "precondition_failed")] {
            assert!(
                matches!(told(status, code, json!({})), ServiceError::Gone(text) if text == "so it is (request r1)")
            );
        }
        let unavailable = told(503, "unavailable", json!({}));
        assert!(matches!(unavailable, ServiceError::Unavailable(text) if text.contains("(request r1)")));
        let errors = json!({"errors": [{"pointer": "/name", "detail": "a"}, {"pointer": "/roles/0", "detail": "b"}]});
        assert_eq!(told(422, "invalid_field", errors).to_string(), "`/name`: a; `/roles/0`: b (request r1)");
        // A rule whose details are missing is a refusal like others.
        assert!(matches!(told(409, "superseded", json!({})), ServiceError::Refused(_)));
    }

    #[test]
    fn what_is_not_the_service_is_said_to_be_something_else() {
        let gateway = refusal(&Incoming {
            headers: vec![("apigw-requestid".to_owned(), "abc=".to_owned())],
            ..answer(429, &json!({"message": "Too Many Requests"}))
        });
        assert!(matches!(gateway, ServiceError::Unavailable(text) if text == "the server answered 429 (request abc=)"));
        let elsewhere = Incoming {
            headers: vec![("location".to_owned(), "https://elsewhere.test/".to_owned())],
            ..answer(301, &json!({}))
        };
        assert!(refusal(&elsewhere).to_string().contains("`https://elsewhere.test/`"));
    }
}
