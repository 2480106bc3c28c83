//! Names that select a part of a manifest: tokens and sinks.

use std::collections::BTreeSet;

use latchkey::name::{TokenName, UserName};

use super::arguments::AdoptFlags;
use super::exit::Fault;
use crate::manifest::Manifest;
use crate::observe::Observation;
use crate::plan::Adopt;
use latchkey_sinks::reading::nearest;

/// Whose, and which.
pub(super) type Key = (UserName, TokenName);

/// The tokens that words name, each `NAME` or `USER/NAME`: declared ones, and those of `others` that are no longer
/// declared. The former name of a token that was renamed means that token.
pub(super) fn tokens(manifest: &Manifest, others: &[Key], words: &[String]) -> Result<BTreeSet<Key>, Fault> {
    let mut chosen = BTreeSet::new();
    for word in words {
        let found = named(manifest, others, word);
        if found.is_empty() {
            return Err(unknown(manifest, others, word));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// The one token that a word names.
pub(super) fn token(manifest: &Manifest, word: &str) -> Result<Key, Fault> {
    let mut found = named(manifest, &[], word).into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(unknown(manifest, &[], word)),
        (Some(key), None) => Ok(key),
        (Some((user, name)), Some(_)) => Err(Fault::new(format!("more than one user has a token `{word}`"))
            .hint(format!("pass the user too, for example `{user}/{name}`"))),
    }
}

/// All tokens of a manifest, declared or not, but those whose `user/name` is among `others`.
pub(super) fn all_but(manifest: &Manifest, observation: &Observation, others: &BTreeSet<String>) -> BTreeSet<Key> {
    let declared = manifest.tokens.iter().map(|token| (token.user.clone(), token.name.clone()));
    let all = declared.chain(undeclared(observation));
    all.filter(|(user, name)| !others.contains(&format!("{user}/{name}"))).collect()
}

/// The tokens that a manifest manages and no longer declares.
pub(super) fn undeclared(observation: &Observation) -> Vec<Key> {
    observation.undeclared.iter().map(|token| (token.user.clone(), token.name.clone())).collect()
}

fn named(manifest: &Manifest, others: &[Key], word: &str) -> BTreeSet<Key> {
    let (user, name) = word.rsplit_once('/').map_or((None, word), |(user, name)| (Some(user), name));
    let is = |key: &Key| key.1.as_str() == name && user.is_none_or(|user| key.0.as_str() == user);
    let declared = manifest.tokens.iter().filter_map(|declaration| {
        let key = (declaration.user.clone(), declaration.name.clone());
        let taken = declaration.taken_from.as_ref().map(|former| (former.user.clone(), former.name.clone()));
        let formerly = declaration.moved_from.as_ref().or(taken.as_ref()).is_some_and(is);
        (is(&key) || formerly).then_some(key)
    });
    let declared: BTreeSet<Key> = declared.collect();
    if declared.is_empty() { others.iter().filter(|key| is(key)).cloned().collect() } else { declared }
}

fn unknown(manifest: &Manifest, others: &[Key], word: &str) -> Fault {
    let declared = manifest.tokens.iter().map(|token| (&token.user, &token.name));
    let keys: Vec<(String, String)> = declared
        .chain(others.iter().map(|(user, name)| (user, name)))
        .map(|(user, name)| (name.to_string(), format!("{user}/{name}")))
        .collect();
    let near = nearest(word, keys.iter().flat_map(|(name, whole)| [name.as_str(), whole.as_str()]));
    let fault = Fault::new(format!("`{}` declares no token `{word}`", manifest.path.display()));
    match near {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("`provision status` lists its tokens"),
    }
}

/// Whose entries a run takes over: only declared tokens have any to come.
pub(super) fn adopted(manifest: &Manifest, flags: &AdoptFlags) -> Result<Adopt, Fault> {
    Ok(match (flags.adopt_all, flags.adopt.is_empty()) {
        (true, _) => Adopt::All,
        (false, true) => Adopt::Declared,
        (false, false) => Adopt::Tokens(tokens(manifest, &[], &flags.adopt)?),
    })
}

/// The sinks that words name.
pub(super) fn sinks(manifest: &Manifest, words: &[String]) -> Result<BTreeSet<String>, Fault> {
    let Some(word) = words.iter().find(|word| !manifest.sinks.contains_key(*word)) else {
        return Ok(words.iter().cloned().collect());
    };
    let fault = Fault::new(format!("`{}` declares no sink `{word}`", manifest.path.display()));
    let names: Vec<String> = manifest.sinks.keys().map(|name| format!("`{name}`")).collect();
    Err(match nearest(word, manifest.sinks.keys().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => fault.hint("the manifest declares no sinks"),
        None => fault.hint(format!("declared sinks: {}", names.join(", "))),
    })
}
