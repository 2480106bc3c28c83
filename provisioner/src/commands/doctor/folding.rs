//! What is found of many alike, as one line for people.

use super::Diagnosis;
use crate::commands::many::EACH;
use crate::plan::named;
use latchkey_sinks::plural::count;

/// The findings with one for all that say the same of things of one sort, where the first of them is.
pub(super) fn folded(findings: &[Diagnosis]) -> Vec<Diagnosis> {
    let mut folded: Vec<Diagnosis> = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        let alike = |other: &&Diagnosis| is_alike(finding, other);
        let all: Vec<&Diagnosis> = findings.iter().filter(alike).collect();
        if all.len() <= EACH {
            folded.push(finding.clone());
        } else if !findings[..index].iter().any(|other| is_alike(finding, other)) {
            folded.push(one(finding, &all));
        }
    }
    folded
}

fn is_alike(one: &Diagnosis, other: &Diagnosis) -> bool {
    if let (Some(here), Some(there)) = (one.at, other.at) {
        return here.kind == there.kind && one.state == other.state && one.fix == other.fix;
    }
    let (Some((sort, _)), Some((others, _))) = (subject(one), subject(other)) else { return false };
    sort == others && one.state == other.state && one.words == other.words && one.fix == other.fix
}

/// What was checked as its sort and its name, where it has both: token `ci/build-api`.
fn subject(finding: &Diagnosis) -> Option<(&str, &str)> {
    finding.what.split_once(' ').filter(|(_, name)| name.starts_with('`') && name.ends_with('`'))
}

fn one(first: &Diagnosis, all: &[&Diagnosis]) -> Diagnosis {
    let each = "pass `--verbose` to see each";
    let fix = first.fix.as_ref().map_or_else(|| each.to_owned(), |fix| format!("{fix}; {each}"));
    let lines: Vec<String> = all[1..].iter().filter_map(|one| one.at).map(|at| format!("line {}", at.line)).collect();
    if !lines.is_empty() {
        let words = format!("{}; {} more of this kind: {}", first.words, lines.len(), named(&lines));
        return Diagnosis { words, fix: Some(fix), ..first.clone() };
    }
    let names: Vec<String> = all.iter().filter_map(|one| subject(one)).map(|(_, name)| name.to_owned()).collect();
    let sort = subject(first).map_or("check", |(sort, _)| sort);
    Diagnosis {
        what: count(all.len(), sort),
        words: format!("{}: {}", first.words, named(&names)),
        fix: Some(fix),
        ..first.clone()
    }
}
