//! `provision doctor`: checks everything that a run depends on, and writes nothing.

mod checks;
mod folding;
mod policy;
mod receivers;
mod sinks;
mod tokens;

use std::collections::BTreeSet;

use serde_json::json;

use super::arguments::Doctor;
use super::exit::{Code, Fault};
use super::many;
use super::open::{self, IfMissing};
use crate::manifest::{self, LoadError};
use crate::output::{Format, Mark, Printer, actions, markdown};
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::machine;
use latchkey_sinks::plural::count;
use latchkey_sinks::reading::{self, Severity, snippet};

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Nothing stops a run, but somebody should look.
    Note,
    Problem,
}

#[derive(Debug, Clone)]
struct Diagnosis {
    state: State,
    /// What was checked.
    what: String,
    /// What was found.
    words: String,
    /// What to do about it.
    fix: Option<String>,
    /// Where in the manifest, if it is about that.
    at: Option<Spot>,
}

/// A fault of a manifest's line.
#[derive(Debug, Clone, Copy)]
struct Spot {
    kind: &'static str,
    line: usize,
}

impl Diagnosis {
    fn good(what: impl Into<String>, words: impl Into<String>) -> Self {
        Self { state: State::Good, what: what.into(), words: words.into(), fix: None, at: None }
    }

    fn note(what: impl Into<String>, words: impl Into<String>, fix: Option<&str>) -> Self {
        Self { state: State::Note, what: what.into(), words: words.into(), fix: fix.map(str::to_owned), at: None }
    }

    fn problem(what: impl Into<String>, words: impl Into<String>, fix: Option<&str>) -> Self {
        Self { state: State::Problem, what: what.into(), words: words.into(), fix: fix.map(str::to_owned), at: None }
    }

    /// A fault of the manifest, `shown` as that.
    fn of_manifest(shown: &str, fault: &reading::Fault, text: &str) -> Self {
        let line = snippet::position(text, fault.span.start).line;
        let state = match fault.severity {
            Severity::Error => State::Problem,
            Severity::Warning => State::Note,
        };
        let (words, fix) = (fault.message.clone(), fault.hint.clone());
        let at = Some(Spot { kind: fault.code, line });
        Self { state, what: format!("{shown}, line {line}"), words, fix, at }
    }

    fn of_fault(what: impl Into<String>, fault: &Fault) -> Self {
        Self::problem(what, fault.message.clone(), fault.hint.as_deref())
    }
}

impl State {
    fn mark(self) -> Mark {
        match self {
            Self::Good => Mark::Good,
            Self::Note => Mark::Unsure,
            Self::Problem => Mark::Bad,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// Checks, or prints the least privileges.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Doctor) -> Result<Code, Fault> {
    if arguments.policy {
        let manifest = open::load(printer, arguments.file.as_deref(), &arguments.allow)?;
        let sinks = ManifestSinks::new(&manifest.sinks, &machine::name(), &manifest.bounds);
        let address = open::address(service, Some(&manifest))?;
        let rights = policy::rights(&manifest, &sinks, &address).await;
        return policy::print(printer, &rights);
    }
    let is_folded = printer.format == Format::Text && !printer.lists_all();
    let findings = findings(service, arguments, is_folded).await;
    show(printer, &findings, is_folded)?;
    let bad = findings.iter().any(|finding| finding.state == State::Problem);
    Ok(if bad { Code::Error } else { Code::Done })
}

/// All that is found; with `is_folded` many warnings of one kind about the manifest are one.
async fn findings(service: Option<&str>, arguments: &Doctor, is_folded: bool) -> Vec<Diagnosis> {
    let mut findings = Vec::new();
    let allow = &arguments.allow;
    let file = open::manifest_file(arguments.file.as_deref());
    let loaded = manifest::load(&file, &allow.allowances());
    let shown = format!("manifest `{}`", file.display());
    let add = |findings: &mut Vec<Diagnosis>, faults: &[reading::Fault], text: &str| {
        findings.extend(faults.iter().map(|fault| Diagnosis::of_manifest(&shown, fault, text)));
    };
    let manifest = match loaded {
        Ok((manifest, warnings)) => {
            let (each, many) = if is_folded { many::folded(&warnings, &manifest) } else { (warnings, Vec::new()) };
            add(&mut findings, &each, &manifest.text);
            findings.extend(many.iter().map(|(words, fix)| Diagnosis::note(&*shown, words, Some(fix))));
            let leaving = if allow.allow_outside { Vec::new() } else { manifest::leaving(&manifest) };
            add(&mut findings, &leaving, &manifest.text);
            if !leaving.is_empty() {
                return findings;
            }
            let (tokens, sinks) = (count(manifest.tokens.len(), "token"), count(manifest.sinks.len(), "sink"));
            let words = format!("{tokens}, {sinks}");
            findings.push(Diagnosis::good(shown.clone(), words));
            manifest
        }
        Err(LoadError::Faults(faults)) => {
            add(&mut findings, &faults.faults, &faults.text);
            actions::faults(&file, &faults.text, &faults.faults);
            return findings;
        }
        Err(error) => {
            findings.push(Diagnosis::of_fault(shown, &open::not_loaded(&error, arguments.file.as_deref())));
            return findings;
        }
    };
    findings.extend(checks::files(&manifest));
    let machine = machine::name();
    let sinks = ManifestSinks::new(&manifest.sinks, &machine, &manifest.bounds);
    let opened = match open::address(service, Some(&manifest)) {
        Ok(address) => {
            findings.extend(checks::table_file(&address, &manifest));
            open::client(&address, IfMissing::UseEmpty).await.map(|client| (address, client))
        }
        Err(fault) => Err(fault),
    };
    let client = match opened {
        Ok((address, client)) => {
            checks::service(&mut findings, (&address, &client), &manifest, &sinks).await;
            Some(client)
        }
        Err(fault) => {
            findings.push(Diagnosis::of_fault("service", &fault));
            None
        }
    };
    sinks::check(&mut findings, &manifest, &sinks).await;
    findings.extend(receivers::check(client.as_ref(), &manifest, &allow.allowances()).await);
    // What stops a sink is no mere note.
    let problems = findings.iter().filter(|finding| finding.state == State::Problem);
    let problems: BTreeSet<String> = problems.map(|finding| finding.words.clone()).collect();
    findings.retain(|finding| finding.state != State::Note || !problems.contains(&finding.words));
    findings
}

fn show(printer: Printer, findings: &[Diagnosis], is_folded: bool) -> Result<(), Fault> {
    let in_state = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (problems, notes) = (in_state(State::Problem), in_state(State::Note));
    let sum = match (problems, notes) {
        (0, 0) => "No problems found".to_owned(),
        (0, notes) => format!("No problems found; {}", count(notes, "note")),
        (problems, 0) => count(problems, "problem"),
        (problems, notes) => format!("{}, {}", count(problems, "problem"), count(notes, "note")),
    };
    let rows = findings.iter().map(|finding| {
        let Diagnosis { state, what, words, fix, .. } = finding;
        let fix = fix.as_deref().map(markdown::text).unwrap_or_default();
        vec![state.word().to_owned(), markdown::text(what), markdown::text(words), fix]
    });
    let table = markdown::table(&["", "Check", "Found", "Fix"], &rows.collect::<Vec<_>>());
    let page = markdown::page(&["### Doctor".to_owned(), format!("**{sum}**"), table]);
    match printer.format {
        Format::Json => {
            let checks: Vec<_> = findings
                .iter()
                .map(|finding| {
                    json!({
                        "check": finding.what,
                        "state": finding.state.word(),
                        "message": finding.words,
                        "help": finding.fix,
                    })
                })
                .collect();
            printer.json(&json!({ "good": problems == 0, "checks": checks }))?;
        }
        Format::Markdown => printer.block(&page)?,
        Format::Text => {
            let shown = if is_folded { folding::folded(findings) } else { findings.to_vec() };
            for finding in &shown {
                let Diagnosis { state, what, words, .. } = finding;
                let blanks = " ".repeat(9 - state.word().len());
                printer.judged(state.mark(), state.word(), &format!("{blanks}{what}: {words}"))?;
                if let Some(fix) = &finding.fix {
                    printer.finding(&format!("         fix: {fix}"))?;
                }
            }
            printer.result(&sum)?;
        }
    }
    actions::summarise(&page);
    Ok(())
}
