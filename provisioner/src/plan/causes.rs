//! What the writes of a plan cause beyond the entries themselves: restarts, and values that wait for a deployment. One
//! line a unit, derived from the parts of its places, as a plan is pure.

use std::collections::BTreeSet;

use latchkey::place::Place;

use super::{Change, Plan, TokenPlan};
use latchkey_sinks::Kind;

/// The lines, each unit once.
pub(super) fn causes(plan: &Plan) -> Vec<String> {
    let lines: BTreeSet<String> = plan.tokens.iter().flat_map(touched).filter_map(cause).collect();
    lines.into_iter().collect()
}

/// The places whose entries a token's plan writes or removes.
fn touched(token: &TokenPlan) -> Vec<&Place> {
    let all = token.places.iter().chain(token.findings.iter().map(|(place, _)| place));
    let named = |wanted: &dyn Fn(&Place) -> bool| all.clone().filter(|place| wanted(place)).collect::<Vec<_>>();
    let of_change = |change: &Change| match change {
        Change::Create | Change::NewVersion(_) => token.places.iter().collect(),
        Change::Resume { to, .. } => named(&|place| to.contains(&place.id())),
        Change::Mend { to: place, .. } | Change::Remove { place } => named(&|other| other.id() == *place),
        _ => Vec::new(),
    };
    token.changes.iter().flat_map(of_change).collect()
}

fn cause(place: &Place) -> Option<String> {
    Kind::named(&place.kind)?.facts().effect(place)
}

/// The apps that a token's plan restarts.
pub(super) fn restarted(token: &TokenPlan) -> BTreeSet<String> {
    touched(token).into_iter().filter_map(|place| Kind::named(&place.kind)?.facts().restarts(place)).collect()
}
