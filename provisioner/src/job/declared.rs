//! A manifest as the job has it: what is published of some tokens, and everything else as it is recorded, so that nothing
//! but time makes a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::future::join_all;
use latchkey::name::ManifestName;
use latchkey::place::PlaceId;
use latchkey::token::Token;
use latchkey_sinks::{Bounds, PushDeclaration, SinkError, SinkSet};

use crate::manifest::{Manifest, TokenDeclaration};
use crate::publication::Readable;
use crate::safeguard::{Safeguard, stands};

/// A manifest that declares these tokens as they are recorded, delivered as they are published. One that is not published,
/// or that nothing says how long to keep, is left out.
pub fn manifest(name: &ManifestName, published: Readable, tokens: &[Token]) -> Manifest {
    let Readable { sinks, mut pushes, rotation, .. } = published;
    let declared = tokens.iter().filter_map(|token| declaration(token, pushes.remove(&token.key())?));
    Manifest {
        name: name.clone(),
        path: PathBuf::from("publication"),
        folder: PathBuf::from("/"),
        text: String::new(),
        service: None,
        roles: BTreeMap::new(),
        users: BTreeMap::new(),
        tokens: declared.collect(),
        sinks,
        rotation,
        notify: BTreeMap::new(),
        bounds: Bounds::default(),
    }
}

/// Whether the places that a declaration leads to are those that its token was applied with.
///
/// # Errors
/// Of a sink that does not know where a push lands.
pub async fn is_as_applied(
    sinks: &dyn SinkSet,
    declaration: &TokenDeclaration,
    record: &Token,
) -> Result<bool, SinkError> {
    let places = join_all(declaration.pushes.iter().map(|push| sinks.place(push))).await;
    let published = places.iter().map(|place| Ok(place.as_ref().map_err(Clone::clone)?.id()));
    let published: BTreeSet<PlaceId> = published.collect::<Result<_, SinkError>>()?;
    let applied = record.places.iter().filter(|(_, place)| place.declared).map(|(id, _)| id.clone());
    Ok(published == applied.collect() || !stands(Safeguard::JobAsApplied))
}

fn declaration(token: &Token, pushes: Vec<PushDeclaration>) -> Option<TokenDeclaration> {
    Some(TokenDeclaration {
        name: token.name.clone(),
        user: token.user.clone(),
        description: token.description.clone(),
        roles: Some(token.roles.clone()),
        labels: token.labels.clone(),
        allowed_ips: token.allowed_ips.clone(),
        terms: token.terms?,
        pushes,
        moved_from: None,
        taken_from: None,
        moved_to: token.moved_to.clone(),
        span: 0..0,
        user_span: 0..0,
        role_spans: token.roles.iter().map(|_| 0..0).collect(),
        moved_from_span: None,
    })
}
