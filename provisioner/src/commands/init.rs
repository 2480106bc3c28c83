//! `provision init`: a starter.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use latchkey::name::ManifestName;

use super::arguments::Init;
use super::exit::{Code, Fault};
use super::{gitignore, open};
use crate::manifest::starter;
use crate::output::Printer;
use latchkey_sinks::files::FileError;

/// Writes a starter manifest; an existing file is left alone.
pub(super) fn run(printer: Printer, init: &Init) -> Result<Code, Fault> {
    let name = name(init.name.as_deref(), &init.file)?;
    let shown = init.file.display();
    write_new(&init.file, &starter(name.as_str()), "to write another file, run `provision init FILE`")?;
    if let Some(other) = open::above(Path::is_file).filter(|_| init.file == Path::new("tokens.toml")) {
        let other = other.display();
        printer.warning(&format!("`{other}` is a manifest too, which commands in this folder used until now"));
    }
    printer.result(&format!("Wrote `{shown}`; review it, then run `provision apply {shown}`"))?;
    if !init.no_gitignore {
        gitignore::complete(printer, &init.file)?;
    }
    Ok(Code::Done)
}

/// The name of a manifest: as it was given, or from the folder of its file.
pub(super) fn name(given: Option<&str>, file: &Path) -> Result<ManifestName, Fault> {
    match given {
        Some(name) => name
            .parse()
            .map_err(|_| Fault::new(format!("`{name}` cannot be a manifest's name")).hint(ManifestName::RULE)),
        None => Ok(name_of(file)),
    }
}

/// Writes a manifest to a file that must not exist yet; `instead` is what to do where it does.
pub(super) fn write_new(path: &Path, text: &str, instead: &str) -> Result<(), Fault> {
    let shown = path.display();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let fault = FileError::from_io("write", path, &error);
        let fault = Fault::new(fault.to_string()).hint(fault.hint());
        match error.kind() {
            ErrorKind::AlreadyExists => {
                Fault::new(format!("`{shown}` already exists")).hint(format!("it was not changed; {instead}"))
            }
            _ => fault,
        }
    })?;
    file.write_all(text.as_bytes()).map_err(|error| Fault::new(format!("cannot write `{shown}`: {error}")))
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
