//! Audit events, as people and programs read them: the same wherever they are listed.

use latchkey::service::Event;
use serde_json::{Value, json};

use crate::plan::minute;

/// How events are called that are about no user: those of roles, manifests and settings are kept under this name.
pub const SERVICE: &str = ":roles";

/// Events as columns, in the order in which they come.
pub fn events(events: &[Event]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = vec![["AT", "EVENT", "OF", "BY", "FROM", "DETAIL"].map(str::to_owned).to_vec()];
    rows.extend(events.iter().map(|event| {
        let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
        vec![
            format!("{:.0}", event.at),
            event.action.clone(),
            subject(event).unwrap_or_else(|| "-".to_owned()),
            event.actor.clone(),
            or_none(event.from.as_deref()),
            event.detail.clone().unwrap_or_default(),
        ]
    }));
    rows
}

/// Events as JSON, and whether there are older ones that match.
pub fn events_json(events: &[Event], older: bool) -> Value {
    json!({ "events": events, "older": older })
}

/// The user or the token that an event is about.
pub fn subject(event: &Event) -> Option<String> {
    match &event.token {
        _ if event.user == SERVICE => None,
        Some(token) => Some(format!("{}/{token}", event.user)),
        None => Some(event.user.clone()),
    }
}

/// An event in a line, for a list of other facts.
pub fn event_line(event: &Event) -> String {
    let detail = event.detail.clone().unwrap_or_default();
    format!("{} {} by {} {detail}", minute(event.at), event.action, event.actor).trim_end().to_owned()
}
