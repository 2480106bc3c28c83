//! Audit events for people.

use latchkey::service::Event;

use super::table;
use crate::plan::minute;

/// The events of one token as a table.
pub fn of_one_token(events: &[Event]) -> String {
    let heads = ["WHEN", "ACTION", "BY", "FROM", "DETAIL"].map(str::to_owned).to_vec();
    table(&std::iter::once(heads).chain(events.iter().map(cells)).collect::<Vec<_>>())
}

/// One event: when, what, by whom, from where, and what more there is to say.
pub fn cells(event: &Event) -> Vec<String> {
    vec![
        minute(event.at),
        event.action.clone(),
        event.actor.clone(),
        event.from.clone().unwrap_or_else(|| "-".to_owned()),
        event.detail.clone().unwrap_or_default(),
    ]
}

/// The same in a line.
pub fn line(event: &Event) -> String {
    let detail = event.detail.clone().unwrap_or_default();
    format!("{} {} by {} {detail}", minute(event.at), event.action, event.actor).trim_end().to_owned()
}
