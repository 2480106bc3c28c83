//! When everything is in order.

use jiff::Timestamp;
use provisioner::manifest::Manifest;
use provisioner::observe::finding::Finding;
use provisioner::plan::{Labels, Line, Plan, lines};

/// B: what is still to be done, if anything: a plan that changes nothing, every place on the current version, and no
/// other version that works.
pub(crate) fn left_to_do(plan: &Plan, manifest: &Manifest, now: Timestamp) -> Option<String> {
    if plan.has_changes() || plan.is_blocked() {
        let lines = lines(plan, &Labels::new(&manifest.folder, "here"));
        let lines: Vec<String> = lines.iter().map(Line::plain).collect();
        return Some(lines.join("\n"));
    }
    for token in &plan.tokens {
        let Some(record) = &token.record else { return Some(format!("no token {}", token.name)) };
        if token.declaration.is_none() {
            return Some(format!("token {} is still there", token.name));
        }
        let live: Vec<_> = record.live(now).map(|version| (version.number, version.state)).collect();
        if live.len() != 1 || record.current().is_none() {
            return Some(format!("versions {live:?}"));
        }
        if record.places.len() != token.places.len() {
            return Some("a place is still recorded".to_owned());
        }
        if !token.findings.iter().all(|(_, find)| matches!(find, Finding::Current)) {
            return Some("a place is not current".to_owned());
        }
    }
    None
}
