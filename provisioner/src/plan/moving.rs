//! What moves from one manifest to another: whose a declared token, role or user is, and what its declaration says of it.

use latchkey::moving;
use latchkey::name::ManifestName;

use super::{Blocked, Change, Note, TokenPlan};
use crate::manifest::{Moves, TokenDeclaration};
use crate::observe::Observed;
use crate::observe::moving::Moving;

/// How a declared role or user stands to the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// The manifest's, or nobody's yet.
    Own,
    /// Another's, which has agreed.
    Taken,
    /// No longer the manifest's to declare.
    Left,
    /// Another's.
    Other(&'a ManifestName),
}

/// How a role or user of `owner` that may move to `moved_to` stands to a manifest that declares it; `None` for one that does
/// not exist.
pub(super) fn standing<'a>(
    manifest: &ManifestName,
    declared: &Moves,
    found: Option<(Option<&'a ManifestName>, Option<&ManifestName>)>,
) -> Standing<'a> {
    let leaves = declared.to.is_some();
    match found {
        Some((Some(owner), _)) if owner == manifest => Standing::Own,
        Some((Some(owner), moved_to)) if declared.from.as_ref() == Some(owner) && moved_to == Some(manifest) => {
            Standing::Taken
        }
        Some((Some(owner), _)) if declared.to.as_ref() == Some(owner) => Standing::Left,
        Some((Some(owner), _)) => Standing::Other(owner),
        Some((None, _)) | None if leaves => Standing::Left,
        Some((None, _)) | None => Standing::Own,
    }
}

/// What is written of a move of a role or user, and the former consent in words where that changes.
pub(super) fn moves(
    manifest: &ManifestName,
    declared: &Moves,
    found: Option<(Option<&ManifestName>, Option<&ManifestName>)>,
) -> (moving::Moving, Option<(String, String)>) {
    let taken = standing(manifest, declared, found) == Standing::Taken;
    let before = found.and_then(|(_, moved_to)| moved_to).filter(|_| !taken);
    let changed = before != declared.to.as_ref();
    let words = |to: Option<&ManifestName>| to.map_or_else(|| "none".to_owned(), ToString::to_string);
    let moving = moving::Moving {
        from: declared.from.clone().filter(|_| taken),
        to: changed.then(|| declared.to.clone()),
        release: false,
    };
    (moving, changed.then(|| (words(before), words(declared.to.as_ref()))))
}

/// Notes what a declared token's move means for it. False when nothing else is to be decided about the token.
pub(super) fn begin(
    plan: &mut TokenPlan,
    here: &ManifestName,
    observed: &Observed,
    declaration: &TokenDeclaration,
) -> bool {
    match &observed.moving {
        None => {
            let to = declaration.moved_to.clone().filter(|_| observed.record.is_some());
            plan.notes.extend(to.map(|to| Note::MovesTo { to, valid: None }));
        }
        Some(Moving::Taken { from, name }) => {
            plan.changes.push(Change::Move { from: from.clone(), name: name.clone() });
        }
        Some(Moving::NotAgreed { from, user, name, to }) => {
            let (manifest, user, name, to) = (from.clone(), user.clone(), name.clone(), to.clone());
            let here = here.clone();
            plan.blocked.push(Blocked::NotAgreed { here, manifest, user, name, to });
        }
        Some(Moving::OtherUser(user)) => plan.blocked.push(Blocked::OtherUser(user.clone())),
        Some(Moving::Left { to, taken }) => {
            // Its places are the other manifest's to speak of.
            plan.places.clear();
            plan.blocked.clear();
            plan.notes.push(Note::Left { to: to.clone(), taken: *taken });
            return false;
        }
    }
    true
}
