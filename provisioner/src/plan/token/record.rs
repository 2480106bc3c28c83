//! How a token's record differs from its declaration.

use std::collections::BTreeSet;

use latchkey::lifetime::Seconds;
use latchkey::name::ManifestName;
use latchkey::place::{Place, PlaceId};
use latchkey::token::Token;

use super::Case;
use crate::manifest::TokenDeclaration;
use crate::plan::{Change, Field, TokenField, TokenPlan};

/// One of the durations.
type Part = fn(&latchkey::lifetime::Terms) -> Seconds;

/// What changes in the record.
pub(super) fn update(plan: &mut TokenPlan, case: &Case<'_>, record: &Token) {
    if record.managed_by.is_none() {
        plan.changes.push(Change::TakeOver);
    }
    let declaration = case.declaration;
    let mut fields = Vec::new();
    let mut field = |name: TokenField, from: String, to: String| {
        if from != to {
            fields.push(Field { name, from, to });
        }
    };
    let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| "none".to_owned());
    field(TokenField::Description, text(record.description.as_ref()), text(declaration.description.as_ref()));
    field(TokenField::Roles, list(&record.roles), list(&plan.roles));
    field(TokenField::Labels, labels(&record.labels), labels(&declaration.labels));
    field(TokenField::AllowedIps, list(&record.allowed_ips), list(&declaration.allowed_ips));
    let span = |name: Part| {
        let before = record.terms.as_ref().map_or_else(|| "none".to_owned(), |terms| name(terms).to_string());
        (before, name(&declaration.terms).to_string())
    };
    let spans: [(TokenField, Part); 3] = [
        (TokenField::ExpiresIn, |terms| terms.expires_in),
        (TokenField::RotateEvery, |terms| terms.rotate_every),
        (TokenField::Overlap, |terms| terms.overlap),
    ];
    for (name, of) in spans {
        let (from, to) = span(of);
        field(name, from, to);
    }
    let ids = |places: &mut dyn Iterator<Item = PlaceId>| {
        let ids: BTreeSet<String> = places.map(|id| id.to_string()).collect();
        ids.into_iter().collect::<Vec<_>>().join(" ")
    };
    let was = ids(&mut record.places.iter().filter(|(_, place)| place.declared).map(|(id, _)| id.clone()));
    let will = ids(&mut plan.places.iter().map(Place::id));
    field(TokenField::Places, was, will);
    if record.leaving.is_some() {
        field(TokenField::Leaving, "yes".to_owned(), "no".to_owned());
    }
    // Whoever takes it has what the former manifest agreed to.
    let moves = plan.changes.iter().any(|change| matches!(change, Change::Move { .. }));
    let agreed = |to: Option<&ManifestName>| to.map_or_else(|| "none".to_owned(), ToString::to_string);
    let before = record.moved_to.as_ref().filter(|_| !moves);
    if before != declaration.moved_to.as_ref() {
        let (from, to) = (agreed(before), agreed(declaration.moved_to.as_ref()));
        fields.push(Field { name: TokenField::MovedTo, from, to });
    }
    if !fields.is_empty() {
        plan.changes.push(Change::Update(fields));
    }
}

/// What a new token will be, besides its roles and places.
pub(super) fn about(declaration: &TokenDeclaration) -> Vec<String> {
    let terms = &declaration.terms;
    let mut about = vec![format!(
        "expires in {}, rotated every {}, overlap {}",
        terms.expires_in, terms.rotate_every, terms.overlap
    )];
    about.extend(declaration.description.as_ref().map(|text| format!("description: {text}")));
    if !declaration.allowed_ips.is_empty() {
        about.push(format!("allowed_ips: {}", list(&declaration.allowed_ips)));
    }
    if !declaration.labels.is_empty() {
        about.push(format!("labels: {}", labels(&declaration.labels)));
    }
    about
}

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn labels(labels: &std::collections::BTreeMap<String, String>) -> String {
    let texts: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    list(&texts)
}
