//! Declared tokens that move from one manifest to another.

use std::collections::{BTreeMap, HashMap};

use latchkey::name::{ManifestName, TokenName, UserName};
use latchkey::token::{Token, TokenKey};

use super::Observation;
use crate::manifest::{Former, Manifest, TokenDeclaration};

/// Where a declared token is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moving {
    /// It is another manifest's, which has agreed: this one takes it.
    Taken {
        /// The manifest that declares it today.
        from: ManifestName,
        /// Its name there.
        name: TokenName,
    },
    /// It is another manifest's, which has not agreed.
    NotAgreed {
        from: ManifestName,
        user: UserName,
        /// Its name there.
        name: TokenName,
        /// The manifest that it was promised to instead.
        to: Option<ManifestName>,
    },
    /// The token that it would be taken from is another user's.
    OtherUser(UserName),
    /// It is no longer this manifest's.
    Left {
        /// The manifest that takes it.
        to: ManifestName,
        /// Whether that one has it.
        taken: bool,
    },
}

/// The token that a declaration takes from another manifest, by user and name.
pub(super) fn former_key(declaration: &TokenDeclaration) -> Option<TokenKey> {
    let Former { user, name, .. } = declaration.taken_from.as_ref()?;
    Some(TokenKey::new(user.clone(), name.clone()))
}

/// What was found of a declaration, by its own name and by the one that it is taken from.
pub(super) struct Found<'a> {
    /// The token of the declared name.
    pub(super) own: Option<Token>,
    /// Tokens by the names that they are taken from.
    pub(super) formers: &'a HashMap<TokenKey, Token>,
    /// Whether a token of the manifest gets another name.
    pub(super) is_renamed: bool,
}

/// The record that a declaration is about, and whether it moves.
pub(super) fn settle(
    manifest: &ManifestName,
    declaration: &TokenDeclaration,
    found: Found<'_>,
) -> (Option<Token>, Option<Moving>) {
    let leaves = declaration.moved_to.clone();
    let left = |to: ManifestName, taken| (None, Some(Moving::Left { to, taken }));
    if let Some(own) = found.own {
        let owner = own.managed_by.as_ref();
        return match (&declaration.taken_from, leaves) {
            _ if owner == Some(manifest) => (Some(own), None),
            (Some(former), _) if owner == Some(&former.manifest) && former.name == own.name => take(manifest, own),
            (_, Some(to)) if owner.is_none_or(|owner| *owner == to) => {
                let taken = owner.is_some();
                left(to, taken)
            }
            // Another's, which is a fault, or created by hand.
            _ => (Some(own), None),
        };
    }
    let former = declaration.taken_from.as_ref().and_then(|former| {
        let found = found.formers.get(&former_key(declaration)?)?;
        (found.managed_by.as_ref() == Some(&former.manifest)).then(|| found.clone())
    });
    match (former, leaves) {
        (Some(former), _) if former.user != declaration.user => (None, Some(Moving::OtherUser(former.user))),
        (Some(former), _) => take(manifest, former),
        // Whoever may take it has given it another name, or it never was: another one is not created.
        (None, Some(to)) if !found.is_renamed => left(to, false),
        (None, _) => (None, None),
    }
}

fn take(manifest: &ManifestName, token: Token) -> (Option<Token>, Option<Moving>) {
    let Some(from) = token.managed_by.clone() else { return (Some(token), None) };
    let name = token.name.clone();
    if token.moved_to.as_ref() == Some(manifest) {
        return (Some(token), Some(Moving::Taken { from, name }));
    }
    let refused = Moving::NotAgreed { from, user: token.user, name, to: token.moved_to };
    (None, Some(refused))
}

impl Observation {
    /// The manifests that tokens are taken from, each with one of the tokens.
    pub fn sources(&self, manifest: &Manifest) -> BTreeMap<ManifestName, TokenKey> {
        let taken =
            manifest.tokens.iter().zip(&self.tokens).filter_map(|(declaration, observed)| match &observed.moving {
                Some(Moving::Taken { from, name }) => {
                    Some((from.clone(), TokenKey::new(declaration.user.clone(), name.clone())))
                }
                _ => None,
            });
        taken.collect()
    }
}
