//! The scanner of `.env` text: cuts it into lines, of which an assignment with a quoted value may span several.
//!
//! It reads as the dotenv libraries do, and refuses text where they would not agree on where a line ends.

use std::ops::Range;

use zeroize::Zeroizing;

/// Text that cannot be edited safely. Names the line, never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DotenvError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

impl DotenvError {
    /// What to do about it, and where.
    pub fn hint(&self) -> String {
        format!("in line {}: {}", self.line, self.fix)
    }
}

/// One line with its line ending, or one assignment with all the lines that its value spans.
pub(super) struct Line {
    pub(super) text: Zeroizing<String>,
    /// `None`: a blank line, a comment, or something that is no assignment; kept as it is.
    pub(super) assignment: Option<Assignment>,
}

impl Line {
    /// Whether it is a comment to every reader, but for the first line behind a byte order mark.
    pub(super) fn is_comment(&self) -> bool {
        self.text.trim_start_matches(is_blank).starts_with('#')
    }
}

/// Where the parts of an assignment stand in its line.
pub(super) struct Assignment {
    pub(super) name: String,
    /// Where indentation and `export` end.
    pub(super) lead: usize,
    /// The value, quotes included, inline comment not.
    pub(super) value: Range<usize>,
    pub(super) quote: Option<char>,
}

/// Cuts text into lines; together they are the text again.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, DotenvError> {
    let mut lines = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while !rest.is_empty() {
        if rest.starts_with('\u{feff}') {
            // Of files that were joined: some readers skip it, some take it as part of the name.
            let reason = "a byte order mark that does not start the file";
            return Err(DotenvError { line, reason, fix: "delete the character" });
        }
        let first = physical_line(rest);
        let assignment = assignment(rest, first).map_err(|(reason, fix)| DotenvError { line, reason, fix })?;
        let value_end = assignment.as_ref().map_or(0, |assignment| assignment.value.end);
        let end = value_end + physical_line(&rest[value_end..]).len();
        let (whole, after) = rest.split_at(end);
        refuse_controls(whole, line)?;
        line += whole.matches('\n').count();
        lines.push(Line { text: Zeroizing::new(whole.to_owned()), assignment });
        rest = after;
    }
    Ok(lines)
}

/// The line ending of `line`, if it has one.
pub(super) fn line_ending(line: &str) -> &str {
    if line.ends_with("\r\n") {
        "\r\n"
    } else if line.ends_with('\n') {
        "\n"
    } else {
        ""
    }
}

/// Some readers end a line at these, some do not: an assignment might hide behind one.
fn refuse_controls(text: &str, line: usize) -> Result<(), DotenvError> {
    let fault = text.char_indices().find_map(|(at, character)| match character {
        '\r' if !text[at + 1..].starts_with('\n') => Some((at, "a carriage return without a line feed")),
        '\0' => Some((at, "a NUL character")),
        '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
            Some((at, "a character that some readers take for the end of a line"))
        }
        _ => None,
    });
    let Some((at, reason)) = fault else { return Ok(()) };
    let line = line + text[..at].matches('\n').count();
    Err(DotenvError { line, reason, fix: "delete the character" })
}

/// What is wrong with a line, and what to do about it.
type Fault = (&'static str, &'static str);

fn physical_line(text: &str) -> &str {
    text.find('\n').map_or(text, |at| &text[..=at])
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn skip_blanks(text: &str, from: usize) -> usize {
    text.len() - text[from..].trim_start_matches(is_blank).len()
}

/// Reads the assignment that `text` starts with, if it does; `first` is its first line.
fn assignment(text: &str, first: &str) -> Result<Option<Assignment>, Fault> {
    let first = first.trim_end_matches(['\r', '\n']);
    let lead = skip_keyword(first);
    let Some((name, name_end)) = name(first, lead) else { return Ok(None) };
    let equals = skip_blanks(first, name_end);
    if !first[equals..].starts_with('=') {
        return Ok(None);
    }
    let (value, quote) = value(text, first, equals + 1)?;
    Ok(Some(Assignment { name: name.to_owned(), lead, value, quote }))
}

fn skip_keyword(first: &str) -> usize {
    let indentation = skip_blanks(first, 0);
    match first[indentation..].strip_prefix("export") {
        Some(rest) if rest.starts_with(is_blank) => skip_blanks(first, indentation + "export".len()),
        _ => indentation,
    }
}

/// The name at `from` and where it ends. Some readers take a name in quotes.
fn name(first: &str, from: usize) -> Option<(&str, usize)> {
    let rest = &first[from..];
    if let Some(quoted) = rest.strip_prefix(['\'', '"']) {
        let length = quoted.find(&rest[..1])?;
        return (length > 0).then(|| (&quoted[..length], from + length + 2));
    }
    let length = rest.find(|c: char| matches!(c, '=' | '#') || c.is_whitespace()).unwrap_or(rest.len());
    (length > 0).then(|| (&rest[..length], from + length))
}

/// Where the value behind the `=` at `from - 1` stands, and its quote.
fn value(text: &str, first: &str, from: usize) -> Result<(Range<usize>, Option<char>), Fault> {
    let start = skip_blanks(first, from);
    match first[start..].chars().next() {
        None => Ok((from..from, None)),
        // A placeholder with a comment: `NAME= # to be filled in`.
        Some('#') if start > from => Ok((from..from, None)),
        Some(quote @ ('\'' | '"' | '`')) => quoted_value(text, first, start, quote),
        Some(_) => Ok((start..plain_end(first, start), None)),
    }
}

fn quoted_value(text: &str, first: &str, start: usize, quote: char) -> Result<(Range<usize>, Option<char>), Fault> {
    let body = start + 1;
    // The libraries take every quote behind a backslash as part of the value.
    let close = text[body..].match_indices(quote).map(|(at, _)| body + at).find(|at| !text[..*at].ends_with('\\'));
    let Some(close) = close else {
        return Err(("a quote opens the value and is never closed", "put the whole value in quotes of the other kind"));
    };
    let tail = physical_line(&text[close + 1..]).trim_end_matches(['\r', '\n']).trim_matches(is_blank);
    if tail.is_empty() || tail.starts_with('#') {
        return Ok((start..close + 1, Some(quote)));
    }
    // On one line and without a further quote there is no doubt where the line ends, only what the value is.
    if close < first.len() && !tail.contains(['\'', '"', '`']) {
        return Ok((start..plain_end(first, start), None));
    }
    Err(("text follows the quote that closes the value", "put the whole value in one pair of quotes"))
}

/// Where a value without quotes ends: at a comment that a blank sets off, or with the line.
fn plain_end(first: &str, start: usize) -> usize {
    let comment =
        first[start..].match_indices('#').map(|(at, _)| start + at).find(|at| first[..*at].ends_with(is_blank));
    first[..comment.unwrap_or(first.len())].trim_end_matches(is_blank).len()
}
