//! Where a name stands besides the lines that set it for every reader, and values that readers do not see alike.

use latchkey::secret::Secret;
use zeroize::Zeroizing;

use super::scan::Line;
use super::shell;

/// Whether some reader may take the line as setting or unsetting `name`, other than as our own kind of entry.
pub(super) fn may_set(line: &Line, name: &str) -> bool {
    if line.is_comment() {
        return false;
    }
    let Some(assignment) = &line.assignment else { return stands_in(&line.text, name, |_, _| true) };
    let value = &line.text[assignment.value.clone()];
    let in_value = match (value.contains('\n'), assignment.quote) {
        // Some readers take each of its lines for an entry.
        (true, _) => stands_in(value, name, |_, _| true),
        (false, Some(_)) => false,
        // A shell sets at the start of a word, and runs what stands behind a `;` or `&`.
        (false, None) => {
            let runs = value.contains([';', '&']);
            stands_in(value, name, |before, after| starts_word(before) && (runs || sets(after)))
        }
    };
    in_value || (assignment.name != name && stands_in(&line.text[..assignment.value.start], name, |_, _| true))
}

/// Whether a line is as we write an entry: `NAME=value` and a line feed, or the end of the file. Every reader takes such a
/// line alike and begins anew below it, so that nobody has to look into it for what readers differ on; [`may_set`] holds
/// of it for no name at all.
pub(super) fn is_as_written(line: &Line) -> bool {
    line.assignment.as_ref().is_some_and(|assignment| {
        let before = line.text[..assignment.value.start].strip_suffix('=');
        before == Some(assignment.name.as_str())
            && shell::is_variable(&assignment.name)
            && assignment.quote.is_none()
            && line.text[assignment.value.clone()].bytes().all(is_plain)
            && matches!(&line.text[assignment.value.end..], "" | "\n")
    })
}

/// Whether a value may have the character without quotes, for every reader.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte)
}

fn starts_word(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_some_and(|last| last.is_whitespace() || last.is_control() || ";&|(){}<>\"'`\\".contains(last))
}

fn sets(after: &str) -> bool {
    after.starts_with(['=', '[', ':']) || after.starts_with("+=")
}

/// Whether `name` is a word of `text`, but for references to it, and stands between texts that `counts` takes.
fn stands_in(text: &str, name: &str, counts: impl Fn(&str, &str) -> bool) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let left = before.trim_end_matches(is_part);
        let right = after.trim_start_matches(is_part);
        let word = &text[left.len()..text.len() - right.len()];
        word.trim_matches(['.', '-']) == name && !is_reference(before, after) && counts(before, after)
    })
}

/// `$NAME`, `${NAME}`, and the latter with a default or an alternative.
fn is_reference(before: &str, after: &str) -> bool {
    let braced = before.ends_with("${") && ["}", ":-", "-", ":+", "+"].iter().any(|end| after.starts_with(end));
    braced || before.ends_with('$')
}

/// What readers make of the value of an assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// All of them see the same, or at least none sees a secret.
    Plain,
    /// Some of them see this secret.
    Secret(Zeroizing<String>),
    /// Some of them may see a secret that does not stand in the line.
    Unknown,
}

pub(super) fn value(lines: &[Line], at: usize) -> Value {
    let line = &lines[at];
    let Some(assignment) = &line.assignment else { return Value::Plain };
    let raw = &line.text[assignment.value.clone()];
    let body = if assignment.quote.is_some() { &raw[1..raw.len() - 1] } else { raw };
    if body.bytes().all(is_plain) {
        let next = lines[at + 1..].iter().find(|next| !next.text.trim().is_empty());
        let is_below = raw.is_empty() && next.is_some_and(is_value);
        return if is_below { Value::Unknown } else { Value::Plain };
    }
    let expands = assignment.quote != Some('\'') && may_expand_to_secret(body);
    match secret(raw) {
        _ if expands || super::agreement::joins_next(line) => Value::Unknown,
        Some(secret) => Value::Secret(secret),
        None => Value::Plain,
    }
}

/// Whether a reader that looks for a value in the lines below would take this one for it.
fn is_value(line: &Line) -> bool {
    let quoted = line.text.starts_with(['\'', '"', '`']);
    line.assignment.is_none() && !line.is_comment() && (quoted || secret(&line.text).is_some())
}

/// The secret that is left once quotes and escapes are gone, and what stands behind a blank, a `#`, or a character that
/// ends a word of a shell.
fn secret(raw: &str) -> Option<Zeroizing<String>> {
    let is_quote = |character: char| "'\"`\\".contains(character);
    let raw = raw.trim_start_matches(|character: char| character.is_whitespace() || is_quote(character));
    let ends = |character: char| character.is_whitespace() || "#;&|<>()".contains(character);
    let end = raw.find(ends).unwrap_or(raw.len());
    let mut plain = Zeroizing::new(String::with_capacity(end));
    plain.extend(raw[..end].chars().filter(|character| !is_quote(*character)));
    Secret::parse(&plain).is_ok().then_some(plain)
}

/// Whether the text has variables or commands, and beside them nothing that no secret has.
fn may_expand_to_secret(text: &str) -> bool {
    let is_inner = |character: char| character.is_ascii_alphanumeric() || "_'\"\\".contains(character);
    let (mut rest, mut expands) = (text.trim_start(), false);
    while let Some(at) = rest.find(|character| !is_inner(character)) {
        let found = &rest[at..];
        let end = match found.as_bytes() {
            [b'`', ..] => found[1..].find('`').map(|end| end + 2),
            [b'$', b'{', ..] => found.find('}').map(|end| end + 1),
            [b'$', b'(', ..] => found.rfind(')').map(|end| end + 1),
            [b'$', ..] => Some(1),
            [b'#' | b';' | b'&' | b'|' | b' ' | b'\t' | b'\n', ..] => return expands,
            _ => return false,
        };
        expands = true;
        rest = end.map_or("", |end| &found[end..]);
    }
    expands
}
