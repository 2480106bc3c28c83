//! What a terminal or a runner would take for more than text, spelled out: control characters, marks that turn the
//! direction of writing, separators of lines. Whatever comes from the API, the table, a vendor or a file goes through here
//! before it is printed, in every format.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::actions;

/// One line: a line break in it is spelled out too.
pub fn line(text: &str) -> Cow<'_, str> {
    spelled(text, |_, character| is_odd(character))
}

/// Lines that are put together of parts which went through [`line()`], or that nobody else wrote.
pub fn lines(text: &str) -> Cow<'_, str> {
    spelled(text, |_, character| is_odd(character) && !matches!(character, '\n' | '\t'))
}

/// The same, with colours of our own.
pub fn coloured(text: &str) -> Cow<'_, str> {
    spelled(text, |rest, character| {
        let is_kept = matches!(character, '\n' | '\t') || character == '\u{1b}' && begins_with_colour(rest);
        is_odd(character) && !is_kept
    })
}

/// JSON as it is printed: what its own escapes leave as it is.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| is_odd(character) && character != '\n') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_odd(character) && character != '\n' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out.into()
}

/// Lines that no runner takes for commands: those begin with `::`, and an older form is looked for anywhere in a line.
pub fn tame(text: &str) -> Cow<'_, str> {
    if !actions::runs_here() {
        return text.into();
    }
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.lines().any(is_command) {
        return text.into();
    }
    let tamed = |line: &str| {
        let line = line.replace("##[", "## [");
        match line.trim_start().strip_prefix("::") {
            Some(rest) => format!("{}: :{rest}", &line[..line.len() - line.trim_start().len()]),
            None => line,
        }
    };
    text.split('\n').map(tamed).collect::<Vec<_>>().join("\n").into()
}

/// Whether a character is none that a screen shows as it is.
pub fn is_odd(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
}

fn begins_with_colour(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return false };
    rest.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';').starts_with('m')
}

fn spelled(text: &str, is_spelled: impl Fn(&str, char) -> bool) -> Cow<'_, str> {
    if !text.char_indices().any(|(at, character)| is_spelled(&text[at..], character)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        match character {
            character if !is_spelled(&text[at..], character) => out.push(character),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;x\u{7}\r\nb\u{202e}\u{2066}\u{2028}\u{85}\u{7f}c";

    #[test]
    fn a_line_is_one_line_of_plain_characters() {
        insta::assert_snapshot!(line(HOSTILE), @r"a\u{1b}]0;x\u{7}\r\nb\u{202e}\u{2066}\u{2028}\u{85}\u{7f}c");
        assert_eq!(line("Gr\u{fc}\u{df}e, \u{65e5}\u{672c}"), "Gr\u{fc}\u{df}e, \u{65e5}\u{672c}");
    }

    #[test]
    fn only_colours_are_kept_of_what_a_terminal_obeys() {
        assert_eq!(coloured("\u{1b}[1;31mred\u{1b}[0m\n\u{1b}[2J"), "\u{1b}[1;31mred\u{1b}[0m\n\\u{1b}[2J");
        assert_eq!(lines("\u{1b}[31m\n"), "\\u{1b}[31m\n");
    }

    #[test]
    fn json_says_the_same_after_it() {
        let value = serde_json::json!({ "key": HOSTILE });
        let printed = serde_json::to_string_pretty(&value).unwrap();
        let printed = json(&printed);
        assert!(printed.chars().all(|character| !is_odd(character) || character == '\n'), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }
}
