//! Events on a bus of EventBridge.

use jiff::Timestamp;
use latchkey_sinks::reading::{Fault, Fields, Reading, shown};
use latchkey_sinks::transport::Outgoing;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::link::Link;
use super::message::Message;

/// The parts of Amazon's host names that stand for the service, and its name in signatures.
const HOSTS: &[&str] = &["events", "events-fips"];
pub(super) const SIGNED_AS: &str = "events";
/// What EventBridge calls the host of a region.
pub(super) const HOST: &str = "events";

/// The source that events name.
const SOURCE: &str = "latchkey";
/// The longest name of a bus that AWS takes, ARNs included.
const BUS_MAX: usize = 1600;

/// A bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name or ARN.
    pub bus: String,
    /// The region; the one of the AWS environment by default.
    pub region: Option<String>,
    /// An endpoint other than AWS's own.
    pub endpoint: Option<String>,
}

impl Settings {
    pub(super) fn read(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let bus = fields.required_text("bus", reading);
        let region = fields.text("region", reading);
        let endpoint = fields.text("endpoint", reading);
        let (region, endpoint) = (reading.region(region), reading.endpoint(endpoint, HOSTS));
        let bus = bus?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte);
        if bus.text.is_empty() || bus.text.len() > BUS_MAX || !bus.text.bytes().all(is_part) {
            let message = format!("`{}` cannot be a bus of EventBridge", shown(bus.text));
            let hint = "write the name of the bus, `default` for the account's own, or its ARN";
            reading.add(Fault::error("bad-bus", bus.span.clone(), message).hint(hint));
        }
        (reading.faults.len() == faults).then(|| Self { bus: bus.text.to_owned(), region, endpoint })
    }
}

/// The request of one try, yet to be signed.
pub(super) fn request(settings: &Settings, message: &Message, link: Option<&Link>) -> Outgoing {
    let entry = json!({
        "Time": seconds(message.at),
        "Source": SOURCE,
        "DetailType": message.kind(),
        "Detail": message.data(link).to_string(),
        "EventBusName": settings.bus,
    });
    let body = Zeroizing::new(json!({ "Entries": [entry] }).to_string().into_bytes());
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target", "AWSEvents.PutEvents".to_owned()),
    ];
    Outgoing { method: "POST", target: "/".to_owned(), headers, body }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_second()
}

/// The code of what an answer with status 200 refused; `None` where it took the event. An answer that cannot be read took
/// nothing.
pub(super) fn refused(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        failed_entry_count: u32,
        #[serde(default)]
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        error_code: Option<String>,
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return Some("no answer of EventBridge".to_owned()) };
    let is_word =
        |code: &String| (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let code = answer.entries.into_iter().find_map(|entry| entry.error_code).filter(is_word);
    (answer.failed_entry_count > 0).then(|| code.unwrap_or_else(|| "no code".to_owned()))
}

#[cfg(test)]
mod tests {
    use latchkey::notice::NoticeKind;

    use super::super::text::tests::{HOSTILE, notice};
    use super::*;

    #[test]
    fn an_event_is_json_in_json_whatever_people_wrote() {
        let settings = Settings { bus: "ops".to_owned(), region: None, endpoint: None };
        let request = request(&settings, &Message::of(&notice(NoticeKind::RotationFailed)), None);
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let entry = &body["Entries"][0];
        let detail: serde_json::Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("latchkey"), &json!("rotation_failed")));
        assert_eq!((&entry["EventBusName"], &detail["detail"]), (&json!("ops"), &json!(HOSTILE)));
        assert_eq!(body["Entries"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn an_event_is_taken_only_where_the_answer_says_that_none_failed() {
        assert_eq!(refused(br#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#), None);
        for (body, code) in [
            (
                &br#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"x"}]}"#[..],
                "ThrottlingException",
            ),
            (br#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"a sentence"}]}"#, "no code"),
            (br#"{"FailedEntryCount":1}"#, "no code"),
            (b"{}", "no answer of EventBridge"),
            (b"<html>", "no answer of EventBridge"),
        ] {
            assert_eq!(refused(body).as_deref(), Some(code));
        }
    }
}
