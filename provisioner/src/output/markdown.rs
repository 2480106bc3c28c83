//! Markdown for pull requests: a line that sums up, a table, and the rest folded. What it shows comes from a manifest
//! that anybody may have written, so nothing of it is interpreted: no markup, no mention, no link, no picture.

use std::fmt::Write as _;

use super::gate;
use crate::apply::Outcome;
use crate::plan::{self, Labels, Line, Plan, Tone};
use latchkey_sinks::plural::count;

/// The longest page: GitHub takes no longer comment than 65,536 characters.
const PAGE_MAX: usize = 60_000;
/// The most rows of a table.
const ROWS_MAX: usize = 100;

/// A text in which nothing is markup. What is in backticks is shown as code.
pub fn text(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // The last backtick of an odd number opens nothing.
    let open = if parts.len().is_multiple_of(2) { parts.len() - 1 } else { parts.len() };
    let mut out = String::with_capacity(text.len() * 2);
    for (index, part) in parts.iter().enumerate() {
        if index >= open {
            out.push_str("&#96;");
        }
        if index % 2 == 1 && index < open {
            out.push_str(&code(part));
        } else {
            escape(part, &mut out);
        }
    }
    out
}

/// A literal, shown as code.
pub fn code(literal: &str) -> String {
    let mut out = String::from("<code>");
    escape(literal, &mut out);
    out.push_str("</code>");
    out
}

/// Everything that Markdown, HTML or GitHub would read as more than itself, as a character reference. Mentions and
/// references to issues are made after that, of the finished text: an empty comment keeps them apart.
fn escape(text: &str, out: &mut String) {
    let text = &*gate::line(text);
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let plain = next.is_whitespace() || (before.is_ascii_digit() && next.is_ascii_digit());
        before = character;
        match character {
            // Within a word they make links and pictures: `example.org`, `:smile:`, `http://`.
            '.' | ':' if plain => out.push(character),
            '@' | '#' => {
                out.push(character);
                out.push_str("<!-- -->");
            }
            ' ' => out.push(' '),
            character if character.is_ascii_alphanumeric() || !character.is_ascii() => out.push(character),
            ',' | ';' | '-' | '+' | '/' | '?' | '(' | ')' | '%' | '=' => out.push(character),
            character => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
        }
    }
}

/// A table; cells are Markdown already. Of very many rows only the first are shown.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    let mut lines = vec![line(&mut heads.iter().copied()), line(&mut heads.iter().map(|_| "---"))];
    lines.extend(rows.iter().take(ROWS_MAX).map(|row| line(&mut row.iter().map(String::as_str))));
    let mut table = lines.join("\n");
    if rows.len() > ROWS_MAX {
        let _ = write!(table, "\n\nand {} more", rows.len() - ROWS_MAX);
    }
    table
}

/// Text as it is, in a block that it cannot leave.
pub fn block(text: &str) -> String {
    let text = &*gate::lines(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// A body folded under a summary, which is Markdown already.
pub fn folded(words: &str, body: &str) -> String {
    format!("<details><summary>{words}</summary>\n\n{body}\n\n</details>")
}

/// A page of parts, with an empty line between them.
pub fn page(parts: &[String]) -> String {
    let kept: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    kept.join("\n\n")
}

/// The lines of a plan, folded, cut where a page would be too long.
fn all_lines(lines: &[Line], room: usize) -> String {
    let mut shown = String::new();
    for (index, line) in lines.iter().enumerate() {
        let line = gate::line(&line.plain()).into_owned();
        if shown.len() + line.len() > room {
            let _ = writeln!(shown, "... and {} more", count(lines.len() - index, "line"));
            break;
        }
        shown.push_str(&line);
        shown.push('\n');
    }
    folded("All lines", &block(shown.trim_end_matches('\n')))
}

/// A plan for a pull request.
pub fn plan(plan: &Plan, labels: &Labels) -> String {
    let lines = plan::lines(plan, labels);
    let mut sum = format!("**{}**", text(&plan::summary(plan)));
    if plan.has_changes() && plan.looked_at {
        let _ = write!(sum, ", plan id {}", code(&plan.id()));
    }
    let mut parts = vec![format!("### Plan of {}", code(plan.manifest.as_str())), sum];
    parts.extend(plan::plan_notes(plan).iter().map(|note| text(note)));
    parts.extend(changes(&lines));
    let used: usize = parts.iter().map(String::len).sum();
    if !lines.is_empty() {
        parts.push(all_lines(&lines, PAGE_MAX.saturating_sub(used)));
    }
    page(&parts)
}

/// The changes of a plan as a table: what changes, how, and the details.
fn changes(lines: &[Line]) -> Option<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut counts = false;
    for line in lines {
        match line.tone {
            Tone::Note | Tone::Warning => counts = false,
            Tone::Detail => {
                if let Some(row) = rows.last_mut().filter(|_| counts) {
                    let details = &mut row[2];
                    if !details.is_empty() {
                        details.push_str("<br>");
                    }
                    details.push_str(&text(&line.text));
                }
            }
            tone => {
                let (subject, what) = line.text.split_once(": ").unwrap_or((line.text.as_str(), ""));
                let what = what.strip_prefix("blocked: ").unwrap_or(what);
                let mark = if tone == Tone::Problem { "**blocked** " } else { "" };
                rows.push(vec![text(subject), format!("{mark}{}", text(what)), String::new()]);
                counts = true;
            }
        }
    }
    (!rows.is_empty()).then(|| table(&["What", "Change", "Details"], &rows))
}

/// What a run did, for a pull request.
pub fn outcome(sum: &str, plan: Option<&Plan>, outcome: &Outcome, labels: &Labels) -> String {
    let name = plan.map(|plan| code(plan.manifest.as_str())).unwrap_or_default();
    let mut parts = vec![format!("### Run of {name}"), format!("**{}**", text(sum))];
    if !outcome.failures.is_empty() {
        let rows: Vec<Vec<String>> = outcome
            .failures
            .iter()
            .map(|failure| {
                let cells = [&failure.message, &failure.state, &failure.hint];
                std::iter::once(code(&failure.subject)).chain(cells.map(|cell| text(cell))).collect()
            })
            .collect();
        parts.push(table(&["Token", "Error", "State", "What to do"], &rows));
    }
    if let Some(plan) = plan {
        let lines = plan::lines(plan, labels);
        let problems: Vec<Line> = lines
            .iter()
            .enumerate()
            .filter(|(index, line)| {
                let of_problem = line.tone == Tone::Detail
                    && lines[..*index].iter().rfind(|before| before.tone != Tone::Detail).is_some_and(is_problem);
                is_problem(line) || of_problem
            })
            .map(|(_, line)| line.clone())
            .collect();
        parts.extend(changes(&problems));
        let used: usize = parts.iter().map(String::len).sum();
        if !lines.is_empty() {
            parts.push(all_lines(&lines, PAGE_MAX.saturating_sub(used)));
        }
    }
    page(&parts)
}

fn is_problem(line: &Line) -> bool {
    line.tone == Tone::Problem
}

/// Why a command failed, with what to do about it.
pub fn fault(message: &str, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("help: {}", text(hint))).unwrap_or_default();
    page(&[format!("**error**: {}", text(message)), hint])
}

/// Faults of a manifest, as they are shown in the terminal.
pub fn faults(path: &str, rendered: &str) -> String {
    page(&[format!("### Problems in {}", code(path)), block(rendered.trim_end())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let evil = "a|b *x* _y_ <img src=x> [l](http://e.org) ![p](q) @team #12 ~~s~~ \\ $z$ :x: & \u{1b}[31m";
        insta::assert_snapshot!(text(evil), @"a&#124;b &#42;x&#42; &#95;y&#95; &#60;img src=x&#62; &#91;l&#93;(http&#58;//e&#46;org) &#33;&#91;p&#93;(q) @<!-- -->team #<!-- -->12 &#126;&#126;s&#126;&#126; &#92; &#36;z&#36; &#58;x: &#38; &#92;u&#123;1b&#125;&#91;31m");
    }

    #[test]
    fn backticks_are_code_and_an_odd_one_is_itself() {
        assert_eq!(text("pass `--prune` now"), "pass <code>--prune</code> now");
        assert_eq!(text("`a` and `b"), "<code>a</code> and &#96;b");
        assert_eq!(code("</code>|"), "<code>&#60;/code&#62;&#124;</code>");
    }

    #[test]
    fn a_block_cannot_be_left() {
        assert_eq!(block("a\n```\n# b"), "````text\na\n```\n# b\n````");
    }
}
