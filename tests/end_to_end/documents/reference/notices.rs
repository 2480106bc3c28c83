//! `notices.md`: every kind of notice, and one of each as a webhook gets it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use latchkey::notice::{Notice, NoticeKind};
use provisioner::notify::Message;
use serde_json::{Value, json};

use super::constants::{count, size, time};
use super::story::tell;
use super::{code, hold, sentence, table};

/// What is shown in place of ids, which differ with every change of the story.
const ID: &str = "01JD4V3T9R8N3Q5W7X9Z0A2B4C";
const TOKEN_ID: &str = "0123456789abcdef";
/// The example of Standard Webhooks.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn shown(notice: &Notice) -> Message {
    Message::of(&Notice { id: ID.to_owned(), token_id: TOKEN_ID.parse().unwrap(), ..notice.clone() })
}

/// The kinds with their words, from the schema; whether one is told where `on` is not set, from the reading of a receiver.
fn kinds(definitions: &Value) -> String {
    let unusual = definitions["Receiver"]["oneOf"][0]["properties"]["on"]["description"].as_str().unwrap();
    let rows = NoticeKind::ALL.map(|kind| {
        let all = definitions["NoticeKind"]["oneOf"].as_array().unwrap();
        let about = all.iter().find(|one| one["const"] == kind.as_str()).unwrap()["description"].as_str().unwrap();
        let told = if unusual.contains(&code(kind.as_str())) { "no" } else { "yes" };
        [code(kind.as_str()), code(&format!("token.{kind}")), sentence(about), told.to_owned()]
    });
    table(["kind, in `on`", "`type`", "sent when", "by default"], rows)
}

/// By which rules they go out.
fn rules() -> String {
    let notice = "functions/src/notice.rs";
    let rows = [
        ("when", "at the end of each run of `rotate FILE`, `rotate --every`, `serve --rotate` and the job".to_owned()),
        (
            "taken",
            format!(
                "by a status from 200 to 299 within {}; redirects are not followed",
                time("provisioner/src/notify/sender.rs", "ANSWER_WITHIN")
            ),
        ),
        (
            "tries",
            format!(
                "until the receiver takes it, for {} and at least {} times, with a pause of {} that doubles up to {}",
                time(notice, "TRIED_FOR"),
                count(notice, "TRIES_LEAST"),
                time(notice, "PAUSE"),
                time(notice, "PAUSE_MAX")
            ),
        ),
        (
            "repetitions",
            "a notice may come twice: with the same `webhook-id`, which is `data.id`, and the same body".to_owned(),
        ),
        ("order", "none: compare `timestamp`".to_owned()),
        ("secrets", "none is ever in a notice".to_owned()),
        (
            "expiry",
            format!(
                "`expiring` comes {} days before, each once; of those that were missed, only the nearest",
                latchkey::notice::MARKS.map(|mark| mark.to_string()).join(", ")
            ),
        ),
        (
            "signing secret",
            format!(
                "`whsec_` and base64, or any other text; at least {}",
                size("provisioner/src/notify/webhook.rs", "SECRET_MIN")
            ),
        ),
    ];
    table(["subject", "rule"], rows.map(|(subject, rule)| [subject.to_owned(), rule]))
}

/// Which members each kind has.
fn members(notices: &BTreeMap<NoticeKind, Notice>) -> String {
    let mut text = String::new();
    for kind in NoticeKind::ALL {
        let message = shown(notices.get(&kind).unwrap_or_else(|| panic!("nothing tells of `{kind}`")));
        let request = message.to_webhook("/", SECRET, message.at).unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], json!(format!("token.{kind}")));
        let _ = write!(text, "### {kind}\n\n```json\n{}\n```\n\n", serde_json::to_string_pretty(&body).unwrap());
    }
    text
}

fn request(notice: &Notice) -> String {
    let at: Timestamp = notice.at + jiff::SignedDuration::from_secs(2);
    let request = shown(notice).to_webhook("/hooks/latchkey", SECRET, at).unwrap();
    let mut lines = vec![format!("{} {} HTTP/1.1", request.method, request.target)];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend([String::new(), String::from_utf8(request.body.to_vec()).unwrap()]);
    format!("Signed with the secret `{SECRET}`:\n\n```text\n{}\n```", lines.join("\n"))
}

#[tokio::test]
async fn notices_are_those_that_are_sent() {
    let story = tell().await;
    let schema = provisioner::manifest::schema();
    let rotated = &story.notices[&NoticeKind::Rotated];
    let parts = [
        ("kinds", kinds(&schema["$defs"])),
        ("rules", rules()),
        ("request", request(rotated)),
        ("bodies", members(&story.notices)),
        ("text", format!("```text\n{}\n```", shown(&story.notices[&NoticeKind::Expiring]).to_lines().join("\n"))),
    ];
    hold("notices.md", &parts);
}
