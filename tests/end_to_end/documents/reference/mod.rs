//! The pages of `docs/reference`: what is between their marks is written from the code, and a page that differs from it
//! fails. `LATCHKEY_REFERENCE=write` rewrites them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod commands;
mod constants;
mod environment;
mod events;
mod exits;
mod http;
mod limits;
mod manifest;
mod notices;
mod options;
mod schema;
mod story;

use std::path::{Path, PathBuf};

use super::linked::{anchor, prose};
use super::root;

/// What a generated part ends with.
const END: &str = "<!-- /generated -->";

fn path(page: &str) -> PathBuf {
    root().join("docs/reference").join(page)
}

/// Holds a page of the reference to its parts: each by its name, and no other.
fn hold(page: &str, parts: &[(&str, String)]) {
    hold_file(&path(page), parts);
}

/// The same of any page.
pub(super) fn hold_file(file: &Path, parts: &[(&str, String)]) {
    let page = file.strip_prefix(root()).unwrap().display();
    let text = std::fs::read_to_string(file).unwrap();
    let mut made = String::new();
    let mut rest = text.as_str();
    for (name, part) in parts {
        let start = format!("<!-- generated: {name} -->\n");
        let (before, behind) = rest.split_once(&start).unwrap_or_else(|| panic!("{page} has no part `{name}` here"));
        let (_, behind) = behind.split_once(END).unwrap_or_else(|| panic!("{page}: `{name}` has no end"));
        let part = part.trim().replace("\n\n\n", "\n\n");
        made.extend([before, &start, "\n", &part, "\n\n", END]);
        rest = behind;
    }
    assert!(!rest.contains("<!-- generated: "), "{page} has a part that nobody writes");
    made.push_str(rest);
    let prose = prose(&made);
    let mut anchors: Vec<String> = prose.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    anchors.sort();
    let twice = anchors.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(twice.is_none(), "{page} has a heading twice, so that links lead to the first: {twice:?}");
    if made == text {
        return;
    }
    if std::env::var_os("LATCHKEY_REFERENCE").is_some_and(|word| word == "write") {
        latchkey_sinks::files::write_atomic(file, made.as_bytes(), 0o644).unwrap();
        return;
    }
    let mut lines = made.lines().zip(text.lines()).enumerate();
    let (number, (is, was)) = lines.find(|(_, (is, was))| is != was).unwrap_or((0, ("another length", "")));
    panic!(
        "{page} is not what the code says, from line {}:\n  page: {was}\n  code: {is}\n\
         rewrite it with `LATCHKEY_REFERENCE=write cargo nextest run --workspace --all-features -E 'test(/documents/)'`",
        number + 1
    );
}

/// A table in Markdown, without the columns that nothing is in. What would end a cell is escaped.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let kept: Vec<usize> = (0..N).filter(|column| rows.iter().any(|row| !row[*column].is_empty())).collect();
    let line = |cells: &[String; N]| {
        let cells: Vec<String> =
            kept.iter().map(|column| cells[*column].replace('|', "\\|").replace('\n', " ")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = format!("|{}\n", "---|".repeat(kept.len()));
    let text: String = [line(&head.map(str::to_owned)), rule].into_iter().chain(rows.iter().map(line)).collect();
    text.replace("|  |", "| |").replace("|  |", "| |")
}

/// A text as code, where there is one; one that has a backtick between two of them.
fn code(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text if text.contains('`') => format!("`` {text} ``"),
        text => format!("`{text}`"),
    }
}

/// A text as it begins inside a sentence.
fn sentence(text: &str) -> String {
    text.trim().trim_end_matches('.').replace('\n', " ")
}
