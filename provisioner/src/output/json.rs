//! Plans and outcomes as JSON, for programs. No secret is in either.

use latchkey::moving::Moving;
use latchkey::place::PlaceId;
use serde_json::{Value, json};

use crate::apply::Outcome;
use crate::plan::{Change, Labels, Plan, Remark, TokenPlan, Tone, plan_notes, remarks, replaced};

/// A plan. `changes` are in the order in which they are carried out; `problems` have a `message` and mostly
/// a `help`; `notes` are sentences. A place in `push` whose value is somebody else's has `replaces`: whose it is, and
/// whether it can be brought back. A plan by the records alone has no id, and never says that there are no changes.
pub fn plan(plan: &Plan, labels: &Labels) -> Value {
    let roles: Vec<Value> = plan
        .roles
        .iter()
        .map(|role| {
            let mut value = json!({ "role": role.name, "new": role.new, "gains": role.gains, "losses": role.losses });
            if let Some((_, to)) = &role.moved_to {
                value["moved_to"] = json!(to);
            }
            moved_from(value, &role.moving)
        })
        .collect();
    let users: Vec<Value> = plan
        .users
        .iter()
        .map(|user| {
            let fields: Vec<Value> = user
                .fields
                .iter()
                .map(|field| json!({ "field": field.name.as_str(), "from": field.from, "to": field.to }))
                .collect();
            moved_from(json!({ "user": user.name, "new": user.new, "fields": fields }), &user.change.moving)
        })
        .collect();
    let busy = |token: &&TokenPlan| !token.changes.is_empty() || !token.blocked.is_empty() || !token.notes.is_empty();
    let tokens: Vec<Value> = plan.tokens.iter().filter(busy).map(|one| token(one, labels)).collect();
    let guards: Vec<String> = plan.guards.iter().map(ToString::to_string).collect();
    json!({
        "manifest": plan.manifest,
        "plan_id": plan.looked_at.then(|| plan.id()),
        "places_looked_at": plan.looked_at,
        "has_changes": (plan.looked_at || plan.has_changes()).then(|| plan.has_changes()),
        "blocked": plan.is_blocked(),
        "not_selected": plan.left_out.map(|left| left.tokens),
        "roles": roles,
        "users": users,
        "tokens": tokens,
        "guards": guards,
        "notes": plan_notes(plan),
    })
}

/// Adds the manifest that a role or user is taken from.
fn moved_from(mut value: Value, moving: &Moving) -> Value {
    if let Some(from) = &moving.from {
        value["moved_from"] = json!(from);
    }
    value
}

fn token(token: &TokenPlan, labels: &Labels) -> Value {
    let place = |id: &PlaceId| {
        let found = token.places.iter().chain(token.findings.iter().map(|(place, _)| place));
        let label = found.into_iter().find(|place| place.id() == *id).map(|place| labels.of(place));
        json!({ "id": id, "place": label.map(|label| label.trim_matches('`').to_owned()) })
    };
    let push = |id: &PlaceId| {
        let mut value = place(id);
        if let Some(lost) = replaced(token, id) {
            value["replaces"] = json!(lost);
        }
        value
    };
    let all: Vec<Value> = token.places.iter().map(|declared| push(&declared.id())).collect();
    let changes: Vec<Value> = token.changes.iter().map(|one| change(one, &all, (&place, &push))).collect();
    let said = remarks(token, labels);
    let of = |wanted: Tone| said.iter().filter(move |remark| remark.tone == wanted);
    let problems: Vec<Value> =
        of(Tone::Problem).map(|remark| json!({ "message": remark.sentence(), "help": remark.help })).collect();
    let notes: Vec<String> = of(Tone::Note).map(Remark::sentence).collect();
    json!({
        "user": token.user,
        "name": token.name,
        "id": token.record.as_ref().map(|record| &record.id),
        "declared": token.declaration.is_some(),
        "changes": changes,
        "problems": problems,
        "notes": notes,
    })
}

/// A place as JSON.
type Shown<'a> = &'a dyn Fn(&PlaceId) -> Value;

fn change(change: &Change, all: &[Value], (place, push): (Shown<'_>, Shown<'_>)) -> Value {
    match change {
        Change::Create => json!({ "action": "create", "push": all }),
        Change::Rename { from } => json!({ "action": "rename", "from": from }),
        Change::Move { from, name } => json!({ "action": "move", "manifest": from, "name": name }),
        Change::TakeOver => json!({ "action": "take_over" }),
        Change::Update(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|field| json!({ "field": field.name.as_str(), "from": field.from, "to": field.to }))
                .collect();
            json!({ "action": "update", "fields": fields })
        }
        Change::NewVersion(reason) => {
            json!({ "action": "rotate", "reason": reason.code(), "push": all })
        }
        Change::Resume { number, to, .. } => {
            json!({ "action": "resume", "version": number, "push": to.iter().map(push).collect::<Vec<_>>() })
        }
        Change::Mend { number, from, to, found } => json!({
            "action": "mend",
            "version": number,
            "found": found.words(),
            "from": place(from),
            "push": [push(to)],
        }),
        Change::Retire { number } => json!({ "action": "retire", "version": number }),
        Change::Remove { place: id } => json!({ "action": "remove_entry", "place": place(id) }),
        Change::Forget { place: id } => json!({ "action": "forget_place", "place": place(id) }),
        Change::Merge { from, into } => {
            json!({ "action": "merge_places", "from": place(&from.id()), "into": place(into) })
        }
        Change::Leave => json!({ "action": "leave" }),
        Change::Delete => json!({ "action": "delete" }),
    }
}

/// What a run did.
pub fn outcome(outcome: &Outcome) -> Value {
    let failures: Vec<Value> = outcome
        .failures
        .iter()
        .map(|failure| {
            json!({
                "token": failure.subject,
                "message": failure.message,
                "state": failure.state,
                "help": failure.hint,
            })
        })
        .collect();
    json!({ "done": outcome.done, "failures": failures, "stopped": outcome.stopped })
}
