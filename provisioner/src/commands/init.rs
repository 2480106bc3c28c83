//! `provision init`: a starter, and what keeps secrets and table out of git.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use latchkey::name::ManifestName;

use super::arguments::Init;
use super::exit::{Code, Fault};
use super::open;
use crate::manifest::starter;
use crate::output::Printer;
use latchkey_sinks::files::{FileError, Mode, Replacement, Site};
use latchkey_sinks::git;
use latchkey_sinks::reading::listed;

/// Writes a starter manifest; an existing file is left alone.
pub(super) fn run(printer: Printer, init: &Init) -> Result<Code, Fault> {
    let name = match &init.name {
        Some(name) => name
            .parse()
            .map_err(|_| Fault::new(format!("`{name}` cannot be a manifest's name")).hint(ManifestName::RULE))?,
        None => name_of(&init.file),
    };
    let shown = init.file.display();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&init.file).map_err(|error| {
        let fault = FileError::from_io("write", &init.file, &error);
        let fault = Fault::new(fault.to_string()).hint(fault.hint());
        match error.kind() {
            ErrorKind::AlreadyExists => Fault::new(format!("`{shown}` already exists"))
                .hint("it was not changed; to write another file, run `provision init FILE`"),
            _ => fault,
        }
    })?;
    file.write_all(starter(name.as_str()).as_bytes())
        .map_err(|error| Fault::new(format!("cannot write `{shown}`: {error}")))?;
    if let Some(other) = open::above(Path::is_file).filter(|_| init.file == Path::new("tokens.toml")) {
        let other = other.display();
        printer.warning(&format!("`{other}` is a manifest too, which commands in this folder used until now"));
    }
    printer.result(&format!("Wrote `{shown}`; review it, then run `provision apply {shown}`"))?;
    ignore(printer, &init.file)?;
    Ok(Code::Done)
}

/// What git is never to be given, each with a name that it covers: secrets, the table, and what stands beside them. Who
/// may push could replace a table that git tracks, and with it every token.
const IGNORED: [(&str, &str); 3] =
    [(".env", ".env"), ("latchkey.db*", "latchkey.db-wal"), ("*.latchkey-*", ".env.latchkey-lock")];
/// The largest `.gitignore` that is added to.
const GITIGNORE_MAX: usize = 1 << 20;

/// Adds to the `.gitignore` beside the manifest what is missing there. Outside of a repository nothing happens.
fn ignore(printer: Printer, manifest: &Path) -> io::Result<()> {
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
    let before = site.read(GITIGNORE_MAX)?;
    let mode = if before.is_some() { Mode::AtMost(0o777) } else { Mode::AtMost(0o644) };
    let mut text = before.map(|contents| contents.bytes.to_vec()).unwrap_or_default();
    let has = |line: &&&str| text.split(|byte| *byte == b'\n').any(|own| own.trim_ascii() == line.as_bytes());
    let added: Vec<&str> = lines.iter().filter(|line| !has(line)).copied().collect();
    if added.is_empty() {
        return Ok(added);
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend(added.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()));
    Replacement::prepare(&site, &text, mode)?.commit()?;
    Ok(added)
}

/// The folder's name, turned into a manifest's name.
fn name_of(file: &Path) -> ManifestName {
    let folder = std::path::absolute(file).ok().and_then(|path| path.parent().map(Path::to_owned));
    let folder = folder.and_then(|folder| folder.file_name().map(|name| name.to_string_lossy().to_lowercase()));
    let kebab: String = folder
        .unwrap_or_default()
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
        .collect();
    let trimmed = kebab.trim_matches(|character: char| !character.is_ascii_lowercase() && !character.is_ascii_digit());
    let fallback = || ManifestName::try_from("my-tokens".to_owned());
    let name = trimmed.parse::<ManifestName>().or_else(|_| fallback());
    name.unwrap_or_else(|_| unreachable!("`my-tokens` is a manifest's name"))
}
