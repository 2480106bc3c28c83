//! A manifest as the job has it: what is published of some tokens, and everything else as it is recorded, so that nothing
//! but time makes a difference.

use std::collections::BTreeMap;
use std::path::PathBuf;

use latchkey::name::ManifestName;
use latchkey::token::Token;
use latchkey_sinks::{Bounds, PushDeclaration};

use crate::manifest::{Manifest, TokenDeclaration};
use crate::publication::Readable;

/// A manifest that declares these tokens as they are recorded, delivered as they are published. One that is not published,
/// or that nothing says how long to keep, is left out.
pub(super) fn manifest(name: &ManifestName, published: Readable, tokens: &[Token]) -> Manifest {
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
