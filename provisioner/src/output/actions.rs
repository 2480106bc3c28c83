//! GitHub Actions: annotations, groups and the step's summary. They are printed where `GITHUB_ACTIONS` is `true` and
//! nowhere else. No secret is ever printed, not even to be masked: `add-mask` would put it into the log's stream first.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Printer, gate};
use crate::manifest::Manifest;
use crate::plan::{Labels, Line, Plan, Tone, remarks};
use latchkey_sinks::reading::snippet::position;
use latchkey_sinks::reading::{Fault, Severity, Span};

/// A step's summary takes 1 MiB; one that is longer is dropped as a whole.
const SUMMARY_MAX: u64 = 1_000_000;
/// GitHub shows ten annotations of a kind and step; more only fill the log.
const ANNOTATIONS_MAX: usize = 50;

/// Whether this is a job of GitHub Actions.
pub fn runs_here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|word| word == "true")
}

/// The severity of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something to look at.
    Warning,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where an annotation is shown.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    pub file: &'a Path,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// One annotation as a workflow command.
pub fn annotation(level: Level, spot: Spot<'_>, title: &str, message: &str) -> String {
    let Spot { file, line, column } = spot;
    let file = property(&in_repository(file).display().to_string());
    format!("::{} file={file},line={line},col={column},title={}::{}", level.word(), property(title), data(message))
}

/// What follows `::`, so that it stays one line.
fn data(text: &str) -> String {
    // Of what a command is one line of, line breaks have escapes of its own.
    let lines: Vec<_> = text.split('\n').map(|line| gate::line(line.trim_end_matches('\r'))).collect();
    // An older form of a command is looked for anywhere in a line.
    lines.join("\n").replace("##[", "## [").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value, so that it ends where it should.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A file as the repository knows it.
fn in_repository(file: &Path) -> PathBuf {
    let Some(root) = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from) else { return file.to_owned() };
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    resolved(&absolute).strip_prefix(resolved(&root)).map_or_else(|_| file.to_owned(), Path::to_owned)
}

/// Gives the runner a command, on stderr.
fn command(line: &str) {
    super::say(line);
}

/// Annotates faults of a manifest at their lines.
pub fn faults(path: &Path, text: &str, faults: &[Fault]) {
    if !runs_here() {
        return;
    }
    for fault in faults.iter().take(ANNOTATIONS_MAX) {
        let level = if fault.severity == Severity::Error { Level::Error } else { Level::Warning };
        let message = match &fault.hint {
            Some(hint) => format!("{}\nhelp: {hint}", fault.message),
            None => fault.message.clone(),
        };
        command(&annotation(level, spot(path, text, &fault.span), fault.code, &message));
    }
}

fn spot<'a>(file: &'a Path, text: &str, span: &Span) -> Spot<'a> {
    let at = position(text, span.start);
    Spot { file, line: at.line, column: at.column }
}

/// Annotates what is blocked in a plan, and what expires soon, at the tokens that it is about.
pub fn plan(manifest: &Manifest, plan: &Plan, labels: &Labels) {
    if !runs_here() {
        return;
    }
    let mut said: Vec<String> = Vec::new();
    for token in &plan.tokens {
        let span = token.declaration.map_or(0..0, |index| manifest.tokens[index].span.clone());
        let spot = spot(&manifest.path, &manifest.text, &span);
        let title = format!("{}/{}", token.user, token.name);
        for remark in remarks(token, labels) {
            let level = match remark.tone {
                Tone::Problem => Level::Error,
                _ if remark.is_urgent => Level::Warning,
                _ => continue,
            };
            let help = remark.help.as_ref().map_or_else(String::new, |help| format!("\nhelp: {help}"));
            let message = format!("{}{help}", remark.sentence());
            said.push(annotation(level, spot, &title, &message));
        }
    }
    for guard in &plan.guards {
        let spot = Spot { file: &manifest.path, line: 1, column: 1 };
        said.push(annotation(Level::Error, spot, "guard", &format!("{guard}\nhelp: {}", guard.hint())));
    }
    said.iter().take(ANNOTATIONS_MAX).for_each(|line| command(line));
}

/// Prints lines of a plan, folded in the log of a job.
///
/// # Errors
/// When stdout is closed or full.
pub fn grouped(printer: Printer, title: &str, lines: &[Line]) -> std::io::Result<()> {
    let folds = runs_here() && !lines.is_empty();
    if folds {
        super::unless_closed(super::put(&format!("::group::{}", data(title))))?;
    }
    printer.lines(lines)?;
    if folds { super::unless_closed(super::put("::endgroup::")) } else { Ok(()) }
}

/// Annotates why a command failed. Faults of a manifest were annotated at their lines, and the error that counts them
/// has no hint.
pub fn fault(message: &str, hint: Option<&str>) {
    if let Some(hint) = hint.filter(|_| runs_here()) {
        command(&format!("::error title=provision::{}", data(&format!("{message}\nhelp: {hint}"))));
    }
}

/// Adds a page to the step's summary. Without one, or where it cannot be written, nothing happens: the log has it all.
pub fn summarise(page: &str) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|_| runs_here()) else { return };
    let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    if length + page.len() as u64 + 2 > SUMMARY_MAX {
        return;
    }
    // A step before this one may have put something else there.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    if let Ok(mut file) = OpenOptions::new().append(true).create(true).custom_flags(flags).open(path) {
        let _ = file.write_all(format!("{page}\n\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_command_whatever_it_says() {
        let spot = Spot { file: Path::new("a,b:c.toml"), line: 3, column: 7 };
        let line = annotation(Level::Error, spot, "bad:name,x", "100 %\r\n::add-mask::x");
        insta::assert_snapshot!(line, @"::error file=a%2Cb%3Ac.toml,line=3,col=7,title=bad%3Aname%2Cx::100 %25%0A::add-mask::x");
    }
}
