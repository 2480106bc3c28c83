//! What is not as it should be with the tokens themselves, by the plan of a run: what expires, differs, is due or blocked.

use super::Diagnosis;
use crate::commands::status::{differs, is_due, unfinished, unlike};
use crate::manifest::Manifest;
use crate::observe::Observation;
use crate::plan::{self, Blocked, Concern, Labels, Note, Options, TokenPlan, Tone, minute, remarks};

/// What `provision apply` sees to.
const APPLY: &str = "run `provision apply`";

const CHANGED: &str = "differs from the manifest";

/// Checks every token, and whether roles and users are as the manifest declares them.
pub(super) fn check(manifest: &Manifest, observation: &Observation) -> Vec<Diagnosis> {
    let labels = Labels::new(&manifest.folder, &observation.machine);
    let plan = plan::plan(manifest, observation, &Options::default());
    // A manifest with a fault is not applied before that is fixed.
    let is_sound = plan::faults(manifest, observation).is_empty();
    let tokens = plan.tokens.iter().flat_map(|token| of_token(token, observation, (&labels, is_sound)));
    // What does not exist yet is told of the service.
    let roles = plan.roles.iter().filter(|role| is_sound && !role.new).map(|role| format!("role `{}`", role.name));
    let users = plan.users.iter().filter(|user| is_sound && !user.new).map(|user| format!("user `{}`", user.name));
    tokens.chain(roles.chain(users).map(|subject| Diagnosis::note(subject, CHANGED, Some(APPLY)))).collect()
}

fn of_token(token: &TokenPlan, observation: &Observation, (labels, is_sound): (&Labels, bool)) -> Vec<Diagnosis> {
    let subject = format!("token `{}/{}`", token.user, token.name);
    let mut findings: Vec<Diagnosis> = plan::concerns(token, labels)
        .into_iter()
        .map(|Concern { what, text, fix, elsewhere }| {
            let found = if elsewhere { Diagnosis::note } else { Diagnosis::problem };
            found(what, text, fix.as_deref())
        })
        .collect();
    let said = remarks(token, labels);
    let (problems, notes) = said.split_at(token.blocked.len());
    for (blocked, remark) in token.blocked.iter().zip(problems) {
        // What cannot be reached is told of its sink or its place.
        if !matches!(blocked, Blocked::Unreachable { .. } | Blocked::NoPlace { .. }) {
            debug_assert_eq!(remark.tone, Tone::Problem);
            findings.push(Diagnosis::problem(&*subject, format!("blocked: {}", remark.text), remark.help.as_deref()));
        }
    }
    for (note, remark) in token.notes.iter().zip(notes) {
        let is_told = matches!(note, Note::Leaving { .. } | Note::StaysWhileLagging { .. } | Note::NotDeclared { .. });
        if is_told {
            findings.push(Diagnosis::note(&*subject, &*remark.text, None));
        }
    }
    let Some(record) = token.record.as_deref() else {
        let is_moved = token.notes.iter().any(|note| matches!(note, Note::Left { .. }));
        if !is_moved && token.blocked.is_empty() {
            findings.push(Diagnosis::note(subject, "not created yet", Some(APPLY)));
        }
        return findings;
    };
    for (place, words) in unlike(token, observation, labels) {
        findings.push(Diagnosis::problem(format!("place {place}"), format!("{words} ({subject})"), Some(APPLY)));
    }
    if let Some(number) = unfinished(token, observation.at) {
        let words = format!("version {number} is not current yet, as its delivery was interrupted or is in progress");
        // What reached no place is replaced by the next rotation, and by nothing before.
        let is_left = token.changes.is_empty() && token.blocked.is_empty();
        let rotate = format!("run `provision rotate {}` if no run is in progress", token.name);
        findings.push(Diagnosis::note(&*subject, words, Some(if is_left { &rotate } else { APPLY })));
    }
    if is_sound && differs(token) {
        findings.push(Diagnosis::note(&*subject, CHANGED, Some(APPLY)));
    }
    if let Some(due) = is_due(record, observation.at).filter(|_| token.declaration.is_some()) {
        findings.push(Diagnosis::note(subject, format!("to be rotated since {}", minute(due)), Some(APPLY)));
    }
    findings
}
