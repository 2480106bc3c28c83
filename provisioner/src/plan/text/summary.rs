//! How much there is to do.

use crate::plan::{Change, Plan};

/// The last line of a plan: how much there is to do.
pub fn summary(plan: &Plan) -> String {
    let changes = || plan.tokens.iter().flat_map(|token| &token.changes);
    let count = |wanted: fn(&Change) -> bool| changes().filter(|change| wanted(change)).count();
    let create = count(|change| matches!(change, Change::Create))
        + plan.roles.iter().filter(|role| role.new).count()
        + plan.users.iter().filter(|user| user.new).count();
    let change = count(|change| {
        matches!(change, Change::Rename { .. } | Change::TakeOver | Change::Update(_) | Change::Forget { .. })
    }) + plan.roles.iter().filter(|role| !role.new).count()
        + plan.users.iter().filter(|user| !user.new).count();
    let rotate = count(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. }));
    let mend = count(|change| matches!(change, Change::Mend { .. }));
    let retire = count(|change| matches!(change, Change::Retire { .. }));
    let delete = count(|change| matches!(change, Change::Remove { .. } | Change::Leave | Change::Delete));
    let blocked = plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count();
    let parts = [
        (create, "to create"),
        (change, "to change"),
        (rotate, "to rotate"),
        (mend, "to mend"),
        (retire, "to retire"),
        (delete, "to delete"),
        (blocked, "held up"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    let tokens = plan.tokens.iter().filter(|token| token.declaration.is_some()).count();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let left = plan.left_out.filter(|left| left.tokens + left.others > 0).map_or_else(String::new, |left| {
        let others = match left.others {
            0 => String::new(),
            others => format!(" and {others} role{} or user{}", plural(others), plural(others)),
        };
        format!("; not selected and left as they are: {} token{}{others}", left.tokens, plural(left.tokens))
    });
    if parts.is_empty() {
        let tokens = tokens - plan.left_out.map_or(0, |left| left.tokens.min(tokens));
        return format!("No changes: {tokens} token{} of `{}` as declared{left}", plural(tokens), plan.manifest);
    }
    format!("Plan: {}{left}", parts.join(", "))
}
