//! How much there is to do.

use latchkey_sinks::plural::{count, noun_for};

use crate::plan::{Change, Note, Plan, TokenPlan};

/// The last line of a plan: how much there is to do.
pub fn summary(plan: &Plan) -> String {
    let changes = || plan.tokens.iter().flat_map(|token| &token.changes);
    let number_of = |wanted: fn(&Change) -> bool| changes().filter(|change| wanted(change)).count();
    let create = number_of(|change| matches!(change, Change::Create))
        + plan.roles.iter().filter(|role| role.new).count()
        + plan.users.iter().filter(|user| user.new).count();
    let change = number_of(|change| {
        matches!(
            change,
            Change::Rename { .. }
                | Change::Move { .. }
                | Change::TakeOver
                | Change::Update(_)
                | Change::Forget { .. }
                | Change::Merge { .. }
        )
    }) + plan.roles.iter().filter(|role| !role.new).count()
        + plan.users.iter().filter(|user| !user.new).count();
    let rotate = number_of(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. }));
    let mend = number_of(|change| matches!(change, Change::Mend { .. }));
    let retire = number_of(|change| matches!(change, Change::Retire { .. }));
    let delete = number_of(|change| matches!(change, Change::Remove { .. } | Change::Leave | Change::Delete));
    let blocked = plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count();
    let parts = [
        (create, "to create"),
        (change, "to change"),
        (rotate, "to rotate"),
        (mend, "to repair"),
        (retire, "to retire"),
        (delete, "to delete"),
        (blocked, "blocked"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{number} {words}")).collect();
    let has_left = |token: &TokenPlan| token.notes.iter().any(|note| matches!(note, Note::Left { .. }));
    let tokens = plan.tokens.iter().filter(|token| token.declaration.is_some() && !has_left(token)).count();
    let left = plan.left_out.filter(|left| left.tokens + left.others > 0).map_or_else(String::new, |left| {
        let others = match left.others {
            0 => String::new(),
            others => format!(" and {} or {}", count(others, "role"), noun_for(others, "user")),
        };
        format!("; not selected and left as they are: {}{others}", count(left.tokens, "token"))
    });
    let left = format!("{left}{}", waiting(plan));
    if !plan.looked_at {
        return by_records(plan, tokens, &parts, &left);
    }
    if parts.is_empty() {
        let tokens = tokens - plan.left_out.map_or(0, |left| left.tokens.min(tokens));
        return format!("No changes: {} of `{}` as declared{left}", count(tokens, "token"), plan.manifest);
    }
    format!("Plan: {}{left}", parts.join(", "))
}

/// Rotations that are due and wait.
fn waiting(plan: &Plan) -> String {
    let waits = |note: &&Note| matches!(note, Note::WaitsForWindow { .. } | Note::WaitsForRestarts { .. });
    match plan.tokens.iter().flat_map(|token| &token.notes).filter(waits).count() {
        0 => String::new(),
        number => format!("; {} due, waiting", count(number, "rotation")),
    }
}

/// What there is to do as far as records tell: that there is nothing else, nobody knows.
fn by_records(plan: &Plan, tokens: usize, parts: &[String], left: &str) -> String {
    let unseen = plan.tokens.iter().flat_map(|token| &token.notes);
    let unseen = unseen.filter(|note| matches!(note, Note::NotLookedAt { .. })).count();
    let verb = if unseen == 1 { "was" } else { "were" };
    let unseen = format!("{} {verb} not looked at", count(unseen, "place"));
    if parts.is_empty() {
        return format!(
            "By the records, nothing to do for {} of `{}`; {unseen}{left}",
            count(tokens, "token"),
            plan.manifest
        );
    }
    format!("Plan by the records: {}; {unseen}{left}", parts.join(", "))
}
