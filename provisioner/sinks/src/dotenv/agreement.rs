//! Whether all readers come to the end of each line together, so that an entry below it is one to every reader.

use super::node::{self, Position};
use super::scan::{DotenvError, Line};
use super::shell::{self, BACKSLASH, Trouble};

const NO_NAME: Trouble =
    Trouble { reason: "Node.js stops reading at a `=` with no name before it", fix: "make the line a comment" };
const PHP: Trouble = Trouble {
    reason: "phpdotenv takes the text behind `=\"` for a value of several lines",
    fix: "close the double quote in its line, or delete it",
};
const SEVERAL_LINES: Trouble = Trouble {
    reason: "readers differ on where its value of several lines ends",
    fix: "write it in one line, with `\\n` for each line ending",
};
const LOST: Trouble = Trouble {
    reason: "Node.js takes the quote behind the `=` for the start of a value of several lines",
    fix: "close the quote in its line, or delete it",
};

/// Refuses the first line on whose end readers differ. The values of the `entries` do not count, as they are replaced. The
/// `others` are the lines that are not [as we write them](super::spelling::is_as_written): no other line is looked into.
pub(super) fn check(
    lines: &[Line],
    others: &[usize],
    byte_order_mark: bool,
    entries: &[usize],
) -> Result<(), DotenvError> {
    let above = |at: usize| lines[..at].iter().map(|line| line.text.matches('\n').count()).sum::<usize>();
    for at in others.iter().copied() {
        let line = &lines[at];
        let marked = byte_order_mark && at == 0;
        let found = if entries.contains(&at) { trouble_of_comment(line) } else { trouble(line, marked) };
        if let Some((offset, trouble)) = found {
            return Err(refusal(1 + above(at) + offset, trouble));
        }
    }
    match node::position(lines, others, lines.len(), byte_order_mark) {
        Position::Lost(at) => Err(refusal(1 + above(at), LOST)),
        Position::Clear | Position::RunsOn => Ok(()),
    }
}

fn refusal(line: usize, trouble: Trouble) -> DotenvError {
    DotenvError { line, reason: trouble.reason, fix: trouble.fix }
}

/// What keeps readers from ending the line together, and in which of its lines.
fn trouble(line: &Line, marked: bool) -> Option<(usize, Trouble)> {
    if let Some(offset) = php_runs_on(&line.text) {
        return Some((offset, PHP));
    }
    let trouble = if joins_next(line) {
        Some(BACKSLASH)
    } else if line.is_comment() && !marked {
        None
    } else if line.text.trim_start().starts_with('=') {
        Some(NO_NAME)
    } else {
        // To a shell, a comment behind a byte order mark is none.
        let mark = if marked { "\u{feff}" } else { "" };
        shell::trouble(mark.chars().chain(line.text.chars())).or_else(|| several_lines(line))
    };
    trouble.map(|trouble| (0, trouble))
}

/// The same of what stays of an entry: the comment behind its value.
fn trouble_of_comment(line: &Line) -> Option<(usize, Trouble)> {
    let end = line.assignment.as_ref().map_or(0, |assignment| assignment.value.end);
    let trouble = if joins_next(line) { Some(BACKSLASH) } else { php_runs_on(&line.text[end..]).map(|_| PHP) };
    trouble.map(|trouble| (line.text[..end].matches('\n').count(), trouble))
}

/// Whether a shell, or systemd up to version 253, joins the next line to this one.
pub(super) fn joins_next(line: &Line) -> bool {
    line.text.trim_end_matches(['\r', '\n']).ends_with('\\')
}

/// The refusal of a line that does.
pub(super) fn joined(line: usize) -> DotenvError {
    refusal(line, BACKSLASH)
}

/// Node ends a value at the first quote, escaped or not, and knows no tab before it.
fn several_lines(line: &Line) -> Option<Trouble> {
    let assignment = line.assignment.as_ref()?;
    let (before, value) = (&line.text[..assignment.value.start], &line.text[assignment.value.clone()]);
    let quote = assignment.quote?;
    let safe = before.ends_with('=') && !value.contains(&format!("\\{quote}"));
    (value.contains('\n') && !safe).then_some(SEVERAL_LINES)
}

/// In which of its lines phpdotenv starts a value that goes on behind this entry. It looks for `="` everywhere, in
/// comments too.
fn php_runs_on(text: &str) -> Option<usize> {
    let mut started = None;
    for (at, line) in text.lines().enumerate() {
        let starts = started.is_none() && line.contains("=\"") && !php_stops(line, true);
        if starts {
            started = Some(at);
        } else if started.is_some() && php_stops(line, false) {
            started = None;
        }
    }
    started
}

fn php_stops(line: &str, first: bool) -> bool {
    let unescaped = line.replace("\\\\", "");
    let quotes =
        unescaped.chars().zip(unescaped.chars().skip(1)).filter(|pair| pair.0 != '\\' && pair.1 == '"').count();
    line == "\"" || quotes > usize::from(first)
}
