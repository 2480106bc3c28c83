//! What a run would be refused, taken out of its plan: nothing is promised that `apply` cannot do. Pure.

use super::{Blocked, Change, Note, Plan, TokenField, TokenPlan};
use crate::observe::preparing::Refusals;

/// Blocks the tokens of which a place cannot be written to. What only this login may not write is told, and planned all the
/// same: whoever plans need not be whoever applies.
pub fn refuse(plan: &mut Plan, refusals: &Refusals) {
    for token in &mut plan.tokens {
        let refused = token.targets().into_iter().filter_map(|place| {
            let id = place.id();
            refusals.get(&id).map(|refusal| (id, refusal))
        });
        let (by_login, refused): (Vec<_>, Vec<_>) = refused.partition(|(_, refusal)| refusal.by_login);
        let blocked: Vec<_> = refused.iter().map(|(id, refusal)| Blocked::unwritable(id, &refusal.error)).collect();
        let notes: Vec<_> = by_login
            .iter()
            .map(|(id, refusal)| Note::LoginMayNot {
                place: id.clone(),
                reason: refusal.error.to_string(),
                hint: refusal.error.hint().map(str::to_owned),
            })
            .collect();
        if !blocked.is_empty() {
            block(token, blocked);
        }
        token.notes.extend(notes);
    }
}

/// Blocks a token for what is found out after it was planned: what depends on a delivery is not done either.
fn block(token: &mut TokenPlan, blocked: Vec<Blocked>) {
    token.blocked.extend(blocked);
    token.changes.retain(|change| matches!(change, Change::Forget { .. } | Change::Update(_)));
    let undeclares = undeclares(token);
    keep_records(token, undeclares);
}

/// Whether a place that is recorded as declared is to be forgotten, which only an undeclared one can be.
pub(super) fn undeclares(token: &TokenPlan) -> bool {
    let recorded = |place| token.record.as_ref().and_then(|record| record.places.get(place));
    token.changes.iter().any(|change| match change {
        Change::Forget { place } => recorded(place).is_some_and(|place| place.declared),
        _ => false,
    })
}

/// A place recorded as declared, or a duration, that nothing can be delivered for would only be in the way of whoever can.
pub(super) fn keep_records(token: &mut TokenPlan, undeclares: bool) {
    for change in &mut token.changes {
        if let Change::Update(fields) = change {
            fields.retain(|field| match field.name {
                TokenField::Places => undeclares,
                TokenField::ExpiresIn | TokenField::RotateEvery | TokenField::Overlap => false,
                TokenField::Description
                | TokenField::Roles
                | TokenField::Labels
                | TokenField::AllowedIps
                | TokenField::Leaving
                | TokenField::MovedTo => true,
            });
        }
    }
    token.changes.retain(|change| !matches!(change, Change::Update(fields) if fields.is_empty()));
}
