//! Where a name stands besides the lines that set it for every reader, and values that readers do not see alike.

use latchkey::secret::Secret;
use zeroize::Zeroizing;

use super::scan::{Assignment, Line};

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

/// Whether some reader may see a secret in the value of the assignment at `at`, and not every reader the same one.
pub(super) fn is_doubtful(lines: &[Line], at: usize) -> bool {
    let line = &lines[at];
    let Some(assignment) = &line.assignment else { return false };
    let raw = &line.text[assignment.value.clone()];
    if is_certain(body(raw, assignment)) {
        return raw.is_empty()
            && lines[at + 1..].iter().find(|next| !next.text.trim().is_empty()).is_some_and(is_value);
    }
    let expanded = assignment.quote != Some('\'') && body(raw, assignment).contains(['$', '`']);
    expanded || super::agreement::joins_next(line) || is_secret(raw)
}

fn body<'a>(raw: &'a str, assignment: &Assignment) -> &'a str {
    if assignment.quote.is_some() { &raw[1..raw.len() - 1] } else { raw }
}

/// Characters that no reader takes as anything but themselves, quoted or not.
fn is_certain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte))
}

/// Whether a reader that looks for a value in the lines below would take this one for it.
fn is_value(line: &Line) -> bool {
    line.assignment.is_none()
        && !line.is_comment()
        && (line.text.starts_with(['\'', '"', '`']) || is_secret(&line.text))
}

/// Whether the text is a secret once quotes and escapes are gone, and what stands behind a blank, a `#`, or a character
/// that ends a word of a shell.
fn is_secret(raw: &str) -> bool {
    let raw = raw.trim_start_matches(|character: char| character.is_whitespace() || "'\"`".contains(character));
    let ends = |character: char| character.is_whitespace() || "#;&|<>()".contains(character);
    let end = raw.find(ends).unwrap_or(raw.len());
    let mut plain = Zeroizing::new(String::with_capacity(end));
    plain.extend(raw[..end].chars().filter(|character| !"'\"`\\".contains(*character)));
    Secret::parse(&plain).is_ok()
}
