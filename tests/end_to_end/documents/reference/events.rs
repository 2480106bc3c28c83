//! `events.md`: every kind of event, with one of each as the service recorded it.

use std::fmt::Write as _;

use latchkey::event::{EventKind, Subject};
use serde_json::Value;

use super::schema::Schemas;
use super::story::{Story, tell};
use super::{code, hold, sentence, table};

const SUBJECTS: [(Subject, &str); 4] = [
    (Subject::Token, "About a token"),
    (Subject::User, "About a user"),
    (Subject::Other, "About roles, manifests, settings and the table"),
    (Subject::Attempt, "Attempts"),
];

fn kinds(story: &Story) -> String {
    let mut text = String::new();
    for (subject, head) in SUBJECTS {
        let of = EventKind::ALL.into_iter().filter(|kind| kind.subject() == subject);
        let rows = of.map(|kind| {
            let event = story.events.get(kind.as_str()).unwrap_or_else(|| panic!("nothing records `{kind}`"));
            assert_eq!(event.detail.is_some(), !kind.detail().is_empty(), "`{kind}`: {event:?}");
            let example = code(event.detail.as_deref().unwrap_or_default());
            [code(kind.as_str()), sentence(kind.about()), kind.detail().to_owned(), example]
        });
        let rows = rows.collect::<Vec<_>>();
        let _ = write!(text, "### {head}\n\n{}\n", table(["`action`", "recorded when", "`detail`", "example"], rows));
    }
    text
}

#[tokio::test]
async fn events_are_those_that_the_service_records() {
    let story = tell().await;
    for event in story.events.values() {
        let kind = EventKind::ALL.into_iter().find(|kind| kind.as_str() == event.action).unwrap();
        let about = (event.user.starts_with(':'), event.token.is_some());
        match kind.subject() {
            Subject::Token => assert_eq!(about, (false, true), "{event:?}"),
            Subject::User => assert_eq!(about, (false, false), "{event:?}"),
            Subject::Other => assert_eq!(about, (true, false), "{event:?}"),
            Subject::Attempt => {}
        }
    }
    let document = latchkey::api::document();
    let schemas = Schemas { definitions: &document["components"]["schemas"] };
    let mut example: Value = serde_json::to_value(&story.events["version.deliver"]).unwrap();
    example["id"] = "0123456789abcdef".into();
    let example = serde_json::to_string_pretty(&example).unwrap();
    let parts = [
        ("fields", schemas.fields(schemas.definition("EventRecord"))),
        ("example", format!("```json\n{example}\n```")),
        ("kinds", kinds(&story)),
    ];
    hold("events.md", &parts);
}
