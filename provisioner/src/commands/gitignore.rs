//! What keeps secrets and table out of git: lines of the `.gitignore` beside a manifest.

use std::io;
use std::path::Path;

use crate::output::Printer;
use latchkey_sinks::files::{FileError, Mode, Replacement, Site};
use latchkey_sinks::git;
use latchkey_sinks::reading::listed;

/// What git is never to be given, each with a name that it covers: secrets, the table, and what stands beside them. Who
/// may push could replace a table that git tracks, and with it every token.
const IGNORED: [(&str, &str); 3] =
    [(".env", ".env"), ("latchkey.db*", "latchkey.db-wal"), ("*.latchkey-*", ".env.latchkey-lock")];
/// The largest `.gitignore` that is added to.
const SIZE_MAX: usize = 1 << 20;

/// Adds to the `.gitignore` beside the manifest what is missing there. Outside of a repository nothing happens.
pub(super) fn complete(printer: Printer, manifest: &Path) -> io::Result<()> {
    let path = std::path::absolute(manifest)?.with_file_name(".gitignore");
    let is_missing = |name: &str| git::is_ignored(&path.with_file_name(name)) == Some(false);
    let missing: Vec<&str> =
        IGNORED.into_iter().filter(|(_, name)| is_missing(name)).map(|(pattern, _)| pattern).collect();
    if missing.is_empty() {
        return Ok(());
    }
    match add(&path, &missing) {
        Ok(added) if added.is_empty() => Ok(()),
        Ok(added) => printer.result(&format!("Added {} to `.gitignore`", listed(&added))),
        Err(error) => {
            printer.warning(&format!("{error}: add {} to `.gitignore` yourself", listed(&missing)));
            Ok(())
        }
    }
}

/// Appends the lines that a file does not have yet, and answers those.
fn add<'a>(path: &Path, lines: &[&'a str]) -> Result<Vec<&'a str>, FileError> {
    let site = Site::plain(path)?;
    let before = site.read(SIZE_MAX)?;
    let mode = if before.is_some() { Mode::AtMost(0o777) } else { Mode::AtMost(0o644) };
    let text = before.map(|contents| contents.bytes.to_vec()).unwrap_or_default();
    let (text, added) = with(text, lines);
    if !added.is_empty() {
        Replacement::prepare(&site, &text, mode)?.commit()?;
    }
    Ok(added)
}

/// The text with the lines that it does not have yet, which end as its own do; and those lines.
fn with<'a>(mut text: Vec<u8>, lines: &[&'a str]) -> (Vec<u8>, Vec<&'a str>) {
    let has = |line: &&&str| text.split(|byte| *byte == b'\n').any(|own| own.trim_ascii() == line.as_bytes());
    let added: Vec<&str> = lines.iter().filter(|line| !has(line)).copied().collect();
    let first = text.iter().position(|byte| *byte == b'\n');
    let end: &[u8] = if first.is_some_and(|at| text[..at].ends_with(b"\r")) { b"\r\n" } else { b"\n" };
    if !added.is_empty() && !text.is_empty() && !text.ends_with(b"\n") {
        text.extend(end);
    }
    text.extend(added.iter().flat_map(|line| [line.as_bytes(), end].concat()));
    (text, added)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_lines_are_added_and_they_end_as_those_of_the_file_do() {
        let added = |text: &str| String::from_utf8(with(text.as_bytes().to_vec(), &[".env", "*.db"]).0).unwrap();
        assert_eq!(added(""), ".env\n*.db\n");
        assert_eq!(added("target\r\n"), "target\r\n.env\r\n*.db\r\n");
        assert_eq!(added("target\r\n  .env \r\nlast"), "target\r\n  .env \r\nlast\r\n*.db\r\n");
        assert_eq!(added("target\nlast\r\n"), "target\nlast\r\n.env\n*.db\n");
        assert_eq!(added("*.db\n.env"), "*.db\n.env", "nothing is missing");
    }
}
