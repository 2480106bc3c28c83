//! What fits on a screen: its width, lines that go on further in, and texts that are cut with a sign of it.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A narrower screen than this is written to as if it were this wide.
const WIDTH_MIN: usize = 40;
/// What shows that a text was cut.
const CUT: char = '…';

/// How many columns stdout has; `None` where it is no terminal, or one that does not know.
pub fn stdout_width() -> Option<usize> {
    width(io::stdout())
}

/// The same for stderr.
pub fn stderr_width() -> Option<usize> {
    width(io::stderr())
}

fn width(stream: impl AsFd) -> Option<usize> {
    let columns = tcgetwinsize(stream).ok()?.ws_col;
    (columns > 0).then(|| usize::from(columns).max(WIDTH_MIN))
}

/// Whether stderr is a terminal on which lines can be drawn again.
pub(super) fn redraws() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// How many columns a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// A line as several, broken at spaces; all but the first begin so far in. What is in backticks stays together where it can, so
/// that it can be copied. A longer word than a line is left to the terminal.
pub fn wrapped(line: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width.filter(|width| columns(line) > *width) else { return line.to_owned() };
    let start = line.len() - line.trim_start().len();
    let (mut text, mut column) = (line[..start].to_owned(), start);
    let mut is_first = true;
    for piece in pieces(&line[start..], width.saturating_sub(indent)) {
        let wide = columns(piece.trim_end());
        if column + wide > width && !is_first {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        }
        is_first = false;
        text.push_str(piece);
        column += columns(piece);
    }
    text
}

/// Words with the spaces behind them; those between two backticks are one, up to a length.
fn pieces(text: &str, longest: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (at, character) in text.char_indices() {
        quoted ^= character == '`';
        let end = at + character.len_utf8();
        if character != ' ' || text[end..].starts_with(' ') {
            continue;
        }
        words.push((start, end));
        start = end;
        if !quoted {
            join(text, &mut words, longest, &mut pieces);
        }
    }
    words.push((start, text.len()));
    join(text, &mut words, longest, &mut pieces);
    pieces
}

fn join<'t>(text: &'t str, words: &mut Vec<(usize, usize)>, longest: usize, pieces: &mut Vec<&'t str>) {
    if let (Some((start, _)), Some((_, end))) = (words.first(), words.last()) {
        let whole = &text[*start..*end];
        if columns(whole.trim_end()) <= longest {
            pieces.push(whole);
        } else {
            pieces.extend(words.iter().map(|(start, end)| &text[*start..*end]));
        }
    }
    words.clear();
}

/// A text that takes at most so many columns; one that was cut ends in `…`.
pub fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = most.saturating_sub(1);
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        cut.push(character);
    }
    let mut cut = cut.trim_end().to_owned();
    cut.push(CUT);
    cut
}

/// A text with blanks behind it, up to so many columns.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_line_is_broken_at_words_and_goes_on_further_in() {
        let line = "  ! token `ci/build-api`: blocked: cannot read `.env BUILD`: it is away";
        insta::assert_snapshot!(wrapped(line, Some(40), 6), @"
          ! token `ci/build-api`: blocked:
              cannot read `.env BUILD`: it is
              away
        ");
        assert_eq!(wrapped(line, None, 6), line);
        assert_eq!(wrapped(line, Some(200), 6), line);
    }

    #[test]
    fn what_can_be_copied_is_not_broken() {
        let line = "pass it by name if you trust it: `provision apply --forget 0123456789abcdef`";
        assert!(
            wrapped(line, Some(60), 4).lines().any(|line| line.trim().starts_with("`provision") && line.ends_with('`'))
        );
    }

    #[test]
    fn a_text_that_was_cut_says_so() {
        assert_eq!(cut("production", 5), "prod…");
        assert_eq!(cut("production", 10), "production");
        assert_eq!(columns(&cut("日本語日本語", 6)), 5);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_by_breaking_lines(line in "[a-z` é日]{0,200}", width in 40_usize..90, indent in 0_usize..12) {
            let text = wrapped(&line, Some(width), indent);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&text), words(&line));
            for part in text.lines().filter(|part| part.trim().contains(' ')) {
                prop_assert!(columns(part.trim_end()) <= width, "{:?}", part);
            }
        }
    }
}
