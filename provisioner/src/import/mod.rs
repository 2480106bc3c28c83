//! Moving in: from the names of entries that are there already to a manifest that declares the tokens among them. Pure:
//! names come from vendors and files and are hostile, values never get here.

mod judging;
mod naming;
mod source;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::BTreeMap;

use latchkey::bounds::PLACES_MAX;
use latchkey::name::{ManifestName, UserName};
use latchkey_sinks::ListedEntry;

pub(crate) use judging::{Verdict, judge};
pub(crate) use source::{Source, SourceError, name_apart};
pub(crate) use writing::{body, manifest, probe, summary};

/// What is said beside the entries of a manifest that is written.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The manifest's name.
    pub(crate) name: ManifestName,
    /// Where the service is, as a line of `[service]`.
    pub(crate) service: String,
    /// Who owns the tokens.
    pub(crate) user: UserName,
    /// The file that it goes to, for what to do next.
    pub(crate) file: String,
}

/// An entry of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// The sink's name in the manifest.
    pub(crate) sink: String,
    pub(crate) entry: ListedEntry,
}

/// What entries become.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    /// In the order of their names.
    pub(crate) tokens: Vec<DraftToken>,
    /// What stays as it is, each with why.
    pub(crate) left: Vec<(Found, String)>,
}

/// A token that is to be declared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DraftToken {
    pub(crate) name: String,
    /// Where its secret goes.
    pub(crate) pushes: Vec<Found>,
    /// Entries of the same name that no push can replace, each with why.
    pub(crate) left: Vec<(Found, String)>,
}

impl Draft {
    /// How many pushes there are.
    pub(crate) fn pushes(&self) -> usize {
        self.tokens.iter().map(|token| token.pushes.len()).sum()
    }

    /// How many entries stay as they are.
    pub(crate) fn untouched(&self) -> usize {
        self.left.len() + self.tokens.iter().map(|token| token.left.len()).sum::<usize>()
    }
}

/// Sorts entries into tokens of `manifest` and what stays as it is. `refusal` is why `check` would refuse a push, if it would.
pub(crate) fn draft(manifest: &ManifestName, found: &[Found], refusal: impl Fn(&Found) -> Option<String>) -> Draft {
    let mut draft = Draft::default();
    // By what the entries are called, however each vendor spells it.
    let mut groups: BTreeMap<String, Vec<Vec<&Found>>> = BTreeMap::new();
    for one in found {
        match judge(&one.entry.name) {
            Verdict::Other(why) => draft.left.push((one.clone(), why)),
            Verdict::Token => {
                let groups = groups.entry(naming::words(&one.entry.name).join("-")).or_default();
                let apart = |other: &&Found| other.sink == one.sink && other.entry.name != one.entry.name;
                match groups.iter_mut().find(|group| !group.iter().any(apart)) {
                    Some(group) => group.push(one),
                    None => groups.push(vec![one]),
                }
            }
        }
    }
    let mut taken = naming::Taken::none(manifest.as_str());
    for group in groups.into_values().flatten() {
        let mut token = DraftToken { name: String::new(), pushes: Vec::new(), left: Vec::new() };
        for one in group {
            let full = (token.pushes.len() >= PLACES_MAX).then(|| format!("a token has at most {PLACES_MAX} places"));
            match one.entry.obstacle.clone().or(full).or_else(|| refusal(one)) {
                Some(why) => token.left.push((one.clone(), why)),
                None => token.pushes.push(one.clone()),
            }
        }
        match token.pushes.first() {
            None => draft.left.append(&mut token.left),
            Some(first) => {
                token.name = taken.name(&first.entry.name);
                draft.tokens.push(token);
            }
        }
    }
    draft.left.sort();
    draft
}
