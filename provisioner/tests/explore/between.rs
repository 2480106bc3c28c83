//! Between which sinks is explored.

use std::collections::BTreeMap;

use crate::exploration::Traits;

#[expect(clippy::fn_params_excessive_bools, reason = "a row of a table of yes and no")]
const fn traits(readable: bool, conditional: bool, redeploys: bool, surveys: bool, batch: usize) -> Traits {
    Traits { readable, conditional, redeploys, surveys, pends: false, batch }
}

/// A vault: readable, compares.
pub(crate) const VAULT: Traits = traits(true, true, false, false, 1);
/// A file that cannot compare.
const FILE: Traits = traits(true, false, false, false, 2);
/// Write-only, with a marker; takes effect with the next deployment; its list may be old.
const HOST: Traits = traits(false, false, true, true, 2);
/// The same, up to date and without deployments.
const BLIND: Traits = traits(false, false, false, false, 1);
const STRICT: Traits = traits(false, true, false, false, 2);
/// A vault whose secrets AWS rotates.
const ROTATED: Traits = Traits { pends: true, ..VAULT };
/// Readable, and its consumers may stay behind; every write restarts them.
const APPS: Traits = traits(true, false, true, false, 9);
/// Readable, compares; its list may be old.
const LISTED: Traits = traits(true, true, false, true, 9);

/// The sinks of a world, by name.
pub(crate) type Sinks = BTreeMap<&'static str, Traits>;

/// Two and three sinks of every kind.
pub(crate) fn sinks() -> Vec<Sinks> {
    let sets: [&[Traits]; 10] = [
        &[VAULT, BLIND],
        &[VAULT, HOST],
        &[BLIND, STRICT],
        &[FILE, VAULT],
        &[BLIND, FILE],
        &[LISTED, APPS],
        &[HOST, STRICT],
        &[VAULT, HOST, APPS],
        &[BLIND, STRICT, HOST],
        &[FILE, LISTED, BLIND],
    ];
    sets.iter().map(|set| ["a", "b", "c"].into_iter().zip(set.iter().copied()).collect()).collect()
}

/// Sinks of which AWS rotates the first.
pub(crate) fn rotated_by_aws() -> Vec<Sinks> {
    let sets: [&[Traits]; 3] = [&[ROTATED, BLIND], &[ROTATED, FILE], &[ROTATED, HOST, STRICT]];
    sets.iter().map(|set| ["a", "b", "c"].into_iter().zip(set.iter().copied()).collect()).collect()
}

/// Three sinks that cannot be read.
pub(crate) fn three_unreadable() -> Sinks {
    ["a", "b", "c"].into_iter().zip([BLIND, STRICT, BLIND]).collect()
}
